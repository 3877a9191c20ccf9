//! `Retry-After`.

use std::time::Duration;

use jiff::Timestamp;
use rescind_http::retry_after_value;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a value with and without a `Date`; it is never more than a day.
pub(super) fn retry_after(bytes: &[u8]) {
    judge(bytes, &retry_after_value);
}

/// A reader that believes every number.
pub(super) fn believing(bytes: &[u8]) {
    judge(bytes, &|text, date| {
        let secs = text.trim().parse().ok().map(Duration::from_secs);
        secs.or_else(|| retry_after_value(text, date))
    });
}

fn judge(bytes: &[u8], read: &dyn Fn(&str, Option<Timestamp>) -> Option<Duration>) {
    let text = String::from_utf8_lossy(bytes);
    let now: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
    for date in [None, Some(now), Some(Timestamp::MIN), Some(Timestamp::MAX)] {
        let wait = read(&text, date);
        assert!(wait.is_none_or(|wait| wait <= DAY), "{text:?}: {wait:?}");
        let plain = text.trim();
        if !plain.is_empty() && plain.len() < 5 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            let secs = plain.parse().expect("digits");
            assert_eq!(wait, Some(Duration::from_secs(secs)), "{text:?}");
        }
    }
}
