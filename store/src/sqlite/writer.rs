//! The one thread that writes: it takes what is queued, commits it with one sync, and then answers.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rescind_core::audit::note::Signer;
use rescind_core::clock::Clock;
use rescind_core::store::StoreError;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection::from_sql;
use super::crossed::Crossed;
use super::fault::{Faults, Step};
use super::memory::Memory;
use super::story::Stories;
use super::txn::Txn;
use crate::folder::private;

/// A group is committed at the latest when it has this many rows, or is this old.
const GROUP_ROWS: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(5);

/// How long entries may lie unsigned, and how long the log may lie unfolded while nothing happens.
const QUIET: Duration = Duration::from_secs(1);

/// How an error leaves a piece of work.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was refused before it wrote anything; the others of its group go on.
    Refused(StoreError),
    /// The database failed: nothing of the group is kept, and the writer stops for good.
    Fatal(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fatal(from_sql(error))
    }
}

/// The result of a piece of work inside the group's transaction.
pub(super) type Outcome<T> = Result<T, Fault>;

/// One caller's piece of work.
pub(super) trait Work: Send {
    /// How many rows it is worth.
    fn rows(&self) -> usize;
    /// Does it inside the group's transaction; an error is fatal to the group.
    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError>;
    /// Answers, after the sync.
    fn answer(self: Box<Self>, failure: Option<&StoreError>);
}

/// A closure as a piece of work.
pub(super) struct Call<F, T> {
    pub(super) rows: usize,
    pub(super) run: Option<F>,
    pub(super) result: Option<Result<T, StoreError>>,
    pub(super) reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnOnce(&mut Txn<'_>) -> Outcome<T> + Send,
    T: Send,
{
    fn rows(&self) -> usize {
        self.rows
    }

    fn run(&mut self, txn: &mut Txn<'_>) -> Result<(), StoreError> {
        let run = self.run.take().expect("work is run once");
        self.result = Some(match run(txn) {
            Ok(value) => Ok(value),
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Fatal(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&StoreError>) {
        let result = match (failure, self.result) {
            (None, Some(result)) => result,
            (Some(failure), _) => Err(again(failure)),
            (None, None) => Err(StoreError::Io("the work was not run".to_owned())),
        };
        // A caller that no longer waits has lost nothing: what was committed is committed.
        let _ = self.reply.send(result);
    }
}

/// The same error for one more caller.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full => StoreError::Full,
        StoreError::Corrupt(what) => StoreError::Corrupt(what.clone()),
        StoreError::Unsafe(what) => StoreError::Unsafe(what.clone()),
        other => StoreError::Io(match other {
            StoreError::Io(what) => what.clone(),
            other => other.to_string(),
        }),
    }
}

/// What the writer shares with the handle.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) faults: Faults,
    pub(super) checkpoint_copy: Mutex<Option<PathBuf>>,
}

/// The writer, on its own thread.
pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) memory: Memory,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shared: Arc<Shared>,
    pub(super) failed: Option<StoreError>,
    /// Whether the log holds something that was not folded into the database.
    pub(super) unfolded: bool,
}

