//! Orders and spellings that meet in one account.

use jiff::SignedDuration;
use rescind_core::clock::Clock as _;
use rescind_core::id::JobKey;
use rescind_core::job::{JobState, WaitReason};
use rescind_core::provider::{ItemId, Scope};
use rescind_core::store::{Acceptance, Claim, Claimed, Next, Settlement, StagedJob};

use super::{Bench, Place};

/// A second job of an account waits for the first, and needs a call of its own when that fails.
pub async fn one_attempt_runs_for_an_account(place: &dyn Place) {
    let bench = Bench::new(place);
    let (first_id, first) = bench.order(&["Ann@example.com", "ann@example.com"]).await;
    let (second_id, second) = bench.order(&["ANN@example.com"]).await;
    let running = JobKey::new(first, 0);
    let claims = vec![
        Bench::claim(running, "Ann@example.com"),
        Bench::claim(JobKey::new(first, 1), "ann@example.com"),
        Bench::claim(JobKey::new(second, 0), "ANN@example.com"),
    ];
    let claimed = bench.store.claim(claims.clone()).await.expect("claims");
    let Claimed::Running { token, .. } = claimed[0] else {
        panic!("the first runs");
    };
    let in_flight = Claimed::InFlight { by: running };
    assert_eq!(claimed[1..], [in_flight.clone(), in_flight]);
    let failed = Settlement::new(running, token, Next::Parked, Bench::story());
    assert!(bench.settle(failed).await);
    let again = bench.claim_one(claims[2].clone()).await;
    assert!(matches!(again, Claimed::Running { .. }), "{again:?}");
    bench.balanced(first_id).await;
    bench.balanced(second_id).await;
}

/// An attempt that started at or after the acceptance of several jobs settles them all.
pub async fn a_later_success_is_shared(place: &dyn Place) {
    let bench = Bench::new(place);
    let (first_id, first) = bench.order(&["ann@example.com"]).await;
    let (second_id, second) = bench.order(&["ANN@example.com"]).await;
    // Started at the very instant of the acceptances: the clock stood still.
    let job = JobKey::new(second, 0);
    let claim = Bench::claim(job, "ann@example.com");
    let Claimed::Running { token, .. } = bench.claim_one(claim).await else {
        panic!("it runs");
    };
    let success = Settlement::new(job, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);

    let other = JobKey::new(first, 0);
    let claim = Bench::claim(other, "ann@example.com");
    let shared = bench.claim_one(claim.clone()).await;
    assert_eq!(shared, Claimed::Shared { with: job });
    assert_eq!(bench.job(other).await.state, JobState::Pending);
    let Claimed::Running { token, .. } = bench.claim_one(claim.without_call()).await else {
        panic!("a claim that only settles is not turned away");
    };
    let taken = Settlement::new(other, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(taken.without_attempt()).await);
    assert_eq!(bench.job(other).await.attempts, 0);
    bench.balanced(first_id).await;
    bench.balanced(second_id).await;
}

/// What started before an order was accepted does not speak for sessions begun since.
pub async fn an_earlier_start_is_not_shared(place: &dyn Place) {
    let bench = Bench::new(place);
    let (_, first) = bench.order(&["ann@example.com"]).await;
    let job = JobKey::new(first, 0);
    let claim = Bench::claim(job, "ann@example.com");
    let Claimed::Running { token, .. } = bench.claim_one(claim).await else {
        panic!("it runs");
    };
    bench.clock.advance(SignedDuration::from_millis(1));
    let (id, second) = bench.order(&["ann@example.com"]).await;
    let own = Bench::claim(JobKey::new(second, 0), "ann@example.com");
    let meanwhile = bench.claim_one(own.clone()).await;
    assert_eq!(meanwhile, Claimed::InFlight { by: job });
    let success = Settlement::new(job, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);
    let after = bench.claim_one(own).await;
    assert!(matches!(after, Claimed::Running { .. }), "{after:?}");
    bench.balanced(id).await;
}

/// Ending one thing says nothing about everything, nor about another thing; and an account that had everything ended
/// keeps saying so.
pub async fn single_items_are_not_shared(place: &dyn Place) {
    let bench = Bench::new(place);
    let name = "ann@example.com";
    let (_, whole) = bench.order(&[name, "ANN@example.com"]).await;
    let (_, one) = bench.order_items(name, &["grant:a"]).await;
    let (_, other) = bench.order_items(name, &["grant:b"]).await;
    let job = JobKey::new(one, 0);
    confirm(&bench, Bench::claim(job, name)).await;
    let second = Bench::claim(JobKey::new(other, 0), name);
    confirm(&bench, second).await;
    let first = Bench::claim(JobKey::new(whole, 0), name);
    confirm(&bench, first.clone()).await;

    let (_, more) = bench.order_items(name, &["grant:c"]).await;
    confirm(&bench, Bench::claim(JobKey::new(more, 0), name)).await;
    let spelling = Bench::claim(JobKey::new(whole, 1), name);
    let shared = bench.claim_one(spelling).await;
    assert_eq!(shared, Claimed::Shared { with: first.job });
}

