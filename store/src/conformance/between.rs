//! What another process writes between two steps of a job, which the first must not overwrite with what it remembers.

use jiff::SignedDuration;
use rescind_core::clock::Clock as _;
use rescind_core::id::{JobKey, Token};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::report::{Detail, EvidenceState};
use rescind_core::store::{Claim, Claimed, EvidenceReading, Next, Settlement, Store};

use super::{Bench, Place};

/// Claims a job through any handle.
async fn run(store: &dyn Store, claim: Claim) -> Token {
    let claimed = store.claim(vec![claim]).await.expect("a claim");
    let Claimed::Running { token, .. } = claimed[0] else {
        panic!("it runs: {claimed:?}");
    };
    token
}

async fn settle(store: &dyn Store, settlement: Settlement) -> bool {
    let held = store.settle(vec![settlement]).await;
    held.expect("a settlement")[0]
}

/// A job that another process took over is the other's, whatever comes late; and what the other wrote about its account
/// and its attempts is what the next attempt goes on from.
pub async fn a_job_taken_over_is_the_others(place: &dyn Place) {
    let bench = Bench::new(place);
    let second = bench.second();
    let provider = Bench::provider();
    for next in bench.ways_out() {
        // No success of the round before is this one's.
        bench.clock.advance(SignedDuration::from_secs(1));
        let (id, order) = bench.order(&["Ann@example.com"]).await;
        let job = JobKey::new(order, 0);
        let late = run(&*bench.store, Bench::claim(job, "Ann@example.com")).await;
        assert_eq!(second.recover().await.expect("a rescue"), 1);
        let woken = second.wake(&provider, bench.clock.now(), 9).await;
        assert_eq!(woken.expect("waking")[0].waited, Some(WaitReason::Unknown));
        bench.clock.advance(SignedDuration::from_secs(1));
        let now = bench.clock.now();
        // The address has been given to another account meanwhile.
        let token = run(&*second, Bench::claim(job, "ann-2@example.com")).await;

        let told = Settlement::new(job, late, next.clone(), Detail::default());
        assert!(!settle(&*bench.store, told).await, "{next:?} comes late");
        assert_eq!(bench.job(job).await.state, JobState::Running);
        let parked = Settlement::new(job, token, Next::Parked, Detail::default());
        assert!(settle(&*second, parked).await);
        let told = Settlement::new(job, late, next, Detail::default());
        assert!(!settle(&*bench.store, told).await);
        let found = bench.job(job).await;
        assert_eq!((found.state, found.attempts), (JobState::Parked, 2));

        // What the first settles then is what it claimed then.
        let act = Bench::act("jobs_unparked");
        assert_eq!(second.unpark(None, act).await.expect("freeing"), 1);
        let silent = Claim::new(job, provider.clone(), None).without_call();
        let token = run(&*bench.store, silent).await;
        let success = Settlement::new(job, token, bench.confirmed(), Bench::story());
        assert!(settle(&*bench.store, success).await);
        let found = bench.job(job).await;
        assert_eq!((found.state, found.attempts), (JobState::Confirmed, 3));
        assert_eq!(found.resolved, Some(Bench::account("ann-2@example.com")));
        assert_eq!(found.started_at, Some(now), "the first call does not count");
        bench.balanced(id).await;
    }
}

/// A job that was freed and claimed again by the same process, after another had rescued it, has one attempt that may be
/// settled.
pub async fn a_job_claimed_twice_is_settled_once(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["ann@example.com"]).await;
    let claim = Bench::claim(JobKey::new(order, 0), "ann@example.com");
    let first = run(&*bench.store, claim.clone()).await;
    let second = bench.second();
    assert_eq!(second.recover().await.expect("a rescue"), 1);
    let woken = second.wake(&Bench::provider(), bench.clock.now(), 9).await;
    assert_eq!(woken.expect("waking").len(), 1);
    let again = run(&*bench.store, claim.clone()).await;
    let settlement = |token| Settlement::new(claim.job, token, bench.confirmed(), Bench::story());
    assert!(!bench.settle(settlement(first)).await);
    assert!(bench.settle(settlement(again)).await);
    assert_eq!(bench.job(claim.job).await.attempts, 2);
    bench.balanced(id).await;
}

