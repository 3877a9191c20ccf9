//! What the writer knows of the jobs it has claimed and settled itself, so that what comes next need not ask for it
//! again. Nothing here decides: a change is written only where the row still is what it must be.

use std::collections::HashMap;
use std::fmt;

use rescind_core::job::Resolved;
use rusqlite::Row;

use super::rows::SqlResult;

/// So many are remembered; a lane has some thousands in flight, and whoever is forgotten is read from the database.
const MOST: usize = 65_536;

/// The columns that [`OpenJob::read`] reads, of `open AS o JOIN job AS j`.
pub(super) const OPEN_JOB: &str = "o.token, o.provider, o.binding, o.attempts, o.calls, j.scope IS NULL, o.started_at, \
    coalesce(o.resolved_id, j.resolved_id), coalesce(o.resolved_name, j.resolved_name), j.resolved_name IS NOT NULL, \
    j.subject, j.alias, j.salt";

/// A job that is to be claimed or runs, as its rows say.
pub(super) struct OpenJob {
    pub(super) token: i64,
    pub(super) provider: i64,
    pub(super) binding: i64,
    pub(super) attempts: u32,
    pub(super) calls: bool,
    /// Whether it ends everything.
    pub(super) whole: bool,
    pub(super) started_at: Option<i64>,
    pub(super) account: Account,
    /// Whether planning has left a name, which every later one must then be told apart from.
    pub(super) has_planned_name: bool,
    /// As given, where that was not erased.
    pub(super) subject: Option<String>,
    pub(super) alias: Option<String>,
    /// Of the audit's commitment to the subject.
    pub(super) salt: Vec<u8>,
}

impl OpenJob {
    pub(super) fn read(row: &Row<'_>) -> SqlResult<Self> {
        Ok(Self {
            token: row.get(0)?,
            provider: row.get(1)?,
            binding: row.get(2)?,
            attempts: row.get(3)?,
            calls: row.get(4)?,
            whole: row.get(5)?,
            started_at: row.get(6)?,
            account: Account {
                id: row.get(7)?,
                name: row.get(8)?,
            },
            has_planned_name: row.get(9)?,
            subject: row.get(10)?,
            alias: row.get(11)?,
            salt: row.get(12)?,
        })
    }

    /// Takes in whom a claim is about.
    pub(super) fn resolve(&mut self, resolved: &Resolved) {
        let said = !self.has_planned_name && self.subject.as_ref() == Some(&resolved.name);
        self.account = Account {
            id: Some(resolved.id.clone()),
            name: (!said).then(|| resolved.name.clone()),
        };
    }
}

impl fmt::Debug for OpenJob {
    /// Names nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenJob")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// Whom a job is about, as far as that is known.
#[derive(Default)]
pub(super) struct Account {
    /// The immutable id.
    pub(super) id: Option<String>,
    /// The name as it is stored: none where the subject is written the same.
    pub(super) name: Option<String>,
}

/// The running jobs by number.
#[derive(Debug, Default)]
pub(super) struct Runs(HashMap<u64, OpenJob>);

impl Runs {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn begin(&mut self, job: u64, running: OpenJob) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(job, running);
    }

    /// What is known of the job's attempt with this token.
    pub(super) fn end(&mut self, job: u64, token: i64) -> Option<OpenJob> {
        self.0.remove(&job).filter(|run| run.token == token)
    }
}

/// Where the evidence of a job belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) provider: i64,
    pub(super) binding: i64,
}

/// The jobs whose evidence is to be read, by number.
#[derive(Debug, Default)]
pub(super) struct Proofs(HashMap<u64, Proof>);

impl Proofs {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn begin(&mut self, job: u64, proof: Proof) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(job, proof);
    }

    pub(super) fn get(&self, job: u64) -> Option<Proof> {
        self.0.get(&job).copied()
    }

    pub(super) fn end(&mut self, job: u64) {
        self.0.remove(&job);
    }
}
