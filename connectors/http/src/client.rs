//! The client: pays, sends, reads a bounded answer.

use std::fmt;
use std::time::Duration;

use rescind_core::budget::Cost;
use rescind_core::config::{ConfigError, HttpSettings, Problem};
use rescind_core::context::{Context, Observation};
use rescind_core::error::{Error, ErrorKind, Retry};
use url::Url;

use crate::answer::Answer;
use crate::base_url::check_scheme;
use crate::redact::RedactedUrl;
use crate::request::Request;
use crate::retry_after::http_date;
use crate::transport;

/// The longest a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest one exchange may take, body included.
const TOTAL: Duration = Duration::from_secs(30);
/// Shorter than the 60 s after which common front ends close an idle connection under us.
const IDLE: Duration = Duration::from_secs(50);
const USER_AGENT: &str = concat!("rescind/", env!("CARGO_PKG_VERSION"));

/// The one HTTP client. Cheap to clone; clones share their connections.
///
/// HTTP/1.1 and 2 over rustls; no redirects, no retries, no proxy but the configured one, 5 s to connect, 30 s in all,
/// 1 MiB of decompressed answer.
#[derive(Clone)]
pub struct HttpClient {
    client: reqwest::Client,
    /// Without trusted roots only this machine itself can be reached.
    has_roots: bool,
}

impl HttpClient {
    /// A client after the `[http]` table.
    ///
    /// A machine without any certificate store gets a client that reaches this machine only and says so when used.
    ///
    /// # Errors
    /// An unreadable `ca_file` or a `proxy` that is no URL, with keys of the `[http]` table.
    pub fn new(settings: &HttpSettings) -> Result<Self, ConfigError> {
        Self::with_timeouts(settings, CONNECT, TOTAL)
    }

    /// The same with other limits: a test of a time-out need not take 30 s.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub fn with_timeouts(
        settings: &HttpSettings,
        connect: Duration,
        total: Duration,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let roots = extra_roots(settings).unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        let proxy = proxy(settings).unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        let builder = || {
            let builder = builder(connect, total);
            match proxy.clone() {
                Some(proxy) => builder.proxy(proxy),
                None => builder,
            }
        };
        if let Ok(client) = builder().tls_certs_merge(roots.clone()).build() {
            return Ok(Self {
                client,
                has_roots: true,
            });
        }
        // The machine has no store: the configured roots have to do.
        let has_roots = !roots.is_empty();
        let client = builder().tls_certs_only(roots).build().map_err(|error| {
            ConfigError::of("http", format!("no HTTP client can be built: {error}"))
        })?;
        Ok(Self { client, has_roots })
    }

    /// Pays for the request, sends it, and reads the whole answer, whatever its status (a redirect is an error).
    ///
    /// # Errors
    /// [`Retry::Safe`] while nothing has left; afterwards [`Retry::OutcomeUnknown`] for a request that writes. Not
    /// cancel-safe in the vendor's eyes: dropped or cancelled after sending, a write may have been carried out.
    pub async fn send(&self, cx: &Context, cost: Cost, request: Request) -> Result<Answer, Error> {
        self.check(&request)?;
        let mut paid = cx.pay(&cost).await?;
        while !cx.may_leave(paid) {
            paid = cx.pay_again(&cost).await?;
        }
        let operation = request.operation;
        let effect = request.effect;
        if cx.cancel.is_cancelled() {
            return Err(stopped(operation, Retry::Safe { after: None }));
        }
        let answer = tokio::select! {
            biased;
            answer = self.exchange(request) => answer?,
            () = cx.cancel.cancelled() => return Err(stopped(operation, effect.retry_after_sending())),
        };
        if let Some(date) = answer.date {
            cx.observe(Observation::ProviderTime(date));
        }
        if answer.status.is_redirection() {
            return Err(answer
                .failure()
                .unwrap_or_else(|| answer.unrecognised("a redirect")));
        }
        Ok(answer)
    }

    fn check(&self, request: &Request) -> Result<(), Error> {
        let refuse = |message: String| {
            Error::new(
                ErrorKind::ConfigInvalid,
                Retry::Never,
                request.operation,
                message,
            )
        };
        check_scheme(&request.url)
            .map_err(|problem| refuse(format!("{}: {problem}", RedactedUrl(&request.url))))?;
        if request.url.scheme() == "https" && !self.has_roots {
            return Err(
                refuse("this machine has no trusted root certificates".to_owned()).with_hint(
                    "install the package ca-certificates, or name a PEM file in `http.ca_file`",
                ),
            );
        }
        Ok(())
    }

    async fn exchange(&self, request: Request) -> Result<Answer, Error> {
        let Request {
            operation,
            method,
            url,
            headers,
            body,
            effect,
            body_limit,
        } = request;
        let mut outgoing = self.client.request(method, url).headers(headers);
        if let Some(body) = body {
            outgoing = outgoing.body(body);
        }
        let mut incoming = outgoing
            .send()
            .await
            .map_err(|error| transport::sending(operation, effect, error))?;
        let status = incoming.status();
        let headers = std::mem::take(incoming.headers_mut());
        let date = headers
            .get(http::header::DATE)
            .and_then(|value| http_date(value.to_str().ok()?));
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
            date,
            operation,
            effect,
        };
        while let Some(chunk) = incoming
            .chunk()
            .await
            .map_err(|error| transport::reading(operation, effect, error))?
        {
            // Chunks come decompressed: a small body that unfolds into a huge one stops here, too.
            if answer.body.len() + chunk.len() > body_limit {
                return Err(answer.unrecognised(format!(
                    "the answer is larger than {} KiB",
                    body_limit / 1024
                )));
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

fn stopped(operation: &'static str, retry: Retry) -> Error {
    Error::new(
        ErrorKind::Cancelled,
        retry,
        operation,
        "stopped before the answer came",
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that builds an HTTP client"
)]
fn builder(connect: Duration, total: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connect)
        .timeout(total)
        .pool_idle_timeout(IDLE)
}

fn extra_roots(settings: &HttpSettings) -> Result<Vec<reqwest::Certificate>, Problem> {
    let Some(path) = &settings.ca_file else {
        return Ok(Vec::new());
    };
    let problem = |message: String| Problem::new("http.ca_file", message);
    let pem = std::fs::read(path)
        .map_err(|error| problem(format!("{} cannot be read: {error}", path.display())))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if roots.is_empty() {
        return Err(problem(format!(
            "{} holds no PEM certificate",
            path.display()
        )));
    }
    Ok(roots)
}

fn proxy(settings: &HttpSettings) -> Result<Option<reqwest::Proxy>, Problem> {
    let Some(text) = &settings.proxy else {
        return Ok(None);
    };
    let problem = |message: &str| Problem::new("http.proxy", message).with_hint("http://host:port");
    let url = Url::parse(text).map_err(|_| problem("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(problem("is not an http:// or https:// URL"));
    }
    let proxy = reqwest::Proxy::all(url).map_err(|_| problem("cannot be used as a proxy"))?;
    let this_machine = reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1");
    Ok(Some(proxy.no_proxy(this_machine)))
}
