//! From a status to what it means: the one table. A connector refines a row with its vendor's document.

use std::time::Duration;

use http::StatusCode;
use rescind_core::error::{Error, ErrorKind, Retry};

use crate::request::Effect;

/// Kind and retry for a status, `None` for a 2xx.
///
/// 429, 503, 423 and 425 say that the request was not carried out. 408 and every other 5xx leave that open, which matters
/// only for a write. Everything else would fail again.
pub fn classify(
    status: StatusCode,
    retry_after: Option<Duration>,
    effect: Effect,
) -> Option<(ErrorKind, Retry)> {
    let not_done = Retry::Safe { after: retry_after };
    let perhaps_done = match effect {
        Effect::Read => not_done,
        Effect::Write => Retry::OutcomeUnknown,
    };
    Some(match status.as_u16() {
        200..=299 => return None,
        300..=399 => (ErrorKind::InvalidResponse, Retry::Never),
        401 => (ErrorKind::Unauthenticated, Retry::Never),
        403 => (ErrorKind::PermissionDenied, Retry::Never),
        408 => (ErrorKind::Timeout, perhaps_done),
        423 | 425 | 503 => (ErrorKind::Unavailable, not_done),
        429 => (ErrorKind::RateLimited, not_done),
        400..=499 => (ErrorKind::Unexpected, Retry::Never),
        500..=599 => (ErrorKind::Unavailable, perhaps_done),
        _ => (ErrorKind::InvalidResponse, perhaps_done),
    })
}

/// The table's error for a status, `None` for a 2xx. `detail` has been scrubbed by the caller.
pub fn failure(
    operation: &'static str,
    status: StatusCode,
    retry_after: Option<Duration>,
    effect: Effect,
    detail: &str,
) -> Option<Error> {
    let (kind, retry) = classify(status, retry_after, effect)?;
    let mut message = format!("the provider answered {}", status.as_u16());
    if !detail.is_empty() {
        message.push_str(": ");
        message.push_str(detail);
    }
    Some(Error::new(kind, retry, operation, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_meaning() {
        use ErrorKind as K;
        let after = Some(Duration::from_secs(7));
        let safe = Retry::Safe { after };
        for code in 100..=999u16 {
            let status = StatusCode::from_u16(code).expect("a status");
            let expected = match code {
                200..=299 => None,
                300..=399 => Some((K::InvalidResponse, Retry::Never)),
                401 => Some((K::Unauthenticated, Retry::Never)),
                403 => Some((K::PermissionDenied, Retry::Never)),
                408 => Some((K::Timeout, Retry::OutcomeUnknown)),
                423 | 425 | 503 => Some((K::Unavailable, safe)),
                429 => Some((K::RateLimited, safe)),
                400..=499 => Some((K::Unexpected, Retry::Never)),
                500..=599 => Some((K::Unavailable, Retry::OutcomeUnknown)),
                _ => Some((K::InvalidResponse, Retry::OutcomeUnknown)),
            };
            assert_eq!(classify(status, after, Effect::Write), expected, "{code}");
        }
    }

    #[test]
    fn a_lost_read_may_always_be_repeated() {
        for code in 100..=999u16 {
            let status = StatusCode::from_u16(code).expect("a status");
            if let Some((_, retry)) = classify(status, None, Effect::Read) {
                assert_ne!(retry, Retry::OutcomeUnknown, "{code}");
            }
        }
    }
}
