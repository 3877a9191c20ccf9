//! The model's HTTP: paid, bounded, without redirects, with one shared token.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, Url, redirect::Policy};
use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::flaw::Flaw;

pub(crate) const CALL: Cost = Cost::of("calls", 1);
const LIMIT: usize = 1 << 20;

/// The way to the vendor.
pub(crate) struct Wire {
    pub(crate) flaw: Flaw,
    http: reqwest::Client,
    pub(crate) api: String,
    login: String,
    secret: String,
    token: Mutex<Option<String>>,
    everybody: CancellationToken,
}

/// An answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) date: Option<Timestamp>,
    retry_after: Option<String>,
    body: Vec<u8>,
    writes: bool,
}

impl Wire {
    #[expect(
        clippy::disallowed_methods,
        reason = "a connector with flaws cannot use the toolkit that prevents them"
    )]
    pub(crate) fn new(flaw: Flaw, api: String, login: String, secret: String) -> Self {
        let redirects = match flaw {
            Flaw::FollowsRedirects => Policy::default(),
            _ => Policy::none(),
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirects)
            .build()
            .expect("a client");
        Self {
            flaw,
            http,
            api,
            login,
            secret,
            token: Mutex::default(),
            everybody: CancellationToken::new(),
        }
    }

    /// Sends one request with the shared token; a 401 renews it once.
    pub(crate) async fn call(
        &self,
        cx: &Context,
        method: Method,
        url: &str,
        cost: Option<Cost>,
    ) -> Result<Reply, Error> {
        let url = Url::parse(url)
            .map_err(|_| Error::new(ErrorKind::Unexpected, Retry::Never, "url", "is no URL"))?;
        let times = match self.flaw {
            Flaw::NeverRenews => 1,
            Flaw::RenewsAgainAndAgain => 6,
            _ => 2,
        };
        for round in 1..=times {
            let token = self.token(cx, round > 1).await?;
            let reply = self
                .send(cx, method.clone(), url.clone(), &token, cost)
                .await?;
            if reply.status != 401 {
                return Ok(reply);
            }
        }
        Err(Error::new(
            ErrorKind::Unauthenticated,
            Retry::Never,
            "call",
            "the token is refused",
        ))
    }

    async fn send(
        &self,
        cx: &Context,
        method: Method,
        url: Url,
        token: &str,
        cost: Option<Cost>,
    ) -> Result<Reply, Error> {
        let writes = method != Method::GET;
        let cost = match self.flaw {
            Flaw::NeverPays => None,
            Flaw::ReadsUnpaid if !writes => None,
            Flaw::PaysInAStrangeBudget => Some(Cost::of("favours", 1)),
            _ => cost,
        };
        if let Some(cost) = cost
            && self.flaw != Flaw::PaysAfterwards
        {
            let mut paid = cx.pay(&cost).await.map_err(|error| self.unpaid(error))?;
            while !cx.may_leave(paid) && self.flaw != Flaw::LeavesIntoAPause {
                paid = cx.pay_again(&cost).await?;
            }
        }
        if self.flaw == Flaw::TokenInLogs {
            tracing::debug!(token, "sending");
        }
        let request = self.http.request(method, url).bearer_auth(token);
        let repeats = if self.flaw == Flaw::RepeatsByItself {
            2
        } else {
            1
        };
        let mut reply = None;
        for _ in 0..repeats {
            let request = request.try_clone().expect("no streaming body");
            let exchange = self.exchange(request, writes);
            reply = Some(if self.flaw == Flaw::IgnoresCancel {
                exchange.await?
            } else {
                tokio::select! {
                    reply = exchange => reply?,
                    () = cx.cancel.cancelled() => return Err(self.cancelled(writes)),
                    () = self.everybody.cancelled() => return Err(self.cancelled(writes)),
                }
            });
            if reply.as_ref().is_some_and(|reply| reply.status < 400) {
                break;
            }
        }
        if let Some(cost) = cost
            && self.flaw == Flaw::PaysAfterwards
        {
            cx.pay(&cost).await?;
        }
        reply.ok_or_else(|| self.cancelled(writes))
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
        writes: bool,
    ) -> Result<Reply, Error> {
        let mut answer = request.send().await.map_err(|error| {
            let retry = match (error.is_connect(), self.flaw) {
                (true, Flaw::RefusedConnectionIsUnknown) => Retry::OutcomeUnknown,
                (true, _) | (false, Flaw::LostAnswerIsSafe) => Retry::Safe { after: None },
                (false, _) => lost(writes),
            };
            Error::new(ErrorKind::Unavailable, retry, "send", "no answer")
        })?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mut reply = Reply {
            status: answer.status().as_u16(),
            date: header("date").and_then(|text| http_date(&text)),
            retry_after: header("retry-after"),
            body: Vec::new(),
            writes,
        };
        let limit = match self.flaw {
            Flaw::ReadsWithoutEnd => 64 * LIMIT,
            _ => LIMIT,
        };
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if reply.body.len() + chunk.len() <= limit => {
                    reply.body.extend_from_slice(&chunk);
                }
                Ok(None) => return Ok(reply),
                _ => return Err(reply.odd("the answer is cut or too long")),
            }
        }
    }

    /// The shared token; a new one where there is none, or where it must be.
    async fn token(&self, cx: &Context, renew: bool) -> Result<String, Error> {
        let mut token = self.token.lock().await;
        if let Some(token) = token.as_ref()
            && !renew
            && self.flaw != Flaw::TokenForEachCall
        {
            return Ok(token.clone());
        }
        let request = self
            .http
            .post(format!("{}/token", self.login))
            .body(self.secret.clone());
        let reply = tokio::select! {
            reply = self.exchange(request, false) => reply?,
            () = cx.cancel.cancelled() => return Err(self.cancelled(false)),
        };
        let refused =
            (400..500).contains(&reply.status) && self.flaw != Flaw::RefusedCredentialsAreAnOutage;
        let fault = |kind, retry| Err(Error::new(kind, retry, "token", "no token"));
        if refused {
            return fault(ErrorKind::Unauthenticated, Retry::Never);
        }
        if reply.status != 200 {
            let retry = match self.flaw {
                Flaw::TokenOutageIsUnknown => Retry::OutcomeUnknown,
                _ => Retry::Safe { after: None },
            };
            return fault(ErrorKind::Unavailable, retry);
        }
        let fresh = reply.json()?["access_token"]
            .as_str()
            .ok_or_else(|| reply.odd("no token in the answer"))?
            .to_owned();
        *token = Some(fresh.clone());
        Ok(fresh)
    }

    fn cancelled(&self, writes: bool) -> Error {
        if self.flaw == Flaw::AllFallTogether {
            self.everybody.cancel();
        }
        let retry = match self.flaw {
            Flaw::CancelIsSafe => Retry::Safe { after: None },
            _ => lost(writes),
        };
        Error::new(ErrorKind::Cancelled, retry, "send", "stopped")
    }

    fn unpaid(&self, error: Error) -> Error {
        match self.flaw {
            Flaw::CancelledPaymentIsUnknown => {
                Error::new(error.kind(), Retry::OutcomeUnknown, "pay", "stopped")
            }
            _ => error,
        }
    }

    /// The error of a status, `None` for a 2xx.
    pub(crate) fn failure(&self, reply: &Reply) -> Option<Error> {
        let after = self.wait_of(reply);
        let safe = Retry::Safe { after };
        let lost = match self.flaw {
            Flaw::ServerErrorIsSafe => safe,
            _ => lost(reply.writes),
        };
        let client = match self.flaw {
            Flaw::ClientErrorIsSafe => safe,
            _ => Retry::Never,
        };
        let (kind, retry) = match (reply.status, self.flaw) {
            (200..=299, _) => return None,
            (403, Flaw::ForbiddenIsSafe) => (ErrorKind::PermissionDenied, safe),
            (403, _) => (ErrorKind::PermissionDenied, Retry::Never),
            (408, _) => (ErrorKind::Timeout, lost),
            (429, _) => (ErrorKind::RateLimited, safe),
            (503, Flaw::UnavailableIsNever) => (ErrorKind::Unavailable, Retry::Never),
            (503, _) => (ErrorKind::Unavailable, safe),
            (500.., _) => (ErrorKind::Unavailable, lost),
            _ => (ErrorKind::Unexpected, client),
        };
        let mut message = format!("the vendor answered {}", reply.status);
        if self.flaw == Flaw::BodyInErrors {
            message.push_str(&String::from_utf8_lossy(&reply.body));
        }
        Some(Error::new(kind, retry, "call", message))
    }

    fn wait_of(&self, reply: &Reply) -> Option<Duration> {
        let invented = (self.flaw == Flaw::InventsAWait).then_some(Duration::from_secs(60));
        let Some(text) = &reply.retry_after else {
            return invented;
        };
        let forgets_seconds = self.flaw == Flaw::ForgetsSeconds;
        let forgets_dates = self.flaw == Flaw::ForgetsDates;
        if let Ok(secs) = text.parse() {
            return (!forgets_seconds).then(|| Duration::from_secs(secs));
        }
        let wait = http_date(text)?.duration_since(reply.date?);
        (!forgets_dates).then(|| wait.unsigned_abs())
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.body).map_err(|_| self.odd("the answer is no JSON"))
    }

    pub(crate) fn odd(&self, message: &str) -> Error {
        Error::new(
            ErrorKind::InvalidResponse,
            lost(self.writes),
            "call",
            message,
        )
    }

    /// Whether this is the vendor's own way to say that there is no such person.
    pub(crate) fn is_nobody(&self, flaw: Flaw) -> bool {
        let own = self
            .json()
            .is_ok_and(|body| body["code"] == "no_such_person");
        self.status == 404 && (own || flaw == Flaw::Any404IsNobody)
    }
}

fn lost(writes: bool) -> Retry {
    if writes {
        Retry::OutcomeUnknown
    } else {
        Retry::Safe { after: None }
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Wire");
        if self.flaw == Flaw::SecretInDebug {
            shown.field("secret", &self.secret);
        }
        shown.finish_non_exhaustive()
    }
}
