//! What was really done to whom, when, how often, by which request. Written by the tenants as they act, so that a test can
//! judge a program by what happened and not by what it says.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

mod line;

pub(crate) use line::request_id;

use crate::clock::Clock;
use crate::population::{Person, Population};
use crate::state::State;
use crate::tenant::Tenant;

/// Which operation a call asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// Microsoft: `revokeSignInSessions`.
    Revoke,
    /// Google: `users.signOut`.
    SignOut,
    /// Google: `tokens.delete`.
    DeleteGrant,
    /// Google: `asps.delete`.
    DeleteAppPassword,
    /// Google: `verificationCodes.invalidate`.
    InvalidateBackupCodes,
    /// Any read. In the ledger only when it was throttled.
    Read,
}

impl Operation {
    const ALL: [Self; 6] = [
        Self::Revoke,
        Self::SignOut,
        Self::DeleteGrant,
        Self::DeleteAppPassword,
        Self::InvalidateBackupCodes,
        Self::Read,
    ];

    /// The name in the ledger's lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::SignOut => "sign_out",
            Self::DeleteGrant => "delete_grant",
            Self::DeleteAppPassword => "delete_app_password",
            Self::InvalidateBackupCodes => "invalidate_backup_codes",
            Self::Read => "read",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// One call, as the tenant saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When the tenant acted: Unix time in milliseconds, on the tenant's clock.
    pub at_ms: i64,
    /// Milliseconds since this sandbox started; for pacing.
    pub elapsed_ms: u64,
    /// Which tenant.
    pub tenant: Tenant,
    /// What was asked for.
    pub operation: Operation,
    /// About whom; `None` when the tenant knows nobody of that name.
    pub person: Option<Person>,
    /// Which grant (0–11) or application password (0–2).
    pub item: Option<u8>,
    /// The HTTP status of the call, inside a batch the item's own. 0: the connection was reset or stalled on purpose.
    pub status: u16,
    /// Whether something really happened. A reset after the effect has `status` 0 and `effect` true.
    pub effect: bool,
    /// The call came although the tenant had asked to wait (`Retry-After`).
    pub early: bool,
    /// The number of the HTTP request that carried the call, from 1.
    pub request: u32,
    /// Its place in a `$batch`, from 0.
    pub batch_item: Option<u8>,
}

/// A call to be written down, with the name it used when nobody has that name.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) entry: Entry,
    pub(crate) given: Option<String>,
}

/// Numbers over the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// HTTP requests at the tenants, since the start.
    pub requests: u64,
    /// Answered reads, since the start.
    pub reads: u64,
    /// Access tokens handed out, since the start.
    pub tokens: u64,
    /// Lines of the ledger.
    pub entries: u64,
    /// Calls that had an effect.
    pub effects: u64,
    /// Calls that came although the tenant had asked to wait.
    pub early: u64,
    /// Calls that were throttled.
    pub throttled: u64,
    /// Different people with at least one effect, by tenant.
    pub people: BTreeMap<&'static str, u64>,
    /// Calls by tenant, operation and status.
    pub calls: BTreeMap<&'static str, BTreeMap<&'static str, BTreeMap<u16, u64>>>,
}

/// Entries are kept in pieces of this many, so that growing never copies what is there.
const PIECE: usize = 1 << 14;

#[derive(Debug, Default)]
struct Pages {
    pieces: Vec<Vec<Entry>>,
    given: HashMap<u64, String>,
    reads: u64,
    requests: u64,
    tokens: u64,
    unwritten: Vec<u8>,
    file: Option<File>,
    failed: Option<io::ErrorKind>,
}

/// The book itself.
#[derive(Debug)]
pub(crate) struct Ledger {
    pages: Mutex<Pages>,
    population: Population,
    sync: bool,
}

impl Ledger {
    pub(crate) fn new(population: Population, sync: bool) -> Self {
        Self {
            pages: Mutex::default(),
            population,
            sync,
        }
    }

