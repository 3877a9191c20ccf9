//! What the provider really accepted.

use std::collections::VecDeque;
use std::time::Duration;

const SLOT: Duration = Duration::from_millis(100);
const SLOTS: usize = 100;

/// Counts accepted requests: over the last ten seconds, and since a mark.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter {
    slots: VecDeque<(u64, f64)>,
    since_mark: f64,
    mark: Duration,
}

impl Meter {
    pub(super) fn add(&mut self, now: Duration, weight: f64) {
        let slot = slot_of(now);
        match self.slots.back_mut() {
            Some((last, n)) if *last >= slot => *n += weight,
            _ => self.slots.push_back((slot, weight)),
        }
        while self.slots.len() > SLOTS {
            self.slots.pop_front();
        }
        self.since_mark += weight;
    }

    /// Accepted since the mark, and when that was.
    pub(super) fn since_mark(&self) -> (f64, Duration) {
        (self.since_mark, self.mark)
    }

    pub(super) fn set_mark(&mut self, now: Duration) {
        self.mark = now;
        self.since_mark = 0.0;
    }

    /// Accepted a second within the last `span`, but not before `from`; `None` when that is too short to say.
    pub(super) fn rate(&self, now: Duration, span: Duration, from: Duration) -> Option<f64> {
        let start = now.saturating_sub(span).max(from);
        let secs = now.saturating_sub(start).as_secs_f64();
        if secs < SLOT.as_secs_f64() {
            return None;
        }
        let first = slot_of(start);
        let sum: f64 = self
            .slots
            .iter()
            .filter(|(slot, _)| *slot >= first)
            .map(|(_, n)| n)
            .sum();
        Some(sum / secs)
    }
}

fn slot_of(at: Duration) -> u64 {
    (at.as_millis() / SLOT.as_millis()) as u64
}
