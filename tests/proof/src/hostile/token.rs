//! Answers of token endpoints (RFC 6749 §5), and the key files that assertions are signed with.

use std::path::Path;
use std::{fs, io};

use rescind_core::error::{Error, Retry};
use rescind_http::{FreshToken, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::graph::answer;
use super::oracle::{Json, is_presentable};

/// A status on the first line, a body after it: read as both connectors do.
pub(super) fn endpoint(bytes: &[u8]) {
    judge(bytes, rescind_google_admin::reading::token);
    judge(bytes, rescind_azure_graph::reading::token);
}

/// A reader that repeats what the endpoint says, as people like to read it.
pub(super) fn talkative(bytes: &[u8]) {
    judge(bytes, |status, body| {
        let token = rescind_google_admin::reading::token(status, body);
        token.map_err(|error| {
            let json = Json::read(body);
            let said = json
                .as_ref()
                .and_then(|json| json.one("error_description")?.text())
                .map_or_else(String::new, |said| said.chars().take(100).collect());
            Error::new(error.kind(), error.retry(), "token", said)
        })
    });
}

fn judge(bytes: &[u8], read: impl Fn(StatusCode, &[u8]) -> Result<FreshToken, Error>) {
    let (status, body) = answer(bytes);
    match read(status, body) {
        Ok(fresh) => {
            assert_eq!(status, StatusCode::OK, "a token by {status}");
            // Its claims are advice only, and anything may stand there.
            let _rights = rescind_azure_graph::reading::rights(&fresh.secret);
            let Some(json) = Json::of_accepted(body) else {
                return;
            };
            let token = json.one("access_token").and_then(Json::text);
            assert_eq!(token, Some(fresh.secret.expose_secret()), "another token");
            assert!(!fresh.secret.expose_secret().is_empty());
            let bearer = |kind: &Json| {
                kind.text()
                    .is_some_and(|k| k.eq_ignore_ascii_case("bearer"))
            };
            assert!(json.all("token_type").into_iter().all(bearer));
        }
        Err(error) => {
            is_presentable(&error.to_string());
            assert_ne!(error.retry(), Retry::OutcomeUnknown, "nobody's sessions");
            let hint = error.hint().unwrap_or_default();
            let code = error.vendor_code().unwrap_or_default();
            repeats_nothing(body, &format!("{error} {error:?} {hint} {code}"));
        }
    }
}

/// The endpoint was sent a secret, and may send it back: none of its free text may be told. Codes may: they are short, of
/// small letters and underscores.
#[track_caller]
fn repeats_nothing(body: &[u8], told: &str) {
    for text in Json::read(body).iter().flat_map(Json::texts) {
        let is_code = text.len() <= 40
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if text.chars().count() >= 12 && !is_code && !is_number {
            assert!(!told.contains(text), "{text:?} is repeated: {told}");
        }
    }
}

/// A key file that signs.
pub(super) fn signing_key() -> io::Result<Vec<u8>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let key = "../connectors/azure-graph/tests/fixtures/app-pkcs1.key";
    let pem = fs::read_to_string(tests.join(key))?;
    let file = serde_json::json!({
        "type": "service_account", "client_email": "sa@example.com", "client_id": "1", "private_key_id": "k",
        "private_key": pem, "universe_domain": "googleapis.com",
    });
    Ok(file.to_string().into_bytes())
}

/// A service account's key file, as it is: none of it is ever told.
pub(super) fn key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let json = Json::read(text.as_bytes());
    match rescind_google_admin::reading::key(&SecretString::from(text)) {
        Ok(()) => {
            let json = json.expect("a key is JSON");
            let kind = json.one("type").and_then(Json::text);
            assert_eq!(kind, Some("service_account"));
            for key in ["client_email", "private_key"] {
                let text = json.one(key).and_then(Json::text);
                assert!(text.is_some_and(|text| !text.is_empty()), "no {key}");
            }
        }
        Err(why) => {
            is_presentable(&why);
            repeats_nothing(bytes, &why);
        }
    }
}
