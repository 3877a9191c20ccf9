//! The jitter of repeats: full, so that jobs that failed together do not come back together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(600);

/// A seeded source of jitter, shared by all lanes of a run.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// How long to wait after the `n`-th failure, counted from 1: anything up to 2 s doubled `n - 1` times, at most ten
    /// minutes.
    pub(super) fn backoff(&self, n: u32) -> Duration {
        let most = FIRST
            .saturating_mul(1 << n.saturating_sub(1).min(16))
            .min(LONGEST);
        let millis = most.as_millis() as u64;
        Duration::from_millis(self.roll() % (millis + 1))
    }

    /// SplitMix64: one atomic addition, and every bit of the counter reaches every bit of the result.
    fn roll(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_two_seconds_to_ten_minutes_with_full_jitter() {
        let dice = Dice::new(7);
        for n in 1..40 {
            let most = Duration::from_secs(2u64.saturating_pow(n).min(600));
            let waits: Vec<_> = (0..200).map(|_| dice.backoff(n)).collect();
            assert!(waits.iter().all(|wait| *wait <= most), "attempt {n}");
            assert!(waits.iter().any(|wait| *wait > most / 2), "attempt {n}");
            assert!(waits.iter().any(|wait| *wait < most / 2), "attempt {n}");
        }
    }
}
