//! `rescind verify`: the books balance.

use rescind_core::id::{OrderId, OrderKey};
use rescind_core::order::Counts;
use rescind_core::store::Store;
use serde::Serialize;

use crate::args::Output;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Printer, table};

#[derive(Serialize)]
struct Book {
    order: String,
    balances: bool,
    #[serde(flatten)]
    counts: Counts,
    /// What a recount of every job gives, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    recount: Option<Counts>,
}

#[derive(Serialize)]
struct Verdict<'a> {
    schema: &'static str,
    balances: bool,
    orders: usize,
    jobs: u64,
    wrong: &'a [Book],
}

/// Counts as a person compares them.
fn shown(counts: &Counts) -> String {
    format!(
        "accepted {} = confirmed {} + gone {} + open {} + parked {} + refused {} + cancelled {}",
        counts.accepted,
        counts.confirmed,
        counts.gone,
        counts.open,
        counts.parked,
        counts.refused,
        counts.cancelled
    )
}

/// How often a moving order is counted again before its last two counts are compared as they are.
const TRIES: usize = 50;

/// Counters and recount of one order, taken while no worker moved a job between the two.
async fn audited(
    store: &dyn Store,
    id: OrderId,
    key: OrderKey,
) -> Result<(Counts, Counts), Failure> {
    let mut counts = store.order(id).await?.counts;
    let mut recount = store.recount(key).await?;
    for _ in 1..TRIES {
        let after = store.order(id).await?.counts;
        if after == counts {
            break;
        }
        counts = after;
        recount = store.recount(key).await?;
    }
    Ok((counts, recount))
}

/// Recounts every order from its jobs, trusting no counter.
pub(crate) async fn run(store: &dyn Store, printer: &mut Printer) -> Result<Exit, Failure> {
    let (mut wrong, mut orders, mut jobs, mut before) = (Vec::new(), 0, 0, None);
    loop {
        let page = store.orders(before, 200).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.key);
        for order in page {
            let (counts, recount) = audited(store, order.id, order.key).await?;
            orders += 1;
            jobs += counts.accepted;
            if !counts.balances() || recount != counts {
                wrong.push(Book {
                    order: order.id.to_string(),
                    balances: counts.balances(),
                    counts,
                    recount: Some(recount).filter(|recount| *recount != counts),
                });
            }
        }
    }
    let verdict = Verdict {
        schema: "rescind.verify/1",
        balances: wrong.is_empty(),
        orders,
        jobs,
        wrong: &wrong,
    };
    if printer.format() == Output::Text {
        if wrong.is_empty() {
            printer.line(&format!(
                "The books balance: {orders} orders, {jobs} jobs, each confirmed, gone, open, parked, cancelled or refused."
            ))?;
        } else {
            printer.line("The books do NOT balance:")?;
            let rows = wrong.iter().map(|book| {
                vec![
                    book.order.clone(),
                    shown(&book.counts),
                    book.recount
                        .as_ref()
                        .map_or_else(|| "the same".to_owned(), shown),
                ]
            });
            let table = table::render(&["order", "counters", "recount"], rows, printer.width());
            printer.line(&table)?;
            printer.line("Keep the state folder as it is and report it: this is a fault of the program or of the disk.")?;
        }
    } else {
        printer.json(&verdict)?;
    }
    Ok(if wrong.is_empty() {
        Exit::Done
    } else {
        Exit::Unfulfilled
    })
}
