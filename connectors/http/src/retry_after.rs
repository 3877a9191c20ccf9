//! How long the vendor asks to wait.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::civil::DateTime;

/// No vendor means a longer wait than this; what is longer is cut to it.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds, or a date counted from the answer's own `Date`.
///
/// Garbage, and a date without a `Date` to count from, are no wish at all: the lane then waits as it thinks right. A date
/// that has passed is a wait of zero, one at the end of time the longest.
pub fn retry_after(headers: &HeaderMap, date: Option<Timestamp>) -> Option<Duration> {
    retry_after_value(headers.get(RETRY_AFTER)?.to_str().ok()?, date)
}

/// The same for a value that was found elsewhere, such as in an item of a batch.
pub fn retry_after_value(text: &str, date: Option<Timestamp>) -> Option<Duration> {
    let text = text.trim();
    if text.bytes().next()?.is_ascii_digit() {
        // Whole seconds by the standard; fractions are seen in the wild and round up.
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let up = u64::from(fraction.bytes().any(|byte| byte != b'0'));
        // All digits and yet no number: too long a number.
        let secs = whole.parse::<u64>().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(secs.saturating_add(up)).min(LONGEST));
    }
    let Some(until) = http_date(text) else {
        return is_end_of_time(text).then_some(LONGEST);
    };
    let wait = until.duration_since(date?);
    Some(Duration::try_from(wait).unwrap_or_default().min(LONGEST))
}

/// Whether this is a date too late for a [`Timestamp`], which ends on 30 December 9999: some servers write the last
/// second of that year for "never".
fn is_end_of_time(text: &str) -> bool {
    let after_weekday = text.split_once(',').map_or(text, |(_, rest)| rest);
    DateTime::strptime("%d %b %Y %H:%M:%S GMT", after_weekday.trim())
        .is_ok_and(|until| until.year() == 9999)
}

/// Reads a date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        http_date("Sat, 21 Nov 2026 21:00:00 GMT").expect("a date")
    }

    #[test]
    fn seconds_and_dates_are_both_understood() {
        let secs = Duration::from_secs;
        for (text, expected) in [
            ("0", Some(secs(0))),
            ("7", Some(secs(7))),
            (" 120 ", Some(secs(120))),
            ("1.2", Some(secs(2))),
            ("3.0", Some(secs(3))),
            ("99999999999999999999999", Some(LONGEST)),
            ("Sat, 21 Nov 2026 21:00:30 GMT", Some(secs(30))),
            ("Sat, 21 Nov 2026 20:00:00 GMT", Some(secs(0))),
            ("Sat, 21 Nov 2099 20:00:00 GMT", Some(LONGEST)),
            ("Thu, 30 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(secs(0))),
            ("", None),
            ("-5", None),
            ("soon", None),
            ("7 s", None),
            ("1e3", None),
        ] {
            assert_eq!(retry_after_value(text, Some(now())), expected, "{text:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_answers_own_clock() {
        assert_eq!(
            retry_after_value("Sat, 21 Nov 2026 21:00:30 GMT", None),
            None
        );
    }

    #[test]
    fn the_end_of_time_needs_no_clock() {
        let end = "Fri, 31 Dec 9999 23:59:59 GMT";
        assert_eq!(retry_after_value(end, None), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_never_waits_for_ever(text in ".*") {
            let wait = retry_after_value(&text, Some(now()));
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
        }

        #[test]
        fn digits_never_panic(text in "[0-9.]{0,40}") {
            let _ = retry_after_value(&text, None);
        }
    }
}
