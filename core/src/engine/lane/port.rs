//! The lane as the requests of a call see it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::Lane;
use super::queue::Wish;
use crate::budget::Cost;
use crate::context::{LanePort, Observation, Priority};
use crate::error::Error;

/// The lane as a call sees it that only reads: its later requests are reads like the first one. Those of every other call
/// may be writes of its procedure, and are taken for that.
#[derive(Debug)]
struct Reads(Lane);

impl Lane {
    /// What a call pays through that only reads.
    pub(crate) fn for_reads(&self) -> Arc<dyn LanePort> {
        Arc::new(Reads(self.clone()))
    }

    async fn pay_for(&self, wish: Wish) -> Result<(), Error> {
        match self.serve(wish).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(fault.to_error()),
        }
    }
}

#[async_trait]
impl LanePort for Lane {
    async fn pay(&self, cost: &Cost, priority: Priority) -> Result<(), Error> {
        self.pay_for(Wish::of_later_write(*cost, priority)).await
    }

    fn observe(&self, observation: Observation) {
        let now = self.now();
        let wall = self.inner.clock.now();
        let mut desk = self.desk();
        match observation {
            Observation::ProviderTime(theirs) => {
                desk.offset.sample(now, wall, theirs);
                if !desk.pacer.is_probing() {
                    return;
                }
                desk.pacer.heard(now);
            }
            Observation::Load(used) => desk.pacer.load(now, used),
            Observation::Throttled { after } => desk.pacer.throttled(now, None, after),
            Observation::BudgetIs { budget, units } => desk.pacer.budget_is(now, budget, units),
        }
        desk.refresh(now);
        self.tell(desk);
    }

    fn shut_at(&self) -> Option<Instant> {
        let shut = self.desk().pacer.shut_at()?;
        Some(self.inner.opened + shut)
    }
}

#[async_trait]
impl LanePort for Reads {
    async fn pay(&self, cost: &Cost, priority: Priority) -> Result<(), Error> {
        self.0.pay_for(Wish::of_later_read(*cost, priority)).await
    }

    fn observe(&self, observation: Observation) {
        self.0.observe(observation);
    }

    fn shut_at(&self) -> Option<Instant> {
        self.0.shut_at()
    }
}
