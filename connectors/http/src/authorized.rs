//! Requests with the shared token.

use std::sync::Arc;

use http::StatusCode;
use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};

use crate::answer::Answer;
use crate::client::HttpClient;
use crate::redact::excerpt;
use crate::request::Request;
use crate::token::{Token, TokenCache, TokenSource};

/// A client whose requests carry one shared access token.
#[derive(Debug, Clone)]
pub struct Authorized {
    http: HttpClient,
    tokens: Arc<TokenCache>,
}

impl Authorized {
    /// A client that takes its tokens from `source`.
    pub fn new(http: HttpClient, source: impl TokenSource) -> Self {
        Self {
            http,
            tokens: Arc::new(TokenCache::new(source)),
        }
    }

    /// The current token, fetched if need be.
    ///
    /// # Errors
    /// What the token endpoint answered.
    pub async fn token(&self, cx: &Context) -> Result<Arc<Token>, Error> {
        self.tokens.get(&self.http, cx).await
    }

    /// Sends with the token. A 401 renews the token once, for everybody who holds the same one, and the request is paid
    /// and sent once more; a second 401 is [`ErrorKind::Unauthenticated`] for good.
    ///
    /// # Errors
    /// As [`HttpClient::send`], and what the token endpoint answered. Not cancel-safe in the vendor's eyes.
    pub async fn send(&self, cx: &Context, cost: Cost, request: Request) -> Result<Answer, Error> {
        self.send_paid(cx, cost, cost, request).await
    }

    /// The same where the repeat after a 401 costs something else than the first request: a batch whose items have paid.
    ///
    /// # Errors
    /// As [`Authorized::send`].
    pub async fn send_paid(
        &self,
        cx: &Context,
        first: Cost,
        repeat: Cost,
        mut request: Request,
    ) -> Result<Answer, Error> {
        let mut again = request.clone();
        // The token is taken once the request is paid: a lane may let it wait for minutes, and tokens end.
        cx.pay(&first).await?;
        let token = self.token(cx).await?;
        request.authorize(token.bearer());
        let answer = self.http.send(cx, Cost::NOTHING, request).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.invalidate(&token);
        cx.pay(&repeat).await?;
        let token = self.token(cx).await?;
        again.authorize(token.bearer());
        let answer = self.http.send(cx, Cost::NOTHING, again).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                Retry::Never,
                answer.operation,
                format!("a fresh access token is refused: {}", excerpt(&answer.body)),
            ));
        }
        Ok(answer)
    }
}