/// An attempt that leaves out what an earlier one has done does not speak for an order accepted in between.
pub async fn the_rest_of_an_attempt_is_not_shared_as_a_whole(place: &dyn Place) {
    let bench = Bench::new(place);
    let name = "ann@example.com";
    let (_, first) = bench.order(&[name, "ANN@example.com"]).await;
    let mut claim = Bench::claim(JobKey::new(first, 0), name);
    let begun = bench.clock.now();
    let Claimed::Running { token, .. } = bench.claim_one(claim.clone()).await else {
        panic!("it runs");
    };
    let wait = bench.waiting(WaitReason::Transient);
    let partly = Settlement::new(claim.job, token, wait, Bench::story());
    assert!(bench.settle(partly).await);
    bench.clock.advance(SignedDuration::from_mins(2));
    let (id, second) = bench.order(&[name]).await;
    let now = bench.clock.now();
    let woken = bench.store.wake(&Bench::provider(), now, 9).await;
    assert_eq!(woken.expect("waking").len(), 1);
    claim.carries_steps = true;
    confirm(&bench, claim.clone()).await;
    assert_eq!(bench.job(claim.job).await.started_at, Some(begun));

    let same_order = Bench::claim(JobKey::new(first, 1), name);
    let shared = bench.claim_one(same_order).await;
    assert_eq!(shared, Claimed::Shared { with: claim.job });
    confirm(&bench, Bench::claim(JobKey::new(second, 0), name)).await;
    bench.balanced(id).await;
}

/// Takes a job through a call of its own.
async fn confirm(bench: &Bench<'_>, claim: Claim) {
    let job = claim.job;
    let claimed = bench.claim_one(claim).await;
    let Claimed::Running { token, .. } = claimed else {
        panic!("{job:?} makes its own call: {claimed:?}");
    };
    let success = Settlement::new(job, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);
}

/// A job that was settled without a call lets the next one call.
pub async fn an_attempt_without_a_call_counts_for_nobody(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["ann@example.com", "ANN@example.com"]).await;
    let job = JobKey::new(order, 0);
    let silent = Bench::claim(job, "ann@example.com").without_call();
    let Claimed::Running { token, .. } = bench.claim_one(silent).await else {
        panic!("it runs");
    };
    let other = Bench::claim(JobKey::new(order, 1), "ann@example.com");
    let Claimed::Running { token: called, .. } = bench.claim_one(other.clone()).await else {
        panic!("an attempt without a call is in nobody's way");
    };
    let success = Settlement::new(job, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);
    let back = Settlement::new(other.job, called, Next::Parked, Bench::story());
    assert!(bench.settle(back).await);
    let act = Bench::act("jobs_unparked");
    bench.store.unpark(None, act).await.expect("freeing");
    let again = bench.claim_one(other).await;
    assert!(matches!(again, Claimed::Running { .. }), "{again:?}");
    bench.balanced(id).await;

    // The first calls in vain; what then confirms it without a call speaks for itself alone.
    let (id, order) = bench.order(&["bob@example.com", "BOB@example.com"]).await;
    let first = Bench::claim(JobKey::new(order, 0), "bob@example.com");
    let Claimed::Running { token, .. } = bench.claim_one(first.clone()).await else {
        panic!("it runs");
    };
    let vain = Settlement::new(first.job, token, Next::Parked, Bench::story());
    assert!(bench.settle(vain).await);
    let act = Bench::act("jobs_unparked");
    bench.store.unpark(None, act).await.expect("freeing");
    let silent = bench.claim_one(first.clone().without_call()).await;
    let Claimed::Running { token, .. } = silent else {
        panic!("it runs");
    };
    let success = Settlement::new(first.job, token, bench.confirmed(), Bench::story());
    assert!(bench.settle(success).await);
    let second = Bench::claim(JobKey::new(order, 1), "bob@example.com");
    let own = bench.claim_one(second).await;
    assert!(matches!(own, Claimed::Running { .. }), "{own:?}");
    bench.balanced(id).await;
}

/// Ending a grant is not ending everything, nor is the reverse known to be true.
pub async fn single_items_speak_for_nobody_else(place: &dyn Place) {
    let bench = Bench::new(place);
    let draft = Bench::draft();
    let id = draft.id;
    let order = bench.store.begin(draft).await.expect("a plan begins");
    let items = Scope::Items(vec![ItemId("grant-1".to_owned())]);
    let scopes = [items.clone(), Scope::Everything, items];
    let jobs = scopes.into_iter().map(|scope| {
        let mut job = StagedJob::new("ann@example.com", 0);
        job.scope = scope;
        job
    });
    let jobs = jobs.collect();
    bench.store.stage(order, jobs).await.expect("staged");
    let acceptance = Acceptance::new("c0ffee", 3, 1);
    let accepted = bench.store.accept(order, acceptance).await;
    accepted.expect("accepted");
    for seq in 0..3 {
        let claim = Bench::claim(JobKey::new(order, seq), "ann@example.com");
        let claimed = bench.claim_one(claim.clone()).await;
        let Claimed::Running { token, .. } = claimed else {
            panic!("job {seq} makes its own call: {claimed:?}");
        };
        let success = Settlement::new(claim.job, token, bench.confirmed(), Bench::story());
        assert!(bench.settle(success).await);
    }
    bench.balanced(id).await;
}

/// That somebody was once resolved is remembered by id and every spelling, for this provider alone.
pub async fn an_account_is_known_once_resolved(place: &dyn Place) {
    let bench = Bench::new(place);
    let (_, order) = bench.order(&["Ann@Example.com", "b@example.com"]).await;
    let claim = Bench::claim(JobKey::new(order, 0), "ann@example.com");
    bench.claim_one(claim).await;
    let asked = [
        "ANN@example.com",
        "id-ann@example.com",
        "b@example.com",
        "nobody@example.com",
    ]
    .map(str::to_owned);
    let second = bench.second();
    for store in [&bench.store, &second] {
        let known = store.was_resolved(&Bench::provider(), &asked).await;
        assert_eq!(known.expect("an answer"), [true, true, false, false]);
    }
    let elsewhere = rescind_core::id::ProviderName::parse("workspace").expect("a name");
    let known = bench.store.was_resolved(&elsewhere, &asked).await;
    assert_eq!(known.expect("an answer"), [false; 4]);
}
