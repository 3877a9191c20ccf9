//! The durable side, as the planner, the engine and the reports see it.
//!
//! The traits speak of the work, not of rows. Every method takes or returns a batch, is one transaction, and hands out
//! no transaction, query or iterator, so a store can group calls into one sync and another store can be written
//! without SQL. A method that returns `Ok` has synced what it wrote; what it refuses it has not written at all.

mod records;

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::audit::{AuditEntry, Checkpoint};
use crate::id::{JobKey, OrderId, OrderKey, ProviderName};
use crate::job::{Job, JobState};
use crate::order::{Binding, Counts, Order, OrderDraft};

pub use records::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, Next, NextDue, Purpose,
    ReadyJob, Settlement, Spent, StagedJob,
};

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
    /// A setting or version that durability rests on is not as it must be, or a process works on it that must not while
    /// its form changes.
    #[error("this state folder cannot be worked on: {0}")]
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
