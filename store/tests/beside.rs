//! What stands of a person outside the rows of their jobs: nothing that outlives those rows, or their erasure.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use rescind_core::audit::verify::Verification;
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::{JobState, Resolved};
use rescind_core::report::{Detail, EvidenceState, Residual, Step, Unsupported};
use rescind_core::store::{
    Acceptance, Claim, Claimed, EvidenceReading, Next, Purpose, Settlement, StagedJob, Store,
};
use rescind_store::conformance::{Bench, Place};
use rescind_store::{Ed25519, StateFolder, verify};
use rusqlite::Connection;

#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self, clock: Arc<dyn Clock>) -> StateFolder {
        StateFolder::open_with_clock(self.0.path(), &Purpose { sandbox: true }, clock).unwrap()
    }

    fn raw(&self) -> Connection {
        Connection::open(self.0.path().join("rescind.db")).unwrap()
    }

    /// Whether a row of any table holds this text, in any case.
    fn holds(&self, text: &str) -> bool {
        let conn = self.raw();
        let mut tables = conn
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
            .unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        tables.map(Result::unwrap).any(|table| {
            let mut rows = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    let value = row.get_ref(column).unwrap();
                    let bytes = value.as_bytes().unwrap_or_default();
                    let value = String::from_utf8_lossy(bytes).to_lowercase();
                    if value.contains(text) {
                        return true;
                    }
                }
            }
            false
        })
    }

    fn stories(&self) -> Vec<String> {
        let conn = self.raw();
        let mut rows = conn.prepare("SELECT detail FROM story").unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

impl Place for Folder {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        self.folder(clock).store()
    }
}

const ADDRESS: &str = "Ann@Example.com";
const ALIAS: &str = "nan.berg";

fn account() -> Resolved {
    Resolved {
        id: "4f1c-77".to_owned(),
        name: "Ann.Berg@corp.example".to_owned(),
    }
}

/// Orders one person, who goes by an alias, too.
async fn ordered(store: &dyn Store) -> OrderKey {
    let order = store.begin(Bench::draft()).await.unwrap();
    let mut job = StagedJob::new(ADDRESS, 0);
    job.alias = Some(ALIAS.to_owned());
    store.stage(order, vec![job]).await.unwrap();
    let yes = Acceptance::new("c0ffee", 1, 1);
    store.accept(order, yes).await.unwrap();
    order
}

async fn claimed(store: &dyn Store, job: JobKey, account: Resolved) -> rescind_core::id::Token {
    let claim = Claim::new(job, Bench::provider(), Some(account));
    let claimed = store.claim(vec![claim]).await.unwrap();
    let Claimed::Running { token, .. } = claimed[0] else {
        panic!("it runs: {claimed:?}");
    };
    token
}

/// Settles the job of a person with that story, and finds it there.
async fn told(store: &dyn Store, order: OrderKey, account: Resolved, detail: &Detail) {
    let job = JobKey::new(order, 0);
    let token = claimed(store, job, account).await;
    let settlement = Settlement::new(job, token, Next::Gone, detail.clone());
    assert_eq!(store.settle(vec![settlement]).await.unwrap(), [true]);
    let jobs = store.jobs(order, &[], None, 1).await.unwrap();
    assert_eq!(jobs[0].detail, *detail);
}

#[tokio::test]
async fn a_story_that_names_somebody_stays_with_the_job() {
    let folder = Folder::new();
    let bench = Bench::new(&folder);
    let store = &*bench.store;
    let residual = |text: &str| Detail {
        residual: vec![Residual::new(text, None)],
        ..Bench::story()
    };
    let step = |name: &str, note: &str| {
        let mut step = Step::new(name, 1);
        step.note = Some(note.to_owned());
        Detail {
            steps: vec![step],
            ..Bench::story()
        }
    };
    let hostile = [
        residual("tokens of Ann@Example.com live on"),
        residual("tokens of ann@EXAMPLE.COM live on"),
        residual("see https://vendor.example/users/ann%40example.com"),
        residual("tokens of Nan.Berg live on"),
        residual("tokens of account 4F1C-77 live on"),
        residual("tokens of ann.berg@corp.example live on"),
        residual("tokens of a neighbour, bob@example.com, live on"),
        residual("tokens of ann.berg live on"),
        step("grants", "left to ann@example.com"),
        step("grants of 4f1c-77", "left out"),
    ];
    for detail in &hostile {
        for _ in 0..3 {
            let order = ordered(store).await;
            told(store, order, account(), detail).await;
            bench.clock.advance(jiff::SignedDuration::from_secs(1));
        }
        assert_eq!(folder.stories(), [""; 0], "{detail:?}");
    }
    // She has an account at another provider, too.
    for id in ["4f1c-77", "u-2"] {
        let order = ordered(store).await;
        let elsewhere = Resolved {
            id: id.to_owned(),
            ..account()
        };
        told(
            store,
            order,
            elsewhere,
            &residual("tokens of ann b. live on"),
        )
        .await;
        bench.clock.advance(jiff::SignedDuration::from_secs(1));
    }
    assert_eq!(folder.stories(), [""; 0]);

    // Told of her first, and then of somebody whom it does not name.
    let once = residual("4f1c-77 had more");
    let order = ordered(store).await;
    told(store, order, account(), &once).await;
    for name in ["b@example.com", "c@example.com"] {
        let (_, order) = bench.order(&[name]).await;
        told(
            store,
            order,
            Bench::account(name),
            &residual("4f1c-78 had more"),
        )
        .await;
    }
    // Two have told the second one, which names neither; the first was hers alone.
    assert_eq!(folder.stories().len(), 1);

    // Why somebody is refused is in a connector's own words, and few are: that stays with the job, too.
    let before = folder.stories();
    let refused = Detail {
        refusal: Some(Unsupported::new(
            "not this kind of account",
            "ask its owner",
        )),
        ..Bench::story()
    };
    for name in ["f@example.com", "g@example.com"] {
        let (_, order) = bench.order(&[name]).await;
        told(store, order, Bench::account(name), &refused).await;
    }
    assert_eq!(folder.stories(), before);

    // What names nobody is kept once for many.
    for name in ["d@example.com", "e@example.com"] {
        let (_, order) = bench.order(&[name]).await;
        let harmless = residual("access tokens already issued");
        told(store, order, Bench::account(name), &harmless).await;
    }
    assert_eq!(folder.stories().len(), 2);
    for name in ["@", "ann", ALIAS, "4f1c-77"] {
        let kept = folder.stories();
        assert!(
            kept.iter().all(|one| !one.to_lowercase().contains(name)),
            "{kept:?}"
        );
    }
}

