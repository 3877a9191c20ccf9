//! Access tokens for a service account that acts as an administrator (RFC 7523 §2.1).
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account>

use std::sync::Arc;

use async_trait::async_trait;
use rescind_core::clock::Clock;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::{FreshToken, HttpClient, TokenFault, TokenSource, Url, exchange};
use secrecy::ExposeSecret;

use crate::key::ServiceAccount;
use crate::scope::ScopeSet;

/// What errors of the token endpoint call their operation.
pub(crate) const TOKEN: &str = "token";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Fetches tokens for one set of scopes.
#[derive(Debug)]
pub(crate) struct Delegation {
    pub(crate) account: Arc<ServiceAccount>,
    pub(crate) impersonate: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) token_url: Url,
    pub(crate) audience: String,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl TokenSource for Delegation {
    async fn fetch(&self, http: &HttpClient, cx: &Context) -> Result<FreshToken, Error> {
        let assertion = self
            .account
            .assertion(
                &self.impersonate,
                self.scopes,
                &self.audience,
                self.clock.now(),
            )
            .map_err(|_| {
                Error::new(
                    ErrorKind::ConfigInvalid,
                    Retry::Never,
                    TOKEN,
                    "the service account's key does not sign",
                )
            })?;
        let form = [
            ("grant_type", GRANT_TYPE),
            ("assertion", assertion.expose_secret()),
        ];
        exchange(http, cx, &self.token_url, &form, hint)
            .await
            .map_err(|error| match error.vendor_code() {
                Some("unauthorized_client" | "access_denied") => {
                    error.with_hint(delegation_hint(self.account.client_id(), self.scopes))
                }
                _ => error,
            })
    }
}

fn delegation_hint(client_id: &str, scopes: ScopeSet) -> String {
    format!(
        "in the Admin console under Security > API controls > Domain-wide delegation, authorise client ID {client_id} \
         for exactly: {} (a new grant can take from minutes to 24 hours)",
        scopes.scopes().join(",")
    )
}

/// Advice that the answer alone allows. Google tells the cause of `invalid_grant` in words only.
pub(crate) fn hint(fault: &TokenFault) -> Option<(String, Option<String>)> {
    let advice = match fault.error.as_str() {
        "invalid_grant" => grant_hint(&fault.description.to_lowercase()),
        "invalid_scope" | "invalid_request" | "invalid_client" | "unsupported_grant_type" => {
            "check service_account_key, token_url and audience"
        }
        _ => return None,
    };
    Some((advice.to_owned(), Some(fault.error.clone())))
}

fn grant_hint(description: &str) -> &'static str {
    if description.contains("invalid email or user id") {
        "`impersonate` must be the primary address of an active administrator of this Workspace account"
    } else if description.contains("signature") {
        "the key was deleted or belongs to another service account: make a new one"
    } else if description.contains("short-lived") || description.contains("iat and exp") {
        "this machine's clock is wrong"
    } else if description.contains("account not found") {
        "the service account was deleted"
    } else {
        "check that the key is not revoked, that `impersonate` is an active administrator, and this machine's clock"
    }
}
