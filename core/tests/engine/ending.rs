//! When a run is over, and how it is stopped.

use std::sync::Arc;

use rescind_core::engine::{Ended, EngineError, Goal, Stop};
use rescind_core::error::{ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::order::OrderState;
use rescind_core::store::Store;
use rescind_testkit::scripted::Answer;

use crate::world::{World, act, bulk, secs};

type Running = tokio::task::JoinHandle<Result<Ended, EngineError>>;

/// A process of its own that works.
fn start(world: &Arc<World>, goal: Goal, stop: &Stop) -> Running {
    let (world, stop) = (Arc::clone(world), stop.clone());
    tokio::spawn(async move { world.engine().await.run(goal, &stop).await })
}

#[tokio::test(start_paused = true)]
async fn an_order_with_nothing_open_is_finished_at_once() {
    let world = World::plain();
    let order = bulk(&world, 1).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
    assert_eq!(world.idp().revoke_calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_tries_parked_jobs_once_and_a_revoke_leaves_those_of_others_alone() {
    let world = World::plain();
    world
        .idp()
        .decide(|id| (id == "user0").then(|| Answer::error(ErrorKind::Unexpected, Retry::Never)));
    let first = bulk(&world, 1).await;
    world.run(Goal::Order(first)).await;
    assert_eq!(world.states(), [JobState::Parked]);
    let second = world.order(&["eve@example.com"]).await;
    world.run(Goal::Order(second)).await;
    assert_eq!(world.states(), [JobState::Parked, JobState::Confirmed]);
    assert_eq!(world.idp().calls_about("user0"), 1);
    world.run(Goal::Everything).await;
    assert_eq!(world.states(), [JobState::Parked, JobState::Confirmed]);
    assert_eq!(world.idp().calls_about("user0"), 2);
    world.idp().behave();
    world.run(Goal::Again(first)).await;
    assert_eq!(world.states(), [JobState::Confirmed, JobState::Confirmed]);
}

#[tokio::test(start_paused = true)]
async fn the_canary_pauses_an_order_that_parks_too_many() {
    let world = World::plain();
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::Unexpected, Retry::Never)));
    let order = bulk(&world, 500).await;
    let Ended::NeedsPerson(remedies) = world.run(Goal::Order(order)).await else {
        panic!("a person is needed");
    };
    assert_eq!(remedies[0].order, Some(order));
    let row = world.order_row(order).await;
    assert!(matches!(row.state, OrderState::Paused { .. }));
    assert!(row.counts.parked <= 100, "{}", row.counts.parked);
    assert!(world.idp().revoke_calls() <= 100);

    // A plain run leaves it alone; the one that names it releases it.
    assert!(matches!(
        world.run(Goal::Everything).await,
        Ended::NeedsPerson(_)
    ));
    world.idp().behave();
    assert_eq!(world.run(Goal::Again(order)).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
}

#[tokio::test(start_paused = true)]
async fn five_in_a_hundred_may_fail() {
    let world = World::plain();
    world.idp().decide(|id| {
        let n: usize = id.trim_start_matches("user").parse().unwrap_or(1);
        n.is_multiple_of(25)
            .then(|| Answer::error(ErrorKind::Unexpected, Retry::Never))
    });
    let order = bulk(&world, 500).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.order_row(order).await.counts.parked, 20);
}

#[tokio::test(start_paused = true)]
async fn cancelling_stops_new_calls_within_a_second() {
    let world = Arc::new(World::new(|b| b.latency(secs(1)).max_in_flight(10)));
    let order = bulk(&world, 200).await;
    let running = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.run(Goal::Order(order)).await })
    };
    tokio::time::sleep(secs(6)).await;
    let row = world.order_row(order).await;
    world
        .store
        .cancel(row.key, act("order_cancelled"))
        .await
        .expect("cancels");
    world.store.touched_by_others();
    let cancelled = world.clock.now();
    assert_eq!(running.await.expect("ends"), Ended::Finished);
    let late = world
        .idp()
        .ledger()
        .iter()
        .filter(|entry| entry.at.duration_since(cancelled).as_secs() >= 1)
        .filter(|entry| entry.call == rescind_testkit::scripted::Call::Revoke)
        .count();
    assert_eq!(late, 0);
    let counts = world.order_row(order).await.counts;
    assert!(counts.balances() && counts.open == 0 && counts.cancelled > 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_calls_end_and_leaves_the_rest_for_the_next_run() {
    let world = Arc::new(World::new(|b| b.latency(secs(3)).max_in_flight(10)));
    let order = bulk(&world, 100).await;
    let stop = Stop::new();
    let running = start(&world, Goal::Order(order), &stop);
    tokio::time::sleep(secs(7)).await;
    stop.drain.cancel();
    let stopped = world.clock.now();
    let ended = running.await.expect("ends").expect("ends well");
    assert_eq!(ended, Ended::Interrupted);
    assert!(world.clock.now().duration_since(stopped).as_secs() <= 10);
    let calls = world.idp().revoke_calls() as u64;
    let counts = world.order_row(order).await.counts;
    assert_eq!(counts.confirmed, calls);
    assert!(counts.open > 0 && counts.balances());
    assert!(!world.store.checkpoints().await.expect("reads").is_empty());
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.idp().revoke_calls(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_outlives_the_drain_is_cancelled_and_stays_open() {
    let world = Arc::new(World::plain());
    world.idp().decide(|_| Some(Answer::hang()));
    let order = bulk(&world, 3).await;
    let stop = Stop::new();
    let running = start(&world, Goal::Order(order), &stop);
    tokio::time::sleep(secs(1)).await;
    stop.drain.cancel();
    let stopped = world.clock.now();
    let ended = running.await.expect("ends").expect("ends well");
    assert_eq!(ended, Ended::Interrupted);
    assert!(world.clock.now().duration_since(stopped).as_secs() <= 12);
    assert!(world.states().iter().all(|s| *s == JobState::Waiting));
}

#[tokio::test(start_paused = true)]
async fn an_abort_leaves_now() {
    let world = Arc::new(World::new(|b| b.latency(secs(30))));
    let order = bulk(&world, 3).await;
    let stop = Stop::new();
    let running = start(&world, Goal::Order(order), &stop);
    tokio::time::sleep(secs(31)).await;
    stop.abort.cancel();
    let stopped = world.clock.now();
    let ended = running.await.expect("ends").expect("ends well");
    assert_eq!(ended, Ended::Interrupted);
    assert_eq!(world.clock.now(), stopped);
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
}

#[tokio::test(start_paused = true)]
async fn the_store_comes_to_rest_while_the_last_evidence_is_on_its_way() {
    let world = World::plain();
    world.idp().evidence_lags(secs(50));
    bulk(&world, 1_000).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let mut run = std::pin::pin!(engine.run(Goal::Everything, &stop));
    let ended = tokio::time::timeout(secs(30), &mut run).await;
    assert!(ended.is_err(), "the evidence cannot be there: {ended:?}");
    let is_done = |state: &JobState| *state == JobState::Confirmed;
    assert!(world.states().iter().all(is_done));
    let signed = world.store.checkpoints().await.expect("there");
    assert_eq!(signed.len(), 1, "{signed:?}");
    assert_eq!(run.await.ok(), Some(Ended::Finished));
    let signed = world.store.checkpoints().await.expect("there");
    assert_eq!(signed.len(), 2, "and what the evidence said, at the end");
}
