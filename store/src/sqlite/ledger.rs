//! The audit inside the writer's transaction: entries are chained, checkpoints are signed.

use std::time::{Duration, Instant};

use rescind_core::audit::entry::{self, GENESIS, Hash};
use rescind_core::audit::note;
use rescind_core::store::{Act, StoreError};
use rusqlite::{Connection, OptionalExtension as _};

use super::txn::Txn;
use super::writer::{Fault, Outcome};

/// A checkpoint is signed at the latest after so many entries, or so long after the first that none covers.
const SIGN_ENTRIES: u64 = 1_000;
const SIGN_AFTER: Duration = Duration::from_secs(1);

/// The end of the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

impl Head {
    /// Read in each transaction: another process may have appended since ours.
    pub(super) fn load(conn: &Connection) -> Outcome<Self> {
        let last: Option<(i64, Hash)> = conn
            .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(last.map_or(
            Self {
                seq: 0,
                hash: GENESIS,
            },
            |(seq, hash)| Self {
                seq: seq.cast_unsigned(),
                hash,
            },
        ))
    }
}

/// An entry as the store's own code says it; place and time come by themselves.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Draft<'a> {
    pub(super) action: &'a str,
    pub(super) order: Option<&'a str>,
    pub(super) jobs: &'a [u64],
    pub(super) provider: Option<&'a str>,
    pub(super) outcome: Option<&'a str>,
    pub(super) detail: Option<&'a str>,
    /// Field and commitment, for a field whose opening lies elsewhere.
    pub(super) committed: &'a [(&'a str, Hash)],
    /// Field and value, to be committed to and opened here.
    pub(super) personal: &'a [(&'a str, &'a str)],
}

impl Txn<'_> {
    /// Appends an entry to the chain.
    pub(super) fn append(&mut self, draft: &Draft<'_>) -> Outcome<()> {
        let seq = self.head.seq + 1;
        let mut commitments = draft.committed.to_vec();
        for (field, value) in draft.personal {
            let salt = salts(1)?;
            commitments.push((field, entry::commit(field, &salt, value)));
            self.conn
                .prepare_cached(
                    "INSERT INTO opening(seq, field, salt, value) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((seq.cast_signed(), field, salt, value))?;
        }
        let mut body = Vec::with_capacity(256 + draft.jobs.len() * 8);
        let whole = entry::Draft {
            seq,
            at: &self.now_text,
            action: draft.action,
            order: draft.order,
            jobs: draft.jobs,
            provider: draft.provider,
            outcome: draft.outcome,
            detail: draft.detail,
            commitments: &commitments,
        };
        whole.encode(&mut body);
        let hash = entry::chain(&self.head.hash, &body);
        self.audit_row.execute((seq.cast_signed(), hash, body))?;
        self.head = Head { seq, hash };
        if self.memory.unsigned_since.is_none() {
            self.memory.unsigned_since = Some(Instant::now());
        }
        Ok(())
    }

    /// Appends an act, with who did it and why as commitments.
    pub(super) fn append_act(&mut self, act: &Act, jobs: &[u64], detail: &str) -> Outcome<()> {
        let mut personal = vec![("actor", act.actor.name.as_str())];
        if let Some(note) = &act.note {
            personal.push(("note", note));
        }
        let order = act.order.map(|id| id.to_string());
        let by = serde_json::json!({ "authenticated_by": act.actor.authenticated_by }).to_string();
        self.append(&Draft {
            action: act.action,
            order: order.as_deref(),
            jobs,
            outcome: act.outcome.as_deref(),
            detail: Some(if detail.is_empty() { &by } else { detail }),
            personal: &personal,
            ..Draft::default()
        })
    }

    pub(super) fn sign_if_due(&mut self) -> Outcome<()> {
        let Some(since) = self.memory.unsigned_since else {
            return Ok(());
        };
        let signed = match &self.memory.signed {
            Some(tree) => tree.size(),
            None => self.memory.signed_tree(self.conn)?.size(),
        };
        // The first entry is signed with it: a record without any signature is never an honest one.
        if signed == 0 || self.head.seq >= signed + SIGN_ENTRIES || since.elapsed() >= SIGN_AFTER {
            return self.sign_checkpoint();
        }
        Ok(())
    }

    /// Signs everything written so far, those of other processes too, if there is anything new.
    pub(super) fn sign_checkpoint(&mut self) -> Outcome<()> {
        let mut tree = self.memory.signed_tree(self.conn)?;
        if tree.size() > self.head.seq {
            return Err(Fault::Fatal(StoreError::Corrupt(format!(
                "the audit was signed up to entry {} and ends at {}",
                tree.size(),
                self.head.seq
            ))));
        }
        if tree.size() < self.head.seq {
            let mut rows = self
                .conn
                .prepare_cached("SELECT seq, hash FROM audit WHERE seq > ?1 ORDER BY seq")?;
            let mut rows = rows.query([tree.size().cast_signed()])?;
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                if seq.cast_unsigned() != tree.size() + 1 {
                    return Err(Fault::Fatal(StoreError::Corrupt(format!(
                        "audit entry {} is missing",
                        tree.size() + 1
                    ))));
                }
                tree.push(&row.get(1)?);
            }
            let checkpoint = note::sign(self.signer, &tree);
            self.conn
                .prepare_cached("INSERT INTO checkpoint(size, note, tree) VALUES (?1, ?2, ?3)")?
                .execute((tree.size().cast_signed(), &checkpoint.note, tree.to_bytes()))?;
            self.memory.signed_notes.push(checkpoint.note);
        }
        self.memory.signed = Some(tree);
        self.memory.unsigned_since = None;
        Ok(())
    }
}

/// Random salts, 16 bytes each.
pub(super) fn salts(n: usize) -> Outcome<Vec<u8>> {
    let mut salts = vec![0; n * 16];
    getrandom::fill(&mut salts).map_err(|error| Fault::Fatal(StoreError::Io(error.to_string())))?;
    Ok(salts)
}
