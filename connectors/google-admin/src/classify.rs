//! What an answer of the Directory API means: one pure function.
//!
//! Google speaks two dialects of error (a `reason` in a list, a `status` by name) and throttles with plain text, too:
//! <https://developers.google.com/workspace/admin/directory/v1/limits>,
//! <https://developers.google.com/workspace/admin/directory/v1/guides/troubleshoot-error-codes>.

use std::time::Duration;

use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::{Effect, StatusCode};
use serde_json::Value;

/// Which method answered; what some answers mean depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    UsersGet,
    UsersList,
    MembersList,
    TokensList,
    TokensDelete,
    AspsList,
    AspsDelete,
    InvalidateCodes,
    SignOut,
}

impl Call {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UsersGet => "users.get",
            Self::UsersList => "users.list",
            Self::MembersList => "members.list",
            Self::TokensList => "tokens.list",
            Self::TokensDelete => "tokens.delete",
            Self::AspsList => "asps.list",
            Self::AspsDelete => "asps.delete",
            Self::InvalidateCodes => "verificationCodes.invalidate",
            Self::SignOut => "users.signOut",
        }
    }

    /// Whether it changes anything, and so what a lost answer means.
    pub(crate) const fn effect(self) -> Effect {
        match self {
            Self::UsersGet
            | Self::UsersList
            | Self::MembersList
            | Self::TokensList
            | Self::AspsList => Effect::Read,
            Self::TokensDelete | Self::AspsDelete | Self::InvalidateCodes | Self::SignOut => {
                Effect::Write
            }
        }
    }

    const fn deletes_an_item(self) -> bool {
        matches!(self, Self::TokensDelete | Self::AspsDelete)
    }

    const fn names_a_user(self) -> bool {
        !matches!(self, Self::UsersList | Self::MembersList)
    }
}

/// An answer, as far as its meaning depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) status: StatusCode,
    /// What the vendor asked us to wait. Google promises none, and sends one at times.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: &'a [u8],
}

/// Why an answer is not the success that was asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such user.
    UserMissing(Error),
    /// The address belongs to no domain of this account. Of an id it says that we ask the wrong account.
    DomainMissing(Error),
    /// The user is there, the grant or app password is not.
    ItemMissing(Error),
    /// An app password that is unknown, or a number that is none: the list tells.
    PerhapsMissing(Error),
    /// No usable answer.
    Failed(Error),
}

impl Refusal {
    /// The error it is where the difference does not matter.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::UserMissing(error)
            | Self::DomainMissing(error)
            | Self::ItemMissing(error)
            | Self::PerhapsMissing(error)
            | Self::Failed(error) => error,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Reads one answer. The rows that are Google's own come first; the rest is the table every connector shares.
pub(crate) fn classify(call: Call, seen: Seen<'_>) -> Result<(), Refusal> {
    if seen.status.is_success() {
        return success(call, seen);
    }
    Err(refusal(call, &Fault::read(call, seen)))
}

fn refusal(call: Call, fault: &Fault<'_>) -> Refusal {
    // Throttling first: Google throttles with 403, and with text that is no JSON.
    if fault.is_throttle() {
        return fault
            .error(
                ErrorKind::RateLimited,
                fault.not_done(),
                "Google wants fewer requests",
            )
            .into();
    }
    if fault.is("transientError") {
        return fault
            .error(
                ErrorKind::Unavailable,
                call.effect().retry_after_sending(),
                "Google failed for the moment",
            )
            .into();
    }
    match fault.seen.status.as_u16() {
        400 => bad_request(call, fault),
        403 => forbidden(call, fault),
        404 => not_found(call, fault),
        409 if fault.is("ABORTED") || fault.is("aborted") => fault
            .error(
                ErrorKind::Unavailable,
                fault.not_done(),
                "Google was changing the same account",
            )
            .into(),
        _ => fault.by_status().into(),
    }
}

/// A read answers 200 and its JSON. A change answers any 2xx with nothing in it: anything else is a form nobody
/// documents (a proxy's page, a captive portal), and is no proof that something ended.
fn success(call: Call, seen: Seen<'_>) -> Result<(), Refusal> {
    let recognised = match call.effect() {
        Effect::Read => seen.status == StatusCode::OK,
        Effect::Write => is_nothing(seen.body),
    };
    if recognised {
        Ok(())
    } else {
        Err(unrecognised(call, seen.status).into())
    }
}

/// A 2xx in a form that Google does not document for this call.
pub(crate) fn unrecognised(call: Call, status: StatusCode) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        call.effect().retry_after_sending(),
        call.name(),
        format!(
            "the answer (HTTP {}) is not in a form that Google documents",
            status.as_u16()
        ),
    )
}

fn is_nothing(body: &[u8]) -> bool {
    // The four that JSON takes for white space, and no other.
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    body.iter().all(is_white)
        || serde_json::from_slice::<Value>(body)
            .is_ok_and(|value| value.as_object().is_some_and(serde_json::Map::is_empty))
}

fn bad_request(call: Call, fault: &Fault<'_>) -> Refusal {
    if call.names_a_user() && fault.says("type not supported: userkey") {
        return fault
            .error(
                ErrorKind::Unexpected,
                Retry::Never,
                "the address is a group's, not a person's",
            )
            .with_hint("order a group's members with --group")
            .into();
    }
    if call == Call::AspsDelete && fault.is("invalid") {
        return Refusal::PerhapsMissing(fault.by_status());
    }
    fault.by_status().into()
}

