//! Refusals that have nothing to do with the pace.
//!
//! A limit never refuses what it has just let through: at a pace below the one that was surely accepted, refusals cease.
//! Some providers refuse a part of all requests, however fast they come. A pause for each of these is due, for nobody
//! knows at once; a slower pace is not, for it changes nothing but the time everything takes.

/// A refusal below this part of the sure pace is a surprise.
const SURELY_BELOW: f64 = 0.975;
/// How long the pace stays there after a pause.
const BELOW_FOR: f64 = 3.5;
/// A limit that has fallen surprises once, and rarely twice; noise does so again and again. What a surprise counts, and
/// from where on it is noise.
const SURPRISE: f64 = 3.0;
const NOISE: f64 = 5.5;
/// What a refusal that was to be expected takes back at least.
const FORGETS: f64 = 0.25;
/// Noise that leaves fewer requests than this between two refusals is a limit, or as good as one.
const LEAST_BETWEEN: f64 = 12.0;
/// Of the requests on their way when a limit refuses, it refuses many more …
const DENSE: f64 = 0.3;
const DENSE_AT_LEAST: f64 = 4.0;
/// … or, where few are, it refuses again after few: this part of what lies between two refusals by noise, so often in a
/// row.
const FEW: f64 = 0.2;
const FEW_IN_A_ROW: u32 = 4;
/// After so many times what lies between two refusals by noise, and this many requests, the noise is over.
const OVER: f64 = 5.0;
const OVER_AT_LEAST: f64 = 1000.0;

/// Tells noise from a limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Noise {
    doubt: f64,
    /// The fastest pace that was tried since the first surprise.
    fastest: f64,
    /// Refusals and accepted requests since then.
    refusals: f64,
    accepted: f64,
    found: bool,
    few: u32,
    /// A limit was met where the documents say that there is none.
    limit_is_lower: bool,
}

/// One throttle, when its pause is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    /// The pace when it came.
    pub(super) tried: f64,
    /// The pace of which the provider was thought to accept everything.
    pub(super) sure: f64,
    /// Requests accepted since the pause before, and for how many seconds.
    pub(super) accepted: f64,
    pub(super) open: f64,
    /// Accepted and refused after it, of requests that had left before.
    pub(super) late: f64,
    pub(super) late_refused: f64,
    /// Whether the documents say that there was plenty left.
    pub(super) plenty: bool,
}

impl Noise {
    /// Whether refusals are held for noise at present.
    pub(super) fn is_noise(&self) -> bool {
        self.found
    }

    /// Learns from a refusal. Answers the pace to go on with when it was noise.
    pub(super) fn judge(&mut self, seen: &Refusal) -> Option<f64> {
        if self.found {
            return self.go_on(seen);
        }
        let surprise =
            seen.tried <= seen.sure * SURELY_BELOW || seen.plenty && !self.limit_is_lower;
        if self.doubt == 0.0 && !surprise {
            return None;
        }
        self.count(seen);
        self.fastest = self.fastest.max(seen.tried);
        self.doubt += if surprise {
            SURPRISE
        } else {
            // So many refusals noise would have brought where none came.
            let missing = (seen.sure * BELOW_FOR).min(seen.accepted) / self.between();
            -missing.max(FORGETS)
        };
        if self.doubt <= 0.0 {
            self.forget(0.0);
        }
        self.found = self.doubt >= NOISE && self.between() >= LEAST_BETWEEN && !is_dense(seen);
        self.found.then_some(self.fastest)
    }

    fn go_on(&mut self, seen: &Refusal) -> Option<f64> {
        let between = self.between();
        self.few = if seen.accepted < between * FEW {
            self.few + 1
        } else {
            0
        };
        if seen.accepted > OVER_AT_LEAST.max(between * OVER) {
            self.forget(0.0);
            return None;
        }
        if self.few >= FEW_IN_A_ROW || between < LEAST_BETWEEN {
            self.forget(0.0);
            self.limit_is_lower = true;
            return None;
        }
        if is_dense(seen) {
            // Below the limit that it met now there may be noise all the same.
            self.forget(SURPRISE);
            self.limit_is_lower = true;
            return None;
        }
        self.count(seen);
        // A pace that nobody could keep up with was not tried.
        let pressed = 2.0 * seen.accepted / seen.open;
        Some(seen.tried.min(pressed).max(seen.sure))
    }

    fn forget(&mut self, doubt: f64) {
        *self = Self {
            doubt,
            limit_is_lower: self.limit_is_lower,
            ..Self::default()
        };
    }

    /// Accepted requests between two refusals.
    fn between(&self) -> f64 {
        self.accepted.max(1.0) / self.refusals.max(1.0)
    }

    fn count(&mut self, seen: &Refusal) {
        self.refusals += 1.0;
        self.accepted += seen.accepted + seen.late;
    }
}

fn is_dense(seen: &Refusal) -> bool {
    let late = seen.late + seen.late_refused;
    seen.late_refused >= DENSE_AT_LEAST && seen.late_refused >= late * DENSE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(tried: f64, sure: f64, accepted: f64) -> Refusal {
        Refusal {
            tried,
            sure,
            accepted,
            open: accepted / tried,
            late: 2.0,
            late_refused: 0.0,
            plenty: false,
        }
    }

    #[test]
    fn a_limit_that_falls_is_no_noise() {
        let mut noise = Noise::default();
        for limit in [100.0, 50.0, 25.0] {
            // One surprise for each fall, then refusals slightly above what is sure.
            assert_eq!(noise.judge(&refusal(limit * 1.9, limit * 2.0, 50.0)), None);
            for _ in 0..10 {
                let above = refusal(limit * 1.02, limit, limit * 20.0);
                assert_eq!(noise.judge(&above), None);
            }
        }
        assert!(!noise.is_noise());
    }

    #[test]
    fn refusals_below_what_is_sure_are_noise_and_cost_no_pace() {
        let mut noise = Noise::default();
        assert_eq!(noise.judge(&refusal(90.0, 100.0, 80.0)), None);
        assert_eq!(noise.judge(&refusal(40.0, 44.0, 60.0)), Some(90.0));
        let on = noise.judge(&refusal(95.0, 90.0, 100.0));
        assert!(on.is_some_and(|rate| rate >= 90.0), "{on:?}");
    }

    #[test]
    fn a_limit_is_met_again_after_noise() {
        let met = || {
            let mut noise = Noise::default();
            noise.judge(&refusal(90.0, 100.0, 80.0));
            noise.judge(&refusal(40.0, 44.0, 60.0));
            assert!(noise.is_noise());
            noise
        };
        let mut noise = met();
        let dense = Refusal {
            late_refused: 10.0,
            ..refusal(200.0, 180.0, 80.0)
        };
        assert_eq!(noise.judge(&dense), None);
        assert!(!noise.is_noise());

        let mut noise = met();
        let few: Vec<_> = (0..FEW_IN_A_ROW)
            .map(|_| noise.judge(&refusal(4.0, 3.0, 2.0)))
            .collect();
        assert_eq!(few.last(), Some(&None));
        assert!(!noise.is_noise());
    }
}
