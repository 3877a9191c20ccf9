//! One answer of Microsoft Graph, alone or as an item of a batch, and what its errors mean.

use std::time::Duration;

use jiff::Timestamp;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::{Answer, Effect, StatusCode, excerpt, failure, object};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer, wherever it came from.
#[derive(Debug)]
pub(crate) struct GraphAnswer {
    pub(crate) operation: &'static str,
    pub(crate) effect: Effect,
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) date: Option<Timestamp>,
    /// `request-id`: the vendor's own name for the exchange.
    pub(crate) request_id: Option<String>,
}

/// What an answer says about the user it was about.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A 2xx; its body is still to be read.
    Answered(GraphAnswer),
    /// The vendor does not know this user or group.
    Missing,
}

impl From<Answer> for GraphAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            operation: answer.operation(),
            effect: answer.effect(),
            status: answer.status,
            retry_after: answer.retry_after(),
            date: answer.date,
            request_id: answer.header("request-id").map(str::to_owned),
            body: answer.body,
        }
    }
}

impl GraphAnswer {
    /// Sorts the answer after <https://learn.microsoft.com/graph/errors>: by status, then by `error.code`. The
    /// message is only ever a reason against a person being gone. `right` is the permission whose absence a 403 most likely means.
    pub(crate) fn verdict(self, right: &str) -> Result<Verdict, Error> {
        if self.status.is_success() {
            return Ok(Verdict::Answered(self));
        }
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let told = body.as_ref().and_then(|body| body.get("error"));
        let code = told
            .and_then(|error| error.get("code")?.as_str())
            .unwrap_or_default();
        let message = told.and_then(|error| error.get("message")?.as_str());
        if self.status == StatusCode::NOT_FOUND && is_missing(code, message.unwrap_or_default()) {
            return Ok(Verdict::Missing);
        }
        let detail = match message {
            Some(message) => excerpt(format!("{code}: {message}").as_bytes()),
            None => excerpt(&self.body),
        };
        let request_id = self.request_id.clone().or_else(|| {
            let inner = told.and_then(|e| e.get("innerError").or_else(|| e.get("innererror")))?;
            Some(inner.get("request-id")?.as_str()?.to_owned())
        });
        let mut error = self.refined(code, &detail);
        if !code.is_empty() {
            error = error.with_vendor_code(excerpt(code.as_bytes()));
        }
        if self.status == StatusCode::FORBIDDEN {
            error = error.with_hint(format!(
                "grant the application permission {right} on the app registration, with admin consent"
            ));
        }
        Err(error.with_vendor_request_id(request_id))
    }

    /// The toolkit's table, refined by what Graph documents otherwise.
    fn refined(&self, code: &str, detail: &str) -> Error {
        let safe = Retry::Safe {
            after: self.retry_after,
        };
        let told = |kind, retry| {
            Error::new(
                kind,
                retry,
                self.operation,
                format!(
                    "Microsoft Graph answered {}: {detail}",
                    self.status.as_u16()
                ),
            )
        };
        match (self.status.as_u16(), code) {
            (400.., "activityLimitReached" | "throttledRequest" | "TooManyRequests") => {
                told(ErrorKind::RateLimited, safe)
            }
            // An item of a batch that was not carried out because another failed.
            (424, _) => told(ErrorKind::Unavailable, safe),
            (501 | 507, _) => told(ErrorKind::Unexpected, Retry::Never),
            (404, _) => told(ErrorKind::Unexpected, Retry::Never).with_hint(
                "no user or group is said to be missing: check graph_url and the kind of account",
            ),
            _ => failure(
                self.operation,
                self.status,
                self.retry_after,
                self.effect,
                detail,
            )
            .unwrap_or_else(|| self.unrecognised("an unexpected status")),
        }
    }

    /// Reads the JSON of a 200.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.status != StatusCode::OK {
            return Err(self.unrecognised(&format!(
                "a status {} is not documented here",
                self.status.as_u16()
            )));
        }
        // serde's own text quotes values, which may be personal.
        object(&self.body)
            .map_err(|_| self.unrecognised("the answer is not the JSON that is documented"))
    }

    /// A 2xx in a form that is not documented: after a write nobody knows what was done.
    pub(crate) fn unrecognised(&self, message: &str) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            self.effect.retry_after_sending(),
            self.operation,
            message,
        )
        .with_vendor_request_id(self.request_id.clone())
    }
}

/// Whether a 404 says that the addressed user or group does not exist.
///
/// `Request_ResourceNotFound` is the directory's own word for it. The other two are also said of a path that the service
/// behind the URL does not know; a person is gone by them only where the message cannot mean a path.
fn is_missing(code: &str, message: &str) -> bool {
    let is = |known: &str| known.eq_ignore_ascii_case(code);
    is("Request_ResourceNotFound")
        || ((is("ResourceNotFound") || is("itemNotFound")) && !may_mean_a_path(message))
}

fn may_mean_a_path(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let words = [
        "segment", "route", "path", "uri", "url", "endpoint", "http", "api",
    ];
    message.trim().is_empty() || words.iter().any(|word| message.contains(word))
}
