//! What a failed exchange means: was the request sent, and whose fault is it.

use std::error::Error as StdError;

use rescind_core::error::{Error, ErrorKind, Retry};

use crate::request::Effect;

/// An error of the HTTP stack before an answer's head was read.
pub(crate) fn sending(operation: &'static str, effect: Effect, error: reqwest::Error) -> Error {
    let error = error.without_url();
    if let Some(fault) = certificate_fault(&error) {
        return Error::new(
            ErrorKind::Unavailable,
            Retry::Never,
            operation,
            format!("the server's certificate does not verify: {fault}"),
        )
        .with_hint(
            "check the URL and the machine's clock; a company's own root goes into `http.ca_file`",
        )
        .as_lane_fault();
    }
    if error.is_builder() {
        return Error::new(
            ErrorKind::ConfigInvalid,
            Retry::Never,
            operation,
            "the request cannot be built",
        )
        .with_source(error);
    }
    if error.is_connect() {
        let kind = if error.is_timeout() {
            ErrorKind::Timeout
        } else {
            ErrorKind::Unavailable
        };
        let message = if error.is_dns() {
            "the server's name does not resolve"
        } else {
            "no connection to the server"
        };
        // Nothing of the request has left.
        return Error::new(
            if error.is_dns() {
                ErrorKind::Unavailable
            } else {
                kind
            },
            Retry::Safe { after: None },
            operation,
            message,
        )
        .with_source(error);
    }
    after_sending(
        operation,
        effect,
        error,
        "the connection broke before the answer",
    )
}

/// An error while an answer's body was read.
pub(crate) fn reading(operation: &'static str, effect: Effect, error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_timeout() {
        return after_sending(operation, effect, error, "");
    }
    Error::new(
        ErrorKind::InvalidResponse,
        effect.retry_after_sending(),
        operation,
        "the answer's body is cut or cannot be decompressed",
    )
    .with_source(error)
}

fn after_sending(
    operation: &'static str,
    effect: Effect,
    error: reqwest::Error,
    message: &'static str,
) -> Error {
    let (kind, message) = if error.is_timeout() {
        (ErrorKind::Timeout, "no answer in time")
    } else {
        (ErrorKind::Unavailable, message)
    };
    Error::new(kind, effect.retry_after_sending(), operation, message).with_source(error)
}

/// Why a certificate was refused, if that is what happened. rustls hides inside an `io::Error`, often inside two, and
/// `source()` of an `io::Error` skips what it holds.
fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
        return Some(fault.to_string());
    }
    let held = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .and_then(|held| certificate_fault(held));
    held.or_else(|| certificate_fault(error.source()?))
}
