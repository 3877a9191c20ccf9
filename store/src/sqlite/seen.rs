//! Which accounts and spellings were once resolved, and which job says so.
//!
//! A hash is 64 bits under a key of this database; whoever finds one compares the job's own texts. Fresh hashes live
//! in memory and in a log of one row for each commit; once there are many, they move into the table in sorted order.

use std::collections::HashMap;

use rescind_core::subject::fold;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::writer::Outcome;

/// So many fresh hashes are held before they move: sorted, they share pages, and the map stays below 6 MB.
const FRESH: usize = 131_072;

#[derive(Debug)]
pub(super) struct Seen {
    key: [u8; 16],
    fresh: HashMap<i64, u64>,
    /// Added in this transaction.
    added: Vec<(i64, u64)>,
    /// The last row of the log that `fresh` holds.
    log: i64,
}

impl Seen {
    pub(super) fn load(conn: &Connection) -> Outcome<Self> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).map_err(|error| {
            super::writer::Fault::Fatal(rescind_core::store::StoreError::Io(error.to_string()))
        })?;
        conn.execute(
            "INSERT INTO meta(name, value) VALUES ('seen_key', ?1) ON CONFLICT DO NOTHING",
            [&random[..]],
        )?;
        let key = conn.query_row(
            "SELECT value FROM meta WHERE name = 'seen_key'",
            [],
            |row| row.get(0),
        )?;
        let mut seen = Self {
            key,
            fresh: HashMap::new(),
            added: Vec::new(),
            log: 0,
        };
        seen.refresh(conn)?;
        Ok(seen)
    }

    /// Reads the log again if another process has worked since.
    pub(super) fn refresh(&mut self, conn: &Connection) -> Outcome<()> {
        let last: Option<i64> = conn
            .prepare_cached("SELECT max(id) FROM seen_log")?
            .query_row([], |row| row.get(0))?;
        if last.unwrap_or(0) == self.log {
            return Ok(());
        }
        self.fresh.clear();
        let mut rows = conn.prepare_cached("SELECT hashes FROM seen_log ORDER BY id")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let hashes: Vec<u8> = row.get(0)?;
            for pair in hashes.chunks_exact(16) {
                let (hash, job) = pair.split_at(8);
                self.fresh.insert(
                    i64::from_be_bytes(hash.try_into().expect("8 bytes")),
                    u64::from_be_bytes(job.try_into().expect("8 bytes")),
                );
            }
        }
        self.log = last.unwrap_or(0);
        Ok(())
    }

    /// The hash of an account's immutable id.
    pub(super) fn account(&self, provider: i64, id: &str) -> i64 {
        self.hash(b'i', provider, id)
    }

    /// The hash of one way to write a person.
    pub(super) fn spelling(&self, provider: i64, text: &str) -> i64 {
        self.hash(b's', provider, &fold(text))
    }

    fn hash(&self, kind: u8, provider: i64, text: &str) -> i64 {
        let hash = Sha256::new()
            .chain_update(self.key)
            .chain_update([kind])
            .chain_update(provider.to_be_bytes())
            .chain_update(text)
            .finalize();
        i64::from_be_bytes(hash[..8].try_into().expect("8 of 32 bytes"))
    }

    /// The job that a hash leads to.
    pub(super) fn find(&self, conn: &Connection, hash: i64) -> Outcome<Option<u64>> {
        if let Some(job) = self.fresh.get(&hash) {
            return Ok(Some(*job));
        }
        let job: Option<i64> = conn
            .prepare_cached("SELECT job FROM seen WHERE hash = ?1")?
            .query_row([hash], |row| row.get(0))
            .optional()?;
        Ok(job.map(i64::cast_unsigned))
    }

    /// Remembers that a hash leads to a job.
    pub(super) fn add(&mut self, hash: i64, job: u64) {
        if self.fresh.insert(hash, job) != Some(job) {
            self.added.push((hash, job));
        }
    }

    /// At the end of a transaction: logs what was added, and moves everything over once there is much of it.
    pub(super) fn close(&mut self, conn: &Connection) -> Outcome<()> {
        if self.added.is_empty() {
            return Ok(());
        }
        if self.fresh.len() < FRESH {
            let mut hashes = Vec::with_capacity(self.added.len() * 16);
            for (hash, job) in self.added.drain(..) {
                hashes.extend_from_slice(&hash.to_be_bytes());
                hashes.extend_from_slice(&job.to_be_bytes());
            }
            conn.prepare_cached("INSERT INTO seen_log(hashes) VALUES (?1)")?
                .execute([hashes])?;
            self.log = conn.last_insert_rowid();
            return Ok(());
        }
        self.added.clear();
        let mut sorted: Vec<(i64, u64)> = self.fresh.drain().collect();
        sorted.sort_unstable();
        let mut insert = conn.prepare_cached(
            "INSERT INTO seen(hash, job) VALUES (?1, ?2)
             ON CONFLICT(hash) DO UPDATE SET job = excluded.job",
        )?;
        for (hash, job) in sorted {
            insert.execute((hash, job.cast_signed()))?;
        }
        conn.execute("DELETE FROM seen_log", [])?;
        self.log = 0;
        Ok(())
    }
}
