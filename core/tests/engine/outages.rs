//! One subject that the provider cannot serve, and a provider that serves nobody.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::EvidenceState;
use rescind_testkit::scripted::Answer;

use crate::world::{World, people, secs};

const SAFE: Retry = Retry::Safe { after: None };

/// A 503 without a word about when to come again.
fn away() -> Answer {
    Answer::error(ErrorKind::Unavailable, SAFE)
}

#[tokio::test(start_paused = true)]
async fn who_is_never_served_is_parked_although_all_others_are_done() {
    for bad in 1..=3 {
        let mut world = World::plain();
        world.canary = false;
        world.idp().decide(|id| id.starts_with("bad").then(away));
        let bad: Vec<String> = (0..bad).map(|i| format!("bad{i}@example.com")).collect();
        let good = people(10);
        let people: Vec<&str> = bad.iter().chain(&good).map(String::as_str).collect();
        let order = world.order(&people).await;
        let engine = world.engine().await;
        let stop = Stop::new();
        let run = engine.run(Goal::Order(order), &stop);
        let ended = tokio::time::timeout(secs(2 * 3_600), run).await;
        assert!(matches!(ended, Ok(Ok(Ended::Finished))), "{ended:?}");
        for (i, state) in world.states().into_iter().enumerate() {
            let expected = if i < bad.len() {
                JobState::Parked
            } else {
                JobState::Confirmed
            };
            assert_eq!(state, expected, "{i}");
        }
        let calls = world.idp().calls_about("bad0");
        assert!((8..=12).contains(&calls), "{calls}");
    }
}

async fn parks_nobody(of: usize, reads_fail: bool) {
    let mut world = World::new(|b| b.latency(secs(1)).max_in_flight(2));
    world.canary = false;
    let start = world.clock.now();
    let from = start.checked_add(secs(8)).expect("in range");
    let until = start.checked_add(secs(1_200)).expect("in range");
    let clock = Arc::clone(&world.clock);
    world.idp().decide(move |_| {
        let now = clock.now();
        (from <= now && now < until).then(away)
    });
    let people = people(of);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Order(order), &stop);
    let reads = async {
        tokio::time::sleep(secs(9)).await;
        let clock = Arc::clone(&world.clock);
        while reads_fail && clock.now() < until {
            world.idp().fail_evidence(10, || {
                Error::new(ErrorKind::Unavailable, SAFE, "read", "scripted")
            });
            tokio::time::sleep(secs(10)).await;
        }
        world.idp().mend_reads();
    };
    let (ended, ()) = tokio::join!(run, reads);
    assert_eq!(ended.ok(), Some(Ended::Finished));
    let states = world.states();
    let confirmed = states.iter().filter(|s| **s == JobState::Confirmed);
    assert_eq!(confirmed.count(), of, "{states:?}");
    assert!(world.clock.now() >= until);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_writes_parks_nobody_although_reads_are_answered() {
    parks_nobody(40, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_parks_nobody_however_few_are_left() {
    parks_nobody(16, true).await;
}

/// Long enough for every try that one person has, and far too short for waiting for ever.
const LONG: Duration = Duration::from_secs(24 * 3_600);

async fn ends(world: &World) -> Ended {
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Everything, &stop);
    let ended = tokio::time::timeout(LONG, run).await;
    let states = world.states();
    ended
        .unwrap_or_else(|_| panic!("it goes on: {states:?}"))
        .expect("it ends well")
}

#[tokio::test(start_paused = true)]
async fn a_few_who_are_always_unreachable_are_parked_and_the_run_ends() {
    for (unreachable, subjects_per_read) in [(1, 1), (1, 20), (3, 1), (3, 20)] {
        let mut world = World::new(|b| b.subjects_per_read(subjects_per_read));
        world.canary = false;
        let down = (0..unreachable).map(|n| format!("down{n}@example.com"));
        let people: Vec<String> = down.chain(people(5)).collect();
        for down in &people[..unreachable] {
            world.idp().down_about(down);
        }
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        world.order(&people).await;
        assert_eq!(ends(&world).await, Ended::Finished);
        let states = world.states();
        let (down, others) = states.split_at(unreachable);
        assert!(down.iter().all(|s| *s == JobState::Parked), "{states:?}");
        assert_eq!(others, [JobState::Confirmed; 5]);
        assert!(world.idp().revoke_calls() == 5);
    }
}

#[tokio::test(start_paused = true)]
async fn evidence_of_one_that_is_always_unreachable_is_given_up_and_the_run_ends() {
    for subjects_per_read in [1, 20] {
        let world = World::new(|b| b.subjects_per_read(subjects_per_read));
        // By their ids only: they are found, and their evidence is not.
        world.idp().down_about("dan");
        world.idp().down_about("eve");
        world
            .order(&["ada@example.com", "dan@example.com", "eve@example.com"])
            .await;
        assert_eq!(ends(&world).await, Ended::Finished);
        let evidence: Vec<_> = world.jobs().iter().map(|job| job.evidence).collect();
        let (verified, not) = (EvidenceState::Verified, EvidenceState::Unverified);
        assert_eq!(evidence, [verified, not, not]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_called_again_where_its_evidence_stays_unreachable() {
    let world = World::plain();
    world.idp().down_about("dan");
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("dan", [lost]);
    world.order(&["ada@example.com", "dan@example.com"]).await;
    assert_eq!(ends(&world).await, Ended::Finished);
    assert_eq!(world.states(), [JobState::Confirmed; 2]);
    assert_eq!(world.idp().calls_about("dan"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_witness_that_is_answered_strangely_parks_nobody() {
    let world = World::plain();
    world.order(&["wit@example.com"]).await;
    let engine = world.engine().await;
    let run = engine.run(Goal::Everything, &Stop::new()).await;
    assert_eq!(run.ok(), Some(Ended::Finished));

    // The provider is down for some minutes, and shows a page whenever the only witness is asked about.
    world.idp().panic_about("wit");
    let away = (ErrorKind::Unavailable, SAFE);
    world.idp().fail_look_ups_of("ada@example.com", &[away; 12]);
    world.order(&["ada@example.com"]).await;
    let run = engine.run(Goal::Everything, &Stop::new()).await;
    assert_eq!(run.ok(), Some(Ended::Finished));
    assert_eq!(world.states(), [JobState::Confirmed; 2]);
}
