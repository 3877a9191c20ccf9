//! The edges between states, and who may move a job along them.

use jiff::SignedDuration;
use rescind_core::clock::Clock as _;
use rescind_core::id::{JobKey, Token};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::order::OrderState;
use rescind_core::store::{Claimed, Next, Settlement};

use super::{Bench, Place};

/// Every way to move a job is tried in every state; only the edges of the core move it.
pub async fn there_are_no_other_edges(place: &dyn Place) {
    let bench = Bench::new(place);
    for from in JobState::ALL {
        for attempt in 0..9 {
            let name = format!("{from:?}-{attempt}@example.com");
            let (id, order) = bench.order(&[&name]).await;
            bench.bring(order, &name, from).await;
            let job = JobKey::new(order, 0);
            assert_eq!(bench.job(job).await.state, from);
            match attempt {
                0 => {
                    bench.claim_one(Bench::claim(job, &name)).await;
                }
                1 => {
                    bench.clock.advance(SignedDuration::from_mins(2));
                    let now = bench.clock.now();
                    let woken = bench.store.wake(&Bench::provider(), now, 100).await;
                    woken.expect("waking");
                }
                2 => {
                    let act = Bench::act("jobs_unparked");
                    bench.store.unpark(Some(order), act).await.expect("freeing");
                }
                3 => {
                    let act = Bench::act("order_cancelled");
                    bench.store.cancel(order, act).await.expect("cancelling");
                }
                way => {
                    let next = bench.ways_out()[way - 4].clone();
                    // No token that was ever given.
                    let guess = Settlement::new(job, Token(1 << 40), next, Bench::story());
                    assert!(!bench.settle(guess).await, "{from:?} by a guessed token");
                }
            }
            let to = bench.job(job).await.state;
            assert!(
                to == from || from.may_become(to),
                "{from:?} -> {to:?} by way {attempt}"
            );
            let moves = matches!(
                (attempt, from),
                (0, JobState::Pending)
                    | (1, JobState::Waiting)
                    | (2, JobState::Parked)
                    | (3, JobState::Pending | JobState::Waiting | JobState::Parked)
            );
            assert_eq!(to != from, moves, "{from:?} -> {to:?} by way {attempt}");
            bench.balanced(id).await;
        }
    }
}

/// Rescue and completion in both orders; whoever comes second changes nothing.
pub async fn a_stale_token_changes_nothing(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com"]).await;
    let job = JobKey::new(order, 0);
    let claim = Bench::claim(job, "a@example.com");
    let Claimed::Running {
        token: first,
        attempt: 1,
        ..
    } = bench.claim_one(claim.clone()).await
    else {
        panic!("a first attempt");
    };
    assert_eq!(bench.store.recover().await.expect("a rescue"), 1);
    for next in bench.ways_out() {
        let late = Settlement::new(job, first, next, Bench::story());
        assert!(!bench.settle(late).await, "rescued before it was settled");
    }
    let now = bench.clock.now();
    let woken = bench
        .store
        .wake(&Bench::provider(), now, 9)
        .await
        .expect("waking");
    assert_eq!(woken[0].waited, Some(WaitReason::Unknown));
    let Claimed::Running {
        token: second,
        attempt,
        ..
    } = bench.claim_one(claim.clone()).await
    else {
        panic!("a second attempt");
    };
    assert!(second > first, "tokens grow");
    assert_eq!(attempt, 2, "a rescued call was an attempt");
    let stale = Settlement::new(job, first, Next::Parked, Bench::story());
    assert!(!bench.settle(stale).await);
    let good = Settlement::new(job, second, bench.confirmed(), Bench::story());
    assert!(bench.settle(good.clone()).await);
    assert!(!bench.settle(good).await, "an outcome is written once");
    assert_eq!(bench.store.recover().await.expect("nothing to rescue"), 0);
    assert_eq!(bench.claim_one(claim).await, Claimed::Lost);
    assert_eq!(bench.job(job).await.state, JobState::Confirmed);
    bench.balanced(id).await;
}

/// Nothing of a paused order is claimed, shown or woken, and all of it once it is released.
pub async fn a_paused_order_is_left_alone(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com", "b@example.com"]).await;
    bench.bring(order, "a@example.com", JobState::Waiting).await;
    let provider = Bench::provider();
    let act = Bench::act("order_paused");
    bench
        .store
        .pause(order, "too many parked".to_owned(), act)
        .await
        .expect("pausing");
    bench.clock.advance(SignedDuration::from_mins(2));
    let now = bench.clock.now();
    let paused = OrderState::Paused {
        why: "too many parked".to_owned(),
    };
    assert_eq!(bench.store.order(id).await.expect("order").state, paused);
    let peeked = bench.store.peek(order, &provider, None, 9).await;
    assert!(peeked.expect("peeking").is_empty());
    let woken = bench.store.wake(&provider, now, 9).await;
    assert!(woken.expect("waking").is_empty());
    let due = bench.store.next_due(&provider).await.expect("due");
    assert_eq!(due.job, None);
    let claim = Bench::claim(JobKey::new(order, 1), "b@example.com");
    assert_eq!(bench.claim_one(claim.clone()).await, Claimed::Lost);

    let act = Bench::act("order_released");
    bench.store.release(order, act).await.expect("releasing");
    let woken = bench.store.wake(&provider, now, 9).await;
    assert_eq!(woken.expect("waking").len(), 1);
    assert!(matches!(
        bench.claim_one(claim).await,
        Claimed::Running { .. }
    ));
    bench.balanced(id).await;
}

