//! The trait, method by method: each is one closure for the writer, or one short read.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Counts, Order, OrderDraft};
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, NextDue, ReadyJob, Settlement,
    Spent, StagedJob, Store, StoreError,
};

use super::intake::Staged;
use super::settle::Settled;
use super::{SqliteStore, read, record};

/// A plan that nobody accepted is swept after this long, and a record of spending is forgotten.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl SqliteStore {
    async fn drop_rows(&self, order: OrderKey) -> Result<(), StoreError> {
        while self.write(256, move |txn| txn.drop_chunk(order)).await? {}
        Ok(())
    }

    async fn cancel_rows(&self, order: OrderKey) -> Result<u64, StoreError> {
        let mut after = None;
        let mut cancelled = 0;
        loop {
            let (end, count) = self
                .write(256, move |txn| txn.cancel_chunk(order, after))
                .await?;
            cancelled += count;
            if end.is_none() {
                return Ok(cancelled);
            }
            after = end;
        }
    }
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a path to the method is for one lifetime only"
)]
#[async_trait]
impl Store for SqliteStore {
    async fn begin(&self, draft: OrderDraft) -> Result<OrderKey, StoreError> {
        self.write(1, move |txn| txn.begin_order(&draft)).await
    }

    async fn stage(&self, order: OrderKey, jobs: Vec<StagedJob>) -> Result<(), StoreError> {
        let jobs = jobs
            .into_iter()
            .map(Staged::new)
            .collect::<Result<Vec<_>, _>>()?;
        self.write(jobs.len(), move |txn| txn.stage(order, &jobs))
            .await
    }

    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError> {
        self.write(1, move |txn| txn.accept(order, &acceptance))
            .await
    }

    async fn discard(&self, order: OrderKey) -> Result<(), StoreError> {
        self.write(1, move |txn| txn.drop_staged(order)).await?;
        self.drop_rows(order).await
    }

    async fn record_denied(&self, act: Act) -> Result<(), StoreError> {
        self.write(1, move |txn| txn.append_act(&act, &[], ""))
            .await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        let mut rescued = 0;
        loop {
            let count = self.write(256, |txn| txn.rescue()).await?;
            if count == 0 {
                break;
            }
            rescued += count;
        }
        self.finish_cancels().await?;
        let day_ago = self.clock.now().checked_sub(DAY).unwrap_or(Timestamp::MIN);
        let abandoned = self
            .write(1, move |txn| {
                txn.forget_spending(day_ago)?;
                txn.abandoned(day_ago)
            })
            .await?;
        for order in abandoned {
            self.write(1, move |txn| txn.drop_staged(order)).await?;
            self.drop_rows(order).await?;
        }
        Ok(rescued)
    }

    async fn open_orders(&self) -> Result<Vec<Order>, StoreError> {
        self.read(read::open_orders).await
    }

    async fn change_mark(&self) -> Result<u64, StoreError> {
        self.write(1, |txn| Ok(txn.memory.change_mark())).await
    }

    async fn peek(
        &self,
        order: OrderKey,
        provider: &ProviderName,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        let provider = provider.clone();
        self.read(move |conn| read::peek(conn, order, &provider, after, limit))
            .await
    }

    async fn wake(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        let provider = provider.clone();
        self.write(limit, move |txn| txn.wake(&provider, now, limit))
            .await
    }

    async fn next_due(&self, provider: &ProviderName) -> Result<NextDue, StoreError> {
        let provider = provider.clone();
        self.read(move |conn| read::next_due(conn, &provider)).await
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        self.write(claims.len(), move |txn| txn.claim(&claims))
            .await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let settled = settlements
            .into_iter()
            .map(Settled::new)
            .collect::<Result<Vec<_>, _>>()?;
        self.write(settled.len(), move |txn| txn.settle(&settled))
            .await
    }

    async fn evidence_due(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
        in_flight: &[JobKey],
    ) -> Result<Vec<EvidenceDue>, StoreError> {
        let provider = provider.clone();
        let in_flight = in_flight.to_vec();
        self.read(move |conn| read::evidence_due(conn, &provider, now, limit, &in_flight))
            .await
    }

    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError> {
        self.write(readings.len(), move |txn| txn.record_evidence(&readings))
            .await
    }

    async fn was_resolved(
        &self,
        provider: &ProviderName,
        spellings: &[String],
    ) -> Result<Vec<bool>, StoreError> {
        let provider = provider.clone();
        let spellings = spellings.to_vec();
        self.write(1, move |txn| txn.was_resolved(&provider, &spellings))
            .await
    }

    async fn spent(
        &self,
        provider: &ProviderName,
        since: Timestamp,
    ) -> Result<Vec<Spent>, StoreError> {
        let provider = provider.clone();
        self.read(move |conn| read::spent(conn, &provider, since))
            .await
    }

    async fn load_lane(&self, provider: &ProviderName) -> Result<Option<String>, StoreError> {
        let provider = provider.clone();
        self.read(move |conn| read::load_lane(conn, &provider))
            .await
    }

    async fn save_lane(&self, provider: &ProviderName, memory: String) -> Result<(), StoreError> {
        let provider = provider.clone();
        self.write(1, move |txn| txn.save_lane(&provider, &memory))
            .await
    }

    async fn pause(&self, order: OrderKey, why: String, act: Act) -> Result<(), StoreError> {
        self.write(1, move |txn| txn.pause(order, &why, &act)).await
    }

    async fn release(&self, order: OrderKey, act: Act) -> Result<(), StoreError> {
        self.write(1, move |txn| txn.release(order, &act)).await
    }

    async fn unpark(&self, order: Option<OrderKey>, act: Act) -> Result<u64, StoreError> {
        let mut after = None;
        let mut freed = 0;
        loop {
            let act = act.clone();
            let (end, count) = self
                .write(256, move |txn| txn.unpark_chunk(order, after, &act))
                .await?;
            freed += count;
            if end.is_none() {
                return Ok(freed);
            }
            after = end;
        }
    }

    async fn cancel(&self, order: OrderKey, act: Act) -> Result<u64, StoreError> {
        self.write(1, move |txn| txn.call_off(order, &act)).await?;
        self.cancel_rows(order).await
    }

    async fn finish_cancels(&self) -> Result<u64, StoreError> {
        let mut cancelled = 0;
        for order in self.write(1, |txn| txn.cancelling()).await? {
            cancelled += self.cancel_rows(order).await?;
        }
        Ok(cancelled)
    }

    async fn order(&self, id: OrderId) -> Result<Order, StoreError> {
        self.read(move |conn| read::order(conn, id)).await
    }

    async fn orders(
        &self,
        before: Option<OrderKey>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        self.read(move |conn| read::orders(conn, before, limit))
            .await
    }

    async fn jobs(
        &self,
        order: OrderKey,
        states: &[JobState],
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let states = states.to_vec();
        self.read(move |conn| read::jobs(conn, order, &states, after, limit))
            .await
    }

    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
        self.read(move |conn| read::counts(conn, order)).await
    }

    async fn recount(&self, order: OrderKey) -> Result<Counts, StoreError> {
        self.read(move |conn| read::recount(conn, order)).await
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |conn| record::audit(conn, after, limit))
            .await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.read(record::checkpoints).await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        self.write(1, |txn| {
            // Who asks for one has nothing to write for a moment: the log is folded at once, while its caller reports.
            txn.memory.at_rest = true;
            txn.sign_checkpoint()
        })
        .await
    }
}
