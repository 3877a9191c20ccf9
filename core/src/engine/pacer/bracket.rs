//! Between a rate that was kept for long and one that was refused lies the limit.
//!
//! A vendor's limit is known only from what it accepted. What it accepted from the end of one pause to the end of the
//! next, no limit falls below for long: that is sure. A rate that was kept for long is proved. The rate of the throttle
//! itself was too high, though by how much depends on what the limit had saved up. Each throttle halves the question.

use std::time::Duration;

use super::climb::Climb;

/// How long a rate is kept before the pace looks for more: longer, the better it is known, and longer each time that the
/// look finds the same limit again, since one that has changed lately may change again; for at least so many requests
/// where they are few, since each look costs one that is refused.
const LEAST_HOLD: f64 = 2.0;
const SETTLED_HOLD: f64 = 20.0;
const LONGER_EACH_TIME: f64 = 1.15;
const MOST_HOLD: f64 = 90.0;
const HOLD_REQUESTS: f64 = 300.0;
/// How far from what is known to hold to what was refused the next try lies.
const CLOSER: f64 = 0.4;
/// The same when the pace had looked for more: what came through until the refusal shows the limit, and the rate by then
/// is above it by what the limit had saved up.
const CLOSER_HELD: f64 = 0.2;
/// Rates that differ by less are the same …
const ALIKE: f64 = 1.01;
/// … or nearly so.
const NEAR: f64 = 1.03;
/// Rates that differ by more may be about what the limit had saved up, and no try goes further at once than this.
const FAR: f64 = 1.3;
const MOST_STEP: f64 = 1.6;
/// After so many refusals in a row that came soon, and before any rate was kept, it must be seen whether they cease below
/// what is sure.
const SOON_IN_A_ROW: u32 = 2;
/// A pace that was kept for fewer requests was hardly tried.
const ENOUGH: f64 = 10.0;
/// What is left of a proved rate when it fails, for noise may have done that: less, the fewer requests tell.
const LEAST_LEFT: f64 = 0.97;
const MOST_LEFT: f64 = 0.99;

/// What throttles have taught so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Bracket {
    /// A rate that was kept for long without a throttle; 0: none.
    proved: f64,
    /// A rate below it has failed since.
    failed: bool,
    /// How often in a row the same limit was found again.
    again: i32,
    /// Refusals since a rate was kept for long, if one ever was.
    since_held: Option<u32>,
}

/// What one throttle shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Requests accepted since the pause before.
    pub(super) accepted: f64,
    /// Accepted a second, with this pause counted in.
    pub(super) sure: f64,
    /// The pace when the throttle came, and whether its hoped rate had been kept for long. `None`: there was no pace.
    pub(super) tried: Option<(Climb, f64, bool)>,
    /// Accepted a second while nothing stood in the way.
    pub(super) reached: f64,
    /// 0 to 1: how far off `sure` may be, for what is not known of the pause.
    pub(super) blur: f64,
}

impl Bracket {
    /// The way from here on.
    pub(super) fn learn(&mut self, now: Duration, seen: &Seen) -> Climb {
        let few = 1.0 / seen.accepted.max(1.0);
        let (sure, hoped, width) = match seen.tried {
            None => (seen.sure, seen.sure, 0.0),
            Some((climb, tried, held)) => {
                let seen = &Seen {
                    sure: seen.sure.max(least_sure(seen, &climb, tried)),
                    ..*seen
                };
                let (sure, hoped) = self.next_try(seen, &climb, tried, held);
                (sure, hoped, tried / sure - 1.0)
            }
        };
        let settled = self.proved > 0.0 && hoped < self.proved * NEAR;
        self.again = if settled { self.again + 1 } else { 0 };
        let unsure = if settled {
            0.0
        } else {
            few.max(seen.blur).max(width.abs() / 5.0).min(1.0)
        };
        let most = (SETTLED_HOLD * LONGER_EACH_TIME.powi(self.again))
            .min(MOST_HOLD)
            .max(HOLD_REQUESTS / hoped);
        let back = Climb::steady(now, sure);
        let held = seen.tried.is_some_and(|(_, _, held)| held);
        self.since_held = if held {
            Some(0)
        } else {
            self.since_held.map(|refusals| refusals + 1)
        };
        let back = if self.since_held.is_some_and(|n| n <= SOON_IN_A_ROW) {
            back.soon()
        } else {
            back
        };
        Climb {
            hoped,
            hold: Duration::from_secs_f64((1.0 / unsure).clamp(LEAST_HOLD, most)),
            unsure,
            ..back
        }
    }

    /// The rate it is sure of, and the one it tries next.
    fn next_try(&mut self, seen: &Seen, climb: &Climb, tried: f64, held: bool) -> (f64, f64) {
        if held {
            self.proved = climb.hoped;
            self.failed = false;
        }
        let low = seen
            .sure
            .max(self.proved)
            .max(still_sure(climb, tried))
            .min(tried);
        if held && tried > self.proved {
            let closer = match tried / low {
                ..ALIKE => 0.0,
                ..FAR => CLOSER_HELD,
                _ => CLOSER,
            };
            return (low, (low + (tried - low) * closer).min(low * MOST_STEP));
        }
        if tried > self.proved * ALIKE {
            return (low, low + (tried - low) * CLOSER);
        }
        if self.failed {
            // Twice below what was proved: the limit is another one now.
            self.proved = 0.0;
            let low = seen.sure.min(tried);
            return (low, low + (tried - low) * CLOSER);
        }
        let less = (1.0 - 1.0 / seen.accepted.max(1.0)).clamp(LEAST_LEFT, MOST_LEFT);
        self.failed = tried < self.proved * less;
        self.proved *= less;
        (seen.sure.min(tried).min(self.proved), self.proved)
    }
}

/// A refusal well above what was sure says nothing against that, however little came through in the time it took.
fn still_sure(climb: &Climb, tried: f64) -> f64 {
    if tried > climb.sure * NEAR {
        climb.sure
    } else {
        0.0
    }
}

/// One refusal below what was sure does not make it less than half, if the pace was really tried.
fn least_sure(seen: &Seen, climb: &Climb, tried: f64) -> f64 {
    if seen.reached > tried / 2.0 && seen.accepted >= ENOUGH {
        climb.sure / 2.0
    } else {
        0.0
    }
}
