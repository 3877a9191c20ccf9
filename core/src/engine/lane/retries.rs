//! At most a tenth of the calls of a lane are repeats.

use std::time::Duration;

/// Repeats that are free at the start: a small order must get over a hiccup.
const AT_FIRST: f64 = 10.0;
const MOST: f64 = 100.0;
const PER_CALL: f64 = 0.1;

/// What comes back with every second while the purse is nearly empty: after a long outage repeats are all that is left
/// to do, and somebody has to find out that it is over.
const PER_SEC: f64 = 1.0;

/// What a repeat that went well gives back: a lane that has come back serves its backlog of repeats at full speed.
const WELL: f64 = 2.0;

/// A purse that every call fills a little, and every repeat empties by one.
#[derive(Debug)]
pub(super) struct Retries {
    left: f64,
    seen: Duration,
}

impl Retries {
    pub(super) fn new() -> Self {
        Self {
            left: AT_FIRST,
            seen: Duration::ZERO,
        }
    }

    pub(super) fn called(&mut self) {
        self.add(PER_CALL);
    }

    pub(super) fn went_well(&mut self) {
        self.add(WELL);
    }

    pub(super) fn draw(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.seen).as_secs_f64();
        self.seen = now;
        if self.left < 1.0 {
            self.left = (self.left + since * PER_SEC).min(1.0);
        }
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }

    fn add(&mut self, some: f64) {
        self.left = (self.left + some).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_a_tenth_of_the_calls() {
        let mut retries = Retries::new();
        let mut repeats = 0;
        for _ in 0..10_000 {
            retries.called();
            repeats += u32::from(retries.draw(Duration::ZERO));
        }
        assert!((1_000..=1_011).contains(&repeats), "{repeats}");
    }

    #[test]
    fn an_outage_leaves_one_repeat_a_second() {
        let mut retries = Retries::new();
        let now = |secs| Duration::from_secs(secs);
        while retries.draw(now(1)) {}
        let repeats = (2..102).filter(|secs| retries.draw(now(*secs))).count();
        assert!((99..=100).contains(&repeats), "{repeats}");
    }

    #[test]
    fn a_lane_that_has_come_back_is_not_held_up_by_its_backlog() {
        let mut retries = Retries::new();
        while retries.draw(Duration::from_secs(1)) {}
        assert!(retries.draw(Duration::from_secs(2)));
        for _ in 0..1_000 {
            retries.went_well();
            assert!(retries.draw(Duration::from_secs(2)));
        }
    }
}
