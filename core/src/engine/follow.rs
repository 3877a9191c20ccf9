//! A process that does not hold the engine lock: it follows its order through the store, and takes over when the
//! working process is gone.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::sleep;

use super::{Ended, Engine, EngineError, Goal, Remedy, Stop, run};
use crate::order::OrderState;
use crate::store::StoreError;

/// How often a follower looks.
const POLL: Duration = Duration::from_millis(250);

/// The right to work on a store: one process at a time holds it.
pub trait EngineLock: Debug + Send + Sync {
    /// Takes the lock if it is free. Once taken it is held until the process ends or drops it.
    ///
    /// # Errors
    /// When it cannot be told whether it is free.
    fn try_take(&self) -> Result<bool, StoreError>;
}

impl Engine {
    /// Runs as soon as the lock can be had; until then another process works, and its progress is shown on the board.
    /// Ends without ever having worked when the other process has reached the goal.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn run_or_follow(
        &self,
        goal: Goal,
        lock: &dyn EngineLock,
        stop: &Stop,
    ) -> Result<Ended, EngineError> {
        if lock.try_take()? {
            self.take_over().await?;
            return self.run(goal, stop).await;
        }
        // A person's acts do not wait for the lock: the working process sees them within a second.
        run::check(&self.parts).await?;
        run::begin(&self.parts, goal).await?;
        loop {
            if let Some(ended) = self.others_have_ended(goal).await? {
                return Ok(ended);
            }
            tokio::select! {
                biased;
                () = stop.abort.cancelled() => return Ok(Ended::Interrupted),
                () = stop.drain.cancelled() => return Ok(Ended::Interrupted),
                () = sleep(POLL) => {}
            }
            if lock.try_take()? {
                self.take_over().await?;
                return self.work(goal, true, stop).await;
            }
        }
    }

    /// What the lanes knew when this process began is old: while it planned or followed, another one may have paused
    /// and spent.
    async fn take_over(&self) -> Result<(), StoreError> {
        for member in self.parts.fleet.members() {
            member.take_over(self.parts.store.as_ref()).await?;
        }
        Ok(())
    }

    /// Shows where the goal stands, and answers whether the working process can do no more for it: it is reached, or on
    /// hold until a person acts. What is everything, only the one who works can tell.
    async fn others_have_ended(&self, goal: Goal) -> Result<Option<Ended>, StoreError> {
        let store = &self.parts.store;
        let orders = match goal {
            Goal::Everything => store.open_orders().await?,
            Goal::Order(id) | Goal::Again(id) => vec![store.order(id).await?],
        };
        let mut counts = Vec::new();
        for order in &orders {
            counts.extend(store.counts(order.key).await?);
        }
        {
            let mut board = self
                .board
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            board.show(counts, self.parts.clock.now());
        }
        let (Some(_), [order]) = (goal.order(), orders.as_slice()) else {
            return Ok(None);
        };
        Ok(match &order.state {
            OrderState::Finished if order.counts.open == 0 && order.evidence_pending == 0 => {
                Some(Ended::Finished)
            }
            OrderState::Paused { why } => {
                Some(Ended::NeedsPerson(vec![Remedy::on_hold(order.id, why)]))
            }
            _ => None,
        })
    }
}