    /// Appends to a file from now on; what it holds already is taken as having happened.
    pub(crate) fn open(&self, path: &Path, state: &State) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let mut pages = self.pages();
        let mut torn = false;
        for line in BufReader::new(&mut file).split(b'\n') {
            let line = line?;
            if line.is_empty() {
                continue;
            }
            torn = line.last() != Some(&b'}');
            if torn {
                continue;
            }
            let record = line::parse(&line, &self.population).map_err(|reason| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {reason}", path.display()),
                )
            })?;
            replay(&record.entry, state);
            pages.push(record);
        }
        if torn {
            // The last line was cut by a crash: end it, so that the next one stands alone.
            file.write_all(b"\n")?;
        }
        pages.file = Some(file);
        Ok(())
    }

    /// Writes calls down; with `sync` they are in the file when this returns.
    pub(crate) fn record(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut pages = self.pages();
        for record in records {
            if pages.file.is_some() {
                let number = pages.len();
                line::write(
                    &mut pages.unwritten,
                    number,
                    &record.entry,
                    record.given.as_deref(),
                    &self.population,
                );
            }
            pages.push(record);
        }
        if self.sync {
            pages.flush();
        }
    }

    pub(crate) fn count_request(&self) {
        self.pages().requests += 1;
    }

    pub(crate) fn count_reads(&self, reads: u64) {
        self.pages().reads += reads;
    }

    pub(crate) fn count_token(&self) {
        self.pages().tokens += 1;
    }

    pub(crate) fn flush(&self) -> io::Result<()> {
        let mut pages = self.pages();
        pages.flush();
        pages.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.pages().pieces.concat()
    }

    /// The lines from entry number `after` on, at most `many`.
    pub(crate) fn lines(&self, after: u64, many: usize) -> Vec<u8> {
        let pages = self.pages();
        let mut text = Vec::new();
        let numbered = pages.pieces.iter().flatten().enumerate();
        for (number, entry) in numbered.skip(after as usize).take(many) {
            let given = pages.given.get(&(number as u64)).map(String::as_str);
            line::write(&mut text, number as u64, entry, given, &self.population);
        }
        text
    }

    pub(crate) fn summary(&self) -> Summary {
        let pages = self.pages();
        let mut summary = Summary {
            requests: pages.requests,
            reads: pages.reads,
            tokens: pages.tokens,
            entries: pages.len(),
            ..Summary::default()
        };
        for tenant in Tenant::BOTH {
            let mut touched = vec![false; self.population.len() as usize];
            for entry in pages.pieces.iter().flatten() {
                if entry.tenant == tenant
                    && entry.effect
                    && let Some(person) = entry.person
                {
                    touched[person.0 as usize] = true;
                }
            }
            let people = touched.iter().filter(|touched| **touched).count();
            summary.people.insert(tenant.as_str(), people as u64);
        }
        for entry in pages.pieces.iter().flatten() {
            summary.effects += u64::from(entry.effect);
            summary.early += u64::from(entry.early);
            summary.throttled += u64::from(is_throttle(entry));
            *summary
                .calls
                .entry(entry.tenant.as_str())
                .or_default()
                .entry(entry.operation.as_str())
                .or_default()
                .entry(entry.status)
                .or_default() += 1;
        }
        summary
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_throttle(entry: &Entry) -> bool {
    entry.status == 429 || entry.early || (entry.tenant == Tenant::Google && entry.status == 403)
}

fn replay(entry: &Entry, state: &State) {
    let (Some(person), true) = (entry.person, entry.effect) else {
        return;
    };
    match (entry.operation, entry.item) {
        (Operation::Revoke, _) => state.revoke(person, entry.at_ms),
        (Operation::SignOut, _) => state.sign_out(person, entry.at_ms),
        (Operation::InvalidateBackupCodes, _) => {
            state.invalidate_backup_codes(person);
        }
        (Operation::DeleteGrant, Some(item)) => {
            state.delete_grant(person, item);
        }
        (Operation::DeleteAppPassword, Some(item)) => {
            state.delete_app_password(person, item);
        }
        _ => {}
    }
}

impl Pages {
    fn len(&self) -> u64 {
        let full = self.pieces.len().saturating_sub(1) * PIECE;
        (full + self.pieces.last().map_or(0, Vec::len)) as u64
    }

    fn push(&mut self, record: Record) {
        if let Some(given) = record.given {
            self.given.insert(self.len(), given);
        }
        match self.pieces.last_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(record.entry),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(record.entry);
                self.pieces.push(piece);
            }
        }
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else {
            return;
        };
        if self.unwritten.is_empty() {
            return;
        }
        if let Err(error) = file.write_all(&self.unwritten) {
            tracing::error!(%error, "the ledger cannot be written");
            self.failed = Some(error.kind());
        }
        self.unwritten.clear();
    }
}

/// The two times of an entry.
pub(crate) fn stamp(clock: &Clock, skew_ms: i64) -> (i64, u64) {
    (clock.wall_ms() + skew_ms, clock.elapsed_ms())
}
