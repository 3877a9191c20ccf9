//! Claims on their way to a slow store: the pace goes on, and nothing leaves that must not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rescind_core::budget::Budget;
use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::error::{ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::store::Store as _;
use rescind_testkit::scripted::{Answer, Call};

use crate::world::{World, act, people, secs};

const TENTH: Duration = Duration::from_millis(100);

/// A provider that takes one call in a tenth of a second, and a disk that takes half a second for a sync.
fn slow_disk() -> World {
    let budget = Budget::window("calls", 1, TENTH);
    World::new(|b| b.budgets(vec![budget])).with_commit_latency(Duration::from_millis(500))
}

#[tokio::test(start_paused = true)]
async fn the_pace_does_not_wait_for_the_disk() {
    let world = slow_disk();
    let people = people(60);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.accept_resolved(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let calls: Vec<_> = world
        .idp()
        .ledger()
        .into_iter()
        .filter(|entry| entry.call == Call::Revoke)
        .map(|entry| entry.at)
        .collect();
    assert_eq!(calls.len(), 60);
    let took = calls[59].duration_since(calls[0]);
    assert!(took.as_millis() <= 6_200, "{took:?} for 60 calls at 10/s");
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_lane_pauses_while_its_claim_is_written_does_not_leave() {
    let world = slow_disk();
    let throttle = Retry::Safe {
        after: Some(secs(60)),
    };
    let throttle = Answer::error(ErrorKind::RateLimited, throttle);
    world.idp().script("user0", [throttle]);
    let people = people(10);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.accept_resolved(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let calls: Vec<_> = world
        .idp()
        .ledger()
        .into_iter()
        .filter(|entry| entry.call == Call::Revoke)
        .collect();
    assert_eq!(calls[0].account, "user0");
    for early in &calls[1..] {
        let after = early.at.duration_since(calls[0].at);
        assert!(after.as_secs() >= 60, "{early:?} after {after:?}");
    }
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
    assert!(world.jobs().iter().all(|job| job.attempts <= 2));
}

#[tokio::test(start_paused = true)]
async fn one_account_is_in_one_call_at_a_time_however_many_orders_name_it() {
    let world = World::new(|b| b.latency(secs(1))).with_commit_latency(TENTH);
    let store = Arc::clone(&world.store);
    let most = Arc::new(std::sync::Mutex::new(HashMap::<String, usize>::new()));
    let seen = Arc::clone(&most);
    world.idp().on_revoke(move |id| {
        let running = store
            .all_jobs()
            .iter()
            .filter(|job| job.state == JobState::Running)
            .filter(|job| job.resolved.as_ref().is_some_and(|r| r.id == id))
            .count();
        let mut seen = seen.lock().expect("nobody panics");
        let most = seen.entry(id.to_owned()).or_default();
        *most = running.max(*most);
    });
    // A failed call is not shared: each order makes its own.
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::Unexpected, Retry::Never)));
    let people = people(20);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    for _ in 0..5 {
        world.accept_resolved(&people).await;
    }
    assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
    assert_eq!(world.idp().revoke_calls(), 100);
    let most = most.lock().expect("nobody panics");
    assert_eq!(most.len(), 20);
    assert!(most.values().all(|running| *running == 1), "{most:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_order_makes_no_call_a_second_later_even_with_a_slow_disk() {
    let world = Arc::new(slow_disk());
    let people = people(200);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.accept_resolved(&people).await;
    let running = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let engine = world.engine().await;
            engine.run(Goal::Order(order), &Stop::new()).await
        })
    };
    tokio::time::sleep(secs(5)).await;
    let key = world.order_row(order).await.key;
    let cancelled = world.store.cancel(key, act("order_cancelled")).await;
    let (cancelled, at) = (cancelled.expect("cancels"), world.clock.now());
    assert!(cancelled > 0);
    world.store.touched_by_others();
    assert_eq!(running.await.expect("ends").ok(), Some(Ended::Finished));
    let ledger = world.idp().ledger();
    let mut calls = ledger.iter().filter(|entry| entry.call == Call::Revoke);
    assert!(calls.all(|call| call.at.duration_since(at).as_secs() < 1));
    assert!(world.store.books_balance());
}
