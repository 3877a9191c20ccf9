//! Requests with the shared token.

use std::sync::Arc;

use http::StatusCode;
use rescind_core::budget::Cost;
use rescind_core::context::{Context, Paid};
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
        let paid = cx.pay(&cost).await?;
        self.send_paid(cx, paid, cost, request).await
    }

    /// The same for what has paid already: a batch whose items have. `cost` is paid for a repeat after a 401, and once
    /// more if the lane shuts before the request is on its way.
    ///
    /// # Errors
    /// As [`Authorized::send`].
    pub async fn send_paid(
        &self,
        cx: &Context,
        paid: Paid,
        cost: Cost,
        mut request: Request,
    ) -> Result<Answer, Error> {
        let mut again = request.clone();
        let token = self.token_at_the_door(cx, paid, cost).await?;
        request.authorize(token.bearer());
        let answer = self.http.send(cx, Cost::NOTHING, request).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.invalidate(&token);
        let paid = cx.pay(&cost).await?;
        let token = self.token_at_the_door(cx, paid, cost).await?;
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

    /// The token of a request that leaves next. It is taken once the request is paid, since a lane may let it wait for
    /// minutes and tokens end; fetching one takes time too, in which the lane may shut.
    async fn token_at_the_door(
        &self,
        cx: &Context,
        mut paid: Paid,
        cost: Cost,
    ) -> Result<Arc<Token>, Error> {
        loop {
            let token = self.token(cx).await?;
            if cx.may_leave(paid) {
                return Ok(token);
            }
            paid = cx.pay_again(&cost).await?;
        }
    }
}
