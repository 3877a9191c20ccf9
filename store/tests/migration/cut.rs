//! The power, or the process, may end at any instant of a migration.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rescind_core::audit::verify::Verification;
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::id::JobKey;
use rescind_core::job::JobState;
use rescind_core::report::{EvidenceState, Residual};
use rescind_core::store::{Claimed, EvidenceReading, Next, Purpose, Settlement, Store, StoreError};
use rescind_power_cut::{Disk, DiskOptions};
use rescind_store::conformance::{Bench, Place};
use rescind_store::{Ed25519, Ed25519Signer, SqliteStore};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::{BACK, version};

const DATABASE: &str = "rescind.db";

/// What a machine finds after the cut depends on it.
const SEED: u64 = 20_260_717;

type Files = Vec<(String, Vec<u8>)>;

#[derive(Debug)]
struct OnDisk(Disk);

impl OnDisk {
    fn of(files: &Files, cut_at: Option<u64>) -> Self {
        let mut options = DiskOptions::default();
        options.cut_at = cut_at;
        Self(Disk::of(files, options))
    }

    fn opened(&self, clock: Arc<dyn Clock>) -> Result<SqliteStore, StoreError> {
        let purpose = Purpose { sandbox: true };
        let signer = Arc::new(signer());
        SqliteStore::open_at(&self.0.uri(DATABASE), &purpose, signer, clock, None)
    }

    fn raw(&self) -> Connection {
        Connection::open(self.0.uri(DATABASE)).unwrap()
    }
}

impl Place for OnDisk {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        Arc::new(self.opened(clock).unwrap())
    }
}

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(&[9; 32]).unwrap()
}

/// Everything in a database, by table.
fn rows(conn: &Connection) -> BTreeMap<String, Vec<Vec<Value>>> {
    let sound: String = conn
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    let mut tables = conn
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
        .unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    tables
        .map(|table| {
            let table = table.unwrap();
            let mut rows = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = rows.column_count();
            let rows = rows
                .query_map([], |row| {
                    (0..columns).map(|column| row.get(column)).collect()
                })
                .unwrap();
            (table, rows.map(Result::unwrap).collect())
        })
        .collect()
}

/// What a person or a worker sees of the work: all jobs, and the evidence that is to be read.
async fn seen(store: &dyn Store) -> Vec<String> {
    let mut seen = Vec::new();
    for order in store.orders(None, 100).await.unwrap() {
        seen.push(format!("{order:?}"));
        for job in store.jobs(order.key, &[], None, 100).await.unwrap() {
            seen.push(format!("{job:?}"));
        }
    }
    let provider = Bench::provider();
    let due = store
        .evidence_due(&provider, Timestamp::MAX, 100, &[])
        .await;
    seen.push(format!("{:?}", due.unwrap()));
    seen.push(format!("{:?}", store.next_due(&provider).await.unwrap()));
    seen
}

/// Jobs in every state, with and without evidence; some stories were told of many. Answers the files, and what is seen.
async fn worked() -> (Files, Vec<String>) {
    let place = OnDisk(Disk::new(DiskOptions::default()));
    let bench = Bench::new(&place);
    for state in JobState::ALL {
        let name = format!("{state:?}@example.com");
        let (_, order) = bench.order(&[&name]).await;
        bench.bring(order, &name, state).await;
    }
    let names: Vec<String> = (0..6).map(|n| format!("proved-{n}@example.com")).collect();
    let people: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_, order) = bench.order(&people).await;
    for (seq, name) in (0..).zip(&people) {
        confirm(&bench, JobKey::new(order, seq), name).await;
    }
    let reading = |seq, state, due| EvidenceReading {
        job: JobKey::new(order, seq),
        state,
        due,
    };
    let soon = bench.clock.now() + SignedDuration::from_secs(5);
    let readings = vec![
        reading(0, EvidenceState::Verified, None),
        reading(1, EvidenceState::Unverified, None),
        reading(2, EvidenceState::Pending, Some(soon)),
    ];
    bench.store.record_evidence(readings).await.unwrap();
    bench.store.checkpoint().await.unwrap();
    let seen = seen(&*bench.store).await;
    drop(bench);
    place.raw().execute_batch(BACK).unwrap();
    (place.0.files(), seen)
}

