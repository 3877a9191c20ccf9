//! One account, several jobs: calls are shared, never doubled, never skipped.

use std::sync::Arc;

use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::job::JobState;
use rescind_testkit::scripted::Answer;

use crate::world::{Wish, World, secs};

#[tokio::test(start_paused = true)]
async fn two_spellings_of_one_account_are_one_call() {
    let world = World::new(|b| b.latency(secs(1)));
    let order = world
        .order(&["ada@example.com", "ada@contoso.com", "ada"])
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
    assert_eq!(world.idp().calls_about("ada"), 1);
    let shared: Vec<_> = world.jobs().iter().map(|j| j.detail.shared_with).collect();
    let call = world.jobs()[0].key.as_u64();
    assert_eq!(shared, [None, Some(call), Some(call)]);
}

#[tokio::test(start_paused = true)]
async fn orders_for_one_account_share_a_call_that_started_after_both() {
    let world = World::plain();
    world.order(&["ada@example.com"]).await;
    world.order(&["ada@contoso.com"]).await;
    assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
    assert_eq!(world.states(), [JobState::Confirmed, JobState::Confirmed]);
    assert_eq!(world.idp().calls_about("ada"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_during_a_call_makes_exactly_one_more() {
    let world = Arc::new(World::new(|b| b.latency(secs(5))));
    let first = world.order(&["ada@example.com"]).await;
    let running = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.run(Goal::Order(first)).await })
    };
    // The look-up takes five seconds, and so does the call.
    tokio::time::sleep(secs(7)).await;
    assert_eq!(world.idp().calls_about("ada"), 1);
    let second = world
        .accept(vec![Wish::new("ada@contoso.com").resolved("ada")], |_| {})
        .await;
    let third = world
        .accept(vec![Wish::new("ada@example.com").resolved("ada")], |_| {})
        .await;
    world.store.touched_by_others();
    assert_eq!(running.await.expect("ends"), Ended::Finished);
    assert_eq!(world.run(Goal::Order(second)).await, Ended::Finished);
    assert_eq!(world.run(Goal::Order(third)).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
    assert_eq!(world.idp().calls_about("ada"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_not_shared() {
    let world = World::plain();
    world.idp().script(
        "ada",
        [Answer::error(
            rescind_core::error::ErrorKind::Unexpected,
            rescind_core::error::Retry::Never,
        )],
    );
    let order = world.order(&["ada@example.com", "ada@contoso.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.states(), [JobState::Parked, JobState::Confirmed]);
    assert_eq!(world.idp().calls_about("ada"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_another_process_is_picked_up_within_a_second_and_urgent_ones_overtake() {
    let world = Arc::new(World::new(|b| b.latency(secs(1)).max_in_flight(10)));
    let people = crate::world::people(400);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let bulk = world.order(&people).await;
    let running = {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let engine = world.engine().await;
            engine.run(Goal::Order(bulk), &Stop::new()).await
        })
    };
    tokio::time::sleep(secs(10)).await;
    let accepted = world.clock.now();
    let urgent = world
        .accept(
            vec![Wish::new("eve@example.com").resolved("eve")],
            |draft| {
                draft.urgent = true;
            },
        )
        .await;
    world.store.touched_by_others();
    running.await.expect("ends").expect("ends well");
    let order = world.order_row(urgent).await;
    assert_eq!(order.counts.confirmed, 1);
    let call = world
        .idp()
        .ledger()
        .into_iter()
        .find(|entry| {
            entry.account == "eve" && entry.call == rescind_testkit::scripted::Call::Revoke
        })
        .expect("called");
    let waited = call.at.duration_since(accepted);
    assert!(waited.as_millis() <= 1_000, "{waited:?}");
}
