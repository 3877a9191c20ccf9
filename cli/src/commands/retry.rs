//! `rescind orders retry`: parked jobs again, refused ones in a new order.

use rescind_core::engine::Goal;
use rescind_core::order::{Counts, Order};
use rescind_core::store::Act;

use super::work::{self, Consent};
use crate::app::{App, World, find_order};
use crate::error::Failure;
use crate::exit::Exit;

/// Parked jobs of the order become pending again. A refused job stays what it is: its subject goes into a new order
/// that names the old one, so that nothing that was recorded is rewritten.
pub(crate) async fn run(
    app: &mut App,
    id: &str,
    note: Option<String>,
    consent: Consent,
) -> Result<Exit, Failure> {
    let world = app.world().await?;
    let exit = retry(app, &world, id, note, consent).await;
    world.close().await;
    exit
}

async fn retry(
    app: &mut App,
    world: &World,
    id: &str,
    note: Option<String>,
    consent: Consent,
) -> Result<Exit, Failure> {
    let order = find_order(world.store.as_ref(), id).await?;
    let Some(note) = note.or_else(|| order.note.clone()) else {
        return Err(Failure::usage("the order's note was erased").with_hint("say why with --note"));
    };
    // The person's yes first: a plan that is turned down leaves everything as it was.
    let mut goals = Vec::new();
    if order.counts.refused > 0 {
        let request = work::request(app, &note, order.reference.clone())?.for_retry_of(order.id);
        goals.extend(work::accept(app, world, request, consent).await?);
    }
    if order.counts.parked > 0 {
        unpark(app, world, &order, &note).await?;
        goals.push(order.id);
    }
    if goals.is_empty() {
        app.say(&format!(
            "Order {} has no parked and no refused jobs.",
            order.id
        ));
        return Ok(Exit::of_counts(&order.counts));
    }
    if consent.no_wait {
        app.say("`rescind run` works on them.");
        return Ok(Exit::Open);
    }
    let mut sums = Counts::default();
    let mut orders = Vec::new();
    for id in goals {
        let ended = work::drive(app, world, Goal::Order(id)).await?;
        work::tell(app, &ended);
        let order = world.store.order(id).await?;
        sums += order.counts;
        orders.push(order);
    }
    work::report_run(app, world, &orders).await?;
    Ok(Exit::of_counts(&sums))
}

async fn unpark(app: &App, world: &World, order: &Order, note: &str) -> Result<(), Failure> {
    let act = Act::new(app.actor.clone(), "parked_retried")
        .because(note)
        .about(order.id);
    let retried = world.store.unpark(Some(order.key), act).await?;
    app.say(&format!(
        "{retried} parked jobs of {} are tried again.",
        order.id
    ));
    Ok(())
}
