//! SQLite passes the suite of every store.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::sync::Arc;

use rescind_core::clock::Clock;
use rescind_core::store::{Purpose, Store};
use rescind_store::StateFolder;
use rescind_store::conformance::Place;

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