async fn confirm(bench: &Bench<'_>, job: JobKey, name: &str) {
    let Claimed::Running { token, .. } = bench.claim_one(Bench::claim(job, name)).await else {
        panic!("it runs");
    };
    let next = Next::Confirmed {
        effective_by: bench.clock.now(),
        evidence_due: Some(bench.clock.now()),
        evidence: EvidenceState::Pending,
    };
    let mut story = Bench::story();
    story.vendor_request_id = Some(format!("r-{job:?}"));
    story.residual = vec![Residual::new("access tokens already issued", None)];
    assert!(bench.settle(Settlement::new(job, token, next, story)).await);
}

/// What a worker does with what it finds: all of it comes to its end.
async fn finished(place: &OnDisk) {
    let bench = Bench::new(place);
    let store = &bench.store;
    assert_eq!(store.recover().await.unwrap(), 1);
    let act = Bench::act("jobs_unparked");
    assert_eq!(store.unpark(None, act).await.unwrap(), 1);
    let provider = Bench::provider();
    let woken = store.wake(&provider, Timestamp::MAX, 100).await.unwrap();
    assert_eq!(woken.len(), 2);
    let due = store.evidence_due(&provider, Timestamp::MAX, 100, &[]);
    let readings: Vec<_> = due
        .await
        .unwrap()
        .into_iter()
        .map(|due| EvidenceReading {
            job: due.job,
            state: EvidenceState::Verified,
            due: None,
        })
        .collect();
    assert_eq!(readings.len(), 4);
    store.record_evidence(readings).await.unwrap();
    for order in store.open_orders().await.unwrap() {
        let ready = store.peek(order.key, &provider, None, 100).await.unwrap();
        for job in ready {
            confirm(&bench, job.key, &job.subject).await;
        }
    }
    for order in store.orders(None, 100).await.unwrap() {
        assert_eq!(order.counts.open + order.counts.parked, 0);
        bench.balanced(order.id).await;
    }
    store.checkpoint().await.unwrap();
    let checkpoints = store.checkpoints().await.unwrap();
    let mut verification = Verification::new(&signer().named(), &checkpoints, &Ed25519);
    verification.add(&store.audit(0, 10_000).await.unwrap());
    let verdict = verification.finish();
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!(verdict.covered, verdict.entries);
}

#[tokio::test]
async fn a_migration_that_is_cut_off_is_not_begun_or_whole() {
    let (old, seen_before) = worked().await;
    let rows_of = |files: &Files| {
        let place = OnDisk::of(files, None);
        let conn = place.raw();
        (version(&conn), rows(&conn))
    };
    let clock = || Arc::new(SystemClock) as Arc<dyn Clock>;
    let old_rows = rows_of(&old);
    assert_eq!(old_rows.0, 1);
    let whole = OnDisk::of(&old, None);
    drop(whole.opened(clock()).unwrap());
    let new_rows = rows_of(&whole.0.files());
    assert_eq!(new_rows.0, 2);

    let mut found = BTreeMap::new();
    for cut_at in 1..=whole.0.operations() {
        let cut = OnDisk::of(&old, Some(cut_at));
        drop(cut.opened(clock()));
        assert!(cut.0.is_dead());
        let images = [
            ("the process ended", cut.0.files()),
            ("the power failed", cut.0.after_power_loss(SEED ^ cut_at)),
            ("the power failed", cut.0.after_power_loss(!SEED ^ cut_at)),
        ];
        for (how, image) in images {
            let what = format!("{how} at operation {cut_at}");
            let there = rows_of(&image);
            let expected = if there.0 == 1 { &old_rows } else { &new_rows };
            assert_eq!(there, *expected, "{what}");
            *found.entry((how, there.0)).or_insert(0) += 1;

            let place = OnDisk::of(&image, None);
            let store = place.opened(clock()).expect(&what);
            assert_eq!(seen(&store).await, seen_before, "{what}");
            drop(store);
            assert_eq!(rows_of(&place.0.files()), new_rows, "{what}");
            finished(&place).await;
        }
    }
    assert_eq!(found.len(), 4, "both were found after both: {found:?}");
}
