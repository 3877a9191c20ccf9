//! What a dead process left in its state folder, read without folding, signing or mending anything.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::judge::Fate;

/// The place of a confirmed job's state in `JobState::ALL`, and of the other finished ones.
const FINISHED: [(i64, Fate); 4] = [
    (4, Fate::Confirmed),
    (5, Fate::Gone),
    (6, Fate::Refused),
    (7, Fate::Cancelled),
];

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) key: i64,
    /// Why it was asked for: what the harness knows it by.
    pub(super) note: String,
    /// The instant T, in microseconds since 1970.
    pub(super) at: i64,
    /// Pending, running and waiting jobs.
    pub(super) open: i64,
}

/// The state folder between two lives of the program.
#[derive(Debug)]
pub(super) struct Folder(Connection);

impl Folder {
    /// `None` while there is no database.
    pub(super) fn open(state: &Path) -> rusqlite::Result<Option<Self>> {
        let path = state.join("rescind.db");
        if !path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE;
        let conn = Connection::open_with_flags(path, flags)?;
        // The log stays as the kill left it: the next life of the program must find it, not we.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(Some(Self(conn)))
    }

    /// The accepted orders, oldest first.
    pub(super) fn accepted(&self) -> rusqlite::Result<Vec<Accepted>> {
        let mut rows = self.0.prepare(
            "SELECT key, note, accepted_at, open FROM orders WHERE accepted_at IS NOT NULL ORDER BY key",
        )?;
        let accepted = rows.query_map([], |row| {
            Ok(Accepted {
                key: row.get(0)?,
                note: row.get(1)?,
                at: row.get(2)?,
                open: row.get(3)?,
            })
        })?;
        accepted.collect()
    }

    /// Who is finished in an order, by account number. A name that nobody gave is an error.
    pub(super) fn finished(&self, order: i64) -> rusqlite::Result<BTreeMap<u64, Fate>> {
        let mut rows = self.0.prepare(
            "SELECT j.subject, d.state FROM done d JOIN job j ON j.id = d.id WHERE d.id >= ?1 AND d.id < ?2",
        )?;
        let found = rows.query_map((order << 32, (order + 1) << 32), |row| {
            let subject: String = row.get(0)?;
            let state: i64 = row.get(1)?;
            let fate = FINISHED.iter().find(|(number, _)| *number == state);
            let person = person_of(&subject).ok_or(rusqlite::Error::InvalidQuery)?;
            Ok((person, fate.ok_or(rusqlite::Error::InvalidQuery)?.1))
        })?;
        found.collect()
    }

    /// Who is in an order, finished or not.
    pub(super) fn people(&self, order: i64) -> rusqlite::Result<Vec<u64>> {
        let mut rows = self
            .0
            .prepare("SELECT subject FROM job WHERE id >= ?1 AND id < ?2")?;
        let people = rows.query_map((order << 32, (order + 1) << 32), |row| {
            let subject: String = row.get(0)?;
            person_of(&subject).ok_or(rusqlite::Error::InvalidQuery)
        })?;
        people.collect()
    }
}

/// The account number in `u7@contoso.com`.
fn person_of(subject: &str) -> Option<u64> {
    subject
        .strip_prefix('u')?
        .strip_suffix("@contoso.com")?
        .parse()
        .ok()
}
