//! Who fails again and again takes nobody else's turn.

use std::collections::HashMap;
use std::time::Duration;

use rescind_core::engine::{Goal, Stop};
use rescind_core::error::{ErrorKind, Retry};
use rescind_testkit::scripted::Answer;

use crate::world::{World, people, secs};

/// Ten times what a lane keeps in memory.
const FAILING: usize = 5_120;

async fn everybody_good_is_called(good: usize, kind: ErrorKind, retry: Retry) {
    // 160 calls a second: the first failures come back long before everybody was called.
    let mut world = World::new(|b| b.max_in_flight(16).latency(Duration::from_millis(100)));
    world.canary = false;
    world.idp().keep_no_reads();
    world.idp().decide(move |id| {
        let is_bad = id.starts_with("bad");
        is_bad.then(|| Answer::error(kind, retry))
    });
    let bad = (0..FAILING).map(|i| format!("bad{i}@example.com"));
    let people: Vec<String> = bad.chain(people(good)).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    world.accept_resolved(&people).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Everything, &stop);
    // Repeats are a tenth of the calls and one a second, so everybody has had a call after two thirds of this.
    let ended = tokio::time::timeout(secs(60), run).await;
    assert!(ended.is_err(), "{ended:?}");
    let ledger = world.idp().ledger();
    let mut calls: HashMap<&str, usize> = HashMap::new();
    for entry in &ledger {
        *calls.entry(&entry.account).or_default() += 1;
    }
    let called = |prefix| calls.keys().filter(|id| id.starts_with(prefix)).count();
    assert_eq!((called("bad"), called("user")), (FAILING, good));
    let repeats = ledger.len() - FAILING - good;
    assert!(repeats <= ledger.len() / 8 + 60 + 10, "{repeats}");
    assert!(repeats >= ledger.len() / 20, "{repeats}");
}

#[tokio::test(start_paused = true)]
async fn fresh_jobs_are_called_while_ten_windows_fail_for_ever() {
    everybody_good_is_called(600, ErrorKind::Unexpected, Retry::OutcomeUnknown).await;
}

#[tokio::test(start_paused = true)]
async fn fresh_jobs_are_called_while_ten_windows_are_not_carried_out() {
    let safe = Retry::Safe { after: None };
    everybody_good_is_called(600, ErrorKind::Unexpected, safe).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_order_is_called_although_failures_fill_the_window() {
    let mut world = World::new(|b| b.max_in_flight(16).latency(Duration::from_millis(100)));
    world.canary = false;
    world.idp().keep_no_reads();
    world.idp().decide(|id| {
        let is_bad = id.starts_with("bad");
        is_bad.then(|| Answer::error(ErrorKind::Unexpected, Retry::OutcomeUnknown))
    });
    let bad: Vec<String> = (0..2_000).map(|i| format!("bad{i}@example.com")).collect();
    let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
    world.accept_resolved(&bad).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Everything, &stop);
    let late = async {
        tokio::time::sleep(secs(25)).await;
        let good = people(600);
        let good: Vec<&str> = good.iter().map(String::as_str).collect();
        world.accept_resolved(&good).await;
        world.store.touched_by_others();
        tokio::time::sleep(secs(8)).await;
        let ledger = world.idp().ledger();
        let good = ledger.iter().filter(|e| e.account.starts_with("user"));
        good.count()
    };
    tokio::select! {
        ended = run => panic!("{ended:?}"),
        called = late => assert_eq!(called, 600),
    }
}
