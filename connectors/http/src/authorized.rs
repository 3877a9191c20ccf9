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

/// So many tokens in a row may be ended by somebody else while one request tries to leave.
const MOST_RENEWALS: u32 = 5;

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

    /// Sends with the token. A 401 renews the token, once for everybody who holds the same one, and the request is paid and
    /// sent once more. A second 401 is [`ErrorKind::Unauthenticated`] for good, unless the fresh token has worked for
    /// somebody: then it was ended, too, and is renewed again, a few times at most.
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
        request: Request,
    ) -> Result<Answer, Error> {
        let mut paid = paid;
        let mut renewals = 0;
        loop {
            let token = self.token_at_the_door(cx, paid, cost).await?;
            let mut attempt = request.clone();
            attempt.authorize(token.bearer());
            let answer = self.http.send(cx, Cost::NOTHING, attempt).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                token.has_worked();
                return Ok(answer);
            }
            self.tokens.invalidate(&token);
            // A token that worked for others and is refused here was ended meanwhile, fresh as it was.
            let was_ended = token.worked() && renewals < MOST_RENEWALS;
            if renewals > 0 && !was_ended {
                return Err(Error::new(
                    ErrorKind::Unauthenticated,
                    Retry::Never,
                    answer.operation,
                    format!("a fresh access token is refused: {}", excerpt(&answer.body)),
                ));
            }
            renewals += 1;
            paid = cx.pay(&cost).await?;
        }
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
            let token = self.token(&cx.aside()).await?;
            if cx.may_leave(paid) {
                return Ok(token);
            }
            paid = cx.pay_again(&cost).await?;
        }
    }
}