/// Parked jobs stay until somebody asks, in one order or in all.
pub async fn parked_jobs_come_back_once_asked(place: &dyn Place) {
    let bench = Bench::new(place);
    let mut orders = Vec::new();
    for name in ["a@example.com", "b@example.com"] {
        let (id, order) = bench.order(&[name]).await;
        bench.bring(order, name, JobState::Parked).await;
        let found = bench.store.order(id).await.expect("order");
        assert_eq!((found.counts.parked, found.counts.open), (1, 0));
        assert_eq!(found.state, OrderState::Finished);
        orders.push((id, order));
    }
    let act = || Bench::act("jobs_unparked");
    let freed = bench.store.unpark(Some(orders[0].1), act()).await;
    assert_eq!(freed.expect("freeing one"), 1);
    assert_eq!(bench.store.open_orders().await.expect("orders").len(), 1);
    assert_eq!(bench.store.unpark(None, act()).await.expect("the rest"), 1);
    assert_eq!(bench.store.unpark(None, act()).await.expect("nobody"), 0);
    let job = bench.job(JobKey::new(orders[0].1, 0)).await;
    assert_eq!((job.state, job.attempts), (JobState::Pending, 1));
    // The record names who was freed, with the freeing.
    let entries = super::record::whole(&*bench.store).await;
    let freed: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action == "jobs_unparked")
        .map(|entry| entry.jobs.clone())
        .collect();
    let expected = orders
        .iter()
        .map(|(_, order)| vec![JobKey::new(*order, 0).as_u64()]);
    assert_eq!(freed, expected.collect::<Vec<_>>());
    for (id, _) in orders {
        bench.balanced(id).await;
    }
}

/// What may have been carried out when it was parked is shown so once it is freed; what failed plainly is not.
pub async fn a_parked_job_of_unknown_outcome_stays_unknown(place: &dyn Place) {
    let bench = Bench::new(place);
    let names = ["a@example.com", "b@example.com"];
    let (id, order) = bench.order(&names).await;
    for (seq, name) in (0u32..).zip(names) {
        let job = JobKey::new(order, seq);
        let claimed = bench.claim_one(Bench::claim(job, name)).await;
        let Claimed::Running { token, .. } = claimed else {
            panic!("an attempt");
        };
        let mut parked = Settlement::new(job, token, Next::Parked, Bench::story());
        parked.unknown = seq == 0;
        assert!(bench.settle(parked).await);
        assert_eq!(bench.job(job).await.waiting, None);
    }
    let act = Bench::act("jobs_unparked");
    assert_eq!(bench.store.unpark(None, act).await.expect("freeing"), 2);
    let freed = bench.store.peek(order, &Bench::provider(), None, 9).await;
    let waited: Vec<_> = freed.expect("peeking").iter().map(|j| j.waited).collect();
    assert_eq!(waited, [Some(WaitReason::Unknown), None]);
    bench.balanced(id).await;
}

/// A waiting job is woken at its instant, not before, and says why it waited.
pub async fn waiting_jobs_come_back_when_due(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com"]).await;
    let job = JobKey::new(order, 0);
    let claimed = bench.claim_one(Bench::claim(job, "a@example.com")).await;
    let Claimed::Running {
        token, started_at, ..
    } = claimed
    else {
        panic!("an attempt");
    };
    let wait = bench.waiting(WaitReason::Unknown);
    let until = bench.clock.now() + SignedDuration::from_mins(1);
    assert!(
        bench
            .settle(Settlement::new(job, token, wait, Bench::story()))
            .await
    );
    let provider = Bench::provider();
    let due = bench.store.next_due(&provider).await.expect("due");
    assert_eq!(due.job, Some(until));
    let early = until - SignedDuration::from_millis(1);
    let woken = bench.store.wake(&provider, early, 9).await;
    assert!(woken.expect("waking").is_empty());
    let woken = bench.store.wake(&provider, until, 9).await.expect("waking");
    assert_eq!(woken.len(), 1);
    assert_eq!(woken[0].waited, Some(WaitReason::Unknown));
    assert_eq!(woken[0].started_at, Some(started_at));
    assert_eq!(woken[0].resolved, Some(Bench::account("a@example.com")));
    assert_eq!(woken[0].detail, Bench::story());
    let again = bench.store.wake(&provider, until, 9).await;
    assert!(again.expect("waking").is_empty(), "woken once");
    let peeked = bench.store.peek(order, &provider, None, 9).await;
    let peeked = peeked.expect("peeking");
    assert_eq!(peeked[0].waited, Some(WaitReason::Unknown));
    bench.balanced(id).await;
}
