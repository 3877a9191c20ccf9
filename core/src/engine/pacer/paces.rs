//! The pace of everything that counts, and that of reads as long as they do not.
//!
//! Vendors count reads apart from writes, or with them, or not at all: they count from the first refused one on. Until then
//! no refusal is about them, but a vendor's warning may be, so that they have a pace of their own to go back to.

use std::time::Duration;

use super::pace::Pace;

/// Which pace a request keeps.
#[derive(Debug, Clone)]
pub(super) struct Paces {
    main: Pace,
    reads: Pace,
    reads_count: bool,
}

impl Paces {
    /// No pace: whatever fits in flight.
    pub(super) fn unlimited() -> Self {
        Self {
            main: Pace::unlimited(),
            reads: Pace::unlimited(),
            reads_count: false,
        }
    }

    /// The one that refusals are about.
    pub(super) fn main(&self) -> &Pace {
        &self.main
    }

    pub(super) fn main_mut(&mut self) -> &mut Pace {
        &mut self.main
    }

    /// Whether the limit that refuses counts reads.
    pub(super) fn reads_count(&self) -> bool {
        self.reads_count
    }

    /// Whether a request has a pace apart from the others.
    pub(super) fn is_apart(&self, read: bool) -> bool {
        read && !self.reads_count
    }

    pub(super) fn of(&self, read: bool) -> &Pace {
        if self.is_apart(read) {
            &self.reads
        } else {
            &self.main
        }
    }

    pub(super) fn of_mut(&mut self, read: bool) -> &mut Pace {
        if self.is_apart(read) {
            &mut self.reads
        } else {
            &mut self.main
        }
    }

    /// A former process had learnt this rate.
    pub(super) fn was_learnt(&mut self, now: Duration, rate: f64) {
        self.main = Pace::learnt(now, rate);
        self.reads.count_with(&self.main);
    }

    /// A read was refused: what was accepted of them counts, too.
    pub(super) fn reads_are_refused(&mut self) {
        if !self.reads_count {
            self.reads_count = true;
            self.main.join(&std::mem::take(&mut self.reads));
        }
    }

    /// The vendor counts `used` of its limit as used, and does not say of which.
    pub(super) fn loaded(&mut self, now: Duration, used: f64) {
        // Where one of the two was not tried of late, the other one shows how much is a lot.
        let (main, reads) = (self.main.recent(now), self.reads.recent(now));
        let either = |own: f64, other: f64| if own > 0.0 { own } else { other };
        self.main.loaded(now, used, either(main, reads));
        self.reads.loaded(now, used, either(reads, main));
    }

    /// The pause is over. `refused`: when a refusal came last that did not say for how long.
    pub(super) fn resume(&mut self, now: Duration, refused: Option<Duration>) {
        self.main.resume(now, refused);
        self.reads.count_with(&self.main);
    }
}
