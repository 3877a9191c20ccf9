//! What came back, read to its end.

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use rescind_core::error::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::object::object;
use crate::redact::excerpt;
use crate::request::Effect;
use crate::retry_after::retry_after;
use crate::status;

/// A whole answer with any status but a redirect, its body read and within its limit.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// The answer's own `Date`: the vendor's clock.
    pub date: Option<Timestamp>,
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
}

impl Answer {
    /// Whether the status is 2xx. That alone is no success: see [`Answer::json`].
    pub fn is_2xx(&self) -> bool {
        self.status.is_success()
    }

    /// The call it answers.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the request could change anything.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// A header as text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the vendor asks to wait (`Retry-After`), measured from this answer's own `Date`.
    pub fn retry_after(&self) -> Option<std::time::Duration> {
        retry_after(&self.headers, self.date)
    }

    /// The answer as an error after the one status table, `None` for a 2xx. The message holds a scrubbed excerpt.
    pub fn failure(&self) -> Option<Error> {
        status::failure(
            self.operation,
            self.status,
            self.retry_after(),
            self.effect,
            &excerpt(&self.body),
        )
    }

    /// Reads the JSON body.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResponse`] when it is not the JSON that was promised; after a write the outcome is unknown.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        object(&self.body).map_err(|error| {
            // serde's own text quotes values, which may be personal.
            self.unrecognised(format!(
                "the answer is not the JSON that is documented ({:?} error in line {}, column {})",
                error.classify(),
                error.line(),
                error.column()
            ))
        })
    }

    /// The error for an answer that is not in a documented form: perhaps done, when the request was a write.
    pub fn unrecognised(&self, message: impl Into<String>) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            self.effect.retry_after_sending(),
            self.operation,
            message,
        )
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("operation", &self.operation)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}
