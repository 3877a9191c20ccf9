//! The durable side, as the planner, the engine and the reports see it.
//!
//! The traits speak of the work, not of rows. Every method takes or returns a batch, is one transaction, and hands out
//! no transaction, query or iterator, so a store can group calls into one sync and another store can be written
//! without SQL. A method that returns `Ok` has synced what it wrote; what it refuses it has not written at all.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{AuditEntry, Checkpoint};
use crate::id::{JobKey, OrderId, OrderKey, ProviderName, Token};
use crate::job::{Job, JobState, Resolved, WaitReason};
use crate::order::{Actor, Binding, Counts, Order, OrderDraft};
use crate::provider::Scope;
use crate::report::{Detail, EvidenceState};

/// Why the store did not do it. Any of them stops the engine: no claim, nothing reported that was not synced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk that holds the state folder is full")]
    Full,
    /// Reading or writing failed.
    #[error("the state folder cannot be read or written: {0}")]
    Io(String),
    /// What is there is not what we wrote.
    #[error("the state folder is damaged: {0}")]
    Corrupt(String),
    /// A setting or version that durability rests on is not as it must be.
    #[error("the database cannot be trusted with this work: {0}")]
    Unsafe(String),
    /// No such order.
    #[error("there is no order {0}; `rescind orders list` shows them")]
    NoSuchOrder(OrderId),
    /// The order is no longer a plan.
    #[error("the plan is no longer staged: it was accepted, dropped, or swept after a day")]
    NotStaged,
    /// The order was not accepted.
    #[error("the order was never accepted")]
    NotAccepted,
    /// What was staged is not what was said yes to.
    #[error("the plan has {planned} jobs and {staged} were staged; nothing was accepted")]
    PlanMismatch {
        /// In the plan.
        planned: u64,
        /// In the store.
        staged: u64,
    },
    /// The folder belongs to the sandbox, or to other tenants.
    #[error("{0}")]
    Foreign(String),
}

