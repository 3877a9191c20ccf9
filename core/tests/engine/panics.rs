//! A connector that panics: it costs nobody else anything, and comes to an end.

use std::time::Duration;

use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::EvidenceState;
use rescind_testkit::scripted::{self, Answer, Call, ScriptedBuilder};

use crate::world::{World, people, secs};

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
async fn those_at_the_head_of_a_group_take_nobody_along() {
    let world = World::new(|b| b.subjects_per_read(20));
    let people: Vec<String> = (0..6).map(|n| format!("p{n}@example.com")).collect();
    for poison in &people[..3] {
        world.idp().panic_about(poison);
    }
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let states = world.states();
    assert_eq!(states[..3], [JobState::Parked; 3]);
    assert_eq!(states[3..], [JobState::Confirmed; 3]);
    // The whole group once, and each of the three at most three times alone and three times in company.
    let looked_up = |entry: &scripted::Entry| {
        entry.call == Call::Resolve && people[..3].contains(&entry.account.as_str())
    };
    let ledger = world.idp().ledger();
    assert!(ledger.iter().filter(|e| looked_up(e)).count() <= 3 * 6);
}

#[tokio::test(start_paused = true)]
async fn those_who_are_asked_first_take_nobody_along() {
    let world = World::new(|b| b.subjects_per_read(20));
    let people = people(8);
    // The sample of the first time.
    let poison = [0, 8 / 3, 2 * 8 / 3];
    for i in poison {
        world.idp().panic_about(&people[i]);
    }
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    for (i, state) in world.states().into_iter().enumerate() {
        let expected = if poison.contains(&i) {
            JobState::Parked
        } else {
            JobState::Confirmed
        };
        assert_eq!(state, expected, "{i}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_strange_answer_after_an_outage_parks_nobody() {
    let safe = Retry::Safe { after: None };
    let of = |kind| move || Error::new(kind, safe, "read", "scripted");
    let world = World::plain();
    world.idp().fail_resolve(2, of(ErrorKind::Unavailable));
    world.idp().fail_resolve(1, of(ErrorKind::InvalidResponse));
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);

    // The same of evidence, where a repeat may do harm.
    let world = World::new(ScriptedBuilder::not_idempotent);
    world.idp().fail_evidence(2, of(ErrorKind::Unavailable));
    world.idp().fail_evidence(1, of(ErrorKind::InvalidResponse));
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let order = world.accept_resolved(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn one_strange_answer_among_failures_of_another_kind_parks_nobody() {
    let safe = Retry::Safe { after: None };
    let away = (ErrorKind::Unavailable, safe);
    let strange = (ErrorKind::InvalidResponse, safe);
    let world = World::new(|b| b.subjects_per_read(20));
    world
        .idp()
        .fail_look_ups_of("ada@example.com", &[away, away, strange, away, strange]);
    let order = world.order(&["ada@example.com", "bob@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.states(), [JobState::Confirmed; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_protected_list_that_is_strange_for_some_seconds_is_waited_for() {
    let mut world = World::plain();
    world.protected = vec!["breakglass@example.com".to_owned()];
    world.idp().fail_resolve(4, || {
        let retry = Retry::Safe { after: None };
        Error::new(ErrorKind::InvalidResponse, retry, "resolve", "a page")
    });
    let order = world.accept_resolved(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn one_who_is_strange_and_one_who_is_down_hold_nobody_up() {
    let orders: [&[&str]; 4] = [
        &["p", "d", "ada"],
        &["d", "p", "ada"],
        &["ada", "d", "p"],
        &["d", "p", "d2", "ada", "d3"],
    ];
    for people in orders {
        let world = World::new(|b| b.subjects_per_read(20));
        world.idp().panic_about("p@example.com");
        let at = |person: &&str| format!("{person}@example.com");
        for down in ["d", "d2", "d3"] {
            world.idp().down_about(&at(&down));
        }
        let addresses: Vec<String> = people.iter().map(at).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        world.order(&addresses).await;
        let engine = world.engine().await;
        let stop = Stop::new();
        // Whoever is down is waited for.
        let run = engine.run(Goal::Everything, &stop);
        let _ = tokio::time::timeout(secs(3_600), run).await;
        let jobs = world.jobs();
        let state = |person: &str| {
            let person = format!("{person}@example.com");
            let job = jobs
                .iter()
                .find(|job| job.subject.as_ref() == Some(&person));
            job.map(|job| job.state)
        };
        assert_eq!(state("ada"), Some(JobState::Confirmed), "{people:?}");
        assert_eq!(state("p"), Some(JobState::Parked), "{people:?}");
        assert_eq!(world.idp().calls_about("d"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_protected_entry_that_panics_stops_the_lane_and_is_named() {
    let mut world = World::plain();
    world.protected = vec!["breakglass@example.com".to_owned()];
    world.idp().panic_about("breakglass@example.com");
    let order = world.accept_resolved(&["ada@example.com"]).await;
    let Ended::NeedsPerson(remedies) = world.run(Goal::Order(order)).await else {
        panic!("a person is needed");
    };
    let hint = remedies[0].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("`protected`"), "{remedies:?}");
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_called_again_where_its_evidence_panics() {
    let world = World::plain();
    world.idp().panic_about("ada");
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let order = world.accept_resolved(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let job = world.job();
    assert_eq!(
        (job.state, job.evidence),
        (JobState::Confirmed, EvidenceState::Unverified)
    );
    assert_eq!(world.idp().calls_about("ada"), 2);
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
