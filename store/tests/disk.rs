//! A disk that fails: what was answered is kept, what was not is not claimed, and nothing goes on until it is reopened.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rescind_core::id::{JobKey, OrderId, OrderKey};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::store::{
    Acceptance, Claimed, Next, Purpose, Settlement, StagedJob, Store, StoreError,
};
use rescind_store::conformance::Bench;
use rescind_store::{DiskFault, Ed25519, SqliteStore, StateFolder};

/// What the store has answered with `Ok`.
#[derive(Debug, Default)]
struct Promised {
    accepted: Vec<OrderId>,
    settled: Vec<(JobKey, JobState)>,
    cancelled: Vec<OrderId>,
}

fn open(path: &Path) -> StateFolder {
    StateFolder::open(path, Purpose { sandbox: true }).unwrap()
}

/// Every kind of write there is, one commit after another.
async fn work(store: &SqliteStore, promised: &mut Promised) -> Result<(), StoreError> {
    for round in 0..3 {
        let draft = Bench::draft();
        let id = draft.id;
        let order = store.begin(draft).await?;
        let names: Vec<String> = (0..6)
            .map(|n| format!("p{round}-{n}@example.com"))
            .collect();
        let jobs = names.iter().map(|name| StagedJob::new(name, 0)).collect();
        store.stage(order, jobs).await?;
        store.accept(order, Acceptance::new("c0ffee", 6, 6)).await?;
        promised.accepted.push(id);
        one_by_one(store, order, &names, promised).await?;
        store.unpark(None, Bench::act("jobs_unparked")).await?;
        let provider = Bench::provider();
        store.wake(&provider, jiff::Timestamp::MAX, 9).await?;
        store.save_lane(&provider, round.to_string()).await?;
        let act = || Bench::act("order_changed").about(id);
        store.pause(order, "a test".to_owned(), act()).await?;
        store.release(order, act()).await?;
        store.checkpoint().await?;
        store.cancel(order, act()).await?;
        promised.cancelled.push(id);
    }
    Ok(())
}

async fn one_by_one(
    store: &SqliteStore,
    order: OrderKey,
    names: &[String],
    promised: &mut Promised,
) -> Result<(), StoreError> {
    let nexts = [
        Next::Gone,
        Next::Refused,
        Next::Parked,
        Next::Waiting {
            until: jiff::Timestamp::MIN,
            why: WaitReason::Transient,
        },
        Next::Gone,
    ];
    for (seq, (name, next)) in (0..).zip(names.iter().zip(nexts)) {
        let job = JobKey::new(order, seq);
        let claimed = store.claim(vec![Bench::claim(job, name)]).await?;
        let Claimed::Running { token, .. } = claimed[0] else {
            panic!("{claimed:?}");
        };
        let state = next.state();
        let settlement = Settlement::new(job, token, next, Bench::story());
        assert_eq!(store.settle(vec![settlement]).await?, [true]);
        if state.is_terminal() {
            promised.settled.push((job, state));
        }
    }
    Ok(())
}

async fn kept(path: &Path, promised: &Promised, what: &str) {
    let folder = open(path);
    let store = folder.store();
    store.recover().await.unwrap();
    for id in &promised.accepted {
        let order = store.order(*id).await.expect(what);
        let recounted = store.recount(order.key).await.unwrap();
        assert!(recounted.balances(), "{what}: {recounted:?}");
        assert_eq!(order.counts, recounted, "{what}");
        assert_eq!(recounted.accepted, 6, "{what}");
    }
    for (job, state) in &promised.settled {
        let after = job
            .seq()
            .checked_sub(1)
            .map(|seq| JobKey::new(job.order(), seq));
        let jobs = store.jobs(job.order(), &[], after, 1).await.unwrap();
        assert_eq!(jobs[0].state, *state, "{what}");
    }
    for id in &promised.cancelled {
        assert_eq!(store.order(*id).await.unwrap().counts.open, 0, "{what}");
    }
    store.checkpoint().await.unwrap();
    let checkpoints = store.checkpoints().await.unwrap();
    let mut verification =
        rescind_core::audit::verify::Verification::new(folder.public_key(), &checkpoints, &Ed25519);
    verification.add(&store.audit(0, 100_000).await.unwrap());
    let verdict = verification.finish();
    assert!(verdict.is_whole(), "{what}: {verdict:?}");
    assert_eq!(verdict.covered, verdict.entries, "{what}");
}

async fn fail_each_write(fault: impl Fn(u64) -> DiskFault, expected: impl Fn(&StoreError) -> bool) {
    for n in 1..=60 {
        let what = format!("write {n}");
        let path = tempfile::tempdir().unwrap();
        let mut promised = Promised::default();
        {
            let store = open(path.path()).store();
            store.set_disk_fault(Some(fault(n)));
            let error = work(&store, &mut promised).await.expect_err(&what);
            assert!(expected(&error), "{what}: {error:?}");
            store.set_disk_fault(None);
            let later = store.begin(Bench::draft()).await;
            assert!(later.is_err(), "{what}: nothing goes on after a failure");
        }
        kept(path.path(), &promised, &what).await;
    }
}

#[tokio::test]
async fn a_full_disk_at_any_write_loses_nothing_that_was_answered() {
    fail_each_write(DiskFault::FullAt, |error| matches!(error, StoreError::Full)).await;
}

#[tokio::test]
async fn a_sync_that_reports_an_error_is_no_answer() {
    let io = |error: &StoreError| matches!(error, StoreError::Io(_));
    fail_each_write(DiskFault::LostAnswerAt, io).await;
}

#[tokio::test]
async fn a_slow_disk_is_waited_for_by_all_who_write_at_once() {
    let path = tempfile::tempdir().unwrap();
    let folder = open(path.path());
    let store = folder.store();
    store.set_disk_fault(Some(DiskFault::Slow(Duration::from_millis(5))));
    let begun = (0..64).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.begin(Bench::draft()).await })
    });
    let mut keys = std::collections::HashSet::new();
    for task in begun.collect::<Vec<_>>() {
        assert!(keys.insert(task.await.unwrap().unwrap()));
    }
    assert_eq!(keys.len(), 64);
}
