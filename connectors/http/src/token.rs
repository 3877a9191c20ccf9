//! One access token for everybody: fetched once at a time, renewed early, dropped when the vendor refuses it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::HttpClient;

/// A token is renewed this long before it expires; one that lives shorter than twice that, at half its life.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// The life of a token whose issuer does not say: short, and a 401 drops it anyway.
const UNSTATED_LIFE: Duration = Duration::from_secs(10 * 60);
/// After a failed early renewal the old token serves on; the next try is this much later.
const NEXT_TRY: Duration = Duration::from_secs(30);

/// Asks a token endpoint. One implementation a grant; it neither caches nor repeats.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// Asks once. Token requests go through [`HttpClient::send`] like every other and are paid there.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] when the credentials are refused; never [`Retry::OutcomeUnknown`].
    async fn fetch(&self, http: &HttpClient, cx: &Context) -> Result<FreshToken, Error>;
}

/// A token as the endpoint gave it.
pub struct FreshToken {
    /// The token.
    pub secret: SecretString,
    /// How long it lives, where the endpoint said so in a way that makes sense.
    pub expires_in: Option<Duration>,
}

/// An access token in use.
pub struct Token {
    secret: SecretString,
    header: HeaderValue,
    renew_at: Instant,
    expires_at: Instant,
    /// Whether the vendor has taken it once.
    worked: AtomicBool,
}

impl Token {
    pub(crate) fn new(fresh: FreshToken) -> Result<Self, Error> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", fresh.secret.expose_secret()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::InvalidResponse,
                    Retry::Safe { after: None },
                    "token",
                    "the access token holds characters that no header can carry",
                )
            })?;
        header.set_sensitive(true);
        let life = fresh.expires_in.unwrap_or(UNSTATED_LIFE);
        let early = EARLY.min(life / 2);
        let now = Instant::now();
        // A life beyond what a clock can express is as good as a year.
        let far = now + Duration::from_secs(365 * 24 * 60 * 60);
        let at = |life: Duration| now.checked_add(life).unwrap_or(far).min(far);
        Ok(Self {
            secret: fresh.secret,
            header,
            renew_at: at(life.saturating_sub(early)),
            expires_at: at(life),
            worked: AtomicBool::new(false),
        })
    }

    /// The value of an `Authorization` header.
    pub fn bearer(&self) -> HeaderValue {
        self.header.clone()
    }

    /// The vendor has taken it: if it refuses it from now on, somebody has ended it.
    pub(crate) fn has_worked(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    /// Whether the vendor took it before.
    pub(crate) fn worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// The token itself, for reading its claims.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// The token of one provider instance, shared by all its calls.
#[derive(Debug)]
pub struct TokenCache {
    source: Box<dyn TokenSource>,
    current: RwLock<Current>,
    fetching: Mutex<()>,
}

#[derive(Debug, Default)]
struct Current {
    token: Option<Arc<Token>>,
    /// Counts answers of the endpoint, good and bad: a call that waited while one came takes it, too.
    answers: u64,
    failure: Option<Error>,
    next_try: Option<Instant>,
}

impl TokenCache {
    /// An empty cache over a source.
    pub fn new(source: impl TokenSource) -> Self {
        Self {
            source: Box::new(source),
            current: RwLock::default(),
            fetching: Mutex::new(()),
        }
    }

    /// A token that is good now. One request is in flight at a time: the others wait for it, or go on with the old token
    /// while that is good. Cancel-safe.
    ///
    /// # Errors
    /// What the endpoint answered; every call that waited for that answer gets it.
    pub async fn get(&self, http: &HttpClient, cx: &Context) -> Result<Arc<Token>, Error> {
        let (asked_at, good) = {
            let current = self.read();
            match &current.token {
                Some(token) if !current.is_due(token) => return Ok(Arc::clone(token)),
                Some(token) if Instant::now() < token.expires_at => {
                    (current.answers, Some(Arc::clone(token)))
                }
                _ => (current.answers, None),
            }
        };
        let _turn = match (self.fetching.try_lock(), &good) {
            (Ok(turn), _) => turn,
            (Err(_), Some(token)) => return Ok(Arc::clone(token)),
            (Err(_), None) => tokio::select! {
                turn = self.fetching.lock() => turn,
                () = cx.cancel.cancelled() => return Err(Error::new(
                    ErrorKind::Cancelled,
                    Retry::Safe { after: None },
                    "token",
                    "stopped while waiting for an access token",
                )),
            },
        };
        {
            let current = self.read();
            if current.answers != asked_at {
                if let Some(token) = current.token.clone() {
                    return Ok(token);
                }
                if let Some(failure) = &current.failure {
                    return Err(failure.for_another_call());
                }
            }
        }
        let fetched = self.source.fetch(http, cx).await.and_then(Token::new);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(token) => {
                let token = Arc::new(token);
                current.answers += 1;
                current.failure = None;
                current.next_try = None;
                current.token = Some(Arc::clone(&token));
                Ok(token)
            }
            Err(error) => {
                if let Some(token) = good {
                    tracing::debug!(error = %error, "early renewal of the access token failed");
                    current.next_try = Some(Instant::now() + NEXT_TRY);
                    return Ok(token);
                }
                // Being stopped is this call's own affair.
                if error.kind() != ErrorKind::Cancelled {
                    current.answers += 1;
                    current.failure = Some(error.for_another_call());
                }
                Err(error)
            }
        }
    }

    /// Drops a token the vendor has refused; a newer one stays.
    pub fn invalidate(&self, refused: &Arc<Token>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current
            .token
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(token, refused))
        {
            current.token = None;
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn is_due(&self, token: &Token) -> bool {
        let now = Instant::now();
        now >= token.renew_at.max(self.next_try.unwrap_or(token.renew_at))
            || now >= token.expires_at
    }
}

impl fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshToken")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
