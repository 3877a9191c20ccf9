//! What goes into a store and comes out of it: acts, claims, settlements, what is due and what was spent.

use std::sync::Arc;

use jiff::Timestamp;

use crate::id::{JobKey, OrderId, ProviderName, Token};
use crate::job::{JobState, Resolved, WaitReason};
use crate::order::Actor;
use crate::provider::Scope;
use crate::report::{Detail, EvidenceState};

/// A person's act, or the engine's own, for the audit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// What was done, in snake case: `order_cancelled`.
    pub action: &'static str,
    /// Why.
    pub note: Option<String>,
    /// About which order, where it is about one.
    pub order: Option<OrderId>,
    /// What came of it, where that is more than "done".
    pub outcome: Option<String>,
}

impl Act {
    /// An act.
    pub fn new(actor: Actor, action: &'static str) -> Self {
        Self {
            actor,
            action,
            note: None,
            order: None,
            outcome: None,
        }
    }

    /// With its reason.
    #[must_use]
    pub fn because(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// About an order.
    #[must_use]
    pub fn about(mut self, order: OrderId) -> Self {
        self.order = Some(order);
        self
    }
}

/// A job as it is staged.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StagedJob {
    /// The subject as given.
    pub subject: String,
    /// The provider's own identifier for the person, where the input had one.
    pub alias: Option<String>,
    /// Where: an index into the draft's bindings.
    pub binding: u16,
    /// What shall end.
    pub scope: Scope,
    /// The account, where planning resolved it.
    pub resolved: Option<Resolved>,
    /// Set when planning already knows that it is refused; the audit entry of the refusal is written at acceptance.
    pub refused: Option<Detail>,
}

impl StagedJob {
    /// A job for one subject at one of the draft's providers.
    pub fn new(subject: impl Into<String>, binding: u16) -> Self {
        Self {
            subject: subject.into(),
            alias: None,
            binding,
            scope: Scope::Everything,
            resolved: None,
            refused: None,
        }
    }
}

/// What makes a staged order live.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Acceptance {
    /// The hash of what the person said yes to, hexadecimal; the store keeps it and the audit holds it.
    pub plan_hash: String,
    /// How many jobs the plan has; a store that staged another number refuses.
    pub jobs: u64,
    /// How many people.
    pub people: u64,
}

impl Acceptance {
    /// A yes to a plan.
    pub fn new(plan_hash: impl Into<String>, jobs: u64, people: u64) -> Self {
        Self {
            plan_hash: plan_hash.into(),
            jobs,
            people,
        }
    }
}

/// A pending job, ready to be tried.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReadyJob {
    /// Its number.
    pub key: JobKey,
    /// The subject as given.
    pub subject: Arc<str>,
    /// The provider's own identifier for the person.
    pub alias: Option<Arc<str>>,
    /// What shall end.
    pub scope: Scope,
    /// The account, where an earlier attempt or the plan resolved it.
    pub resolved: Option<Resolved>,
    /// Attempts used so far.
    pub attempts: u32,
    /// Why it waited, if it did: after `unknown`, evidence is read first.
    pub waited: Option<WaitReason>,
    /// When the attempt of unknown outcome started.
    pub started_at: Option<Timestamp>,
    /// What earlier attempts have done, of a partial outcome.
    pub detail: Detail,
}

impl ReadyJob {
    /// A job nobody has tried.
    pub fn new(key: JobKey, subject: impl Into<Arc<str>>) -> Self {
        Self {
            key,
            subject: subject.into(),
            alias: None,
            scope: Scope::Everything,
            resolved: None,
            attempts: 0,
            waited: None,
            started_at: None,
            detail: Detail::default(),
        }
    }
}

/// A wish to run a job now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim {
    /// Which.
    pub job: JobKey,
    /// Where.
    pub provider: ProviderName,
    /// The account it is about; `None` when the job will be refused without a call. Two jobs of one account never run
    /// at once, by constraint.
    pub resolved: Option<Resolved>,
    /// What the attempt will draw from the lane's budgets.
    pub spend: Vec<(&'static str, u32)>,
    /// Whether this counts as a call: a job that is only settled (refused, shared, confirmed by evidence) passes
    /// through `running` without one.
    pub calls: bool,
    /// Whether the call leaves out steps that earlier attempts have done. The job then keeps the start of the first of
    /// them: what was done before another order's T does not speak for that order.
    pub carries_steps: bool,
}

