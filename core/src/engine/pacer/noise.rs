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
/// A limit that is a little lower than what is held for sure refuses later than this: first goes what it had saved up.
const SOON: f64 = 10.0;
/// Refusals that drive the pace below this part of what was tried since the first surprise, and go on, are noise where the
/// documents say that much more is allowed.
const FAR_BELOW: f64 = 0.4;
/// What a refusal that was to be expected takes back at least.
const FORGETS: f64 = 0.25;
/// Noise that leaves fewer requests than this between two refusals is a limit, or as good as one.
const LEAST_BETWEEN: f64 = 12.0;
/// What lies between two of them until there were some to count.
const LIKELY_BETWEEN: f64 = 50.0;
/// Of the requests on their way when a limit refuses, it refuses many more …
const DENSE: f64 = 0.3;
const DENSE_AT_LEAST: f64 = 4.0;
/// … of which the first is taken for one that lies above the noise: the pace goes back to this part.
const DENSE_IN_A_ROW: u32 = 2;
const BACK_TO: f64 = 0.7;
/// … or, where few are, it refuses again after few: this part of what lies between two refusals by noise, so often in a
/// row.
const FEW: f64 = 0.2;
const FEW_IN_A_ROW: u32 = 5;
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
    dense: u32,
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

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum About {
    /// The pace, as far as anybody can say.
    Limit,
    /// Nothing: this is the pace to go on with.
    Nothing(f64),
    /// The pace after all, although others were about nothing: that one was kept up in spite of refusals proves nothing.
    LimitAfterAll,
}

impl Noise {
    /// Whether refusals are held for noise at present.
    pub(super) fn is_noise(&self) -> bool {
        self.found
    }

    /// Learns from a refusal.
    pub(super) fn judge(&mut self, seen: &Refusal) -> About {
        if self.found {
            return self.go_on(seen);
        }
        // Where more was accepted than is sure, or nearly that for long, a limit may have been met, whatever the documents
        // say.
        let little = seen.accepted <= seen.sure * seen.open && seen.open < SOON;
        let fallen = seen.tried < self.fastest * FAR_BELOW;
        let surprise = seen.tried <= seen.sure * SURELY_BELOW || seen.plenty && (little || fallen);
        if self.doubt == 0.0 && !surprise {
            return About::Limit;
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
        if self.found {
            About::Nothing(self.fastest)
        } else {
            About::Limit
        }
    }

    fn go_on(&mut self, seen: &Refusal) -> About {
        let between = self.between();
        self.few = if seen.accepted < between * FEW {
            self.few + 1
        } else {
            0
        };
        if seen.accepted > OVER_AT_LEAST.max(between * OVER) {
            self.forget(0.0);
            return About::LimitAfterAll;
        }
        if self.few >= FEW_IN_A_ROW || between < LEAST_BETWEEN {
            self.forget(0.0);
            return About::LimitAfterAll;
        }
        if is_dense(seen) {
            self.dense += 1;
            if self.dense >= DENSE_IN_A_ROW {
                self.forget(SURPRISE);
                return About::LimitAfterAll;
            }
            // Below the limit that it met now there may be noise all the same.
            return About::Nothing(seen.tried * BACK_TO);
        }
        self.dense = 0;
        self.count(seen);
        // A pace that nobody could keep up with was not tried.
        let pressed = 2.0 * seen.accepted / seen.open;
        About::Nothing(seen.tried.min(pressed).max(seen.sure))
    }

    fn forget(&mut self, doubt: f64) {
        *self = Self {
            doubt,
            ..Self::default()
        };
    }

    /// Accepted requests between two refusals.
    fn between(&self) -> f64 {
        (self.accepted + LIKELY_BETWEEN) / (self.refusals + 1.0)
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
            let fall = refusal(limit * 1.9, limit * 2.0, 50.0);
            assert_eq!(noise.judge(&fall), About::Limit);
            for _ in 0..10 {
                let above = refusal(limit * 1.02, limit, limit * 20.0);
                assert_eq!(noise.judge(&above), About::Limit);
            }
        }
        assert!(!noise.is_noise());
    }

    #[test]
    fn refusals_below_what_is_sure_are_noise_and_cost_no_pace() {
        let mut noise = Noise::default();
        assert_eq!(noise.judge(&refusal(90.0, 100.0, 80.0)), About::Limit);
        let found = noise.judge(&refusal(40.0, 44.0, 60.0));
        assert_eq!(found, About::Nothing(90.0));
        let on = noise.judge(&refusal(95.0, 90.0, 100.0));
        assert!(matches!(on, About::Nothing(rate) if rate >= 90.0), "{on:?}");
    }

    #[test]
    fn a_limit_that_is_lower_than_the_documents_say_is_no_noise() {
        let mut noise = Noise::default();
        for _ in 0..10 {
            // It had saved something up, or lies a little below what is held for sure.
            let soon = Refusal {
                open: 5.0,
                plenty: true,
                ..refusal(74.0, 47.0, 300.0)
            };
            let late = Refusal {
                open: 24.0,
                plenty: true,
                ..refusal(52.0, 52.0, 1_240.0)
            };
            assert_eq!(noise.judge(&soon), About::Limit);
            assert_eq!(noise.judge(&late), About::Limit);
        }
        assert!(!noise.is_noise());
    }

    #[test]
    fn noise_that_has_driven_the_pace_far_down_is_found_where_the_documents_allow_more() {
        let mut noise = Noise::default();
        let surprise = Refusal {
            plenty: true,
            ..refusal(48.0, 54.0, 2.0)
        };
        assert_eq!(noise.judge(&surprise), About::Limit);
        // It came back slowly, and above what little had seemed sure.
        let far_down = Refusal {
            open: 10.0,
            plenty: true,
            ..refusal(15.0, 2.0, 55.0)
        };
        assert_eq!(noise.judge(&far_down), About::Nothing(48.0));
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
        assert_eq!(noise.judge(&dense), About::Nothing(200.0 * BACK_TO));
        assert_eq!(noise.judge(&dense), About::LimitAfterAll);
        assert!(!noise.is_noise());

        let mut noise = met();
        let few: Vec<_> = (0..FEW_IN_A_ROW)
            .map(|_| noise.judge(&refusal(4.0, 3.0, 2.0)))
            .collect();
        assert_eq!(few.last(), Some(&About::LimitAfterAll));
        assert!(!noise.is_noise());
    }
}
