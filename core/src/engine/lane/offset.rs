//! How far the provider's clock is from ours.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A sample counts for at least this long and at most twice as long.
const GENERATION: Duration = Duration::from_secs(300);

/// The provider's clock against ours.
///
/// A `Date` is cut to the second and is read some time after it was written, so that each sample shows too little, by
/// nothing to about a second: the largest of the last minutes is the best.
#[derive(Debug, Default)]
pub(super) struct Offset {
    best: Option<SignedDuration>,
    before: Option<SignedDuration>,
    since: Duration,
}

impl Offset {
    pub(super) fn sample(&mut self, now: Duration, ours: Timestamp, theirs: Timestamp) {
        let seen = theirs.duration_since(ours);
        if now.saturating_sub(self.since) >= GENERATION {
            self.before = self.best.take();
            self.since = now;
        }
        self.best = Some(self.best.map_or(seen, |best| best.max(seen)));
    }

    /// What to add to our time.
    pub(super) fn get(&self) -> SignedDuration {
        self.best.max(self.before).unwrap_or(SignedDuration::ZERO)
    }
}
