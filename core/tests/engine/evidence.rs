//! The provider's own proof: read back, recorded, and never held against a confirmed job.

use rescind_core::engine::{Ended, Goal};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::EvidenceState;
use rescind_testkit::scripted::{Answer, Call, ScriptedBuilder};

use crate::world::{Wish, World, people, provider, secs};

fn reads(world: &World) -> Vec<u64> {
    let confirmed = world.job().done_at.expect("confirmed");
    world
        .idp()
        .ledger()
        .iter()
        .filter(|entry| entry.call == Call::Evidence)
        .map(|entry| entry.at.duration_since(confirmed).as_secs().unsigned_abs())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn it_is_read_at_0_2_5_15_30_and_60_seconds_and_then_given_up() {
    let world = World::plain();
    world.idp().evidence_lags(secs(3600));
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.job().evidence, EvidenceState::Unverified);
    assert_eq!(reads(&world), [0, 2, 5, 15, 30, 60]);
    assert_eq!(world.order_row(order).await.evidence_pending, 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_read_until_it_shows() {
    let world = World::plain();
    world.idp().evidence_lags(secs(4));
    let order = world.order(&["ada@example.com"]).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().evidence, EvidenceState::Verified);
    assert_eq!(reads(&world), [0, 2, 5]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_wants_none_reads_none() {
    let world = World::plain();
    let order = world
        .accept(vec![Wish::new("ada@example.com")], |draft| {
            draft.verify = false;
        })
        .await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().evidence, EvidenceState::None);
    assert!(reads(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_any_confirms_all_the_same() {
    let world = World::new(ScriptedBuilder::without_evidence);
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().evidence, EvidenceState::None);
}

#[tokio::test(start_paused = true)]
async fn an_outage_while_it_is_read_uses_no_read_up() {
    let world = World::plain();
    world.idp().fail_evidence(10, || {
        Error::new(
            ErrorKind::Unavailable,
            Retry::Safe { after: None },
            "evidence",
            "scripted",
        )
    });
    let order = world.order(&["ada@example.com"]).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().evidence, EvidenceState::Verified);
}

#[tokio::test(start_paused = true)]
async fn many_are_read_in_batches() {
    let world = World::new(|b| b.subjects_per_read(20));
    let people = people(200);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    let jobs = world.jobs();
    assert!(jobs.iter().all(|j| j.evidence == EvidenceState::Verified));
}

#[tokio::test(start_paused = true)]
async fn it_is_durable_work_that_the_next_process_goes_on_with() {
    let world = World::plain();
    world.idp().evidence_lags(secs(4));
    let order = world.order(&["ada@example.com"]).await;
    let engine = world.engine().await;
    let stop = rescind_core::engine::Stop::new();
    let run = engine.run(Goal::Order(order), &stop);
    assert!(tokio::time::timeout(secs(1), run).await.is_err());
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.job().evidence, EvidenceState::Pending);
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    assert_eq!(world.job().evidence, EvidenceState::Verified);
}

#[tokio::test(start_paused = true)]
async fn a_watermark_from_the_provider_s_future_proves_nothing() {
    for (ahead, verified) in [(secs(0), true), (secs(3600), false)] {
        let world = World::plain();
        world.idp().claim_watermarks_ahead(ahead);
        let order = world.order(&["ada@example.com"]).await;
        world.run(Goal::Order(order)).await;
        let shown = world.job().evidence == EvidenceState::Verified;
        assert_eq!(shown, verified, "{ahead:?} ahead");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_settled_by_a_watermark_from_the_future() {
    let world = World::plain();
    world.idp().claim_watermarks_ahead(secs(3600));
    let lost = || Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown);
    world.idp().script("ada", [lost(), lost()]);
    let order = world.order(&["ada@example.com"]).await;
    tokio::time::sleep(secs(5)).await;
    world.run(Goal::Order(order)).await;
    assert_eq!(world.job().state, JobState::Confirmed);
    assert_eq!(world.idp().times_ended("ada"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_order_does_not_wait_for_the_evidence_of_others() {
    let world = World::plain().and("other", |b| b);
    world.idp().evidence_lags(secs(50));
    world.providers[1].evidence_lags(secs(50));
    world.idp().decide(|id| {
        (id == "eve")
            .then(|| Answer::error(ErrorKind::Unauthenticated, Retry::Never).after(secs(1)))
    });
    let wishes = ["ada@example.com", "eve@example.com"].map(Wish::new).into();
    let mine = world
        .accept(wishes, |draft| drop(draft.bindings.pop()))
        .await;
    let wishes = vec![Wish::new("bob@example.com")];
    let other = world
        .accept(wishes, |draft| drop(draft.bindings.remove(0)))
        .await;
    let started = world.clock.now();
    let ended = world.run(Goal::Order(mine)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    let took = world.clock.now().duration_since(started);
    assert!(took.as_secs() < 10, "{took:?}");
    let row = world.order_row(mine).await;
    assert_eq!(row.evidence_at.get(&provider("idp")), Some(&1));
    assert_eq!(world.order_row(other).await.evidence_pending, 1);
}
