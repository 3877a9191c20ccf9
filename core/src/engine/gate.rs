//! The last door before a call: as many people as a provider may have in its calls at once.
//!
//! A lane admits a few more than that, so that their claims come to disk while others are still in their calls: a place
//! that comes free is then taken at once, and not after the next sync.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::context::Priority;

/// Counts the people in the calls of one lane.
#[derive(Debug)]
pub(super) struct Gate {
    all: Semaphore,
    /// What is not urgent leaves a tenth of the places free.
    not_urgent: Semaphore,
}

/// A place in a call, given back when it is dropped.
#[derive(Debug)]
#[must_use = "a place that is dropped is given back"]
pub(super) struct Place<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _not_urgent: Option<SemaphorePermit<'a>>,
}

impl Gate {
    pub(super) fn new(max_in_flight: u32) -> Self {
        let all = max_in_flight.max(1) as usize;
        Self {
            all: Semaphore::new(all),
            not_urgent: Semaphore::new((all - all.div_ceil(10)).max(1)),
        }
    }

    /// How many more than that a lane may admit.
    pub(super) fn ahead(max_in_flight: u32) -> u32 {
        max_in_flight / 4
    }

    /// Waits for a place. Cancel-safe.
    pub(super) async fn enter(&self, priority: Priority) -> Place<'_> {
        // Nobody closes them, so neither wait fails.
        let not_urgent = match priority {
            Priority::Urgent => None,
            Priority::Normal | Priority::Evidence => self.not_urgent.acquire().await.ok(),
        };
        Place {
            _all: self.all.acquire().await.ok(),
            _not_urgent: not_urgent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn urgent_work_has_a_tenth_of_the_places_to_itself() {
        let gate = Gate::new(20);
        let bulk: Vec<_> = (0..18)
            .map(|_| gate.enter(Priority::Normal).now_or_never())
            .collect();
        assert!(bulk.iter().all(Option::is_some));
        let mut next = pin!(gate.enter(Priority::Normal));
        assert!(next.as_mut().now_or_never().is_none());
        let urgent: Vec<_> = (0..2)
            .map(|_| gate.enter(Priority::Urgent).now_or_never())
            .collect();
        assert!(urgent.iter().all(Option::is_some));
        assert!(gate.enter(Priority::Urgent).now_or_never().is_none());
        drop(bulk);
        assert!(next.now_or_never().is_some());
    }
}
