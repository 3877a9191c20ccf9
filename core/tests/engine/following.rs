//! Processes that share a store: one works, the others follow and take over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rescind_core::budget::{Budget, Cost};
use rescind_core::engine::follow::EngineLock;
use rescind_core::engine::{Ended, EngineError, Goal, Stop};
use rescind_core::error::{ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::provider::FirstCosts;
use rescind_core::store::StoreError;
use rescind_testkit::scripted::{Answer, Call};

use crate::world::{World, bulk, people, secs};

type Running = tokio::task::JoinHandle<Result<Ended, EngineError>>;

#[derive(Debug, Default)]
struct Lock(AtomicBool);

impl EngineLock for Lock {
    fn try_take(&self) -> Result<bool, StoreError> {
        Ok(!self.0.swap(true, Ordering::Relaxed))
    }
}

/// A process of its own that works as soon as it has the lock.
fn start_or_follow(world: &Arc<World>, goal: Goal, lock: &Arc<Lock>) -> Running {
    let (world, lock) = (Arc::clone(world), Arc::clone(lock));
    tokio::spawn(async move {
        let engine = world.engine().await;
        engine
            .run_or_follow(goal, lock.as_ref(), &Stop::new())
            .await
    })
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_its_order_through_and_never_works() {
    let world = Arc::new(World::new(|b| b.latency(secs(1))));
    let first = bulk(&world, 50).await;
    let lock = Arc::new(Lock::default());
    let worker = start_or_follow(&world, Goal::Everything, &lock);
    tokio::time::sleep(secs(2)).await;
    let second = world.order(&["eve@example.com"]).await;
    world.store.touched_by_others();
    let follower = world.engine().await;
    let ended = follower
        .run_or_follow(Goal::Order(second), lock.as_ref(), &Stop::new())
        .await
        .expect("ends well");
    assert_eq!(ended, Ended::Finished);
    assert_eq!(follower.board().lanes[0].counts.confirmed, 1);
    worker.await.expect("ends").expect("ends well");
    assert_eq!(world.order_row(first).await.counts.confirmed, 50);
    assert_eq!(world.idp().revoke_calls(), 51);
}

#[tokio::test(start_paused = true)]
async fn a_follower_takes_over_when_the_worker_dies() {
    let world = Arc::new(World::new(|b| b.latency(secs(5))));
    let order = bulk(&world, 50).await;
    let lock = Arc::new(Lock::default());
    let worker = start_or_follow(&world, Goal::Everything, &lock);
    tokio::time::sleep(secs(7)).await;
    let follower = start_or_follow(&world, Goal::Order(order), &lock);
    tokio::time::sleep(secs(1)).await;
    worker.abort();
    let _ = worker.await;
    lock.0.store(false, Ordering::Relaxed);
    let ended = follower.await.expect("ends").expect("ends well");
    assert_eq!(ended, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_an_order_on_hold_ends_and_says_what_a_person_must_do() {
    let world = Arc::new(World::new(|b| b.latency(secs(10)).max_in_flight(10)));
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::Unexpected, Retry::Never)));
    let paused = bulk(&world, 60).await;
    let ended = world.run(Goal::Order(paused)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    let elsewhere = Lock::default();
    elsewhere.0.store(true, Ordering::Relaxed);
    let engine = world.engine().await;
    let stop = Stop::new();
    let followed = engine.run_or_follow(Goal::Order(paused), &elsewhere, &stop);
    let ended = tokio::time::timeout(secs(60), followed)
        .await
        .expect("ends");
    assert!(matches!(ended, Ok(Ended::NeedsPerson(_))), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_follower_releases_its_order_without_waiting_for_the_lock() {
    let world = Arc::new(World::new(|b| b.latency(secs(10)).max_in_flight(10)));
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::Unexpected, Retry::Never)));
    let paused = bulk(&world, 60).await;
    let ended = world.run(Goal::Order(paused)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    world.idp().behave();

    let other: Vec<String> = (0..200).map(|i| format!("other{i}@example.com")).collect();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let other = world.order(&other).await;
    let lock = Arc::new(Lock::default());
    let worker = start_or_follow(&world, Goal::Order(other), &lock);
    tokio::time::sleep(secs(5)).await;
    world.store.touched_by_others();
    let follower = world.engine().await;
    let stop = Stop::new();
    let following = follower.run_or_follow(Goal::Again(paused), lock.as_ref(), &stop);
    let noticed = async {
        tokio::time::sleep(secs(1)).await;
        world.store.touched_by_others();
    };
    let (ended, ()) = tokio::join!(following, noticed);
    assert_eq!(ended.expect("ends well"), Ended::Finished);
    assert_eq!(world.order_row(paused).await.counts.confirmed, 60);
    worker.await.expect("ends").expect("ends well");
}

/// Between its plan and its run a process is not alone: somebody else's whole run may fit there.
#[tokio::test(start_paused = true)]
async fn a_pause_that_another_process_met_while_this_one_planned_holds() {
    let world = World::plain();
    let first = world.order(&["ada@example.com"]).await;
    let second = world.order(&["eve@example.com"]).await;
    let planned = world.engine().await;
    world.idp().script(
        "ada",
        [Answer::error(
            ErrorKind::RateLimited,
            Retry::Safe {
                after: Some(secs(600)),
            },
        )],
    );
    let asked = world.clock.now();
    let stop = Stop::new();
    let other = world.engine().await;
    let _ = tokio::time::timeout(secs(5), other.run(Goal::Order(first), &stop)).await;
    assert_eq!(world.idp().calls_about("ada"), 1);

    let (lock, stop) = (Lock::default(), Stop::new());
    let ended = planned.run_or_follow(Goal::Order(second), &lock, &stop);
    assert_eq!(ended.await.expect("ends well"), Ended::Finished);
    let ledger = world.idp().ledger();
    let call = ledger.iter().find(|entry| entry.account == "eve");
    let waited = call.expect("called").at.duration_since(asked);
    assert!(waited.as_secs() >= 600, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_two_processes_spend_is_one_budget() {
    let one = Cost::of("calls", 1);
    let budget = Budget::window("calls", 100, secs(60));
    let costs = FirstCosts::new(one, Cost::NOTHING, Cost::NOTHING);
    let world = World::new(|b| b.costs(vec![budget], costs));
    let people = people(150);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let first = world.order(&people[..75]).await;
    let second = world.order(&people[75..]).await;
    let planned = world.engine().await;
    assert_eq!(world.run(Goal::Order(first)).await, Ended::Finished);
    let (lock, stop) = (Lock::default(), Stop::new());
    let ended = planned.run_or_follow(Goal::Order(second), &lock, &stop);
    assert_eq!(ended.await.expect("ends well"), Ended::Finished);
    let ledger = world.idp().ledger();
    let calls = ledger.iter().filter(|entry| entry.call == Call::Revoke);
    let calls: Vec<_> = calls.map(|entry| entry.at).collect();
    assert_eq!(calls.len(), 150);
    let minute = secs(59).try_into().expect("fits");
    for (i, first) in calls.iter().enumerate() {
        let within = calls[i..]
            .iter()
            .take_while(|at| at.duration_since(*first) < minute);
        assert!(within.count() <= 100);
    }
}
