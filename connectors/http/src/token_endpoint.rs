//! What a token endpoint says (RFC 6749 §5), read tolerantly and classified by `error`.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::answer::Answer;
use crate::client::HttpClient;
use crate::object::object;
use crate::request::Request;
use crate::token::FreshToken;

/// The name of the call in errors.
pub(crate) const OPERATION: &str = "token";
/// More than this is no token.
pub(crate) const BODY_LIMIT: usize = 256 * 1024;

/// What the endpoint refuses, for a connector that knows its vendor's codes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenFault {
    /// `error`, such as `invalid_client`.
    pub error: String,
    /// `error_description`, raw: match on it, never show it. It may repeat what was sent, the secret included.
    pub description: String,
    /// `error_codes`, which Entra adds.
    pub numbers: Vec<u64>,
}

impl fmt::Debug for TokenFault {
    /// Shows the code and the numbers: nothing that may repeat the form that was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = if is_code(&self.error) {
            &self.error
        } else {
            "an error without a readable code"
        };
        f.debug_struct("TokenFault")
            .field("error", &error)
            .field("numbers", &self.numbers)
            .finish_non_exhaustive()
    }
}

/// A connector's own advice for a refusal: a hint, and the vendor's code for it.
pub type TokenHint = fn(&TokenFault) -> Option<(String, Option<String>)>;

/// Sends one form to a token endpoint: for grants that have no client library, such as RFC 7523's.
///
/// # Errors
/// As [`TokenSource::fetch`](crate::TokenSource::fetch).
pub async fn exchange(
    http: &HttpClient,
    cx: &Context,
    url: &Url,
    form: &[(&str, &str)],
    hint: TokenHint,
) -> Result<FreshToken, Error> {
    let request = Request::post(OPERATION, url.clone())
        .form(form)
        .reading()
        .body_limit(BODY_LIMIT);
    token(&http.send(cx, Cost::NOTHING, request).await?, hint)
}

/// The token in an answer.
pub(crate) fn token(answer: &Answer, hint: TokenHint) -> Result<FreshToken, Error> {
    refusal(answer, hint)?;
    answer.json::<TokenAnswer>()?.into_token()
}

/// Turns every answer but a 200 into its error.
pub(crate) fn refusal(answer: &Answer, hint: TokenHint) -> Result<(), Error> {
    if answer.status == StatusCode::OK {
        return Ok(());
    }
    let status = answer.status.as_u16();
    if answer.is_2xx() {
        return Err(answer.unrecognised(format!("the token endpoint answered {status}")));
    }
    let fault: Option<TokenFault> = object::<FaultBody>(&answer.body).ok().and_then(|body| {
        Some(TokenFault {
            error: body.error?,
            description: body.error_description.unwrap_or_default(),
            numbers: body.error_codes,
        })
    });
    let code = fault.as_ref().map_or("", |fault| fault.error.as_str());
    let after = answer.retry_after();
    let (kind, retry) = match (status, code) {
        (429, _) | (_, "slow_down") => (ErrorKind::RateLimited, Retry::Safe { after }),
        (408 | 423 | 425 | 500.., _)
        | (_, "temporarily_unavailable" | "server_error" | "internal_failure") => {
            (ErrorKind::Unavailable, Retry::Safe { after })
        }
        // Every further call would meet the same: a person has to look.
        _ => (ErrorKind::Unauthenticated, Retry::Never),
    };
    // An endpoint may repeat the form it was sent, which holds the secret: none of its free text is shown.
    let shown = if is_code(code) {
        code
    } else {
        "an error without a readable code"
    };
    let message = match &fault {
        Some(_) => format!("the token endpoint answered {status}, {shown}"),
        None => format!("the token endpoint answered {status}, not in the form of OAuth 2.0"),
    };
    let mut error = Error::new(kind, retry, OPERATION, message);
    let advice = fault.as_ref().and_then(hint);
    let known = advice.is_some();
    if let Some((hint, code)) = advice {
        error = error.with_hint(hint);
        if let Some(code) = code {
            error = error.with_vendor_code(code);
        }
    }
    if !known && is_code(code) {
        error = error.with_vendor_code(code);
    }
    Err(error)
}

