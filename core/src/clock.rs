//! Where the time comes from, so that a test can decide what time it is.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

/// The wall clock. Everything durable carries its time from here.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The instant now, in UTC.
    fn now(&self) -> Timestamp;
}

/// An instant and a while; the end of time where there is no such instant.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A wall clock that runs with the runtime's timer: under a paused runtime both stand still and jump together.
#[derive(Debug, Clone, Copy)]
pub struct TimerClock {
    origin: Timestamp,
    started: tokio::time::Instant,
}

impl TimerClock {
    /// A clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self {
            origin,
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        self.origin
            .checked_add(self.started.elapsed())
            .unwrap_or(Timestamp::MAX)
    }
}
