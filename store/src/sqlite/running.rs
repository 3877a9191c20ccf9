//! What the writer knows of the jobs it has claimed and settled itself, so that what comes next need not ask for it
//! again. Nothing here decides: a change is written only where the row still is what it must be.

use std::collections::HashMap;

use rescind_core::audit::entry::Hash;

/// So many are remembered; a lane has some thousands in flight, and whoever is forgotten is read from the database.
const MOST: usize = 65_536;

/// A running job, as its rows say.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) token: i64,
    pub(super) provider: i64,
    pub(super) binding: i64,
    pub(super) attempts: u32,
    pub(super) calls: bool,
    /// Whether it ends everything.
    pub(super) whole: bool,
    pub(super) started_at: Option<i64>,
    pub(super) account: Account,
    /// The audit's commitment to its subject, where that was not erased.
    pub(super) subject: Option<Hash>,
}

/// Whom a job is about, as far as that is known.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The immutable id.
    pub(super) id: Option<String>,
    /// The name as it is stored: none where the subject is written the same.
    pub(super) name: Option<String>,
}

/// The running jobs by number.
#[derive(Debug, Default)]
pub(super) struct Runs(HashMap<u64, Running>);

impl Runs {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn begin(&mut self, job: u64, running: Running) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(job, running);
    }

    /// What is known of the job's attempt with this token.
    pub(super) fn end(&mut self, job: u64, token: i64) -> Option<Running> {
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