/// Whether this is a word as RFC 6749 §5.2 and the vendors use them, and no text that somebody could hide a secret in.
fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && (text.bytes()).all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[derive(Deserialize)]
struct FaultBody {
    #[serde(default, deserialize_with = "lenient_text")]
    error: Option<String>,
    #[serde(default, deserialize_with = "lenient_text")]
    error_description: Option<String>,
    #[serde(default, deserialize_with = "lenient_numbers")]
    error_codes: Vec<u64>,
}

fn lenient_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Array(all) => all.iter().filter_map(serde_json::Value::as_u64).collect(),
        _ => Vec::new(),
    })
}

fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

/// A token answer whose `expires_in` may be missing, a text, a fraction or nonsense.
#[derive(Deserialize, Serialize)]
pub(crate) struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default = "bearer", deserialize_with = "any_case")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "lenient_secs")]
    expires_in: Option<u64>,
}

impl TokenAnswer {
    pub(crate) fn into_token(self) -> Result<FreshToken, Error> {
        let problem = |message: &str| {
            Error::new(
                ErrorKind::InvalidResponse,
                Retry::Safe { after: None },
                OPERATION,
                message,
            )
        };
        if self.token_type != BasicTokenType::Bearer {
            return Err(problem(
                "the token endpoint issued a token that is no bearer token",
            ));
        }
        if self.access_token.secret().is_empty() {
            return Err(problem("the token endpoint issued an empty token"));
        }
        Ok(FreshToken {
            secret: SecretString::from(self.access_token.into_secret()),
            expires_in: self.expires_in.map(Duration::from_secs),
        })
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenAnswer([redacted])")
    }
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn any_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(if text.eq_ignore_ascii_case("bearer") {
        BasicTokenType::Bearer
    } else {
        BasicTokenType::Extension(text)
    })
}

fn lenient_secs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let secs = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(secs.filter(|secs| *secs >= 1.0).map(|secs| secs as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(expires_in: &str) -> Option<Duration> {
        let json = format!(r#"{{"token_type":"BEARER","access_token":"t"{expires_in}}}"#);
        let answer: TokenAnswer = serde_json::from_str(&json).expect("parses");
        answer.into_token().expect("a token").expires_in
    }

    #[test]
    fn an_odd_life_time_is_tolerated() {
        let hour = Some(Duration::from_secs(3599));
        assert_eq!(life(r#","expires_in":3599"#), hour);
        assert_eq!(life(r#","expires_in":"3599""#), hour);
        assert_eq!(life(r#","expires_in":3599.9"#), hour);
        for odd in [
            "",
            r#","expires_in":null"#,
            r#","expires_in":-5"#,
            r#","expires_in":0"#,
            r#","expires_in":"soon""#,
            r#","expires_in":{}"#,
        ] {
            assert_eq!(life(odd), None, "{odd}");
        }
    }

    #[test]
    fn debug_of_a_refusal_repeats_nothing_that_was_sent() {
        let fault = |error: &str| TokenFault {
            error: error.to_owned(),
            description: "client_secret=canary is wrong".to_owned(),
            numbers: vec![7_000_215],
        };
        let shown = format!("{:?}", fault("invalid_client"));
        assert!(
            shown.contains("invalid_client") && shown.contains("7000215"),
            "{shown}"
        );
        assert!(!shown.contains("canary"), "{shown}");
        let shown = format!("{:?}", fault("canary is no secret"));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn only_a_bearer_token_is_a_token() {
        for bad in [
            r#"{"token_type":"mac","access_token":"t"}"#,
            r#"{"token_type":"Bearer","access_token":""}"#,
        ] {
            let answer: TokenAnswer = serde_json::from_str(bad).expect("parses");
            let error = answer.into_token().expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        }
    }
}