/// What an erasure takes away: everything personal of an order and its job, and the salts that would open it.
fn erase(conn: &Connection, order: OrderKey, salt: &str) {
    let job = JobKey::new(order, 0).as_u64().cast_signed();
    for statement in [
        format!(
            "UPDATE job SET subject = NULL, alias = NULL, resolved_id = NULL, resolved_name = NULL, salt = {salt} WHERE id = {job}"
        ),
        format!(
            "UPDATE open SET resolved_id = NULL, resolved_name = NULL, detail = NULL WHERE id = {job}"
        ),
        format!(
            "UPDATE done SET resolved_id = NULL, resolved_name = NULL, detail = NULL WHERE id = {job}"
        ),
        format!(
            "UPDATE orders SET note = NULL, reference = NULL, actor = NULL WHERE key = {}",
            order.0
        ),
        "DELETE FROM opening".to_owned(),
    ] {
        conn.execute(&statement, []).unwrap();
    }
}

/// The record holds, and says how many values are gone.
async fn whole(folder: &StateFolder) -> u64 {
    let store = folder.store();
    store.checkpoint().await.unwrap();
    let key = folder.public_key();
    let checkpoints = store.checkpoints().await.unwrap();
    let mut verification = Verification::new(key, &checkpoints, &Ed25519);
    verification.add(&store.audit(0, 10_000).await.unwrap());
    let verdict = verification.finish();
    assert!(verdict.is_whole(), "{verdict:?}");
    let now = SystemClock.now();
    let (_, mismatch) = verify(&*store, key, Vec::new(), now).await.unwrap();
    assert_eq!(mismatch, None);
    verdict.erased
}

/// Erased while the process that works on it goes on: nothing it remembers brings a value back, and the record verifies,
/// whatever is left in the place of the salt.
#[tokio::test]
async fn what_was_erased_stays_so_and_the_record_verifies() {
    for salt in ["x''", "zeroblob(16)", "x'00ff'", "randomblob(40)"] {
        for erased_at in [JobState::Running, JobState::Parked, JobState::Confirmed] {
            let what = format!("{salt} while {erased_at:?}");
            let place = Folder::new();
            let folder = place.folder(Arc::new(SystemClock));
            let store = folder.store();
            let order = ordered(&*store).await;
            let job = JobKey::new(order, 0);
            let token = claimed(&*store, job, account()).await;
            assert!(place.holds("ann@example.com") && place.holds("4f1c-77"));
            if erased_at == JobState::Running {
                erase(&place.raw(), order, salt);
            }
            let next = if erased_at == JobState::Parked {
                Next::Parked
            } else {
                Next::Confirmed {
                    effective_by: SystemClock.now(),
                    evidence_due: Some(SystemClock.now()),
                    evidence: EvidenceState::Pending,
                }
            };
            let settlement = Settlement::new(job, token, next, Bench::story());
            assert_eq!(store.settle(vec![settlement]).await.unwrap(), [true]);
            if erased_at != JobState::Running {
                erase(&place.raw(), order, salt);
            }
            let reading = EvidenceReading {
                job,
                state: EvidenceState::Verified,
                due: None,
            };
            store.record_evidence(vec![reading]).await.unwrap();
            let act = Bench::act("order_cancelled");
            store.cancel(order, act).await.unwrap();
            store.recover().await.unwrap();
            erase(&place.raw(), order, salt);

            let jobs = store.jobs(order, &[], None, 1).await.unwrap();
            assert_eq!(
                (&jobs[0].subject, &jobs[0].alias, &jobs[0].resolved),
                (&None, &None, &None),
                "{what}"
            );
            let known = [ADDRESS, ALIAS, "4f1c-77"].map(str::to_owned);
            let known = store
                .was_resolved(&Bench::provider(), &known)
                .await
                .unwrap();
            assert_eq!(known, [false; 3], "{what}");
            let gone = whole(&folder).await;
            // Note, reference and actor of the acceptance, note and actor of the act, and the subject where it was
            // there when the outcome was recorded.
            let subject = u64::from(erased_at != JobState::Running);
            assert_eq!(gone, 5 + subject, "{what}");
            drop((store, folder));
            let again = place.folder(Arc::new(SystemClock));
            assert_eq!(whole(&again).await, gone, "{what}");
            // Not three letters alone: the text of a signature may hold those.
            for value in [
                "ann@",
                "ann.berg",
                ALIAS,
                "4f1c-77",
                "maria",
                "left the company",
                "hr-7",
            ] {
                assert!(!place.holds(value), "{what}: {value}");
            }
        }
    }
}
