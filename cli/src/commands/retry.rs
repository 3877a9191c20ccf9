//! `rescind orders retry`: parked jobs again, refused ones in a new order.

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
    let order = find_order(world.store.as_ref(), id).await;
    let order = match order {
        Ok(order) => order,
        Err(failure) => {
            world.close().await;
            return Err(failure);
        }
    };
    let Some(note) = note.or_else(|| order.note.clone()) else {
        return Err(Failure::usage("the order's note was erased").with_hint("say why with --note"));
    };
    if order.counts.parked + order.counts.refused == 0 {
        world.close().await;
        app.say(&format!(
            "Order {} has no parked and no refused jobs.",
            order.id
        ));
        return Ok(Exit::of_counts(&order.counts));
    }
    if order.counts.parked > 0 {
        let act = Act::new(app.actor.clone(), "parked_retried")
            .because(note.as_str())
            .about(order.id);
        let retried = world.store.unpark(Some(order.key), act).await?;
        app.say(&format!(
            "{retried} parked jobs of {} are tried again.",
            order.id
        ));
    }
    if order.counts.refused > 0 {
        let request = work::request(app, &note, order.reference.clone())?.for_retry_of(order.id);
        return work::order(app, world, request, consent).await;
    }
    let exit = finish(app, &world, &order, consent).await;
    world.close().await;
    exit
}

async fn finish(
    app: &mut App,
    world: &World,
    order: &rescind_core::order::Order,
    consent: Consent,
) -> Result<Exit, Failure> {
    if consent.no_wait {
        app.say("`rescind run` works on them.");
        return Ok(Exit::Open);
    }
    let ended = work::drive(app, world, rescind_core::engine::Goal::Order(order.id)).await?;
    let order = world.store.order(order.id).await?;
    work::report_run(app, world, std::slice::from_ref(&order)).await?;
    work::tell(app, &ended);
    Ok(Exit::of_counts(&order.counts))
}
