//! Lanes for tests: one that never makes anybody wait, one that counts and can hold the purse shut.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rescind_core::budget::Cost;
use rescind_core::context::{LanePort, Observation, Priority};
use rescind_core::error::Error;
use tokio::sync::watch;
use tokio::time::Instant;

/// Pays everything at once and remembers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreePort;

#[async_trait]
impl LanePort for FreePort {
    async fn pay(&self, _cost: &Cost, _priority: Priority) -> Result<(), Error> {
        Ok(())
    }

    fn observe(&self, _observation: Observation) {}
}

/// Pays as often as it is allowed to, then lets every caller wait; remembers what was paid and observed.
#[derive(Debug)]
pub struct PaidPort {
    allowed: watch::Sender<usize>,
    state: Mutex<State>,
    waiting: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    payments: Vec<Cost>,
    /// So many of the first payments are void: the lane has just shut.
    void: usize,
    observations: Vec<Observation>,
}

impl PaidPort {
    /// Pays everything at once.
    pub fn unlimited() -> Self {
        Self::allowing(usize::MAX)
    }

    /// Pays `payments` times; whoever comes after waits until [`allow`](Self::allow) is called.
    pub fn allowing(payments: usize) -> Self {
        Self {
            allowed: watch::Sender::new(payments),
            state: Mutex::default(),
            waiting: watch::Sender::new(0),
        }
    }

    /// Pays `payments` times, and shuts at once: none of them lets anything leave. The next is paid when it is allowed.
    pub fn shutting_after(payments: usize) -> Self {
        let port = Self::allowing(payments);
        port.state().void = payments;
        port
    }

    /// Shuts: whatever was paid so far lets nothing leave any more.
    pub fn shut(&self) {
        let mut state = self.state();
        state.void = state.payments.len();
    }

    /// From now on pays `payments` times in all.
    pub fn allow(&self, payments: usize) {
        self.allowed.send_replace(payments);
    }

    /// Every payment so far, in order.
    pub fn payments(&self) -> Vec<Cost> {
        self.state().payments.clone()
    }

    /// How many requests the payments so far are good for: a payment of `n` units in its largest budget pays for `n`.
    pub fn requests_paid(&self) -> usize {
        let state = self.state();
        let worth = |cost: &Cost| cost.parts().map(|(_, units)| units).max().unwrap_or(0) as usize;
        state.payments.iter().map(worth).sum()
    }

    /// What connectors told the lane so far, in order.
    pub fn observations(&self) -> Vec<Observation> {
        self.state().observations.clone()
    }

    /// Returns once somebody waits for a payment that is not allowed yet. Cancel-safe.
    pub async fn somebody_waits(&self) {
        // The sender lives in `self`, so the channel cannot close.
        let _ = self.waiting.subscribe().wait_for(|n| *n > 0).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_pay(&self, cost: &Cost) -> bool {
        let mut state = self.state();
        let affordable = state.payments.len() < *self.allowed.borrow();
        if affordable {
            state.payments.push(*cost);
        }
        affordable
    }
}

#[async_trait]
impl LanePort for PaidPort {
    async fn pay(&self, cost: &Cost, _priority: Priority) -> Result<(), Error> {
        let mut allowed = self.allowed.subscribe();
        if self.try_pay(cost) {
            return Ok(());
        }
        let _waiting = Waiting::begin(&self.waiting);
        loop {
            allowed.mark_unchanged();
            if self.try_pay(cost) {
                return Ok(());
            }
            // Cannot fail: `self` holds the sender.
            let _ = allowed.changed().await;
        }
    }

    fn observe(&self, observation: Observation) {
        self.state().observations.push(observation);
    }

    fn shut_at(&self) -> Option<Instant> {
        let state = self.state();
        (state.payments.len() <= state.void).then(Instant::now)
    }
}

struct Waiting<'a>(&'a watch::Sender<usize>);

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn holds_back_what_is_not_allowed_yet() {
        let port = Arc::new(PaidPort::allowing(1));
        let cost = Cost::of("calls", 2);
        port.pay(&cost, Priority::Normal).await.expect("pays");
        let second = tokio::spawn({
            let port = port.clone();
            async move { port.pay(&cost, Priority::Normal).await }
        });
        port.somebody_waits().await;
        assert_eq!(port.payments(), [cost]);
        assert_eq!(port.requests_paid(), 2);
        port.allow(2);
        second.await.expect("joins").expect("pays");
        assert_eq!(port.payments(), [cost, cost]);
    }

    #[tokio::test]
    async fn a_dropped_wait_pays_nothing() {
        let port = PaidPort::allowing(0);
        let cost = Cost::of("calls", 1);
        tokio::select! {
            biased;
            _ = port.pay(&cost, Priority::Normal) => panic!("paid"),
            () = port.somebody_waits() => {}
        }
        assert!(port.payments().is_empty());
        assert_eq!(*port.waiting.borrow(), 0);
    }
}