/// What somebody else said of an order while an attempt ran holds when the attempt ends.
pub async fn what_became_of_an_order_meanwhile_holds(place: &dyn Place) {
    let bench = Bench::new(place);
    let second = bench.second();
    let names = ["a@example.com", "b@example.com", "c@example.com"];
    let (id, order) = bench.order(&names).await;
    let token = run(&*bench.store, Bench::claim(JobKey::new(order, 0), names[0])).await;
    let act = || Bench::act("order_changed").about(id);
    let why = "a test".to_owned();
    second.pause(order, why, act()).await.expect("pausing");
    let next = Bench::claim(JobKey::new(order, 1), names[1]);
    assert_eq!(bench.claim_one(next.clone()).await, Claimed::Lost);
    second.release(order, act()).await.expect("releasing");
    let other = run(&*bench.store, next).await;
    assert_eq!(second.cancel(order, act()).await.expect("cancelling"), 1);

    let waiting = bench.waiting(WaitReason::Transient);
    let job = JobKey::new(order, 0);
    assert!(
        bench
            .settle(Settlement::new(job, token, waiting, Bench::story()))
            .await
    );
    assert_eq!(bench.job(job).await.state, JobState::Cancelled);
    let job = JobKey::new(order, 1);
    let success = bench.confirmed();
    assert!(
        bench
            .settle(Settlement::new(job, other, success, Bench::story()))
            .await
    );
    assert_eq!(bench.job(job).await.state, JobState::Confirmed);
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!((found.counts.confirmed, found.counts.cancelled), (1, 2));
    bench.balanced(id).await;
}

/// Evidence that another process has read is in, whatever the first reads later; one that the other put off is put off.
pub async fn evidence_read_by_another_is_in(place: &dyn Place) {
    let bench = Bench::new(place);
    let second = bench.second();
    let provider = Bench::provider();
    let names = ["a@example.com", "b@example.com"];
    let (id, order) = bench.order(&names).await;
    let start = bench.clock.now();
    for (seq, name) in (0..).zip(names) {
        let job = JobKey::new(order, seq);
        let token = run(&*bench.store, Bench::claim(job, name)).await;
        let next = Next::Confirmed {
            effective_by: start,
            evidence_due: Some(start),
            evidence: EvidenceState::Pending,
        };
        assert!(
            bench
                .settle(Settlement::new(job, token, next, Bench::story()))
                .await
        );
    }
    let reading = |seq, state, due| {
        let job = JobKey::new(order, seq);
        vec![EvidenceReading { job, state, due }]
    };
    let later = start + SignedDuration::from_secs(5);
    for (store, readings) in [
        (&second, reading(0, EvidenceState::Verified, None)),
        (&second, reading(1, EvidenceState::Pending, Some(later))),
        // The first has not heard of it.
        (&bench.store, reading(0, EvidenceState::Unverified, None)),
        (
            &bench.store,
            reading(0, EvidenceState::Pending, Some(start)),
        ),
    ] {
        store.record_evidence(readings).await.expect("readings");
        let found = bench.store.order(id).await.expect("the order");
        assert_eq!(found.evidence_pending, 1);
        assert_eq!(
            bench.job(JobKey::new(order, 0)).await.evidence,
            EvidenceState::Verified
        );
    }
    for store in [&bench.store, &second] {
        let due = store.next_due(&provider).await.expect("due");
        assert_eq!(due.evidence, Some(later));
        let due = store.evidence_due(&provider, later, 9, &[]).await;
        let due = due.expect("evidence");
        assert_eq!((due.len(), due[0].reads), (1, 1));
    }
    let last = reading(1, EvidenceState::Verified, None);
    bench.store.record_evidence(last.clone()).await.expect("in");
    second.record_evidence(last).await.expect("in already");
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!((found.evidence_pending, found.counts.confirmed), (0, 2));
    let entries = super::record::whole(&*bench.store).await;
    let read = entries
        .iter()
        .filter(|entry| entry.action == "evidence_read");
    let told: Vec<_> = read.map(|entry| &entry.jobs[..]).collect();
    let job = |seq| [JobKey::new(order, seq).as_u64()];
    assert_eq!(told, [job(0), job(1)], "each is told once");
    bench.balanced(id).await;
}

/// A success of another process is heard of: its account is in flight first, and shared then.
pub async fn a_success_of_another_is_heard_of(place: &dyn Place) {
    let bench = Bench::new(place);
    let second = bench.second();
    let (id, order) = bench.order(&["ann@example.com", "ANN@example.com"]).await;
    let first = JobKey::new(order, 0);
    let token = run(&*bench.store, Bench::claim(first, "ann@example.com")).await;
    let other = Bench::claim(JobKey::new(order, 1), "ann@example.com");
    let meanwhile = second.claim(vec![other.clone()]).await.expect("a claim");
    assert_eq!(meanwhile, [Claimed::InFlight { by: first }]);
    let success = Settlement::new(first, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);
    let after = second.claim(vec![other]).await.expect("a claim");
    assert_eq!(after, [Claimed::Shared { with: first }]);
    bench.balanced(id).await;
}