impl Writer {
    /// Works until the handle is dropped, then signs what is unsigned and folds the log.
    pub(super) fn run(mut self, queue: &Receiver<Box<dyn Work>>) {
        loop {
            match queue.recv_timeout(self.patience()) {
                Ok(first) => self.group(first, queue),
                Err(RecvTimeoutError::Timeout) => self.rest(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.failed.is_none() {
            self.sign_if_unsigned();
            if self.unfolded {
                self.fold();
            }
        }
    }

    fn patience(&self) -> Duration {
        if self.failed.is_some() {
            return Duration::from_secs(3600);
        }
        match self.memory.unsigned_since {
            Some(since) => QUIET.saturating_sub(since.elapsed()),
            None if self.unfolded && self.memory.at_rest => Duration::ZERO,
            None if self.unfolded => QUIET,
            None => Duration::from_secs(3600),
        }
    }

    fn rest(&mut self) {
        if self.memory.unsigned_since.is_some() {
            self.sign_if_unsigned();
        } else if self.unfolded {
            self.fold();
        }
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a path to the method is for one lifetime only"
    )]
    fn sign_if_unsigned(&mut self) {
        if self.memory.unsigned_since.is_some() {
            let signed = self.transact(|txn| txn.sign_checkpoint());
            self.after(signed);
        }
    }

    /// Folds the log into the database; a reader that stands in the way only postpones it.
    fn fold(&mut self) {
        self.unfolded = false;
        self.memory.at_rest = false;
        let folded = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = folded {
            tracing::debug!(%error, "the log was not folded into the database");
        }
    }

    fn group(&mut self, first: Box<dyn Work>, queue: &Receiver<Box<dyn Work>>) {
        let mut works = vec![first];
        if self.failed.is_none() {
            let until = Instant::now() + GROUP_TIME;
            let done = self.transact(|txn| {
                let mut next = 0;
                let mut rows = 0;
                loop {
                    let work = &mut works[next];
                    txn.tick();
                    rows += work.rows();
                    work.run(txn).map_err(Fault::Fatal)?;
                    next += 1;
                    if rows >= GROUP_ROWS || Instant::now() >= until {
                        return Ok(());
                    }
                    match queue.try_recv() {
                        Ok(work) => works.push(work),
                        Err(_) => return Ok(()),
                    }
                }
            });
            self.after(done);
        }
        for work in works {
            work.answer(self.failed.as_ref());
        }
    }

    /// One transaction, from its beginning to its sync.
    fn transact(
        &mut self,
        work: impl FnOnce(&mut Txn<'_>) -> Outcome<()>,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(from_sql)?;
        let done = Txn::begin(&self.conn, &mut self.memory, &*self.signer, &*self.clock).and_then(
            |mut txn| {
                work(&mut txn)?;
                txn.close()?;
                Ok(std::mem::take(&mut txn.crossed))
            },
        );
        let mut crossed = Crossed::default();
        let step = match done {
            Ok(points) => {
                crossed = points;
                self.shared.faults.at_commit()
            }
            Err(Fault::Refused(error) | Fault::Fatal(error)) => Step::Fail { keep: false, error },
        };
        let (statement, failure) = match step {
            Step::Commit if crossed.lies() => ("ROLLBACK", None),
            Step::Commit => ("COMMIT", None),
            Step::Fail { keep: true, error } => ("COMMIT", Some(error)),
            Step::Fail { keep: false, error } => ("ROLLBACK", Some(error)),
        };
        let ended = self.conn.execute_batch(statement).map_err(from_sql);
        self.unfolded = true;
        if statement == "ROLLBACK" {
            // It may hold what is not there.
            self.memory.stories = Stories::default();
        }
        match failure {
            Some(failure) => Err(failure),
            None => ended.and_then(|()| crossed.committed()),
        }
    }

    /// After a failure nothing is trusted until the store is opened again: what the memory holds may not be on disk.
    fn after(&mut self, done: Result<(), StoreError>) {
        match done {
            Ok(()) => {
                let notes = std::mem::take(&mut self.memory.signed_notes);
                let copy = self
                    .shared
                    .checkpoint_copy
                    .lock()
                    .expect("nobody panics while holding it")
                    .clone();
                if let Some(path) = copy
                    && !notes.is_empty()
                    && let Err(error) = append(&path, &notes)
                {
                    tracing::error!(%error, "a checkpoint could not be copied; the next one covers it");
                    self.memory.signed_notes = notes;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the store stopped writing");
                if !self.conn.is_autocommit() {
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                self.failed = Some(error);
            }
        }
    }
}

/// A note that the power cut off in the middle is ended first, so that it spoils none after it.
fn append(path: &Path, notes: &[String]) -> std::io::Result<()> {
    let made = !path.exists();
    let mut file = private::options()
        .create(true)
        .read(true)
        .append(true)
        .open(path)?;
    let mut text = String::new();
    if is_cut_off(&mut file)? {
        text.push_str("\n\n");
    }
    for note in notes {
        text.push_str(note);
        text.push('\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_data()?;
    if made {
        private::sync_name(path)?;
    }
    Ok(())
}

fn is_cut_off(file: &mut File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    if length < 2 {
        return Ok(length > 0);
    }
    let mut end = [0; 2];
    file.seek(SeekFrom::End(-2))?;
    file.read_exact(&mut end)?;
    Ok(end != *b"\n\n")
}
