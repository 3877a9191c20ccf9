//! `rescind orders`: what was asked for, and what became of it.

use rescind_core::job::JobState;
use rescind_core::order::{Note, Order, OrderState};
use rescind_core::store::{Act, Store};

use crate::app::{App, find_order};
use crate::args::{Orders, Output};
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{Printer, job, summary, table};

/// Runs one of the order commands.
pub(crate) async fn run(options: Orders, app: &mut App) -> Result<Exit, Failure> {
    match options {
        Orders::List { limit, unfinished } => list(app, limit, unfinished).await,
        Orders::Show { id, state } => show(app, &id, &state).await,
        Orders::Watch { id } => super::work::watch(app, &id).await,
        Orders::Export { id } => export(app, &id).await,
        Orders::Retry {
            id,
            note,
            yes,
            max_subjects,
            no_wait,
        } => {
            super::retry::run(
                app,
                &id,
                note,
                super::work::Consent {
                    yes,
                    max_subjects,
                    no_wait,
                    dry_run: false,
                },
            )
            .await
        }
        Orders::Cancel { id, note } => cancel(app, &id, &note).await,
    }
}

async fn list(app: &mut App, limit: usize, unfinished: bool) -> Result<Exit, Failure> {
    let (_folder, store) = app.state()?;
    let mut orders = Vec::new();
    let mut before = None;
    while orders.len() < limit {
        let page = store.orders(before, 100).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.key);
        orders.extend(
            page.into_iter()
                .filter(|order| !unfinished || is_unfinished(order)),
        );
    }
    orders.truncate(limit);
    let empty = if limit == 0 { "" } else { "No orders yet." };
    print_lines(app, &orders, empty)?;
    Ok(Exit::Done)
}

/// Orders with their counts, in the format asked for.
fn print_lines(app: &mut App, orders: &[Order], empty: &str) -> Result<(), Failure> {
    let lines: Vec<_> = orders.iter().map(job::OrderLine::from).collect();
    let row = |line: &job::OrderLine| {
        let counts = &line.counts;
        vec![
            line.head.id.clone(),
            line.head.created_at.strftime("%F %T").to_string(),
            line.head.state.to_owned(),
            counts.accepted.to_string(),
            counts.confirmed.to_string(),
            counts.open.to_string(),
            (counts.refused + counts.parked).to_string(),
            shortened(line.head.note.as_deref().unwrap_or("(erased)"), 40),
        ]
    };
    let header = [
        "order",
        "accepted (UTC)",
        "state",
        "jobs",
        "confirmed",
        "open",
        "need you",
        "note",
    ];
    app.printer
        .list("rescind.orders/1", &lines, &header, row, empty)?;
    Ok(())
}

fn is_unfinished(order: &Order) -> bool {
    order.state != OrderState::Finished || order.counts.open + order.counts.parked > 0
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// Reads state names.
pub(crate) fn states(names: &[String]) -> Result<Vec<JobState>, Failure> {
    names
        .iter()
        .map(|name| {
            JobState::ALL
                .into_iter()
                .find(|state| job::word(state) == *name)
                .ok_or_else(|| {
                    let all: Vec<_> = JobState::ALL.iter().map(job::word).collect();
                    Failure::usage(format!("{name:?} is no state of a job"))
                        .with_hint(format!("states are {}", all.join(", ")))
                })
        })
        .collect()
}

async fn show(app: &mut App, id: &str, state: &[String]) -> Result<Exit, Failure> {
    let states = states(state)?;
    let (_folder, store) = app.state()?;
    let order = find_order(store.as_ref(), id).await?;
    match app.printer.format() {
        Output::Json => {
            job::print_json(&mut app.printer, store.as_ref(), &[order], false, &states).await?;
        }
        Output::Jsonl | Output::Csv => {
            job::print_lines(&mut app.printer, store.as_ref(), &[order], &states).await?;
        }
        Output::Text => {
            summary::print(&mut app.printer, store.as_ref(), None, &order).await?;
            app.printer.line("")?;
            print_table(&mut app.printer, store.as_ref(), &order, &states).await?;
        }
    }
    Ok(Exit::Done)
}

/// How many rows share one table's column widths; a long order is printed in several.
const ROWS: usize = 200;

async fn print_table(
    printer: &mut Printer,
    store: &dyn Store,
    order: &Order,
    states: &[JobState],
) -> Result<(), Failure> {
    let header = [
        "subject",
        "provider",
        "state",
        "outcome",
        "tries",
        "confirmed (UTC)",
        "evidence",
        "why or what",
    ];
    let mut after = None;
    loop {
        let page = store.jobs(order.key, states, after, ROWS).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.key);
        let rows = page.into_iter().map(|job| {
            let line = job::JobLine::from(job);
            let why = match &line.error {
                Some(error) => error.message.clone(),
                None => job::steps_text(&line.steps),
            };
            vec![
                line.subject.unwrap_or_else(|| "(erased)".to_owned()),
                line.provider,
                job::word(line.state),
                line.outcome.map(job::word).unwrap_or_default(),
                line.attempts.to_string(),
                line.confirmed_at
                    .map(|at| at.strftime("%F %T").to_string())
                    .unwrap_or_default(),
                job::word(line.evidence),
                why,
            ]
        });
        let table = table::render(&header, rows, printer.width());
        printer.line(&table)?;
    }
}

async fn export(app: &mut App, id: &str) -> Result<Exit, Failure> {
    let (_folder, store) = app.state()?;
    let order = find_order(store.as_ref(), id).await?;
    match app.printer.format() {
        Output::Json => {
            job::print_json(&mut app.printer, store.as_ref(), &[order], false, &[]).await?;
        }
        _ => job::print_lines(&mut app.printer, store.as_ref(), &[order], &[]).await?,
    }
    Ok(Exit::Done)
}

async fn cancel(app: &mut App, id: &str, note: &str) -> Result<Exit, Failure> {
    let note = Note::parse(note, app.min_note_chars())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let (_folder, store) = app.state()?;
    let order = find_order(store.as_ref(), id).await?;
    let order = if order.counts.open + order.counts.parked == 0 {
        app.say(&format!("Order {} has nothing left to cancel.", order.id));
        order
    } else {
        let act = Act::new(app.actor.clone(), "order_cancelled")
            .because(note.as_str())
            .about(order.id);
        let cancelled = store.cancel(order.key, act).await?;
        let order = store.order(order.id).await?;
        app.say(&format!(
            "{cancelled} jobs cancelled. What was already sent stays sent: {} confirmed.",
            order.counts.confirmed
        ));
        order
    };
    match app.printer.format() {
        Output::Text => summary::print(&mut app.printer, store.as_ref(), None, &order).await?,
        _ => print_lines(app, std::slice::from_ref(&order), "")?,
    }
    Ok(Exit::Done)
}
