//! From answer to job: every row of the table.

use rescind_core::engine::{Ended, Goal};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::provider::{Account, Capabilities, ItemId, Scope};
use rescind_core::report::{
    Ended as Steps, EvidenceState, ItemFailure, Outcome, OutcomeName, Report, Step, Unsupported,
};
use rescind_testkit::scripted::{Answer, Call};

use crate::world::{Wish, World, people, secs};

const SAFE: Retry = Retry::Safe { after: None };

#[tokio::test(start_paused = true)]
async fn a_success_is_confirmed() {
    for (outcome, answer) in [
        (OutcomeName::Revoked, Answer::revoked()),
        (
            OutcomeName::Accepted,
            Answer::outcome(|| Outcome::Accepted {
                ended: Steps::by(Step::new("sessions", 1)),
            })
            .but_carried_out(),
        ),
        (
            OutcomeName::NothingToRevoke,
            Answer::outcome(|| Outcome::NothingToRevoke).but_carried_out(),
        ),
    ] {
        let world = World::plain();
        world.idp().script("ada", [answer]);
        let order = world.order(&["ada@example.com"]).await;
        assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
        let job = world.job();
        assert_eq!(job.state, JobState::Confirmed);
        assert_eq!(job.detail.outcome, Some(outcome));
        assert_eq!(job.evidence, EvidenceState::Verified);
        assert_eq!(job.resolved.map(|r| r.id).as_deref(), Some("ada"));
        assert_eq!(world.idp().revoke_calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_typo_is_refused_and_nothing_is_called() {
    let world = World::plain();
    world.idp().forget("adda@example.com");
    let order = world.order(&["adda@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Refused);
    assert_eq!(
        world.job().detail.outcome,
        Some(OutcomeName::SubjectNotFound)
    );
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn somebody_we_once_knew_is_gone() {
    let world = World::plain();
    let first = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(first)).await;
    world.idp().forget("ada@example.com");
    let second = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(second)).await;
    assert_eq!(world.states(), [JobState::Confirmed, JobState::Gone]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_left_between_look_up_and_call_is_gone() {
    let world = World::plain();
    world
        .idp()
        .script("ada", [Answer::outcome(|| Outcome::SubjectNotFound)]);
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Gone);
}

#[tokio::test(start_paused = true)]
async fn without_a_directory_a_missing_subject_is_refused() {
    let world = World::new(rescind_testkit::scripted::ScriptedBuilder::without_directory);
    world.idp().script(
        "ada@example.com",
        [Answer::outcome(|| Outcome::SubjectNotFound)],
    );
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Refused);
}

#[tokio::test(start_paused = true)]
async fn without_a_directory_a_subject_that_evidence_misses_is_refused() {
    let world = World::new(rescind_testkit::scripted::ScriptedBuilder::without_directory);
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown);
    world.idp().script("ada@example.com", [lost]);
    world.idp().forget("ada@example.com");
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Refused);
    assert!(world.job().detail.refusal.is_some());
}

#[tokio::test(start_paused = true)]
async fn ambiguous_subjects_and_guests_are_refused_without_a_call() {
    let world = World::plain();
    world.idp().make_ambiguous("sam@example.com");
    let mut guest = Account::new("guest-1", "eve@example.com");
    guest.not_covered = Some(Unsupported::new("a guest", "ask the home tenant"));
    world.idp().with_account("eve@example.com", guest);
    let order = world.order(&["sam@example.com", "eve@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let outcomes: Vec<_> = world.jobs().iter().map(|j| j.detail.outcome).collect();
    assert_eq!(
        outcomes,
        [Some(OutcomeName::Ambiguous), Some(OutcomeName::Unsupported)]
    );
    assert_eq!(world.states(), [JobState::Refused, JobState::Refused]);
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_refuses_everything_is_never_called() {
    let why = Unsupported::new("it keeps no sessions", "use the directory behind it");
    let world = World::new(|b| b.capabilities(Capabilities::refusing(why.clone())));
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Refused);
    assert_eq!(world.job().detail.refusal, Some(why));
    assert!(world.idp().ledger().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_protected_account_is_never_called_under_any_spelling() {
    let mut world = World::plain();
    world.protected = vec!["BreakGlass@example.com".to_owned()];
    let mut account = Account::new("bg", "breakglass@example.com");
    account.spellings = vec!["root@example.com".to_owned()];
    for spelling in ["breakglass@example.com", "root@example.com", "bg"] {
        world.idp().with_account(spelling, account.clone());
    }
    let order = world
        .accept(
            vec![
                Wish::new("breakglass@example.com"),
                Wish::new("ROOT@example.com"),
                Wish::new("bg"),
                Wish::new("nick@example.com").resolved("bg"),
            ],
            |_| {},
        )
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    for job in world.jobs() {
        assert_eq!(job.state, JobState::Refused);
        assert_eq!(job.detail.outcome, Some(OutcomeName::Protected));
    }
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_throttle_is_waited_for_and_uses_no_attempt() {
    let world = World::plain();
    let throttle = Answer::error(
        ErrorKind::RateLimited,
        Retry::Safe {
            after: Some(secs(30)),
        },
    );
    world.idp().script("ada", vec![throttle; 12]);
    let order = world.order(&["ada@example.com"]).await;
    let started = world.clock.now();
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
    let elapsed = world.clock.now().duration_since(started);
    assert!(elapsed.as_secs() >= 12 * 30, "{elapsed:?}");
    let calls: Vec<_> = world
        .idp()
        .ledger()
        .into_iter()
        .filter(|entry| entry.call == Call::Revoke)
        .collect();
    for pair in calls.windows(2) {
        assert!(pair[1].at.duration_since(pair[0].at).as_secs() >= 30);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_parks_nobody() {
    let world = World::plain();
    let end = world.clock.now().checked_add(secs(3600)).expect("in range");
    let clock = world.clock.clone();
    world
        .idp()
        .decide(move |_| (clock.now() < end).then(|| Answer::error(ErrorKind::Unavailable, SAFE)));
    let people = people(20);
    let order = world
        .order(&people.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Confirmed));
}

#[tokio::test(start_paused = true)]
async fn a_subject_that_always_fails_is_parked_while_its_lane_is_well() {
    let world = World::plain();
    world.idp().decide(|id| {
        (id == "bad").then(|| Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown))
    });
    let order = world.order(&["bad@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Parked);
    assert_eq!(world.idp().calls_about("bad"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_confirmed_by_its_watermark_without_a_second_call() {
    let world = World::plain();
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let order = world.order(&["ada@example.com"]).await;
    // A call within a second of T cannot be told from one before it.
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let job = world.job();
    assert_eq!(job.state, JobState::Confirmed);
    assert_eq!(job.detail.outcome, Some(OutcomeName::ConfirmedByEvidence));
    assert_eq!(world.idp().times_ended("ada"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_without_effect_is_repeated() {
    let world = World::plain();
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown);
    world.idp().script("ada", [lost]);
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.job().detail.outcome, Some(OutcomeName::Revoked));
    assert_eq!(world.idp().calls_about("ada"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_must_not_be_repeated_is_parked_when_its_answer_is_lost() {
    let world = World::new(rescind_testkit::scripted::ScriptedBuilder::not_idempotent);
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown);
    world.idp().script("ada", [lost]);
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Parked);
    assert_eq!(world.idp().calls_about("ada"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_parked_after_its_process_died_says_why() {
    let world = World::new(|b| b.not_idempotent().latency(secs(3)));
    let order = world.accept_resolved(&["ada@example.com"]).await;
    world.idp().script("ada", [Answer::hang()]);
    let run = world.try_run(Goal::Order(order));
    assert!(tokio::time::timeout(secs(2), run).await.is_err());
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Parked);
    let error = world.job().detail.error.expect("a reason");
    assert!(error.hint.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_parked_in_doubt_is_read_before_it_is_called_again() {
    let world = World::plain();
    world
        .idp()
        .decide(|_| Some(Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown)));
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Parked);
    let before = world.idp().ledger().len();
    world.idp().behave();
    world.run(Goal::Again(order)).await;
    assert_eq!(world.job().state, JobState::Confirmed);
    let calls: Vec<Call> = world.idp().ledger()[before..]
        .iter()
        .map(|entry| entry.call)
        .filter(|call| matches!(call, Call::Evidence | Call::Revoke))
        .collect();
    assert_eq!(calls[..2], [Call::Evidence, Call::Revoke]);
}

#[tokio::test(start_paused = true)]
async fn an_account_s_watermark_does_not_confirm_single_items() {
    let world = World::plain();
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let mut wish = Wish::new("ada@example.com");
    wish.scope = Scope::Items(vec![ItemId("grant-1".to_owned())]);
    let order = world.accept(vec![wish], |_| {}).await;
    tokio::time::sleep(secs(2)).await;
    world.run(Goal::Order(order)).await;
    assert_ne!(
        world.job().detail.outcome,
        Some(OutcomeName::ConfirmedByEvidence)
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_nobody_recognises_is_parked_after_three() {
    let world = World::plain();
    world.idp().decide(|_| {
        Some(Answer::error(
            ErrorKind::InvalidResponse,
            Retry::OutcomeUnknown,
        ))
    });
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Parked);
    assert_eq!(world.idp().calls_about("ada"), 3);
}

#[tokio::test(start_paused = true)]
async fn one_subject_without_the_right_is_parked() {
    let world = World::plain();
    world.idp().decide(|id| {
        (id == "admin").then(|| Answer::error(ErrorKind::PermissionDenied, Retry::Never))
    });
    let order = world
        .order(&["admin@example.com", "bob@example.com", "eve@example.com"])
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(
        world.states(),
        [JobState::Parked, JobState::Confirmed, JobState::Confirmed]
    );
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_parked_at_once() {
    let world = World::plain();
    world
        .idp()
        .script("ada", [Answer::error(ErrorKind::Unexpected, Retry::Never)]);
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Parked);
    assert_eq!(world.idp().revoke_calls(), 1);
}

fn partial(failure: ErrorKind, retry: Retry) -> Answer {
    Answer::outcome(move || Outcome::Partial {
        ended: Steps::by(Step::new("grants", 3)),
        failed: vec![ItemFailure::new(
            "sign-out",
            None,
            Error::new(failure, retry, "signOut", "scripted"),
        )],
    })
}

#[tokio::test(start_paused = true)]
async fn a_partial_success_goes_on_with_what_is_left() {
    let world = World::plain();
    world
        .idp()
        .script("ada", [partial(ErrorKind::Unavailable, SAFE)]);
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    let job = world.job();
    assert_eq!(job.state, JobState::Confirmed);
    let steps: Vec<_> = job.detail.steps.iter().map(|s| s.name.as_str()).collect();
    assert!(steps.contains(&"grants"), "{steps:?}");
    assert_eq!(
        world.idp().done_steps(),
        [vec![], vec!["grants".to_owned()]]
    );
}

#[tokio::test(start_paused = true)]
async fn a_partial_success_that_cannot_go_on_is_parked() {
    let world = World::plain();
    world
        .idp()
        .script("ada", [partial(ErrorKind::Unexpected, Retry::Never)]);
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Parked);
    assert_eq!(world.job().detail.outcome, Some(OutcomeName::Partial));
}

#[tokio::test(start_paused = true)]
async fn single_items_go_to_the_inventory() {
    let world = World::plain();
    let mut wish = Wish::new("ada@example.com");
    wish.scope = Scope::Items(vec![ItemId("grant-1".to_owned())]);
    let order = world.accept(vec![wish], |_| {}).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
    assert!(world.idp().ledger().iter().any(|e| e.call == Call::End));
    assert_eq!(world.idp().revoke_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_enabled_account_is_said_to_be_enabled_once() {
    let world = World::plain();
    let mut account = Account::new("ada", "ada@example.com");
    account.enabled = Some(true);
    world.idp().with_account("ada@example.com", account);
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    let said = |job: &rescind_core::job::Job| {
        let residual = job.detail.residual.iter();
        residual
            .filter(|r| r.what.contains("still enabled"))
            .count()
    };
    assert_eq!(said(&world.job()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_ends_is_given_up_and_its_job_is_not_lost() {
    let world = World::plain();
    world.idp().script("ada", [Answer::hang()]);
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.idp().calls_about("ada"), 2);
}

#[tokio::test(start_paused = true)]
async fn the_vendor_s_clock_decides_what_a_watermark_means() {
    // The provider's clock is five minutes behind ours: its watermark looks older than T, and is not.
    let world = World::new(|b| b.skew(jiff::SignedDuration::from_secs(-300)));
    let lost = Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out();
    world.idp().script("ada", [lost]);
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(2)).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(
        world.job().detail.outcome,
        Some(OutcomeName::ConfirmedByEvidence)
    );
    assert_eq!(world.idp().calls_about("ada"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_keeps_its_request_id() {
    let world = World::plain();
    world.idp().script(
        "ada",
        [Answer::report(|| {
            Report::new(Outcome::NothingToRevoke)
                .with_vendor_request_ids(vec!["first".to_owned(), "second".to_owned()])
        })],
    );
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(
        world.job().detail.vendor_request_id.as_deref(),
        Some("second")
    );
}
