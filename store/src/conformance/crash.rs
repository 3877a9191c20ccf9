//! Workers that die, and acts that end half way.

use std::task::{Context, Waker};

use jiff::SignedDuration;
use rescind_core::clock::Clock as _;
use rescind_core::id::{JobKey, OrderId};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::order::OrderState;
use rescind_core::store::{Acceptance, Claimed, Settlement, StagedJob};

use super::{Bench, Place, is_not_staged};

/// What ran when the worker died waits, unknown and due; what never called is not unknown.
pub async fn a_dead_workers_jobs_are_rescued(place: &dyn Place) {
    let bench = Bench::new(place);
    let names = ["a@example.com", "b@example.com", "c@example.com"];
    let (id, order) = bench.order(&names).await;
    let called = Bench::claim(JobKey::new(order, 0), names[0]);
    let silent = Bench::claim(JobKey::new(order, 1), names[1]).without_call();
    bench.claim_one(called.clone()).await;
    bench.claim_one(silent).await;

    let next = bench.second();
    assert_eq!(next.recover().await.expect("a rescue"), 2);
    let job = bench.job(called.job).await;
    assert_eq!(job.state, JobState::Waiting);
    assert_eq!(job.waiting, Some(WaitReason::Unknown));
    assert_eq!(job.due, Some(bench.clock.now()));
    assert_eq!(job.started_at, Some(bench.clock.now()));
    assert_eq!(job.resolved, Some(Bench::account(names[0])));
    let silent = bench.job(JobKey::new(order, 1)).await;
    assert_eq!(
        (silent.waiting, silent.attempts),
        (Some(WaitReason::Lane), 0)
    );
    assert_eq!(
        bench.job(JobKey::new(order, 2)).await.state,
        JobState::Pending
    );
    let woken = next.wake(&Bench::provider(), bench.clock.now(), 9).await;
    assert_eq!(woken.expect("waking").len(), 2);
    let again = next.claim(vec![called]).await.expect("a claim");
    assert!(
        matches!(again[0], Claimed::Running { .. }),
        "the account is free again: {again:?}"
    );
    bench.balanced(id).await;
}

/// Cancelling refuses claims at once; what is in flight is settled as the provider says, what would wait is not.
pub async fn cancelling_during_a_run_loses_nothing(place: &dyn Place) {
    let bench = Bench::new(place);
    let names: Vec<String> = (0..40).map(|n| format!("p{n}@example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (id, order) = bench.order(&names).await;
    let mut tokens = Vec::new();
    for (seq, name) in (0u32..10).zip(&names) {
        let job = JobKey::new(order, seq);
        let Claimed::Running { token, .. } = bench.claim_one(Bench::claim(job, name)).await else {
            panic!("it runs");
        };
        tokens.push((job, token));
    }
    let act = Bench::act("order_cancelled");
    let cancelled = bench.store.cancel(order, act).await.expect("cancelling");
    assert_eq!(cancelled, 30);
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!(found.state, OrderState::Cancelling);
    assert_eq!((found.counts.open, found.counts.cancelled), (10, 30));
    let claim = Bench::claim(JobKey::new(order, 20), names[20]);
    assert_eq!(bench.claim_one(claim).await, Claimed::Lost);

    for (place, (job, token)) in tokens.into_iter().enumerate() {
        let next = bench.ways_out()[place % 5].clone();
        let wanted = if next.state().is_terminal() {
            next.state()
        } else {
            JobState::Cancelled
        };
        assert!(
            bench
                .settle(Settlement::new(job, token, next, Bench::story()))
                .await
        );
        assert_eq!(bench.job(job).await.state, wanted);
        bench.balanced(id).await;
    }
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!(found.state, OrderState::Finished);
    assert_eq!(found.counts.cancelled, 34);
}

/// A worker that died while an order was called off leaves the rest to the next.
pub async fn a_half_done_cancellation_is_finished(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com", "b@example.com"]).await;
    let claim = Bench::claim(JobKey::new(order, 0), "a@example.com");
    bench.claim_one(claim).await;
    let act = Bench::act("order_cancelled");
    bench.store.cancel(order, act).await.expect("cancelling");
    assert_eq!(bench.second().recover().await.expect("a rescue"), 1);
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!(found.state, OrderState::Finished);
    assert_eq!(found.counts.cancelled, 2);
    bench.balanced(id).await;
}

/// A cancellation that ended after its first step is finished while another worker runs, parked jobs included; and
/// nobody frees those meanwhile.
pub async fn a_dead_cancellation_is_finished_in_passing(place: &dyn Place) {
    let bench = Bench::new(place);
    for (name, from) in [
        ("a@example.com", JobState::Pending),
        ("b@example.com", JobState::Waiting),
        ("c@example.com", JobState::Parked),
    ] {
        let (id, order) = bench.order(&[name]).await;
        bench.bring(order, name, from).await;
        let dying = bench.second();
        let mut cancelling = dying.cancel(order, Bench::act("order_cancelled").about(id));
        // Its first step is under way, and nobody asks for the next one.
        let _ = cancelling
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        drop(cancelling);
        drop(dying);
        while !called_off(&bench, id).await {
            std::thread::yield_now();
        }
        let act = Bench::act("jobs_unparked");
        assert_eq!(bench.store.unpark(None, act).await.expect("freeing"), 0);
        bench.store.finish_cancels().await.expect("finishing");
        let found = bench.store.order(id).await.expect("the order");
        assert_eq!(found.state, OrderState::Finished, "{from:?}");
        assert_eq!(found.counts.cancelled, 1, "{from:?}");
        bench.balanced(id).await;
    }
}

async fn called_off(bench: &Bench<'_>, id: OrderId) -> bool {
    let entries = super::record::whole(&*bench.store).await;
    entries.iter().any(|entry| {
        entry.action == "order_cancelled" && entry.order.as_deref() == Some(&id.to_string())
    })
}

/// A plan that nobody accepted for a day is swept at the next start; a younger one is not.
pub async fn an_old_plan_is_swept(place: &dyn Place) {
    let bench = Bench::new(place);
    let mut plans = Vec::new();
    for _ in 0..2 {
        let key = bench.store.begin(Bench::draft()).await.expect("a plan");
        let jobs = vec![StagedJob::new("a@example.com", 0)];
        bench.store.stage(key, jobs).await.expect("staging");
        plans.push(key);
        bench.clock.advance(SignedDuration::from_hours(13));
    }
    let (id, _) = bench.order(&["b@example.com"]).await;
    bench.store.recover().await.expect("a sweep");
    let yes = || Acceptance::new("x", 1, 1);
    assert!(is_not_staged(&bench.store.accept(plans[0], yes()).await));
    let young = bench.store.accept(plans[1], yes()).await;
    young.expect("a young plan stays");
    bench.balanced(id).await;
}
