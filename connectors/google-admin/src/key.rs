//! A service account's JSON key, and the assertions it signs.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::scope::ScopeSet;

/// How long an assertion is valid. Google allows an hour; it is used at once, so minutes are enough.
const ASSERTION_LIFETIME: SignedDuration = SignedDuration::from_secs(600);

/// A service account that can sign assertions. Its `Debug` shows neither key nor address.
pub(crate) struct ServiceAccount {
    pub(crate) email: String,
    /// The numeric id that the Workspace administrator authorises for domain-wide delegation.
    client_id: Option<String>,
    key_id: Option<String>,
    token_uri: Option<String>,
    key: EncodingKey,
}

/// The key file as Google writes it; fields we do not need are left out.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
    client_id: Option<String>,
    private_key_id: Option<String>,
    private_key: Option<SecretString>,
    token_uri: Option<String>,
    universe_domain: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl ServiceAccount {
    /// Reads the JSON key.
    ///
    /// # Errors
    /// A sentence for a person, never quoting the key.
    pub(crate) fn parse(json: &SecretString) -> Result<Self, String> {
        let file: KeyFile = serde_json::from_str(json.expose_secret()).map_err(|error| {
            format!(
                "is not the JSON key of a service account (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        match file.kind.as_deref() {
            Some("service_account") => {}
            Some(_) => {
                return Err("is a key of another type than service_account".to_owned());
            }
            None => return Err("has no \"type\"; expected service_account".to_owned()),
        }
        if file
            .universe_domain
            .is_some_and(|domain| domain != "googleapis.com")
        {
            return Err(
                "belongs to another universe_domain than googleapis.com, where domain-wide delegation does not exist"
                    .to_owned(),
            );
        }
        let email = present(file.client_email).ok_or("has no \"client_email\"")?;
        let pem = file.private_key.ok_or("has no \"private_key\"")?;
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes())
            .map_err(|_| "has a \"private_key\" that is no RSA private key in PEM form")?;
        Ok(Self {
            email,
            client_id: present(file.client_id),
            key_id: present(file.private_key_id),
            token_uri: present(file.token_uri),
            key,
        })
    }

    /// The token endpoint the key names.
    pub(crate) fn token_uri(&self) -> Option<&str> {
        self.token_uri.as_deref()
    }

    /// The numeric id to authorise, or how to find it.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id
            .as_deref()
            .unwrap_or("(the key file's client_id)")
    }

    /// Signs a request for an access token that acts as `subject`, an administrator's primary address.
    ///
    /// <https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests>
    pub(crate) fn assertion(
        &self,
        subject: &str,
        scopes: ScopeSet,
        audience: &str,
        now: Timestamp,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let issued_at = now.as_second();
        let claims = Claims {
            iss: &self.email,
            sub: subject,
            scope: scopes.scopes().join(" "),
            aud: audience,
            iat: issued_at,
            exp: issued_at + ASSERTION_LIFETIME.as_secs(),
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid.clone_from(&self.key_id);
        jsonwebtoken::encode(&header, &claims, &self.key).map(SecretString::from)
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").finish_non_exhaustive()
    }
}

fn present(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}
