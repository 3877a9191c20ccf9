//! A folder that an older `rescind` has left: who may take its schema further, and when.

#![expect(clippy::unwrap_used, reason = "a test may")]

mod cut;

use rescind_core::id::JobKey;
use rescind_core::store::{Claimed, Purpose, Store, StoreError};
use rescind_store::StateFolder;
use rescind_store::conformance::{Bench, Place};
use rusqlite::Connection;

/// Back to the first step of the schema.
const BACK: &str = include_str!("back.sql");

#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn opened(&self) -> Result<StateFolder, StoreError> {
        StateFolder::open(self.0.path(), Purpose { sandbox: true })
    }

    fn raw(&self) -> Connection {
        Connection::open(self.0.path().join("rescind.db")).unwrap()
    }

    fn version(&self) -> u32 {
        version(&self.raw())
    }
}

impl Place for Folder {
    fn open(
        &self,
        clock: std::sync::Arc<dyn rescind_core::clock::Clock>,
    ) -> std::sync::Arc<dyn Store> {
        let purpose = Purpose { sandbox: true };
        StateFolder::open_with_clock(self.0.path(), &purpose, clock)
            .unwrap()
            .store()
    }
}

fn version(conn: &Connection) -> u32 {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

/// Tables with their columns, and indexes.
fn schema(conn: &Connection) -> Vec<String> {
    let mut rows = conn
        .prepare(
            "SELECT m.type || ' ' || m.name || ' ' || coalesce(group_concat(c.name || c.type || c.pk), '')
             FROM sqlite_master m LEFT JOIN pragma_table_info(m.name) c GROUP BY m.name ORDER BY m.name",
        )
        .unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn the_way_back_leads_to_the_first_step() {
    let folder = Folder::new();
    drop(folder.opened().unwrap());
    folder.raw().execute_batch(BACK).unwrap();
    let first = Connection::open_in_memory().unwrap();
    first
        .execute_batch(include_str!("../../src/sqlite/schema.sql"))
        .unwrap();
    assert_eq!(schema(&folder.raw()), schema(&first));
}

#[test]
fn nobody_else_works_on_a_folder_while_its_schema_changes() {
    let folder = Folder::new();
    let lock = folder.opened().unwrap().try_lock_engine();
    let working = lock.unwrap().unwrap();
    // Where nothing is to be changed, the lock is the worker's alone.
    drop(folder.opened().unwrap());
    folder.raw().execute_batch(BACK).unwrap();
    let before = schema(&folder.raw());

    let refused = folder.opened();
    let Err(StoreError::Unsafe(why)) = refused else {
        panic!("{refused:?}");
    };
    let process = format!("process {}", std::process::id());
    assert!(why.contains(&process) && why.contains("try again"), "{why}");
    assert_eq!((folder.version(), schema(&folder.raw())), (1, before));

    drop(working);
    let opened = folder.opened().unwrap();
    assert_eq!(folder.version(), 2);
    let _free_again = opened.try_lock_engine().unwrap().unwrap();
}

#[test]
fn processes_that_start_together_on_an_old_folder_wait_for_the_first() {
    for _ in 0..5 {
        let folder = Folder::new();
        drop(folder.opened().unwrap());
        folder.raw().execute_batch(BACK).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| drop(folder.opened().unwrap()));
            }
        });
        assert_eq!(folder.version(), 2);
    }
}

/// Whoever has a folder open while a newer version takes it over must not go on with what it takes the rows for.
#[tokio::test]
async fn a_folder_that_was_taken_further_is_left_alone() {
    for way in 0..4 {
        let folder = Folder::new();
        let bench = Bench::new(&folder);
        let (id, order) = bench.order(&["a@example.com"]).await;
        bench.store.checkpoint().await.unwrap();
        bench.store.order(id).await.unwrap();
        let newer = folder.raw();
        newer.pragma_update(None, "user_version", 3).unwrap();
        let (store, claim) = (
            &bench.store,
            Bench::claim(JobKey::new(order, 0), "a@example.com"),
        );
        let refused = match way {
            0 => store.order(id).await.err(),
            1 => store.change_mark().await.err(),
            2 => store.claim(vec![claim.clone()]).await.err(),
            _ => store.checkpoint().await.err(),
        };
        assert!(
            matches!(refused, Some(StoreError::Unsafe(_))),
            "{refused:?}"
        );
        let later = store.claim(vec![claim]).await;
        assert!(matches!(later, Err(StoreError::Unsafe(_))), "{later:?}");
        drop(bench);
        let rows = "SELECT count(*) FROM open WHERE state = 0";
        let pending: u32 = newer.query_row(rows, [], |row| row.get(0)).unwrap();
        assert_eq!(pending, 1, "nothing was written by way {way}");
        assert!(matches!(folder.opened(), Err(StoreError::Unsafe(_))));
    }
}

/// A worker goes on while others write in its own version.
#[tokio::test]
async fn others_of_the_same_version_stop_nobody() {
    let folder = Folder::new();
    let bench = Bench::new(&folder);
    let second = bench.second();
    let (_, order) = Bench::order_at(&*second, &["a@example.com"]).await;
    let claim = Bench::claim(JobKey::new(order, 0), "a@example.com");
    let claimed = bench.claim_one(claim).await;
    assert!(matches!(claimed, Claimed::Running { .. }), "{claimed:?}");
}
