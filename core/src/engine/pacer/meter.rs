//! What the provider really accepted.

use std::collections::VecDeque;
use std::time::Duration;

const SLOT: Duration = Duration::from_millis(100);
const SLOTS: usize = 600;

/// Counts accepted requests: over the last minute, and since a pause.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    slots: VecDeque<(u64, f64)>,
    total: f64,
    begun: Duration,
}

impl Meter {
    pub(super) fn add(&mut self, now: Duration, weight: f64) {
        let slot = slot_of(now);
        match self.slots.back_mut() {
            Some((last, n)) if *last >= slot => *n += weight,
            _ => self.slots.push_back((slot, weight)),
        }
        if self.slots.len() > SLOTS {
            self.slots.pop_front();
        }
        self.total += weight;
    }

    /// Counts what another one that began at the same time has counted.
    pub(super) fn join(&mut self, other: &Self) {
        self.slots.extend(&other.slots);
        self.slots.make_contiguous().sort_by_key(|(slot, _)| *slot);
        self.total += other.total;
    }

    /// Begins anew.
    pub(super) fn begin(&mut self, now: Duration) {
        self.begun = now;
        self.total = 0.0;
    }

    /// When it began.
    pub(super) fn begun(&self) -> Duration {
        self.begun
    }

    /// Accepted since it began.
    pub(super) fn total(&self) -> f64 {
        self.total
    }

    /// Accepted within the `span` before `at`, a minute at most.
    pub(super) fn within(&self, at: Duration, span: Duration) -> f64 {
        let first = slot_of(at.saturating_sub(span));
        self.slots
            .iter()
            .rev()
            .take_while(|(slot, _)| *slot >= first)
            .map(|(_, n)| n)
            .sum()
    }
}

fn slot_of(at: Duration) -> u64 {
    (at.as_millis() / SLOT.as_millis()) as u64
}
