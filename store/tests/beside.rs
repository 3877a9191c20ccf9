//! What stands of a person outside the rows of their jobs: nothing that outlives those rows, or their erasure.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use rescind_core::clock::Clock;
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::Resolved;
use rescind_core::report::{Detail, Residual, Step};
use rescind_core::store::{
    Acceptance, Claim, Claimed, Next, Purpose, Settlement, StagedJob, Store,
};
use rescind_store::StateFolder;
use rescind_store::conformance::{Bench, Place};
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

    // What names nobody is kept once for many.
    for _ in 0..3 {
        let order = ordered(store).await;
        let harmless = residual("access tokens already issued");
        told(store, order, account(), &harmless).await;
        bench.clock.advance(jiff::SignedDuration::from_secs(1));
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
