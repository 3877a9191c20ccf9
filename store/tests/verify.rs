//! What somebody changed beside the record, or in it, is named.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rescind_core::clock::Clock;
use rescind_core::job::JobState;
use rescind_core::store::{Purpose, Store};
use rescind_store::conformance::{Bench, Place};
use rescind_store::{StateFolder, verify};

#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Place for Folder {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        let purpose = Purpose { sandbox: true };
        StateFolder::open_with_clock(self.0.path(), &purpose, clock)
            .unwrap()
            .store()
    }
}

/// An order with jobs that ended in each way; answers the folder and the order's id.
async fn worked() -> (Folder, String) {
    let place = Folder(tempfile::tempdir().unwrap());
    let bench = Bench::new(&place);
    let mut last = String::new();
    for state in [
        JobState::Confirmed,
        JobState::Refused,
        JobState::Gone,
        JobState::Parked,
        JobState::Waiting,
    ] {
        let name = format!("{state:?}@example.com");
        let (id, order) = bench.order(&[&name]).await;
        bench.bring(order, &name, state).await;
        if state == JobState::Parked {
            let act = Bench::act("order_cancelled").about(id);
            bench.store.cancel(order, act).await.unwrap();
        }
        last = id.to_string();
    }
    bench.store.checkpoint().await.unwrap();
    drop(bench);
    (place, last)
}

/// Verifies, and says what is wrong.
async fn said(path: &Path) -> String {
    let folder = StateFolder::open(path, Purpose { sandbox: true }).unwrap();
    let key = folder.public_key().clone();
    let store = folder.store();
    let now = Timestamp::MAX;
    let (verdict, mismatch) = verify(store.as_ref(), &key, Vec::new(), now).await.unwrap();
    match (verdict.fault, mismatch) {
        (None, None) => "whole".to_owned(),
        (Some(fault), _) => fault.to_string(),
        (None, Some(mismatch)) => mismatch.to_string(),
    }
}

#[tokio::test]
async fn a_folder_that_nobody_changed_is_whole() {
    let (place, _) = worked().await;
    assert_eq!(said(place.0.path()).await, "whole");
}

/// What is on the disk when a process dies in its first second, before it signs what it wrote.
#[tokio::test]
async fn a_folder_whose_process_died_at_once_is_whole() {
    let place = Folder(tempfile::tempdir().unwrap());
    let bench = Bench::new(&place);
    bench.order(&["a@example.com"]).await;
    let left = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(place.0.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), left.path().join(file.file_name())).unwrap();
    }
    assert_eq!(said(left.path()).await, "whole");
}

#[tokio::test]
async fn what_was_changed_beside_the_record_is_named() {
    let cases = [
        ("UPDATE orders SET note = 'x'", "its note is not"),
        ("UPDATE orders SET actor = 'x'", "its actor is not"),
        ("UPDATE orders SET reference = 'x'", "its reference is not"),
        ("UPDATE orders SET plan_hash = 'x'", "its plan is not"),
        ("UPDATE orders SET urgent = 1 - urgent", "its urgency is not"),
        ("UPDATE done SET state = 5 WHERE state = 4", "its outcome is not"),
        ("DELETE FROM done WHERE state = 6", "its recorded outcome is gone"),
        (
            "INSERT INTO done(id, state, at, attempts, called, evidence) SELECT id, 4, 0, 1, 1, 0 FROM open",
            "the record does not say how it ended",
        ),
        (
            "INSERT INTO orders(id, authenticated_by, urgent, verify, created_at, accepted_at, plan_hash)
             VALUES (randomblob(16), 'x', 0, 1, 1, 1, 'x')",
            "the record does not say that it was accepted",
        ),
        ("UPDATE orders SET id = randomblob(16)", "is gone from the database"),
        ("DELETE FROM checkpoint", "nothing of them is signed"),
        (
            "UPDATE audit SET body = substr(body, 1, 20) WHERE seq = 3",
            "entry 3 cannot be read",
        ),
    ];
    for (change, what) in cases {
        let (place, _) = worked().await;
        let conn = rusqlite::Connection::open(place.0.path().join("rescind.db")).unwrap();
        assert!(conn.execute(change, []).unwrap() > 0, "{change}");
        drop(conn);
        let said = said(place.0.path()).await;
        assert!(said.contains(what), "{change}: {said}");
    }
}

#[tokio::test]
async fn the_order_is_named() {
    let (place, id) = worked().await;
    let conn = rusqlite::Connection::open(place.0.path().join("rescind.db")).unwrap();
    let last = "UPDATE orders SET note = 'x' WHERE key = (SELECT max(key) FROM orders)";
    conn.execute(last, []).unwrap();
    drop(conn);
    let said = said(place.0.path()).await;
    assert_eq!(
        said,
        format!("order {id}: its note is not the one that was recorded")
    );
}
