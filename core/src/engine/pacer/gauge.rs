//! One documented budget, and what is left of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::budget::{Budget, BudgetShape};

/// The part of a documented quota that is used: clocks differ, and a vendor counts what we do not see.
const MARGIN: f64 = 0.99;

/// The part of a window that only urgent work may take at once; everybody else takes it drop by drop, so that the end
/// of a window has something left for a person who cannot wait.
const RESERVED: f64 = 0.1;

/// The last of a window, which only urgent work may take at all.
const LAST: f64 = 4.0;

/// A window is counted in so many slots …
const SLOTS: u32 = 1024;
/// … each of which returns later than the window says by this part of it: requests do not all travel equally fast.
const LATE: u32 = 128;

/// What is left of one budget.
#[derive(Debug, Clone)]
pub(super) struct Gauge {
    name: &'static str,
    capacity: f64,
    per: Duration,
    count: Count,
}

#[derive(Debug, Clone)]
enum Count {
    /// What was left at an instant; negative after a request that costs more than the bucket holds. And what was spent
    /// when, as long as that matters to a take-over: in seconds, negative before the lane was opened.
    Bucket {
        level: f64,
        at: Duration,
        spent: VecDeque<(f64, f64)>,
    },
    /// What was spent, by the instant it returns, and its sum; when the next drop of the reserve may go to ordinary
    /// work.
    Window {
        spent: VecDeque<(Duration, f64)>,
        out: f64,
        drop_at: Duration,
    },
}

impl Gauge {
    /// A gauge that shows the whole budget.
    pub(super) fn full(budget: &Budget) -> Self {
        let capacity = f64::from(budget.units.max(1)) * MARGIN;
        Self {
            name: budget.name,
            capacity,
            per: budget.per.max(Duration::from_millis(1)),
            count: match budget.shape {
                BudgetShape::Bucket => Count::Bucket {
                    level: capacity,
                    at: Duration::ZERO,
                    spent: VecDeque::new(),
                },
                BudgetShape::Window => Count::Window {
                    spent: VecDeque::new(),
                    out: 0.0,
                    drop_at: Duration::ZERO,
                },
            },
        }
    }

