//! From a sure rate to a hoped one, and on.

use std::time::Duration;

/// After a throttle the pace starts at this part of what is sure to be allowed …
const STEP_BACK: f64 = 0.9;
/// … reaches that after this time …
const TO_SURE: Duration = Duration::from_secs(5);
/// … or after this, where it was kept for long before: below it nothing is to be learnt …
const SOON_TO_SURE: Duration = Duration::from_secs(1);
/// … and what it hopes for after this.
const TO_HOPED: Duration = Duration::from_secs(8);
/// A rate that was kept for less is not proved: a limit may have saved that much up.
const PROOF: Duration = Duration::from_secs(10);
/// Growth a second when it looks for more: it doubles every so many seconds, up to a most.
const GROWTH: f64 = 0.001;
const GROWTH_DOUBLES: f64 = 5.0;
const MOST_GROWTH: f64 = 0.1;

/// The way of the pace between two throttles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Climb {
    pub(super) since: Duration,
    /// How long it takes to reach the sure rate.
    pub(super) to_sure: Duration,
    pub(super) sure: f64,
    pub(super) hoped: f64,
    /// How long it stays at the hoped rate.
    pub(super) hold: Duration,
    /// 0 to 1: the less is known, the steeper the growth begins.
    pub(super) unsure: f64,
}

impl Climb {
    /// Back to one rate and, after a while, slowly on.
    pub(super) fn steady(since: Duration, rate: f64) -> Self {
        Self {
            since,
            to_sure: TO_SURE,
            sure: rate,
            hoped: rate,
            hold: Duration::ZERO,
            unsure: 0.0,
        }
    }

    /// The same where such a rate was kept for long before.
    pub(super) fn soon(self) -> Self {
        Self {
            to_sure: SOON_TO_SURE,
            ..self
        }
    }

    /// On from a rate without a step back: what was refused was not about it.
    pub(super) fn at_once(since: Duration, rate: f64) -> Self {
        Self {
            to_sure: Duration::ZERO,
            unsure: 1.0,
            ..Self::steady(since, rate)
        }
    }

    /// Requests a second.
    pub(super) fn rate(&self, now: Duration) -> f64 {
        let t = now.saturating_sub(self.since);
        if t < self.to_sure {
            let way = t.as_secs_f64() / self.to_sure.as_secs_f64();
            return self.sure * (STEP_BACK + (1.0 - STEP_BACK) * way);
        }
        let to_hoped = self.reaches_hoped();
        if t < to_hoped {
            let from_sure = |then: Duration| then.saturating_sub(self.to_sure).as_secs_f64();
            let way = from_sure(t) / from_sure(to_hoped);
            return self.sure + (self.hoped - self.sure) * way;
        }
        match t.checked_sub(to_hoped + self.hold) {
            None => self.hoped,
            Some(over) => {
                let head = self.head_start();
                self.hoped * (growth(head + over.as_secs_f64()) - growth(head)).exp()
            }
        }
    }

    /// Whether the hoped rate has been kept for long enough to be proved.
    pub(super) fn held(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) > self.reaches_hoped() + PROOF.max(self.hold / 2)
    }

    fn reaches_hoped(&self) -> Duration {
        if self.hoped > self.sure * 1.01 {
            TO_HOPED
        } else {
            self.to_sure
        }
    }

    fn head_start(&self) -> f64 {
        let steep = (self.unsure / 10.0).clamp(GROWTH, MOST_GROWTH);
        (steep / GROWTH).log2() * GROWTH_DOUBLES
    }
}

/// How much the rate has grown, as a logarithm, after so many seconds on the curve.
fn growth(secs: f64) -> f64 {
    let steepest = (MOST_GROWTH / GROWTH).log2() * GROWTH_DOUBLES;
    let curved = secs.min(steepest);
    let doubled = (curved / GROWTH_DOUBLES).exp2() - 1.0;
    GROWTH * GROWTH_DOUBLES / std::f64::consts::LN_2 * doubled + (secs - curved) * MOST_GROWTH
}
