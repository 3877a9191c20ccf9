//! `rescind run`: continue everything that is open.

use rescind_core::engine::Goal;
use rescind_core::order::Counts;

use super::work;
use crate::app::{App, World, find_order};
use crate::args::Run;
use crate::error::Failure;
use crate::exit::Exit;

/// Continues, and reports what it worked on.
pub(crate) async fn run(options: Run, app: &mut App) -> Result<Exit, Failure> {
    let world = app.world().await?;
    let exit = run_in(options, app, &world).await;
    world.close().await;
    exit
}

async fn run_in(options: Run, app: &mut App, world: &World) -> Result<Exit, Failure> {
    world.check_open_orders().await?;
    let (goal, ids) = match &options.order {
        Some(id) => {
            let order = find_order(world.store.as_ref(), id).await?;
            (Goal::Again(order.id), vec![order.id])
        }
        None => (Goal::Everything, unfinished(world).await?),
    };
    if ids.is_empty() {
        app.say("Nothing is open and nothing is parked.");
        work::report_run(app, world, &[]).await?;
        return Ok(Exit::Done);
    }
    let ended = work::drive(app, world, goal).await?;
    let mut orders = Vec::new();
    let mut sums = Counts::default();
    for id in ids {
        let order = world.store.order(id).await?;
        sums += order.counts;
        orders.push(order);
    }
    work::report_run(app, world, &orders).await?;
    work::tell(app, &ended);
    Ok(Exit::of_counts(&sums))
}

/// Orders with something open or parked, oldest first.
async fn unfinished(world: &World) -> Result<Vec<rescind_core::id::OrderId>, Failure> {
    let mut ids = Vec::new();
    let mut before = None;
    loop {
        let page = world.store.orders(before, 200).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.key);
        ids.extend(
            page.iter()
                .filter(|order| {
                    order.counts.open + order.counts.parked > 0 || order.evidence_pending > 0
                })
                .map(|order| order.id),
        );
    }
    ids.reverse();
    Ok(ids)
}