impl Claim {
    /// A claim for a call.
    pub fn new(job: JobKey, provider: ProviderName, resolved: Option<Resolved>) -> Self {
        Self {
            job,
            provider,
            resolved,
            spend: Vec::new(),
            calls: true,
            carries_steps: false,
        }
    }

    /// A claim that only settles.
    #[must_use]
    pub fn without_call(mut self) -> Self {
        self.calls = false;
        self
    }
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It runs, under this token, since this instant.
    Running {
        /// Must be shown to settle it.
        token: Token,
        /// Its attempt number, from 1.
        attempt: u32,
        /// When the attempt started.
        started_at: Timestamp,
    },
    /// Another job of the same account is in flight: come back when it is settled.
    InFlight {
        /// That job.
        by: JobKey,
    },
    /// An attempt for the same account that started after this job's T has succeeded: take its result. Only between
    /// jobs that end everything: single items always make their own call.
    Shared {
        /// That job.
        with: JobKey,
    },
    /// It is no longer pending (cancelled, paused, or somebody was faster).
    Lost,
}

/// What became of a running job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settlement {
    /// Which.
    pub job: JobKey,
    /// The claim's token.
    pub token: Token,
    /// Where it goes.
    pub next: Next,
    /// The story of this attempt.
    pub detail: Detail,
    /// Whether the attempt counts against the job's limit.
    pub used_attempt: bool,
    /// Whether a job that is parked may have been carried out: once freed, its evidence is read before it is called.
    pub unknown: bool,
}

impl Settlement {
    /// A settlement that counts as an attempt.
    pub fn new(job: JobKey, token: Token, next: Next, detail: Detail) -> Self {
        Self {
            job,
            token,
            next,
            detail,
            used_attempt: true,
            unknown: false,
        }
    }

    /// A settlement that does not count against the job's limit.
    #[must_use]
    pub fn without_attempt(mut self) -> Self {
        self.used_attempt = false;
        self
    }
}

/// Where a running job goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The provider said so.
    Confirmed {
        /// When it is in force everywhere.
        effective_by: Timestamp,
        /// When its evidence is to be read first; `None`: never.
        evidence_due: Option<Timestamp>,
        /// Known already, when a watermark confirmed it.
        evidence: EvidenceState,
    },
    /// It was there once.
    Gone,
    /// It cannot or must not be done.
    Refused,
    /// It comes back by itself.
    Waiting {
        /// When.
        until: Timestamp,
        /// Why.
        why: WaitReason,
    },
    /// A person must look.
    Parked,
}

impl Next {
    /// The state it leads to.
    pub fn state(&self) -> JobState {
        match self {
            Self::Confirmed { .. } => JobState::Confirmed,
            Self::Gone => JobState::Gone,
            Self::Refused => JobState::Refused,
            Self::Waiting { .. } => JobState::Waiting,
            Self::Parked => JobState::Parked,
        }
    }
}

/// When something is next due at a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextDue {
    /// A waiting job.
    pub job: Option<Timestamp>,
    /// Evidence to be read.
    pub evidence: Option<Timestamp>,
}

/// Evidence that is due.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvidenceDue {
    /// The confirmed job.
    pub job: JobKey,
    /// The account's id.
    pub account_id: String,
    /// When the provider answered the revoke call, by its own clock; without it, when we sent it.
    pub revoked_at: Timestamp,
    /// When the job was confirmed, by ours.
    pub confirmed_at: Timestamp,
    /// Reads so far.
    pub reads: u32,
}

impl EvidenceDue {
    /// Evidence of a job that was not read yet.
    pub fn new(
        job: JobKey,
        account_id: impl Into<String>,
        revoked_at: Timestamp,
        confirmed_at: Timestamp,
    ) -> Self {
        Self {
            job,
            account_id: account_id.into(),
            revoked_at,
            confirmed_at,
            reads: 0,
        }
    }
}

/// What a read of evidence showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceReading {
    /// The confirmed job.
    pub job: JobKey,
    /// What it showed; [`EvidenceState::Pending`] when it must be read again.
    pub state: EvidenceState,
    /// When it is read again.
    pub due: Option<Timestamp>,
}

/// What was spent in one second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The second.
    pub at: Timestamp,
    /// Of which budget.
    pub budget: String,
    /// How much.
    pub units: u32,
}

/// What a state folder is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Whether it belongs to the sandbox.
    pub sandbox: bool,
}