/// Where orders, jobs, outcomes and the audit live.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    // --- planning ---

    /// Begins a staged order that no lane can claim and no report shows.
    async fn begin(&self, draft: OrderDraft) -> Result<OrderKey, StoreError>;

    /// Adds jobs to a staged order. They are numbered from 0 in the order they come. Need not be synced: acceptance
    /// syncs it all.
    async fn stage(&self, order: OrderKey, jobs: Vec<StagedJob>) -> Result<(), StoreError>;

    /// Makes a staged order live: one small synced transaction with its audit entry. Answers the instant T.
    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError>;

    /// Drops a staged order that the person did not want.
    async fn discard(&self, order: OrderKey) -> Result<(), StoreError>;

    /// Records that a guard refused a plan, or that a person's act was denied.
    async fn record_denied(&self, act: Act) -> Result<(), StoreError>;

    // --- working: one process at a time, under the engine lock ---

    /// At the start of a worker: jobs that a dead worker left running become waiting (unknown), due now; staged orders
    /// nobody accepted for a day are swept. Answers how many jobs were rescued.
    async fn recover(&self) -> Result<u64, StoreError>;

    /// The accepted orders that are not finished, urgent ones first, then by acceptance.
    async fn open_orders(&self) -> Result<Vec<Order>, StoreError>;

    /// A number that changes when another process has written.
    async fn change_mark(&self) -> Result<u64, StoreError>;

    /// The next pending jobs of an order at a provider, by number, strictly after `after`. Claims nothing.
    async fn peek(
        &self,
        order: OrderKey,
        provider: &ProviderName,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError>;

    /// Waiting jobs at a provider whose time has come, oldest first, made pending again in passing. Jobs
    /// of paused or cancelled orders are left alone. Each carries why it waited.
    async fn wake(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError>;

    /// When the next waiting job of a provider is due, and when the next evidence is.
    async fn next_due(&self, provider: &ProviderName) -> Result<NextDue, StoreError>;

    /// Makes pending jobs running: attempt number, token and one audit entry for the group, synced. One answer for
    /// each claim, in order. `spend` is what the attempts will draw from the lane's budgets, so that a restart knows.
    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError>;

    /// Writes outcomes and their audit entries together, synced. One answer for each: whether the token still held.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError>;

    /// Confirmed jobs at a provider whose evidence is due, oldest first, leaving out `in_flight`.
    async fn evidence_due(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
        in_flight: &[JobKey],
    ) -> Result<Vec<EvidenceDue>, StoreError>;

    /// Records what evidence reads showed, synced.
    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError>;

    /// For each spelling or id: whether a subject of this provider was once resolved by it (durable, all orders).
    async fn was_resolved(
        &self,
        provider: &ProviderName,
        spellings: &[String],
    ) -> Result<Vec<bool>, StoreError>;

    /// What was spent at a provider since an instant, by second and budget.
    async fn spent(
        &self,
        provider: &ProviderName,
        since: Timestamp,
    ) -> Result<Vec<Spent>, StoreError>;

    /// The lane's own memory (pace, pause), as the lane wrote it last.
    async fn load_lane(&self, provider: &ProviderName) -> Result<Option<String>, StoreError>;

    /// Keeps the lane's memory. Durable when it returns.
    async fn save_lane(&self, provider: &ProviderName, memory: String) -> Result<(), StoreError>;

    // --- acts of a person ---

    /// Puts an order on hold until a person releases it.
    async fn pause(&self, order: OrderKey, why: String, act: Act) -> Result<(), StoreError>;

    /// Releases a paused order.
    async fn release(&self, order: OrderKey, act: Act) -> Result<(), StoreError>;

    /// Makes the parked jobs of an order (or of all of them) pending again, except those of a cancelled order. A job
    /// whose last attempt is of unknown outcome stays so. Each group has its entry in the audit. Answers how many.
    async fn unpark(&self, order: Option<OrderKey>, act: Act) -> Result<u64, StoreError>;

    /// Calls an order off: claims refuse at once, then its pending, waiting and parked jobs become cancelled.
    /// Answers how many.
    async fn cancel(&self, order: OrderKey, act: Act) -> Result<u64, StoreError>;

    /// Finishes the cancellations whose process died half way: what is still pending, waiting or parked in a cancelled
    /// order becomes cancelled. Answers how many.
    async fn finish_cancels(&self) -> Result<u64, StoreError>;

    // --- reading ---

    /// One order.
    async fn order(&self, id: OrderId) -> Result<Order, StoreError>;

    /// Accepted orders, newest first.
    async fn orders(
        &self,
        before: Option<OrderKey>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError>;

    /// Jobs of an order by number, strictly after `after`, optionally only those in the given states.
    async fn jobs(
        &self,
        order: OrderKey,
        states: &[JobState],
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError>;

    /// Counts by provider, for progress.
    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError>;

    /// Recounts an order from its jobs, trusting no counter: the books of `rescind verify`.
    async fn recount(&self, order: OrderKey) -> Result<Counts, StoreError>;

    /// Audit entries by sequence, strictly after `after`, with those openings that were not erased.
    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError>;

    /// All signed checkpoints, oldest first.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError>;

    /// Signs a checkpoint over everything written so far, if there is anything new. Also done by itself every 1,000
    /// entries or second of work.
    async fn checkpoint(&self) -> Result<(), StoreError>;
}

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

/// Whether the open orders still mean the tenants that are configured now.
///
/// # Errors
/// The first binding that no longer holds, as a sentence with what to do.
pub fn check_bindings(orders: &[Order], now: &[Binding]) -> Result<(), String> {
    for order in orders {
        for bound in &order.bindings {
            match now.iter().find(|b| b.provider == bound.provider) {
                Some(b) if b == bound => {}
                Some(b) => {
                    return Err(format!(
                        "order {} was accepted for {} {} of {}, and the configuration now points {} at {} of {}; \
                         finish or cancel the order with the configuration it was accepted under",
                        order.id,
                        bound.provider,
                        bound.kind,
                        bound.vendor_tenant,
                        b.provider,
                        b.kind,
                        b.vendor_tenant
                    ));
                }
                None => {
                    return Err(format!(
                        "order {} was accepted for the provider {}, which the configuration no longer has; \
                         put it back, or cancel the order",
                        order.id, bound.provider
                    ));
                }
            }
        }
    }
    Ok(())
}
