//! The seed of a run: taken from the command line, or from the clock, and always printed.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seed asked for, or a fresh one.
#[must_use]
pub fn or_fresh(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a fresh seed is the one thing here that must differ each time"
        )]
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64)
    })
}
