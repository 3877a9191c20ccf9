//! What a provider operation says when it has no usable answer.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong, for callers that decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot work, whatever is tried.
    ConfigInvalid,
    /// The vendor does not accept our credentials.
    Unauthenticated,
    /// The credentials are good, the right is missing.
    PermissionDenied,
    /// The vendor wants fewer calls.
    RateLimited,
    /// The vendor, or the way to it, is down.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// We were told to stop.
    Cancelled,
    /// An answer that is not in a form the vendor documents.
    InvalidResponse,
    /// Everything else; never repeated blindly.
    Unexpected,
}

/// Whether, and how, the operation may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// A repeat would fail the same way.
    Never,
    /// The request had no effect.
    Safe {
        /// How long the vendor asked us to wait, measured from the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Duration>,
    },
    /// The request may have been carried out: evidence is read before it is repeated.
    OutcomeUnknown,
}

/// A failed provider operation: kind, whether it may be repeated, and what a person wants to read.
///
/// `message` is a lowercase fragment that fits after "failed to …". It is bounded, and must hold neither secret nor
/// personal data: it reaches logs.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: &'static str,
    message: String,
    hint: Option<String>,
    vendor_code: Option<String>,
    vendor_request_id: Option<String>,
    lane_fault: bool,
    panicked: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Messages longer than this are cut: a vendor's error page is not a message.
const MAX_MESSAGE: usize = 500;

impl Error {
    /// A new error. `operation` names the call, such as `revokeSignInSessions`.
    pub fn new(
        kind: ErrorKind,
        retry: Retry,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            retry,
            operation,
            message: bounded(message.into()),
            hint: None,
            vendor_code: None,
            vendor_request_id: None,
            lane_fault: false,
            panicked: false,
            source: None,
        }))
    }

    /// A call that panicked: an answer that nobody understands, and none of the provider's.
    pub(crate) fn panicked(operation: &'static str, retry: Retry) -> Self {
        let mut error = Self::new(
            ErrorKind::InvalidResponse,
            retry,
            operation,
            "the connector panicked",
        );
        error.0.panicked = true;
        error
    }

    /// What the person should do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(bounded(hint.into()));
        self
    }

    /// The vendor's own code for it, such as `Authorization_RequestDenied`.
    #[must_use]
    pub fn with_vendor_code(mut self, code: impl Into<String>) -> Self {
        self.0.vendor_code = Some(bounded(code.into()));
        self
    }

    /// The vendor's id of the request, for its support.
    #[must_use]
    pub fn with_vendor_request_id(mut self, id: Option<String>) -> Self {
        self.0.vendor_request_id = id.map(bounded);
        self
    }

    /// Says that every other subject of this provider would meet the same: the lane stops until a person acts.
    ///
    /// [`ErrorKind::Unauthenticated`] and [`ErrorKind::ConfigInvalid`] are lane faults by themselves; a connector adds
    /// this to a [`ErrorKind::PermissionDenied`] that the vendor states for the whole application, and to a
    /// certificate that does not verify.
    #[must_use]
    pub fn as_lane_fault(mut self) -> Self {
        self.0.lane_fault = true;
        self
    }

    /// The cause below; it must not repeat what the message says.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same failure for another call that met it too; the source stays with the first.
    #[must_use]
    pub fn for_another_call(&self) -> Self {
        let inner = &self.0;
        Self(Box::new(Inner {
            kind: inner.kind,
            retry: inner.retry,
            operation: inner.operation,
            message: inner.message.clone(),
            hint: inner.hint.clone(),
            vendor_code: inner.vendor_code.clone(),
            vendor_request_id: inner.vendor_request_id.clone(),
            lane_fault: inner.lane_fault,
            panicked: inner.panicked,
            source: None,
        }))
    }

    /// Whether it says nothing about the provider: our side broke.
    pub(crate) fn has_panicked(&self) -> bool {
        self.0.panicked
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it may be repeated.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The call that failed.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What happened, as a fragment.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the person should do, where we know.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The vendor's own code.
    pub fn vendor_code(&self) -> Option<&str> {
        self.0.vendor_code.as_deref()
    }

    /// The vendor's id of the request.
    pub fn vendor_request_id(&self) -> Option<&str> {
        self.0.vendor_request_id.as_deref()
    }

    /// Whether it stops the lane, whoever the subject was.
    pub fn is_lane_fault(&self) -> bool {
        self.0.lane_fault
            || matches!(
                self.0.kind,
                ErrorKind::Unauthenticated | ErrorKind::ConfigInvalid
            )
    }

    /// The durable form.
    pub fn to_record(&self) -> ErrorRecord {
        ErrorRecord {
            kind: self.kind(),
            operation: self.operation().to_owned(),
            message: self.message().to_owned(),
            hint: self.hint().map(str::to_owned),
            vendor_code: self.vendor_code().map(str::to_owned),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retry", &self.0.retry)
            .field("operation", &self.0.operation)
            .field("message", &self.0.message)
            .field("vendor_code", &self.0.vendor_code)
            .field("lane_fault", &self.0.lane_fault)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// An [`Error`] as the store keeps it and as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// The kind.
    pub kind: ErrorKind,
    /// The call that failed.
    pub operation: String,
    /// What happened.
    pub message: String,
    /// What the person should do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The vendor's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_code: Option<String>,
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_MESSAGE {
        let mut end = MAX_MESSAGE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}
