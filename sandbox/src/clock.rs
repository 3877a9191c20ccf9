//! The tenants' own clock: the machine's, moved by the `skew` knob.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Milliseconds since the start (for pacing) and since the Unix epoch (for dates).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_wall_ms: i64,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the sandbox learns the time"
    )]
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            started_wall_ms: wall.as_millis() as i64,
        }
    }

    /// Milliseconds since the sandbox started. Never goes back.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Unix time in milliseconds, before any skew.
    pub(crate) fn wall_ms(&self) -> i64 {
        self.started_wall_ms + self.elapsed_ms().cast_signed()
    }
}

/// RFC 3339 with whole seconds, as the directory writes dates.
pub(crate) fn rfc3339_secs(unix_ms: i64) -> String {
    let second = Timestamp::from_second(unix_ms.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    second.to_string()
}

/// RFC 3339 with milliseconds.
pub(crate) fn rfc3339_ms(unix_ms: i64) -> String {
    let instant = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{instant:.3}")
}

/// The date form of HTTP headers (RFC 9110 §5.6.7).
pub(crate) fn http_date(unix_ms: i64) -> String {
    let second = Timestamp::from_second(unix_ms.div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH);
    second.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_forms_of_their_standards() {
        let ms = 1_763_762_407_250;
        assert_eq!(http_date(ms), "Fri, 21 Nov 2025 22:00:07 GMT");
        assert_eq!(rfc3339_secs(ms), "2025-11-21T22:00:07Z");
        assert_eq!(rfc3339_ms(ms), "2025-11-21T22:00:07.250Z");
    }
}
