//! When the protected list is read, and what waits for it.

use std::time::Duration;

use rescind_core::budget::{Budget, Cost};
use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::FirstCosts;
use rescind_testkit::scripted::{Call, Entry};

use crate::world::{World, people, secs};

#[tokio::test(start_paused = true)]
async fn nobody_is_revoked_before_the_protected_list_is_known() {
    let mut world = World::plain();
    world.protected = vec!["breakglass@example.com".to_owned()];
    world.idp().fail_resolve(3, || {
        Error::new(
            ErrorKind::Unavailable,
            Retry::Safe { after: None },
            "resolve",
            "scripted",
        )
    });
    let order = world.accept_resolved(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let ledger = world.idp().ledger();
    let list_known = ledger
        .iter()
        .rposition(|entry| entry.account == "breakglass@example.com")
        .expect("looked up");
    let revoked = ledger
        .iter()
        .position(|entry| entry.call == Call::Revoke)
        .expect("revoked");
    assert!(list_known < revoked, "{ledger:?}");
}

#[tokio::test(start_paused = true)]
async fn the_protected_list_is_read_again_at_least_every_ten_minutes() {
    let mut world = World::new(|b| b.latency(secs(20)).max_in_flight(1));
    world.protected = vec!["breakglass@example.com".to_owned()];
    let people = people(80);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.accept_resolved(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let ledger = world.idp().ledger();
    let looks: Vec<_> = ledger
        .iter()
        .filter(|entry| entry.account == "breakglass@example.com")
        .map(|entry| entry.at)
        .collect();
    for call in ledger.iter().filter(|entry| entry.call == Call::Revoke) {
        let last = looks
            .iter()
            .rev()
            .find(|at| **at <= call.at)
            .expect("known");
        assert!(call.at.duration_since(*last).as_secs() <= 660);
    }
    assert!(looks.len() >= 3, "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_read_while_planning_is_read_again_before_it_is_too_old() {
    let budget = Budget::window("calls", 1, secs(10));
    let one = Cost::of("calls", 1);
    let costs = FirstCosts::new(Cost::NOTHING, one, Cost::NOTHING);
    let mut world = World::new(|b| {
        b.costs(vec![budget], costs)
            .latency(Duration::from_millis(500))
    });
    world.protected = vec!["breakglass@example.com".to_owned()];
    let people = people(70);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.accept_resolved(&people).await;
    let (fleet, engine) = world.fleet_and_engine().await;
    // The run begins while the list is on its way.
    let getting_ready = fleet.get_ready(&[], &world.protected);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let ended = engine.run(Goal::Order(order), &Stop::new()).await;
    assert_eq!(ended.ok(), Some(Ended::Finished));
    drop(getting_ready);
    let ledger = world.idp().ledger();
    let began = ledger[0].at;
    let after = |entry: &Entry| entry.at.duration_since(began).as_secs();
    let of = |call: Call| ledger.iter().filter(move |entry| entry.call == call);
    let readings: Vec<i64> = of(Call::Resolve).map(after).collect();
    assert_eq!(readings, [0, 480]);
    // And no call waits for a list that has grown old.
    let calls: Vec<i64> = of(Call::Revoke).map(after).collect();
    assert_eq!(calls.len(), 70);
    assert!(
        calls.windows(2).all(|two| two[1] - two[0] <= 11),
        "{calls:?}"
    );
}
