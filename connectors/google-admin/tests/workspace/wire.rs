//! A service account whose key the tests make themselves, and answers in the words of the Directory API.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses a part of it"
)]

use std::path::Path;
use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

/// The administrator the service account acts as.
pub(crate) const ADMIN: &str = "admin@example.com";
/// The id that an administrator authorises.
pub(crate) const CLIENT_ID: &str = "102938475610293847561";
pub(crate) const KEY_ID: &str = "key-id-1";
pub(crate) const SERVICE_ACCOUNT: &str = "rescind@project.iam.gserviceaccount.com";

/// The key pair of this build's tests: made by the first test that needs it, kept in the build folder, because making
/// one takes longer than all else and each test may run in a process of its own.
pub(crate) static KEY: LazyLock<KeyPair> = LazyLock::new(|| {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("google-admin-test-key.der");
    let read = || KeyPair::from_pkcs8(&std::fs::read(&kept).ok()?).ok();
    read().unwrap_or_else(|| {
        let made = KeyPair::generate(KeySize::Rsa2048).expect("a key pair can be made");
        let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("the build folder takes a file");
        std::fs::write(&file, der(&made).as_ref()).expect("the build folder takes a file");
        // Of several that make one at the same time, the last one's stays; each goes on with its own.
        file.persist(&kept).expect("the build folder takes a file");
        made
    })
});

fn der(key: &KeyPair) -> Pkcs8V1Der<'static> {
    key.as_der().expect("the key has a DER form")
}

/// The public half, as DER of a `RSAPublicKey`.
pub(crate) fn public_key() -> Vec<u8> {
    KEY.public_key().as_ref().to_vec()
}

/// The private half, as PEM.
pub(crate) fn private_pem() -> String {
    let text = BASE64_STANDARD.encode(der(&KEY).as_ref());
    let lines = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect::<Vec<_>>();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        lines.join("\n")
    )
}

/// The JSON key as Google hands it out.
pub(crate) fn key_file() -> Value {
    json!({
        "type": "service_account",
        "project_id": "project",
        "private_key_id": KEY_ID,
        "private_key": private_pem(),
        "client_email": SERVICE_ACCOUNT,
        "client_id": CLIENT_ID,
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    })
}

pub(crate) fn user(id: &str, address: &str) -> Value {
    json!({
        "kind": "admin#directory#user", "id": id, "etag": "\"e\"", "primaryEmail": address,
        "aliases": [format!("alias.{address}")], "suspended": false, "archived": false, "isAdmin": false,
        "lastLoginTime": "1970-01-01T00:00:00.000Z", "customerId": "C01234567", "orgUnitPath": "/Staff",
    })
}

pub(crate) fn tokens(client_ids: &[&str]) -> Value {
    let items = client_ids.iter().map(|id| {
        json!({"kind": "admin#directory#token", "clientId": id, "displayText": format!("App {id}"),
            "anonymous": false, "nativeApp": false, "userKey": "1098",
            "scopes": ["https://www.googleapis.com/auth/drive"]})
    });
    list("admin#directory#tokenList", "items", items.collect())
}

pub(crate) fn asps(code_ids: &[i64]) -> Value {
    let items = code_ids.iter().map(|id| {
        json!({"codeId": id, "name": "Thunderbird", "creationTime": "1700000000000", "lastTimeUsed": "0",
            "userKey": "1098"})
    });
    list("admin#directory#aspList", "items", items.collect())
}

/// A list, whose entries Google leaves out when there are none.
pub(crate) fn list(kind: &str, entries: &str, values: Vec<Value>) -> Value {
    let mut list = json!({"kind": kind, "etag": "\"e\""});
    if !values.is_empty() {
        list[entries] = Value::Array(values);
    }
    list
}

pub(crate) fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// What deletions and the sign-out answer.
pub(crate) fn done() -> ResponseTemplate {
    ResponseTemplate::new(204)
}

/// An error in the older dialect.
pub(crate) fn error(status: u16, reason: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status)
        .set_body_json(json!({"error": {"code": status, "message": message,
        "errors": [{"domain": "global", "reason": reason, "message": message}]}}))
}

pub(crate) fn no_such_user() -> ResponseTemplate {
    error(404, "notFound", "Resource Not Found: userKey")
}

pub(crate) fn token_answer(token: &str) -> ResponseTemplate {
    ok(json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
}
