//! The result of an order as a person acts on it: counts, what needs somebody, what may still be alive, what next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rescind_core::engine::fleet::Fleet;
use rescind_core::id::ProviderName;
use rescind_core::job::JobState;
use rescind_core::order::{Counts, Order, OrderState};
use rescind_core::store::Store;

use super::{Printer, job, table};
use crate::error::Failure;
use crate::progress::duration;

/// How many subjects are named for one reason.
const NAMED: usize = 5;
/// How many different reasons are shown.
const REASONS: usize = 40;

/// Jobs that share a fate: same state, same reason.
#[derive(Default)]
struct Group {
    count: u64,
    providers: BTreeSet<String>,
    named: Vec<String>,
    hint: Option<String>,
}

/// Prints the whole result of one order.
pub(crate) async fn print(
    printer: &mut Printer,
    store: &dyn Store,
    fleet: Option<&Fleet>,
    order: &Order,
) -> Result<(), Failure> {
    head(printer, order)?;
    let by_provider = store.counts(order.key).await?;
    counts(printer, order, &by_provider)?;
    attention(printer, store, order).await?;
    if let Some(fleet) = fleet {
        residual(printer, fleet, &by_provider)?;
    }
    next(printer, order)
}

fn head(printer: &mut Printer, order: &Order) -> Result<(), Failure> {
    let state = match &order.state {
        OrderState::Open => "open".to_owned(),
        OrderState::Paused { why } => format!("paused: {why}"),
        OrderState::Cancelling => "being cancelled".to_owned(),
        OrderState::Finished => "finished".to_owned(),
    };
    printer.wrapped(&format!("Order {}  {state}", order.id), 0)?;
    let note = order.note.as_deref().unwrap_or("(erased)");
    let reference = order
        .reference
        .as_deref()
        .map(|reference| format!("  [{reference}]"))
        .unwrap_or_default();
    let actor = order
        .actor
        .as_ref()
        .map_or("(erased)", |actor| actor.name.as_str());
    let at = order
        .accepted_at
        .round(jiff::Unit::Second)
        .unwrap_or(order.accepted_at);
    printer.wrapped(&format!("{note}{reference}  by {actor} at {at}"), 0)?;
    printer.line("")?;
    Ok(())
}

fn counts(
    printer: &mut Printer,
    order: &Order,
    by_provider: &[(ProviderName, Counts)],
) -> Result<(), Failure> {
    let row = |name: String, counts: &Counts| {
        let mut row = vec![name];
        row.extend(
            [
                counts.accepted,
                counts.confirmed,
                counts.gone,
                counts.refused,
                counts.parked,
                counts.open,
                counts.cancelled,
            ]
            .map(|n| n.to_string()),
        );
        row
    };
    let mut rows: Vec<_> = by_provider
        .iter()
        .map(|(name, counts)| row(name.to_string(), counts))
        .collect();
    if by_provider.len() > 1 {
        rows.push(row("all".to_owned(), &order.counts));
    }
    let header = [
        "provider",
        "accepted",
        "confirmed",
        "gone",
        "refused",
        "parked",
        "open",
        "cancelled",
    ];
    let table = table::render(&header, rows, printer.width());
    printer.line(&table)?;
    if order.verify && order.counts.confirmed > 0 {
        let line = if order.evidence_pending == 0 {
            "The providers' own records were read back for the confirmed ones; `orders show` has each.".to_owned()
        } else {
            format!(
                "Evidence is still to be read for {} confirmed jobs.",
                order.evidence_pending
            )
        };
        printer.wrapped(&line, 0)?;
    }
    Ok(())
}

async fn attention(printer: &mut Printer, store: &dyn Store, order: &Order) -> Result<(), Failure> {
    if order.counts.refused + order.counts.parked == 0 {
        return Ok(());
    }
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let mut more = 0_u64;
    let states = [JobState::Refused, JobState::Parked];
    job::each_job(store, std::slice::from_ref(order), &states, |line| {
        let (why, hint) = match line.error {
            Some(error) => (error.message, error.hint),
            None => ("no reason recorded".to_owned(), None),
        };
        let key = (job::word(line.state), why);
        if groups.len() >= REASONS && !groups.contains_key(&key) {
            more += 1;
            return Ok(());
        }
        let group = groups.entry(key).or_default();
        group.count += 1;
        group.providers.insert(line.provider);
        group.hint = group.hint.take().or(hint);
        let subject = line.subject.unwrap_or_else(|| "(erased)".to_owned());
        if group.named.len() <= NAMED && !group.named.contains(&subject) {
            group.named.push(subject);
        }
        Ok(())
    })
    .await?;
    printer.line("\nNeeds you:")?;
    // What concerns few people first: those are mended by hand.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| group.count);
    for ((state, why), mut group) in groups {
        let providers = group.providers.into_iter().collect::<Vec<_>>().join(", ");
        printer.wrapped(&format!("{} {state} at {providers}: {why}", group.count), 2)?;
        let more = group.named.len() > NAMED;
        group.named.truncate(NAMED);
        let mut who = group.named.join(", ");
        if more {
            who.push_str(" and others");
        }
        printer.wrapped(&who, 6)?;
        if let Some(hint) = group.hint {
            printer.wrapped(&format!("-> {hint}"), 6)?;
        }
    }
    if more > 0 {
        printer.line(&format!("  and {more} more for other reasons"))?;
    }
    Ok(())
}

fn residual(
    printer: &mut Printer,
    fleet: &Fleet,
    by_provider: &[(ProviderName, Counts)],
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    for (name, counts) in by_provider {
        let Some(member) = fleet.get(name).filter(|_| counts.confirmed > 0) else {
            continue;
        };
        for residual in &member.descriptor.residual {
            let most = residual.up_to_secs.map(Duration::from_secs).map(duration);
            let most = most
                .map(|most| format!(" (up to {most})"))
                .unwrap_or_default();
            lines.push(format!("{name}: {}{most}", residual.what));
        }
    }
    if !lines.is_empty() {
        printer.line("\nWhat a confirmed revocation may leave alive:")?;
        for line in lines {
            printer.wrapped(&line, 2)?;
        }
    }
    Ok(())
}

fn next(printer: &mut Printer, order: &Order) -> Result<(), Failure> {
    let id = order.id;
    printer.line("")?;
    if matches!(order.state, OrderState::Paused { .. }) {
        printer.wrapped(&format!("Next: look at the parked jobs, then `rescind run --order {id}` releases it, or `rescind orders cancel {id} --note …` ends it."), 0)?;
    } else if order.counts.open > 0 {
        printer.wrapped("Next: `rescind run` continues; nothing is lost.", 0)?;
    } else if order.counts.parked > 0 {
        printer.wrapped(
            "Next: mend what is named above, then `rescind run` tries the parked jobs again.",
            0,
        )?;
    } else if order.counts.refused > 0 {
        printer.wrapped(
            &format!(
                "Next: mend the list and revoke those people again, or `rescind orders retry {id}`."
            ),
            0,
        )?;
    }
    printer.wrapped(&format!("Each job: `rescind orders show {id}`. For a spreadsheet: `rescind orders export {id} --output csv`."), 0)?;
    Ok(())
}
