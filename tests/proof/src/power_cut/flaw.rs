//! Stores that break one rule on purpose: the judge must find each of them out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName, Token};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Counts, Order, OrderDraft};
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, NextDue, ReadyJob, Settlement,
    Spent, StagedJob, Store, StoreError,
};
use tokio::task::JoinHandle;

use super::passing::passing_store;

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Nothing: the product as it is.
    #[default]
    None,
    /// Commits are not synced: `synchronous=NORMAL`.
    Normal,
    /// Outcomes are told before they are committed.
    OutcomeBeforeCommit,
    /// Calls leave before their intent is committed.
    CallBeforeIntent,
}

/// A store that answers before the one behind it has.
#[derive(Debug)]
pub(super) struct Hasty {
    inner: Arc<dyn Store>,
    flaw: Flaw,
    /// Claims that were answered and are still being written.
    claims: Mutex<BTreeMap<JobKey, JoinHandle<Option<Token>>>>,
}

impl Hasty {
    pub(super) fn new(inner: Arc<dyn Store>, flaw: Flaw) -> Self {
        Self {
            inner,
            flaw,
            claims: Mutex::default(),
        }
    }

    #[expect(clippy::unused_self, reason = "as a store's own method")]
    fn ask<A>(&self, answer: A) -> A {
        answer
    }

    /// Says yes, and then begins to write.
    fn claim_later(&self, claim: Claim) -> Claimed {
        let (job, inner) = (claim.job, Arc::clone(&self.inner));
        let writing = tokio::spawn(async move {
            match inner.claim(vec![claim]).await.ok()?.pop()? {
                Claimed::Running { token, .. } => Some(token),
                _ => None,
            }
        });
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.insert(job, writing);
        Claimed::Running {
            token: Token(0),
            attempt: 1,
            started_at: Timestamp::MIN,
        }
    }
}

passing_store!(Hasty {
    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError> {
        self.inner.accept(order, acceptance).await
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        if self.flaw != Flaw::CallBeforeIntent {
            return self.inner.claim(claims).await;
        }
        Ok(claims
            .into_iter()
            .map(|claim| self.claim_later(claim))
            .collect())
    }

    async fn settle(&self, mut settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        for settlement in &mut settlements {
            let writing = self
                .claims
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&settlement.job);
            if let Some(writing) = writing
                && let Ok(Some(token)) = writing.await
            {
                settlement.token = token;
            }
        }
        if self.flaw != Flaw::OutcomeBeforeCommit {
            return self.inner.settle(settlements).await;
        }
        let answer = vec![true; settlements.len()];
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move { inner.settle(settlements).await });
        Ok(answer)
    }

    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError> {
        self.inner.record_evidence(readings).await
    }

    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
        self.inner.counts(order).await
    }
});
