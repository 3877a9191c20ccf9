//! Lanes that stop, stores that fail, processes that die.

use std::collections::HashMap;
use std::sync::Arc;

use rescind_core::engine::{Ended, EngineError, Goal, Stop};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::EvidenceState;
use rescind_core::store::{Store, StoreError};
use rescind_testkit::scripted::{Answer, Call};

use crate::world::{World, people, provider, secs};

fn unauthenticated() -> Answer {
    Answer::failing(|| {
        Error::new(
            ErrorKind::Unauthenticated,
            Retry::Never,
            "revoke",
            "the secret has expired",
        )
        .with_hint("make a new one")
    })
}

#[tokio::test(start_paused = true)]
async fn a_lane_fault_stops_the_lane_and_names_the_remedy() {
    let world = World::plain();
    world.idp().decide(|_| Some(unauthenticated()));
    let people = people(30);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    let Ended::NeedsPerson(remedies) = world.run(Goal::Order(order)).await else {
        panic!("a person is needed");
    };
    assert_eq!(remedies.len(), 1);
    assert_eq!(remedies[0].provider, Some(provider("idp")));
    assert_eq!(remedies[0].message, "the secret has expired");
    assert_eq!(remedies[0].hint.as_deref(), Some("make a new one"));
    assert!(world.jobs().iter().all(|job| job.state.is_open()));

    // The person has mended it.
    world.idp().behave();
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
}