fn forbidden(call: Call, fault: &Fault<'_>) -> Refusal {
    if fault.says("invalid domain") && call.names_a_user() {
        return Refusal::DomainMissing(fault.foreign_domain());
    }
    let refused = |message, hint: &str| {
        fault
            .error(ErrorKind::PermissionDenied, Retry::Never, message)
            .with_hint(hint)
    };
    let for_everybody = [
        (
            &["accessNotConfigured", "SERVICE_DISABLED"][..],
            "the Admin SDK API is not enabled in the service account's project",
            "enable admin.googleapis.com in the Google Cloud project of the service account",
        ),
        (
            &["domainCannotUseApis"],
            "the Workspace account does not allow API access",
            "allow API access in the Admin console under Security > API controls",
        ),
        (
            &["dailyLimitExceeded"],
            "the project's quota for today is used up",
            "raise the quota of the Admin SDK API in the Google Cloud project, or run again tomorrow: `rescind run`",
        ),
        (
            &["ACCESS_TOKEN_SCOPE_INSUFFICIENT"],
            "the access token lacks a scope",
            "`rescind providers check` names the scopes to authorise for domain-wide delegation",
        ),
    ];
    for (reasons, message, hint) in for_everybody {
        if reasons.iter().any(|reason| fault.is(reason)) {
            return refused(message, hint).as_lane_fault().into();
        }
    }
    refused(
        "the administrator of `impersonate` may not do this",
        "it needs a role with User Security Management and Users > Read that covers this person's organisational unit; \
         only a super admin may act on other administrators",
    )
    .into()
}

fn not_found(call: Call, fault: &Fault<'_>) -> Refusal {
    let named = fault.is("notFound") || fault.is("NOT_FOUND");
    if call.names_a_user() && (fault.is("userNotFound") || (named && fault.says("userkey"))) {
        return Refusal::UserMissing(fault.missing("the person is not in this Workspace account"));
    }
    if call.names_a_user() && fault.says("domain not found") {
        return Refusal::DomainMissing(fault.foreign_domain());
    }
    if call.deletes_an_item() && named {
        return Refusal::ItemMissing(fault.missing("the grant or app password is not there"));
    }
    if call == Call::MembersList && (fault.is("groupNotFound") || (named && fault.says("groupkey")))
    {
        return fault.missing("there is no such group").into();
    }
    fault
        .error(
            ErrorKind::Unexpected,
            Retry::Never,
            "Google does not know this address of the API",
        )
        .with_hint("check api_url and customer")
        .into()
}

/// An error answer in either dialect, or as text.
struct Fault<'a> {
    call: Call,
    seen: Seen<'a>,
    /// Every reason and status it names, the most telling first.
    reasons: Vec<String>,
    /// Its message, or the whole text where it is no JSON; lower case, for matching only: it may hold an address.
    text: String,
}

impl<'a> Fault<'a> {
    fn read(call: Call, seen: Seen<'a>) -> Self {
        let json = serde_json::from_slice::<Value>(seen.body).unwrap_or_default();
        let error = &json["error"];
        let listed = |list: &str| {
            error[list]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|entry| entry["reason"].as_str())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let mut reasons = listed("errors");
        reasons.extend(listed("details"));
        reasons.extend(error["status"].as_str().map(str::to_owned));
        let text = match error["message"].as_str() {
            Some(message) => message.to_lowercase(),
            None => String::from_utf8_lossy(seen.body).to_lowercase(),
        };
        Self {
            call,
            seen,
            reasons,
            text,
        }
    }

    fn is(&self, reason: &str) -> bool {
        self.reasons.iter().any(|given| given == reason)
    }

    fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    fn is_throttle(&self) -> bool {
        match self.seen.status.as_u16() {
            429 => true,
            403 | 503 if self.is("dailyLimitExceeded") => false,
            403 | 503 => {
                [
                    "userRateLimitExceeded",
                    "rateLimitExceeded",
                    "quotaExceeded",
                    "RATE_LIMIT_EXCEEDED",
                    "RESOURCE_EXHAUSTED",
                ]
                .iter()
                .any(|reason| self.is(reason))
                    || self.says("request rate higher than configured")
                    || self.says("quota exceeded")
            }
            _ => false,
        }
    }

    /// The request had no effect.
    fn not_done(&self) -> Retry {
        Retry::Safe {
            after: self.seen.retry_after,
        }
    }

    /// What the status says to every connector.
    fn by_status(&self) -> Error {
        let (kind, retry) =
            rescind_http::classify(self.seen.status, self.seen.retry_after, self.call.effect())
                .unwrap_or((ErrorKind::Unexpected, Retry::Never));
        let message = match kind {
            ErrorKind::Unauthenticated => "Google did not accept the access token",
            ErrorKind::Unavailable => "Google is not available",
            ErrorKind::Timeout => "Google gave up waiting for the request",
            ErrorKind::InvalidResponse => "Google gave no answer that it documents",
            _ => "Google refused the request",
        };
        self.error(kind, retry, message)
    }

    fn missing(&self, message: &str) -> Error {
        self.error(ErrorKind::Unexpected, Retry::Never, message)
    }

    fn foreign_domain(&self) -> Error {
        self.error(
            ErrorKind::Unexpected,
            Retry::Never,
            "the domain is not one of this Workspace account",
        )
        .with_hint("check customer and impersonate")
    }

    /// An error with our own words: Google's may hold an address.
    fn error(&self, kind: ErrorKind, retry: Retry, message: &str) -> Error {
        let error = Error::new(
            kind,
            retry,
            self.call.name(),
            format!("{message} (HTTP {})", self.seen.status.as_u16()),
        );
        match self.reasons.first().filter(|reason| is_code(reason)) {
            Some(reason) => error.with_vendor_code(reason.clone()),
            None => error,
        }
    }
}

/// Whether a text is a code such as `userRateLimitExceeded`, and so holds nothing personal.
fn is_code(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

#[cfg(test)]
mod tests;
