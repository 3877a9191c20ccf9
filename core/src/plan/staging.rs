//! Puts the jobs of a plan into the store as they come, and counts and hashes what it puts there.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::error::PlanError;
use super::hash::PlanHash;
use crate::engine::fleet::Fleet;
use crate::id::OrderKey;
use crate::order::OrderDraft;
use crate::store::{StagedJob, Store, StoreError};

/// How many jobs go into the store at once: few at first, so that it does not wait for the first ones, and twice as many
/// each time.
const FIRST_CHUNK: usize = 512;
const LARGEST_CHUNK: usize = 4_096;

/// A staged order that grows.
pub(super) struct Staging {
    store: Arc<dyn Store>,
    fleet: Arc<Fleet>,
    draft: OrderDraft,
    dry_run: bool,
    began: Option<Began>,
    chunk: Vec<StagedJob>,
    chunk_size: usize,
    /// The chunk before, on its way into the store while the next one is filled.
    writing: Option<JoinHandle<Result<(), StoreError>>>,
    counts: Vec<TargetCount>,
}

struct Began {
    order: Option<OrderKey>,
    binding_of: Vec<Option<u16>>,
    hash: PlanHash,
}

/// What was staged for one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TargetCount {
    pub(super) jobs: u64,
    pub(super) refused: u64,
    pub(super) resolved: u64,
}

impl Staging {
    pub(super) fn new(
        store: Arc<dyn Store>,
        fleet: Arc<Fleet>,
        draft: OrderDraft,
        dry_run: bool,
    ) -> Self {
        let counts = vec![TargetCount::default(); fleet.members().len()];
        Self {
            store,
            fleet,
            draft,
            dry_run,
            began: None,
            chunk: Vec::new(),
            chunk_size: FIRST_CHUNK,
            writing: None,
            counts,
        }
    }

    /// Begins the order, bound to these providers.
    pub(super) async fn begin(&mut self, targets: &[u16]) -> Result<(), StoreError> {
        let members = self.fleet.members();
        let mut binding_of = vec![None; members.len()];
        self.draft.bindings.clear();
        for (binding, target) in targets.iter().enumerate() {
            let member = &members[usize::from(*target)];
            binding_of[usize::from(*target)] = u16::try_from(binding).ok();
            self.draft.bindings.push(member.binding());
        }
        let hash = PlanHash::new(&self.draft.bindings);
        let order = if self.dry_run {
            None
        } else {
            Some(self.store.begin(self.draft.clone()).await?)
        };
        self.began = Some(Began {
            order,
            binding_of,
            hash,
        });
        Ok(())
    }

    /// Adds a job.
    ///
    /// # Errors
    /// A target that the order is not bound to: nobody is dropped without a word.
    pub(super) async fn add(&mut self, target: u16, mut job: StagedJob) -> Result<(), PlanError> {
        let bound = self.began.as_mut().and_then(|began| {
            let binding = began.binding_of[usize::from(target)]?;
            Some((began, binding))
        });
        let Some((began, binding)) = bound else {
            let name = &self.fleet.members()[usize::from(target)].name;
            let message = format!("the order names other providers than {name}");
            return Err(PlanError::input(message));
        };
        job.binding = binding;
        began.hash.add(&job);
        let count = &mut self.counts[usize::from(target)];
        count.jobs += 1;
        count.refused += u64::from(job.refused.is_some());
        count.resolved += u64::from(job.resolved.is_some());
        if began.order.is_none() {
            return Ok(());
        }
        self.chunk.push(job);
        if self.chunk.len() < self.chunk_size {
            return Ok(());
        }
        self.chunk_size = (2 * self.chunk_size).min(LARGEST_CHUNK);
        Ok(self.flush().await?)
    }

    /// Puts the last jobs into the store, and answers the plan hash.
    pub(super) async fn finish(&mut self) -> Result<String, StoreError> {
        self.flush().await?;
        self.written().await?;
        let began = self.began.as_ref();
        Ok(began
            .map(|began| began.hash.clone().finish())
            .unwrap_or_default())
    }

    /// Drops what was staged.
    pub(super) async fn discard(&mut self) -> Result<(), StoreError> {
        self.chunk.clear();
        // What the store said to the last chunk does not matter to an order that is dropped.
        let _ = self.written().await;
        match self.began.take().and_then(|began| began.order) {
            Some(order) => self.store.discard(order).await,
            None => Ok(()),
        }
    }

    pub(super) fn order(&self) -> Option<OrderKey> {
        self.began.as_ref()?.order
    }

    pub(super) fn counts(&self) -> &[TargetCount] {
        &self.counts
    }

    pub(super) fn jobs(&self) -> u64 {
        self.counts.iter().map(|count| count.jobs).sum()
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.written().await?;
        let chunk = std::mem::take(&mut self.chunk);
        if let Some(order) = self.order()
            && !chunk.is_empty()
        {
            let store = Arc::clone(&self.store);
            self.writing = Some(tokio::spawn(async move { store.stage(order, chunk).await }));
        }
        Ok(())
    }

    /// Waits until the last chunk is in the store.
    async fn written(&mut self) -> Result<(), StoreError> {
        match self.writing.take() {
            Some(writing) => writing
                .await
                .unwrap_or_else(|_| Err(StoreError::Io("staging was cut short".to_owned()))),
            None => Ok(()),
        }
    }
}
