//! Entra's token endpoint: what its refusals mean, and what a token says about itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind_http::TokenFault;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Advice for a refusal. It is classified by `error`; the AADSTS number is a hint only, because Microsoft says it may
/// change (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
pub(crate) fn hint(fault: &TokenFault) -> Option<(String, Option<String>)> {
    let code = aadsts(&fault.description)
        .map(str::to_owned)
        .or_else(|| Some(fault.numbers.first()?.to_string()))?;
    let text = match code.as_str() {
        "7000215" => "the client secret is wrong; often its id was copied in place of its value",
        "7000222" => "the client secret has expired; make a new one on the application",
        "700027" => {
            "the assertion's signature does not verify: register this certificate on the application"
        }
        "700021" | "700023" => {
            "the assertion's issuer, subject or audience is refused: check client_id, tenant and cloud"
        }
        "7000218" => "neither a client secret nor an assertion was sent",
        "700016" => "the application is not in this tenant: check tenant and client_id",
        "90002" => "there is no such tenant in this cloud: check tenant and cloud",
        "70011" => "the scope is refused: it must be the root of Microsoft Graph with /.default",
        _ => "look the number up at https://login.microsoftonline.com/error",
    };
    Some((text.to_owned(), Some(format!("AADSTS{code}"))))
}

fn aadsts(description: &str) -> Option<&str> {
    let (_, rest) = description.split_once("AADSTS")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    (1..=12).contains(&end).then(|| &rest[..end])
}

/// What an access token says: read without verifying, for advice only.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Claims {
    /// The application permissions granted; absent when there are none.
    #[serde(default)]
    pub(crate) roles: Vec<String>,
    /// The tenant's id.
    #[serde(default)]
    pub(crate) tid: Option<String>,
}

/// Reads the claims; `None` for a token that is no JWT we can read.
pub(crate) fn claims(token: &SecretString) -> Option<Claims> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_wherever_it_stands() {
        assert_eq!(aadsts("AADSTS7000215: Invalid"), Some("7000215"));
        assert_eq!(aadsts("x AADSTS90002"), Some("90002"));
        assert_eq!(aadsts("AADSTS: none"), None);
        assert_eq!(aadsts(""), None);
    }

    #[test]
    fn an_opaque_token_has_no_claims() {
        for opaque in ["", "opaque", "a.b.c", "a.bm9wZQ.c"] {
            assert!(claims(&SecretString::from(opaque.to_owned())).is_none());
        }
    }
}
