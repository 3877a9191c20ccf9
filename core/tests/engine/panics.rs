//! A connector that panics: it costs nobody else anything, and comes to an end.

use std::time::Duration;

use rescind_core::engine::{Ended, Goal};
use rescind_core::error::ErrorKind;
use rescind_core::job::JobState;
use rescind_core::report::EvidenceState;
use rescind_testkit::scripted::{self, Answer, Call};

use crate::world::{World, secs};

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_loses_nobody() {
    let world = World::plain();
    let first = std::sync::atomic::AtomicBool::new(true);
    world.idp().decide(move |_| {
        first
            .swap(false, std::sync::atomic::Ordering::Relaxed)
            .then(|| Answer::report(|| panic!("scripted")).after(Duration::ZERO))
    });
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_each_time_is_parked_after_three_and_takes_nobody_along() {
    let world = World::plain();
    let panics = || Answer::failing(|| panic!("scripted"));
    world.idp().script("p2", (0..9).map(|_| panics()));
    let order = world
        .order(&["p1@example.com", "p2@example.com", "p3@example.com"])
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(
        world.states(),
        [JobState::Confirmed, JobState::Parked, JobState::Confirmed]
    );
    assert_eq!(world.idp().calls_about("p2"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_panics_about_one_person_takes_nobody_along() {
    let world = World::new(|b| b.subjects_per_read(20));
    world.idp().panic_about("p3@example.com");
    let people: Vec<String> = (1..=6).map(|n| format!("p{n}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let states = world.states();
    assert_eq!(states[2], JobState::Parked);
    let confirmed = states.iter().filter(|s| **s == JobState::Confirmed);
    assert_eq!(confirmed.count(), 5);
    assert_eq!(world.idp().calls_about("p3"), 0);
    let why = world.jobs()[2].detail.error.clone().expect("a reason");
    assert_eq!(
        (why.kind, why.message.as_str()),
        (ErrorKind::InvalidResponse, "the connector panicked")
    );
}

#[tokio::test(start_paused = true)]
async fn evidence_that_panics_about_one_person_leaves_only_that_one_unverified() {
    let world = World::new(|b| b.subjects_per_read(20));
    world.idp().panic_about("p3");
    let order = world
        .accept_resolved(&["p1@example.com", "p2@example.com", "p3@example.com"])
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let evidence: Vec<_> = world.jobs().iter().map(|job| job.evidence).collect();
    assert_eq!(
        evidence,
        [
            EvidenceState::Verified,
            EvidenceState::Verified,
            EvidenceState::Unverified
        ]
    );
    assert_eq!(world.states(), [JobState::Confirmed; 3]);
}

#[tokio::test(start_paused = true)]
async fn reads_that_make_no_sense_for_anybody_come_to_an_end() {
    let world = World::new(|b| b.subjects_per_read(20));
    for n in 0..100 {
        world.idp().panic_about(&format!("p{n}"));
        world.idp().panic_about(&format!("p{n}@example.com"));
    }
    let people: Vec<String> = (0..30).map(|n| format!("p{n}@example.com")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    world.accept_resolved(&people).await;
    world.order(&["p90@example.com", "p91@example.com"]).await;
    assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
    let evidence = world
        .jobs()
        .iter()
        .map(|job| job.evidence)
        .collect::<Vec<_>>();
    let unverified = |e: &&EvidenceState| **e == EvidenceState::Unverified;
    assert_eq!(evidence.iter().filter(unverified).count(), 30);
    let parked = |s: &&JobState| **s == JobState::Parked;
    assert_eq!(world.states().iter().filter(parked).count(), 2);
    // Six readings of two calls, three people asked alone after each: not one for each person.
    let read = |entry: &&scripted::Entry| entry.call == Call::Evidence;
    assert!(world.idp().ledger().iter().filter(read).count() <= 6 * (30 + 2 * 3));
}
