//! Plans, and how they become orders.

use std::collections::HashSet;

use rescind_core::id::JobKey;
use rescind_core::job::JobState;
use rescind_core::report::{Detail, OutcomeName, Unsupported};
use rescind_core::store::{Acceptance, Claimed, Settlement, StagedJob, StoreError};

use super::{Bench, Place, is_not_staged};

/// No lane and no report sees a staged order.
pub async fn a_plan_is_invisible_until_accepted(place: &dyn Place) {
    let bench = Bench::new(place);
    let draft = Bench::draft();
    let id = draft.id;
    let key = bench.store.begin(draft).await.expect("a plan");
    let jobs = vec![StagedJob::new("a@example.com", 0)];
    bench.store.stage(key, jobs).await.expect("staging");
    let provider = Bench::provider();
    let peeked = bench.store.peek(key, &provider, None, 9).await;
    assert!(peeked.expect("peeking").is_empty());
    let claim = Bench::claim(JobKey::new(key, 0), "a@example.com");
    assert_eq!(bench.claim_one(claim.clone()).await, Claimed::Lost);
    assert!(
        bench
            .store
            .orders(None, 9)
            .await
            .expect("orders")
            .is_empty()
    );
    let open = bench.store.open_orders().await.expect("orders");
    assert!(open.is_empty());
    let found = bench.store.order(id).await;
    assert!(matches!(found, Err(StoreError::NoSuchOrder(_))));

    let accepted = bench
        .store
        .accept(key, Acceptance::new("c0ffee", 1, 1))
        .await
        .expect("acceptance");
    let order = bench.store.order(id).await.expect("the order");
    assert_eq!(order.accepted_at, accepted);
    assert_eq!(order.plan_hash, "c0ffee");
    assert_eq!(order.note.as_deref(), Some("left the company"));
    assert_eq!(order.reference.as_deref(), Some("HR-7"));
    assert_eq!(order.bindings, Bench::draft().bindings);
    let peeked = bench.store.peek(key, &provider, None, 9).await;
    assert_eq!(peeked.expect("peeking").len(), 1);
    let claimed = bench.claim_one(claim).await;
    assert!(matches!(claimed, Claimed::Running { .. }));
    bench.balanced(id).await;
}

/// Another number of jobs, a second acceptance and late rows are refused, and change nothing.
pub async fn only_the_staged_plan_is_accepted(place: &dyn Place) {
    let bench = Bench::new(place);
    let draft = Bench::draft();
    let id = draft.id;
    let key = bench.store.begin(draft).await.expect("a plan");
    let row = || vec![StagedJob::new("a@example.com", 0)];
    bench.store.stage(key, row()).await.expect("staging");
    let wrong = bench.store.accept(key, Acceptance::new("x", 2, 2)).await;
    assert!(
        matches!(
            wrong,
            Err(StoreError::PlanMismatch {
                planned: 2,
                staged: 1
            })
        ),
        "{wrong:?}"
    );
    let right = bench.store.accept(key, Acceptance::new("x", 1, 1)).await;
    right.expect("acceptance");
    let twice = bench.store.accept(key, Acceptance::new("x", 1, 1)).await;
    assert!(is_not_staged(&twice));
    assert!(is_not_staged(&bench.store.stage(key, row()).await));
    assert!(is_not_staged(&bench.store.discard(key).await));
    let mut again = Bench::draft();
    again.id = id;
    assert!(is_not_staged(&bench.store.begin(again).await));
    let counts = bench.store.order(id).await.expect("the order").counts;
    assert_eq!((counts.accepted, counts.open), (1, 1));
    bench.balanced(id).await;
}

