//! Statuses that are no yes, told whether or not the deed was done.

use super::super::wire::{Asked, Said};
use super::Behind::{self, Doubt, Refusal};
use super::{Tell, whole};

/// This status, with the true body under it.
macro_rules! status {
    ($status:expr) => {
        |_: &Asked, honest: Said| {
            whole(&Said {
                status: $status.into(),
                ..honest
            })
        }
    };
}

/// A redirect to a page where a browser would sign in.
macro_rules! redirect {
    ($status:expr) => {
        |_: &Asked, honest: Said| {
            let said = Said {
                status: $status.into(),
                ..honest
            };
            whole(&said.with("location", "http://login.example.com/signin?next=admin"))
        }
    };
}

/// Told to every connector.
pub(super) const BOTH: &[(&str, Behind, Tell)] = &[
    (
        "301 to a login page",
        Refusal,
        redirect!("301 Moved Permanently"),
    ),
    ("302 to a login page", Refusal, redirect!("302 Found")),
    ("303 to a login page", Refusal, redirect!("303 See Other")),
    (
        "307 to a login page",
        Refusal,
        redirect!("307 Temporary Redirect"),
    ),
    (
        "308 to a login page",
        Refusal,
        redirect!("308 Permanent Redirect"),
    ),
    ("304 with a body", Refusal, status!("304 Not Modified")),
    ("400 over a yes", Refusal, status!("400 Bad Request")),
    ("401 over a yes", Refusal, status!("401 Unauthorized")),
    ("402 over a yes", Refusal, status!("402 Payment Required")),
    ("403 over a yes", Refusal, status!("403 Forbidden")),
    ("405 over a yes", Refusal, status!("405 Method Not Allowed")),
    ("408 over a yes", Doubt, status!("408 Request Timeout")),
    ("409 over a yes", Refusal, status!("409 Conflict")),
    (
        "412 over a yes",
        Refusal,
        status!("412 Precondition Failed"),
    ),
    ("418 over a yes", Refusal, status!("418 I'm a teapot")),
    (
        "421 over a yes",
        Refusal,
        status!("421 Misdirected Request"),
    ),
    ("423 over a yes", Refusal, status!("423 Locked")),
    ("425 over a yes", Refusal, status!("425 Too Early")),
    ("429 over a yes", Refusal, status!("429 Too Many Requests")),
    (
        "451 over a yes",
        Refusal,
        status!("451 Unavailable For Legal Reasons"),
    ),
    (
        "500 over a yes",
        Doubt,
        status!("500 Internal Server Error"),
    ),
    ("502 over a yes", Doubt, status!("502 Bad Gateway")),
    (
        "503 over a yes",
        Refusal,
        status!("503 Service Unavailable"),
    ),
    ("504 over a yes", Doubt, status!("504 Gateway Timeout")),
    (
        "507 over a yes",
        Refusal,
        status!("507 Insufficient Storage"),
    ),
    ("599 over a yes", Doubt, status!("599 Unknown")),
    ("999 over a yes", Refusal, status!("999 Request Denied")),
];