#[tokio::test(start_paused = true)]
async fn the_same_refusal_for_five_subjects_is_the_lane_s_fault_and_parks_nobody() {
    let world = World::plain();
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::PermissionDenied, Retry::Never)));
    let people = people(20);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    let ended = world.run(Goal::Order(order)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    assert!(world.jobs().iter().all(|job| job.state.is_open()));
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_the_right_to_read_people_revokes_nobody() {
    let world = World::plain();
    world.idp().fail_resolve(1_000, || {
        Error::new(
            ErrorKind::PermissionDenied,
            Retry::Never,
            "resolve",
            "no right",
        )
    });
    let order = world.order(&["ada@example.com"]).await;
    let ended = world.run(Goal::Order(order)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_dead_lane_does_not_hold_the_others() {
    let world = World::plain().and("other", |b| b);
    world.idp().decide(|_| Some(Answer::hang()));
    let people = people(50);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Order(order), &stop);
    assert!(tokio::time::timeout(secs(20), run).await.is_err());
    let done = world
        .jobs()
        .iter()
        .filter(|job| job.provider == provider("other"))
        .all(|job| job.state == JobState::Confirmed);
    assert!(done);
    assert_eq!(world.providers[1].revoke_calls(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_the_run_and_confirms_nothing_falsely() {
    for n in 1..40 {
        let world = World::new(|b| b.latency(secs(1)));
        let people = people(5);
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let order = world.order(&people).await;
        world.store.fail_write(n);
        match world.try_run(Goal::Order(order)).await {
            Err(EngineError::Store(StoreError::Full)) => {}
            Ok(Ended::Finished) => break,
            other => panic!("write {n}: {other:?}"),
        }
        for job in world.jobs() {
            if job.state == JobState::Confirmed {
                let id = job.resolved.map(|r| r.id).unwrap_or_default();
                assert_eq!(world.idp().times_ended(&id), 1, "write {n}");
            }
        }
        world.store.repair();
        assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
        assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_may_die_at_any_instant() {
    for ms in (0..6_000).step_by(137) {
        // A disk that takes its time leaves claims half way.
        let sync = std::time::Duration::from_millis(ms % 3 * 150);
        let world = World::new(|b| b.latency(secs(1)).max_in_flight(7)).with_commit_latency(sync);
        let people = people(12);
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let order = world.order(&people).await;
        let engine = world.engine().await;
        let stop = Stop::new();
        let run = engine.run(Goal::Order(order), &stop);
        let _ = tokio::time::timeout(std::time::Duration::from_millis(ms), run).await;
        assert!(world.store.books_balance(), "after {ms} ms");
        assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
        let mut ended: HashMap<String, usize> = HashMap::new();
        for entry in world.idp().ledger() {
            if entry.call == Call::Revoke && entry.carried_out {
                *ended.entry(entry.account).or_default() += 1;
            }
        }
        for job in world.jobs() {
            assert_eq!(job.state, JobState::Confirmed, "after {ms} ms");
            let id = job.resolved.map(|r| r.id).unwrap_or_default();
            assert!(ended.get(&id).is_some_and(|n| *n <= 2), "after {ms} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_written_before_the_first_byte_leaves() {
    let world = World::plain();
    let store = Arc::clone(&world.store);
    let early = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = Arc::clone(&early);
    world.idp().on_revoke(move |id| {
        let running = store.all_jobs().iter().any(|job| {
            job.state == JobState::Running && job.resolved.as_ref().is_some_and(|r| r.id == id)
        });
        seen.fetch_add(usize::from(!running), std::sync::atomic::Ordering::Relaxed);
    });
    let people = people(100);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(early.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_another_tenant_is_refused_before_anything_starts() {
    let world = World::plain();
    let order = world
        .accept(vec![crate::world::Wish::new("ada@example.com")], |draft| {
            draft.bindings[0].vendor_tenant = "somebody-else".to_owned();
        })
        .await;
    let refused = world.try_run(Goal::Order(order)).await;
    assert!(matches!(refused, Err(EngineError::Bindings(_))));
    assert!(world.idp().ledger().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_lane_has_learnt_outlives_the_process() {
    let world = World::plain();
    let throttle = Answer::error(
        ErrorKind::RateLimited,
        Retry::Safe {
            after: Some(secs(600)),
        },
    );
    world.idp().script("ada", [throttle]);
    let order = world.order(&["ada@example.com"]).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Order(order), &stop);
    assert!(tokio::time::timeout(secs(5), run).await.is_err());
    let memory = world
        .store
        .load_lane(&provider("idp"))
        .await
        .expect("reads");
    assert!(memory.is_some());
    // A new process, and a new order for somebody else: the pause still holds.
    let throttled = world.idp().ledger()[1].at;
    world.order(&["bob@example.com"]).await;
    world.run(Goal::Everything).await;
    let next = world
        .idp()
        .ledger()
        .into_iter()
        .filter(|entry| entry.call == Call::Revoke)
        .nth(1)
        .expect("called");
    assert!(next.at.duration_since(throttled).as_secs() >= 599);
}

#[tokio::test(start_paused = true)]
async fn what_a_lane_learns_while_its_process_stops_outlives_it() {
    let world = World::plain();
    let throttle = Retry::Safe {
        after: Some(secs(600)),
    };
    let throttle = Answer::error(ErrorKind::RateLimited, throttle).after(secs(3));
    world.idp().script("ada", [throttle]);
    world.idp().script("bob", [Answer::hang()]);
    let order = world
        .accept_resolved(&["ada@example.com", "bob@example.com"])
        .await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Order(order), &stop);
    let dies = async {
        tokio::time::sleep(secs(1)).await;
        stop.drain.cancel();
        // The answer comes while the calls in flight may still end; then the process is killed.
        tokio::time::sleep(secs(5)).await;
    };
    tokio::select! {
        _ = run => panic!("it has a call in flight"),
        () = dies => {}
    }
    let memory = world
        .store
        .load_lane(&provider("idp"))
        .await
        .expect("reads");
    assert!(memory.is_some_and(|memory| memory.contains("paused_until")));
}

#[tokio::test(start_paused = true)]
async fn an_order_that_another_process_accepts_for_another_tenant_is_not_touched() {
    let world = Arc::new(World::new(|b| b.latency(secs(5))));
    world.order(&["ada@example.com"]).await;
    let running = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.run(Goal::Everything).await })
    };
    tokio::time::sleep(secs(2)).await;
    let foreign = world
        .accept(vec![crate::world::Wish::new("eve@example.com")], |draft| {
            draft.bindings[0].vendor_tenant = "somebody-else".to_owned();
        })
        .await;
    world.store.touched_by_others();
    let Ended::NeedsPerson(remedies) = running.await.expect("ends") else {
        panic!("a person is needed");
    };
    assert_eq!(remedies[0].order, Some(foreign));
    assert_eq!(world.states(), [JobState::Confirmed, JobState::Pending]);
    assert_eq!(world.idp().calls_about("eve"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_is_down_for_each_person_parks_nobody() {
    let world = World::plain();
    world.idp().fail_person_by_person();
    world.idp().fail_resolve(40, down);
    let order = world.order(&["ada@example.com", "bob@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.states(), [JobState::Confirmed, JobState::Confirmed]);
    assert!(world.jobs().iter().all(|job| job.attempts <= 1));
}

#[tokio::test(start_paused = true)]
async fn evidence_that_is_down_for_each_person_uses_up_no_read() {
    let world = World::plain();
    world.idp().fail_person_by_person();
    world.idp().fail_evidence(20, down);
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().evidence, EvidenceState::Verified);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_repeated_while_evidence_is_down() {
    let world = World::new(|b| b.latency(secs(2)));
    world.idp().fail_person_by_person();
    world.idp().fail_evidence(8, down);
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.idp().revoke_calls(), 1);
}

fn down() -> Error {
    let retry = Retry::Safe { after: None };
    Error::new(ErrorKind::Unavailable, retry, "read", "scripted")
}
