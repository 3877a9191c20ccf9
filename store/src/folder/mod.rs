//! The state folder: everything `rescind` keeps on one machine.

mod key;
mod lock;
pub(crate) mod private;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rescind_core::audit::note::PublicKey;
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::store::{Purpose, StoreError};

pub use key::{Ed25519, Ed25519Signer};
pub use lock::{EngineLock, LockHolder};

use crate::sqlite::{self, SqliteStore};

const DATABASE: &str = "rescind.db";
const KEY: &str = "audit.key";
const LOCK: &str = "engine.lock";

/// A folder with the database, the key that signs checkpoints, and the lock of the working process.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    store: Arc<SqliteStore>,
    public_key: PublicKey,
    clock: Arc<dyn Clock>,
}

impl StateFolder {
    /// Opens a folder, making it (0700), its database and its key (0600) when they are not there. A folder that others
    /// may write to is opened with a warning; its files are for their owner alone whatever the folder's mode.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the database is empty, or gone while the key is still there: nothing is made then.
    /// [`StoreError::Foreign`] when the folder was made for the other purpose, [`StoreError::Unsafe`] when a setting
    /// that durability or secrecy rests on is not as it must be, or when an older `rescind` works on a folder that this one
    /// must change first, and what the disk says.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a purpose is said once, by a literal"
    )]
    pub fn open(path: &Path, purpose: Purpose) -> Result<Self, StoreError> {
        Self::open_with_clock(path, &purpose, Arc::new(SystemClock))
    }

    /// Whether there is a state in this folder, or what is left of one.
    pub fn exists(path: &Path) -> bool {
        path.join(DATABASE).is_file() || path.join(KEY).is_file()
    }

    /// The same, with the time from elsewhere.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_clock(
        path: &Path,
        purpose: &Purpose,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let key = path.join(KEY);
        let database = path.join(DATABASE);
        // The key is made after the database: where there is a key there was a database. It is looked for first, because
        // another process may be making both.
        let had_key = key.is_file();
        let size = fs::metadata(&database).map(|file| file.len()).ok();
        match size {
            Some(0) => return Err(lost(&database, "is empty")),
            None if had_key => {
                return Err(lost(&database, "is gone, and audit.key is still there"));
            }
            _ => {}
        }
        private::make_folder(path).map_err(|error| failed("make", path, &error))?;
        if size.is_none() {
            private::make_aside(&database, |aside| sqlite::make(aside, purpose))?;
        }
        for file in [DATABASE, "rescind.db-wal", "rescind.db-shm", LOCK] {
            private::tighten(&path.join(file))?;
        }
        let signer = key::load_or_make(&key)?;
        let public_key = signer.named();
        let lock = path.join(LOCK);
        let alone = || {
            lock::try_lock(&lock, clock.now())
                .map_err(|error| failed("lock", &lock, &error))?
                .map_err(|holder| works_on_it(&holder))
        };
        let signer = Arc::new(signer);
        let store = SqliteStore::open(&database, purpose, signer, Arc::clone(&clock), alone)?;
        Ok(Self {
            path: path.to_owned(),
            store: Arc::new(store),
            public_key,
            clock,
        })
    }

    /// The store in it.
    pub fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.store)
    }

    /// Becomes the one process that works on this folder, until the lock is dropped or the process dies.
    ///
    /// # Errors
    /// The outer one when the lock file cannot be used; the inner one says who holds it.
    pub fn try_lock_engine(&self) -> Result<Result<EngineLock, LockHolder>, StoreError> {
        let path = self.path.join(LOCK);
        lock::try_lock(&path, self.clock.now()).map_err(|error| failed("lock", &path, &error))
    }

    /// Appends every checkpoint signed from now on to this file as well.
    pub fn set_checkpoint_copy(&self, path: &Path) {
        self.store.set_checkpoint_copy(path);
    }

    /// The key that verifies this folder's checkpoints.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn lost(database: &Path, how: &str) -> StoreError {
    StoreError::Corrupt(format!(
        "{} {how}; put the state folder back from a copy, or name another one",
        database.display()
    ))
}

/// Why a folder cannot be taken to a newer schema now.
fn works_on_it(holder: &LockHolder) -> StoreError {
    let LockHolder { pid, since } = holder;
    let since = since.strftime("%F %T UTC");
    StoreError::Unsafe(format!(
        "process {pid} works on this state folder since {since}, and this version of rescind must change the folder's \
         form first; let that process end, then try again"
    ))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::StorageFull {
        return StoreError::Full;
    }
    StoreError::Io(format!("failed to {what} {}: {error}", path.display()))
}
