//! The client credentials grant (RFC 6749 §4.4) with a secret or a signed assertion (RFC 7523 §2.2).

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
};
use oauth2::{
    AsyncHttpClient, AuthType, Client, ClientId, ClientSecret, HttpRequest, HttpResponse,
    RequestTokenError, Scope, StandardRevocableToken, TokenUrl,
};
use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use url::Url;

use crate::answer::Answer;
use crate::client::HttpClient;
use crate::request::Request;
use crate::token::{FreshToken, TokenSource};
use crate::token_endpoint::{BODY_LIMIT, OPERATION, TokenAnswer, TokenHint, refusal};

/// Makes a fresh client assertion for each token request.
#[async_trait]
pub trait AssertionSource: fmt::Debug + Send + Sync + 'static {
    /// The assertion, a JWT.
    ///
    /// # Errors
    /// When it cannot be made: a key that does not sign, a file that is not there.
    async fn assertion(&self) -> Result<SecretString, Error>;
}

/// How the client proves who it is.
#[derive(Debug)]
pub enum ClientProof {
    /// A shared secret, sent in the form.
    Secret(SecretString),
    /// A signed assertion.
    Assertion(Box<dyn AssertionSource>),
}

/// Fetches tokens with the client credentials grant.
#[derive(Debug)]
pub struct ClientCredentials {
    token_url: Url,
    client_id: String,
    scope: String,
    proof: ClientProof,
    hint: TokenHint,
}

type TokenClient = Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl ClientCredentials {
    /// Tokens for `client_id` with `scope` from `token_url`.
    pub fn new(
        token_url: Url,
        client_id: impl Into<String>,
        scope: impl Into<String>,
        proof: ClientProof,
        hint: TokenHint,
    ) -> Self {
        Self {
            token_url,
            client_id: client_id.into(),
            scope: scope.into(),
            proof,
            hint,
        }
    }

    /// Asks for a token over this transport.
    pub(crate) async fn ask<C>(&self, transport: &C) -> Result<FreshToken, Error>
    where
        C: for<'c> AsyncHttpClient<'c, Error = Error>,
    {
        let mut client = TokenClient::new(ClientId::new(self.client_id.clone()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(self.token_url.clone()));
        let mut assertion = None;
        match &self.proof {
            ClientProof::Secret(secret) => {
                client =
                    client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
            }
            ClientProof::Assertion(source) => assertion = Some(source.assertion().await?),
        }
        let mut request = client
            .exchange_client_credentials()
            .add_scope(Scope::new(self.scope.clone()));
        if let Some(assertion) = &assertion {
            request = request
                .add_extra_param(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .add_extra_param("client_assertion", assertion.expose_secret());
        }
        match request.request_async(transport).await {
            Ok(answer) => answer.into_token(),
            Err(RequestTokenError::Request(error)) => Err(error),
            // The parse error quotes the body, which may hold a token: it stays here.
            Err(_) => Err(Error::new(
                ErrorKind::InvalidResponse,
                Retry::Safe { after: None },
                OPERATION,
                "the token endpoint answered 200, but not with a token",
            )),
        }
    }
}

#[async_trait]
impl TokenSource for ClientCredentials {
    async fn fetch(&self, http: &HttpClient, cx: &Context) -> Result<FreshToken, Error> {
        let hint = self.hint;
        self.ask(&Transport { http, cx, hint }).await
    }
}

/// Carries the library's requests over our client: paid, bounded, without redirects.
struct Transport<'a> {
    http: &'a HttpClient,
    cx: &'a Context,
    hint: TokenHint,
}

impl<'c> AsyncHttpClient<'c> for Transport<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string()).map_err(|_| {
                Error::new(
                    ErrorKind::ConfigInvalid,
                    Retry::Never,
                    OPERATION,
                    "the token URL cannot be used",
                )
            })?;
            let mut outgoing = Request::new(OPERATION, parts.method, url)
                .reading()
                .body_limit(BODY_LIMIT);
            outgoing.headers = parts.headers;
            outgoing.body = Some(body);
            // The form may hold the client's secret; nothing of it is ever shown, and headers carry none.
            let answer = self.http.send(self.cx, Cost::NOTHING, outgoing).await?;
            response(answer, self.hint)
        })
    }
}

/// What the library gets to read: it would take a list for a token, and does not look at what follows one.
pub(crate) fn response(answer: Answer, hint: TokenHint) -> Result<HttpResponse, Error> {
    refusal(&answer, hint)?;
    answer.json::<IgnoredAny>()?;
    let mut response = HttpResponse::new(answer.body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
