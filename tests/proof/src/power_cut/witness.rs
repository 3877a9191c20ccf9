//! Hears everything that the store answers, and with it what anybody could have been told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Counts, Order, OrderDraft};
use rescind_core::report::EvidenceState;
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, NextDue, ReadyJob, Settlement,
    Spent, StagedJob, Store, StoreError,
};
use rescind_power_cut::Disk;

use super::hourglass::Watch;
use super::passing::passing_store;

/// What was answered while there was power. All of it must be there when the power is back.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Accepted orders: how many jobs, and T.
    pub(super) accepted: BTreeMap<OrderKey, (u64, Timestamp)>,
    /// Jobs that came to an end.
    pub(super) ended: BTreeMap<JobKey, JobState>,
    /// Evidence that came to an end.
    pub(super) evidence: BTreeMap<JobKey, EvidenceState>,
    /// How often a job was given leave to call.
    pub(super) calls: BTreeMap<JobKey, u64>,
    /// Jobs with leave to call that were not settled: what is in flight.
    pub(super) in_flight: BTreeSet<JobKey>,
    /// The most that was counted of an order, by provider.
    pub(super) counts: BTreeMap<(OrderKey, ProviderName), Counts>,
}

/// A store that writes down what it was heard to say.
#[derive(Debug)]
pub(super) struct Witness {
    inner: Arc<dyn Store>,
    disk: Disk,
    told: Arc<Mutex<Told>>,
    watch: Watch,
}

impl Witness {
    pub(super) fn new(
        inner: Arc<dyn Store>,
        disk: Disk,
        told: Arc<Mutex<Told>>,
        watch: Watch,
    ) -> Self {
        Self {
            inner,
            disk,
            told,
            watch,
        }
    }

    /// Nobody hears anything after the power has failed.
    fn hear(&self, what: impl FnOnce(&mut MutexGuard<'_, Told>)) {
        self.disk
            .while_alive(|| what(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    async fn ask<A: Future>(&self, answer: A) -> A::Output {
        self.watch.hold(answer).await
    }
}

passing_store!(Witness {
    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError> {
        let jobs = acceptance.jobs;
        let at = self.ask(self.inner.accept(order, acceptance)).await?;
        self.hear(|told| {
            told.accepted.insert(order, (jobs, at));
        });
        Ok(at)
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        let wishes: Vec<(JobKey, bool)> = claims.iter().map(|c| (c.job, c.calls)).collect();
        let claimed = self.ask(self.inner.claim(claims)).await?;
        self.hear(|told| {
            for ((job, calls), claimed) in wishes.into_iter().zip(&claimed) {
                if calls && matches!(claimed, Claimed::Running { .. }) {
                    *told.calls.entry(job).or_default() += 1;
                    told.in_flight.insert(job);
                }
            }
        });
        Ok(claimed)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let next: Vec<(JobKey, JobState)> =
            settlements.iter().map(|s| (s.job, s.next.state())).collect();
        let held = self.ask(self.inner.settle(settlements)).await?;
        self.hear(|told| {
            for ((job, state), held) in next.into_iter().zip(&held) {
                if *held {
                    told.in_flight.remove(&job);
                    if state.is_terminal() {
                        told.ended.insert(job, state);
                    }
                }
            }
        });
        Ok(held)
    }

    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError> {
        let ended: Vec<_> = readings
            .iter()
            .filter(|reading| reading.state != EvidenceState::Pending)
            .map(|reading| (reading.job, reading.state))
            .collect();
        self.ask(self.inner.record_evidence(readings)).await?;
        self.hear(|told| told.evidence.extend(ended));
        Ok(())
    }

    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
        let counts = self.ask(self.inner.counts(order)).await?;
        self.hear(|told| {
            for (provider, counts) in &counts {
                told.counts.insert((order, provider.clone()), *counts);
            }
        });
        Ok(counts)
    }
});
