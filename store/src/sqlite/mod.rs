//! SQLite behind the store traits of `rescind-core`.

mod acts;
mod claim;
mod connection;
mod crossed;
#[cfg_attr(
    not(feature = "conformance"),
    expect(dead_code, unreachable_pub, reason = "only the suite sets a fault")
)]
pub(crate) mod fault;
mod implementation;
mod intake;
mod lane;
mod ledger;
mod memory;
mod proof;
mod read;
mod record;
mod rescue;
mod rows;
mod running;
mod seen;
mod settle;
mod story;
mod txn;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rescind_core::audit::note::Signer;
use rescind_core::clock::Clock;
use rescind_core::store::{Purpose, StoreError};
use rusqlite::Connection;
use tokio::sync::oneshot;

pub(crate) use self::connection::make;
use self::memory::Memory;
use self::txn::Txn;
use self::writer::{Call, Fault, Outcome, Shared, Work, Writer};

/// So many idle readers are kept.
const READERS: usize = 4;

/// A store in one SQLite database. Dropping it signs a last checkpoint and waits for the writer to end.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    queue: Option<Sender<Box<dyn Work>>>,
    writer: Option<JoinHandle<()>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// `alone` keeps others from working on the database while its schema is taken further.
    pub(crate) fn open<L>(
        path: &Path,
        purpose: &Purpose,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        alone: impl FnOnce() -> Result<L, StoreError>,
    ) -> Result<Self, StoreError> {
        let conn = connection::open_writer(path, purpose, alone)?;
        let memory = Memory::load(&conn).map_err(|fault| match fault {
            Fault::Refused(error) | Fault::Fatal(error) => error,
        })?;
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            conn,
            memory,
            signer,
            clock: Arc::clone(&clock),
            shared: Arc::clone(&shared),
            failed: None,
            unfolded: false,
        };
        let (queue, works) = channel();
        let writer = std::thread::Builder::new()
            .name("rescind-store".to_owned())
            .spawn(move || writer.run(&works))
            .map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            queue: Some(queue),
            writer: Some(writer),
            readers: Arc::default(),
            shared,
            clock,
        })
    }

    /// Opens a database where SQLite finds it under this name: on another file layer, for one. Nobody else may work on
    /// it.
    ///
    /// # Errors
    /// As those of a state folder, as far as they are about the database.
    #[cfg(feature = "conformance")]
    pub fn open_at(
        database: &Path,
        purpose: &Purpose,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        checkpoint_copy: Option<&Path>,
    ) -> Result<Self, StoreError> {
        let store = Self::open(database, purpose, signer, clock, || Ok(()))?;
        if let Some(copy) = checkpoint_copy {
            store.set_checkpoint_copy(copy);
        }
        Ok(store)
    }

    pub(crate) fn set_checkpoint_copy(&self, path: &Path) {
        *self
            .shared
            .checkpoint_copy
            .lock()
            .expect("nobody panics while holding it") = Some(path.to_owned());
    }

    /// Makes the disk slow or faulty, or well again.
    #[cfg(feature = "conformance")]
    pub fn set_disk_fault(&self, fault: Option<fault::DiskFault>) {
        self.shared.faults.set(fault);
    }

    /// Hands a piece of work to the writer and waits for the sync it ends in. Once handed over it is done, whether or
    /// not the caller still waits.
    async fn write<T, F>(&self, rows: usize, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Txn<'_>) -> Outcome<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            rows,
            run: Some(run),
            result: None,
            reply,
        };
        let ended = || StoreError::Io("the writer has ended".to_owned());
        self.queue
            .as_ref()
            .ok_or_else(ended)?
            .send(Box::new(call))
            .map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Reads on a connection and thread of its own, seeing everything that was committed before.
    async fn read<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let idle = readers
                .lock()
                .expect("nobody panics while holding it")
                .pop();
            let conn = match idle {
                Some(conn) => conn,
                None => connection::open_reader(&path)?,
            };
            // One snapshot for all that the caller sees.
            conn.execute_batch("BEGIN").map_err(connection::from_sql)?;
            // To ask whether anybody has written since would cost as much as this.
            let result = connection::check_schema(&conn).and_then(|()| run(&conn));
            conn.execute_batch("COMMIT").map_err(connection::from_sql)?;
            let mut readers = readers.lock().expect("nobody panics while holding it");
            if readers.len() < READERS {
                readers.push(conn);
            }
            result
        });
        match read.await {
            Ok(result) => result,
            // Its text may quote a panic, and that a row.
            Err(_) => Err(StoreError::Io("a read was cut short".to_owned())),
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Ok(mut readers) = self.readers.lock() {
            readers.clear();
        }
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