    /// Counts what others have spent, oldest first, each as an age. What they did before the record counts as spent: the
    /// record begins with an empty bucket.
    pub(super) fn was_spent(&mut self, now: Duration, spent: &[(Duration, f64)]) {
        let ours = self.left(now);
        match &mut self.count {
            Count::Bucket {
                level,
                at,
                spent: known,
            } => {
                if spent.is_empty() {
                    return;
                }
                let now_secs = now.as_secs_f64();
                for &(age, units) in spent {
                    let then = now_secs - age.as_secs_f64();
                    let place = known.partition_point(|(when, _)| *when <= then);
                    known.insert(place, (then, units));
                }
                // Theirs and ours in the order in which they were spent: one bucket refills once for both.
                let refill = self.capacity / self.per.as_secs_f64();
                let oldest = known.front().map_or(now_secs, |(when, _)| *when);
                let mut at_secs = oldest.min(now_secs - self.per.as_secs_f64());
                let mut left = 0.0_f64;
                for &(when, units) in known.iter() {
                    left = (left + refill * (when - at_secs)).min(self.capacity);
                    // It was there, or it would not have been spent.
                    left = (left - units).max(0.0);
                    at_secs = when;
                }
                let both = (left + refill * (now_secs - at_secs)).min(self.capacity);
                // A debt of ours stays one.
                *level = ours.min(both);
                *at = now;
            }
            Count::Window {
                spent: slots, out, ..
            } => {
                for &(age, units) in spent {
                    if let Some(rest) = self.per.checked_sub(age) {
                        let returns = now + rest;
                        let place = slots.partition_point(|(slot, _)| *slot <= returns);
                        slots.insert(place, (returns, units));
                        *out += units;
                    }
                }
            }
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// How much of the budget is used, 0 to 1.
    pub(super) fn used(&self, now: Duration) -> f64 {
        (1.0 - self.left(now) / self.capacity).clamp(0.0, 1.0)
    }

    /// The steady rate, in units a second.
    pub(super) fn per_sec(&self) -> f64 {
        self.capacity / self.per.as_secs_f64()
    }

    /// The budget is larger or smaller than thought; what was spent stays spent.
    pub(super) fn resize(&mut self, units: u32, now: Duration) {
        let capacity = f64::from(units.max(1)) * MARGIN;
        let left = self.left(now);
        if let Count::Bucket { level, at, .. } = &mut self.count {
            *level = left + capacity - self.capacity;
            *at = now;
        }
        self.capacity = capacity;
    }

    /// When `units` can be taken while `kept` stay for somebody who came before.
    pub(super) fn ready_at(&self, now: Duration, units: f64, kept: f64, urgent: bool) -> Duration {
        // What costs more than the budget holds goes when the budget is whole, and leaves a debt.
        let wanted = (units + kept).min(self.capacity);
        match &self.count {
            Count::Bucket { level, at, .. } => {
                let left = self.left(now);
                // The slack keeps a wait from ending a rounding error too early.
                if left >= wanted - 1e-6 {
                    return now;
                }
                let missing = wanted - level;
                (*at + Duration::from_secs_f64(missing / self.per_sec())).max(now)
            }
            Count::Window {
                spent,
                out,
                drop_at,
            } => {
                let reserve = self.capacity * RESERVED;
                let plain = !urgent && units < self.capacity - reserve;
                let wanted = if plain {
                    wanted.max(units + LAST.min(reserve / 2.0))
                } else {
                    wanted
                };
                let mut left = self.capacity - out;
                let mut when = now;
                for &(returns, n) in spent {
                    if returns <= now {
                        left += n;
                        continue;
                    }
                    if left >= wanted - 1e-6 {
                        break;
                    }
                    left += n;
                    when = returns;
                }
                if plain && left - units < reserve {
                    when.max(*drop_at)
                } else {
                    when
                }
            }
        }
    }

    /// Takes `units`.
    pub(super) fn take(&mut self, now: Duration, units: f64, urgent: bool) {
        let left = self.left(now);
        let reserve = self.capacity * RESERVED;
        let returns_at = now + self.per + self.per / LATE;
        let slot = self.per / SLOTS;
        match &mut self.count {
            Count::Bucket { level, at, spent } => {
                *level = left - units;
                *at = now;
                let now = now.as_secs_f64();
                let forgotten = now - self.per.as_secs_f64();
                while spent.front().is_some_and(|(when, _)| *when < forgotten) {
                    spent.pop_front();
                }
                match spent.back_mut() {
                    Some((when, n)) if now < *when + slot.as_secs_f64() => *n += units,
                    _ => spent.push_back((now, units)),
                }
            }
            Count::Window {
                spent,
                out,
                drop_at,
            } => {
                while let Some((returns, n)) = spent.front()
                    && *returns <= now
                {
                    *out -= n;
                    spent.pop_front();
                }
                *out += units;
                if !urgent && left - units < reserve {
                    let rest = spent
                        .front()
                        .map_or(self.per, |(returns, _)| returns.saturating_sub(now));
                    *drop_at = now + rest.mul_f64(units / (left - units + 1.0).max(1.0));
                }
                match spent.back_mut() {
                    Some((returns, n)) if *returns >= returns_at => *n += units,
                    _ => spent.push_back((returns_at + slot, units)),
                }
            }
        }
    }

    /// Gives back what was taken for a request that did not leave.
    pub(super) fn give_back(&mut self, now: Duration, units: f64) {
        let left = self.left(now);
        match &mut self.count {
            Count::Bucket { level, at, spent } => {
                *level = (left + units).min(self.capacity);
                *at = now;
                strike(spent.iter_mut().map(|(_, n)| n), units);
            }
            Count::Window { spent, out, .. } => {
                *out -= strike(spent.iter_mut().map(|(_, n)| n), units);
            }
        }
    }

    fn left(&self, now: Duration) -> f64 {
        match &self.count {
            Count::Bucket { level, at, .. } => {
                let refill = now.saturating_sub(*at).as_secs_f64() * self.per_sec();
                (level + refill).min(self.capacity)
            }
            Count::Window { spent, out, .. } => {
                let back: f64 = spent
                    .iter()
                    .take_while(|(returns, _)| *returns <= now)
                    .map(|(_, n)| n)
                    .sum();
                self.capacity - out + back
            }
        }
    }
}

/// Strikes off the last of what was spent, and says how much that was.
fn strike<'a>(spent: impl DoubleEndedIterator<Item = &'a mut f64>, units: f64) -> f64 {
    let mut owed = units;
    for n in spent.rev() {
        let back = owed.min(*n);
        *n -= back;
        owed -= back;
    }
    units - owed
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn bucket() -> Gauge {
        Gauge::full(&Budget::bucket("writes", 3_000, secs(150)))
    }

    #[test]
    fn what_both_have_spent_comes_back_once() {
        let mut gauge = bucket();
        // The other one empties it, and we take every drop that comes in: nothing is ever saved.
        for second in 1..=140 {
            gauge.take(secs(second), gauge.per_sec(), false);
        }
        gauge.was_spent(secs(140), &[(secs(140), gauge.capacity)]);
        let left = gauge.left(secs(140));
        assert!(left < 2.0 * gauge.per_sec(), "{left}");
    }

    #[test]
    fn a_take_over_of_nothing_changes_nothing() {
        let mut gauge = bucket();
        gauge.take(secs(100), 1_000.0, false);
        let before = gauge.left(secs(110));
        gauge.was_spent(secs(110), &[]);
        assert!((gauge.left(secs(110)) - before).abs() < 1e-6);
    }

    #[test]
    fn what_was_given_back_is_not_spent_at_a_take_over_either() {
        let mut gauge = bucket();
        gauge.take(secs(200), 2_000.0, false);
        gauge.give_back(secs(200), 2_000.0);
        gauge.was_spent(secs(200), &[(secs(1), 10.0)]);
        let left = gauge.left(secs(200));
        assert!(left > gauge.capacity - 40.0, "{left}");
    }
}
