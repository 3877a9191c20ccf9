//! How a simulated provider counts the requests that come in, and what it refuses.

use std::collections::VecDeque;
use std::time::Duration;

/// A limit as a vendor enforces it; times are the provider's.
#[derive(Debug, Clone)]
pub struct Limiter {
    shape: Shape,
    /// From an instant on, the limit is this many times as large.
    change: Option<(Duration, f64)>,
    factor: f64,
    /// Whether a refusal says how long to wait.
    says_when: bool,
    level: f64,
    at: Duration,
    taken: VecDeque<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Bucket {
        per_sec: f64,
        burst: f64,
    },
    Fixed {
        units: f64,
        per: Duration,
    },
    Sliding {
        units: f64,
        per: Duration,
        refused_count: bool,
    },
}

impl Limiter {
    fn new(shape: Shape, level: f64) -> Self {
        Self {
            shape,
            change: None,
            factor: 1.0,
            says_when: true,
            level,
            at: Duration::ZERO,
            taken: VecDeque::new(),
        }
    }

    /// A bucket that starts full and refills steadily.
    #[must_use]
    pub fn bucket(per_sec: f64, burst: f64) -> Self {
        Self::new(Shape::Bucket { per_sec, burst }, burst)
    }

    /// So many in each window; windows follow one another from the beginning on.
    #[must_use]
    pub fn fixed(units: u32, per: Duration) -> Self {
        let units = f64::from(units);
        Self::new(Shape::Fixed { units, per }, units)
    }

    /// So many within any such time.
    #[must_use]
    pub fn sliding(units: u32, per: Duration) -> Self {
        let units = f64::from(units);
        let refused_count = false;
        Self::new(
            Shape::Sliding {
                units,
                per,
                refused_count,
            },
            units,
        )
    }

    /// So many within any such time, refused requests counted in.
    #[must_use]
    pub fn penalty(units: u32, per: Duration) -> Self {
        let units = f64::from(units);
        let refused_count = true;
        Self::new(
            Shape::Sliding {
                units,
                per,
                refused_count,
            },
            units,
        )
    }

    /// From this instant on, another limit.
    #[must_use]
    pub fn changing(mut self, at: Duration, factor: f64) -> Self {
        self.change = Some((at, factor));
        self
    }

    /// Its refusals do not say how long to wait.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.says_when = false;
        self
    }

    /// How much of the limit is used, for the vendors that say so.
    #[must_use]
    pub fn used(&self) -> f64 {
        match self.shape {
            Shape::Bucket { burst, .. } => 1.0 - self.level / burst,
            Shape::Fixed { units, .. } => 1.0 - self.level / (units * self.factor),
            Shape::Sliding { units, .. } => self.taken.len() as f64 / (units * self.factor),
        }
    }

    /// What a caller that knows everything would get accepted until `end`.
    #[must_use]
    pub fn ideal(&self, end: Duration) -> f64 {
        let span = |from: Duration, to: Duration, factor: f64| {
            let secs = to.saturating_sub(from).as_secs_f64();
            match self.shape {
                Shape::Bucket { per_sec, .. } => per_sec * factor * secs,
                Shape::Fixed { units, per } | Shape::Sliding { units, per, .. } => {
                    units * factor * (secs / per.as_secs_f64()).ceil()
                }
            }
        };
        let burst = match self.shape {
            Shape::Bucket { burst, .. } => burst,
            _ => 0.0,
        };
        let (at, factor) = self.change.unwrap_or((end, 1.0));
        burst + span(Duration::ZERO, at, 1.0) + span(at, end, factor)
    }

    /// One request arrives.
    ///
    /// # Errors
    /// When it is refused: the wait that the refusal asks for, if it asks for one.
    pub fn arrive(&mut self, now: Duration) -> Result<(), Option<Duration>> {
        if let Some((at, factor)) = self.change
            && now >= at
        {
            self.factor = factor;
        }
        let wait = match self.shape {
            Shape::Bucket { per_sec, burst } => {
                let rate = per_sec * self.factor;
                let gained = now.saturating_sub(self.at).as_secs_f64() * rate;
                self.level = (self.level + gained).min(burst);
                self.at = self.at.max(now);
                if self.level >= 1.0 {
                    self.level -= 1.0;
                    return Ok(());
                }
                Duration::from_secs_f64((1.0 - self.level) / rate)
            }
            Shape::Fixed { units, per } => {
                let window = per * (now.as_nanos() / per.as_nanos()) as u32;
                if window > self.at || self.at.is_zero() && self.taken.is_empty() {
                    self.at = window;
                    self.level = units * self.factor;
                    self.taken.push_back(now);
                }
                if self.level >= 1.0 {
                    self.level -= 1.0;
                    return Ok(());
                }
                (window + per).saturating_sub(now)
            }
            Shape::Sliding {
                units,
                per,
                refused_count,
            } => {
                while self.taken.front().is_some_and(|t| *t + per <= now) {
                    self.taken.pop_front();
                }
                let limit = (units * self.factor) as usize;
                if self.taken.len() < limit {
                    self.taken.push_back(now);
                    return Ok(());
                }
                if refused_count {
                    self.taken.push_back(now);
                }
                (self.taken[self.taken.len() - limit] + per).saturating_sub(now)
            }
        };
        Err(self
            .says_when
            .then(|| Duration::from_secs_f64(wait.as_secs_f64().ceil())))
    }
}
