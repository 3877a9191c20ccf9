//! SQLite passes the suite of every store.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use rescind_core::clock::Clock;
use rescind_core::id::JobKey;
use rescind_core::store::{Claimed, Purpose, Store};
use rescind_store::StateFolder;
use rescind_store::conformance::{Bench, Place};

#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Place for Folder {
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
        let purpose = Purpose { sandbox: true };
        StateFolder::open_with_clock(self.0.path(), &purpose, clock)
            .unwrap()
            .store()
    }
}

rescind_store::store_conformance!(Folder::new());

#[tokio::test]
async fn claims_are_refused_as_soon_as_an_order_is_called_off() {
    let place = Folder::new();
    let bench = Bench::new(&place);
    let (id, order) = bench.order(&["a@example.com"]).await;
    let claim = Bench::claim(JobKey::new(order, 0), "a@example.com");
    // Queued in this order: the claim comes after the flag and before the rows are written off.
    let (cancelled, claimed) = tokio::join!(
        bench.store.cancel(order, Bench::act("order_cancelled")),
        bench.store.claim(vec![claim])
    );
    assert_eq!(claimed.unwrap(), [Claimed::Lost]);
    assert_eq!(cancelled.unwrap(), 1);
    bench.balanced(id).await;
}