/// A job refused while planning is refused from the start, and stays it.
pub async fn refusals_of_the_plan_are_counted(place: &dyn Place) {
    let bench = Bench::new(place);
    let draft = Bench::draft();
    let id = draft.id;
    let key = bench.store.begin(draft).await.expect("a plan");
    let mut refused = StagedJob::new("root@example.com", 0);
    let why = Detail {
        outcome: Some(OutcomeName::Protected),
        refusal: Some(Unsupported::new("protected", "take it off the list")),
        ..Detail::default()
    };
    refused.refused = Some(why.clone());
    let jobs = vec![refused, StagedJob::new("a@example.com", 0)];
    bench.store.stage(key, jobs).await.expect("staging");
    let accepted = bench.store.accept(key, Acceptance::new("x", 2, 2)).await;
    accepted.expect("acceptance");
    let order = bench.store.order(id).await.expect("the order");
    assert_eq!((order.counts.refused, order.counts.open), (1, 1));
    let job = bench.job(JobKey::new(key, 0)).await;
    assert_eq!((job.state, job.detail), (JobState::Refused, why));
    let only = bench.store.jobs(key, &[JobState::Refused], None, 9).await;
    assert_eq!(only.expect("jobs").len(), 1);
    let claim = Bench::claim(job.key, "root@example.com");
    assert_eq!(bench.claim_one(claim).await, Claimed::Lost);
    bench.balanced(id).await;
}

/// A dropped plan leaves nothing, and its number does not come back.
pub async fn a_dropped_plan_leaves_nothing(place: &dyn Place) {
    let bench = Bench::new(place);
    let key = bench.store.begin(Bench::draft()).await.expect("a plan");
    let jobs = (0..25_000)
        .map(|n| StagedJob::new(format!("p{n}@example.com"), 0))
        .collect();
    bench.store.stage(key, jobs).await.expect("staging");
    bench.store.discard(key).await.expect("dropping");
    let counts = bench.store.recount(key).await.expect("a recount");
    assert_eq!(counts.accepted, 0);
    let late = bench
        .store
        .accept(key, Acceptance::new("x", 25_000, 1))
        .await;
    assert!(is_not_staged(&late));
    let next = bench.store.begin(Bench::draft()).await.expect("a plan");
    assert!(next > key);
}

/// While one process works, another stages and accepts; neither loses anything, and the record is one chain.
pub async fn another_process_orders_while_one_works(place: &dyn Place) {
    const ORDERS: usize = 8;
    const PEOPLE: usize = 150;
    let bench = Bench::new(place);
    let second = bench.second();
    let orderer = tokio::spawn(async move {
        let mut ids = Vec::new();
        for order in 0..ORDERS {
            let names: Vec<String> = (0..PEOPLE)
                .map(|n| format!("p{order}-{n}@example.com"))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            ids.push(Bench::order_at(&*second, &names).await.0);
        }
        ids
    });

    let provider = Bench::provider();
    let mut done = HashSet::new();
    let mut mark = None;
    let mut rounds = 0;
    while done.len() < ORDERS * PEOPLE {
        rounds += 1;
        assert!(rounds < 1_000_000, "the orders of the other process arrive");
        let now = bench.store.change_mark().await.expect("a mark");
        if mark == Some(now) && done.is_empty() {
            tokio::task::yield_now().await;
        }
        mark = Some(now);
        for order in bench.store.open_orders().await.expect("orders") {
            let ready = bench.store.peek(order.key, &provider, None, 64).await;
            let claims = ready
                .expect("peeking")
                .iter()
                .map(|job| Bench::claim(job.key, &job.subject))
                .collect::<Vec<_>>();
            let keys: Vec<JobKey> = claims.iter().map(|claim| claim.job).collect();
            let claimed = bench.store.claim(claims).await.expect("claims");
            let settlements = keys
                .iter()
                .zip(claimed)
                .map(|(job, claimed)| {
                    let Claimed::Running { token, .. } = claimed else {
                        panic!("nobody else works: {claimed:?}");
                    };
                    Settlement::new(*job, token, bench.confirmed(), Bench::story())
                })
                .collect();
            let held = bench.store.settle(settlements).await.expect("settling");
            assert!(held.iter().all(|held| *held));
            done.extend(keys);
        }
    }
    for id in orderer.await.expect("the other process") {
        let order = bench.store.order(id).await.expect("the order");
        assert_eq!(order.counts.confirmed, PEOPLE as u64);
        bench.balanced(id).await;
    }
    let after = bench.store.change_mark().await.expect("a mark");
    let _third = Bench::order_at(&*bench.second(), &["late@example.com"]).await;
    assert_ne!(bench.store.change_mark().await.expect("a mark"), after);
    super::record::whole(&*bench.store).await;
}
