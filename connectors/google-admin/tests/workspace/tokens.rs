//! What is asked of the token endpoint, and what its refusals say.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rescind_core::error::{ErrorKind, Retry};
use serde_json::{Value, json};
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::stage::{Stage, cx};
use crate::wire::{
    ADMIN, CLIENT_ID, KEY_ID, SERVICE_ACCOUNT, done, list, ok, public_key, token_answer,
};

const GOOGLE: &str = "https://oauth2.googleapis.com/token";

/// The assertions the token endpoint has seen, with their signatures checked.
async fn assertions(stage: &Stage, audience: &str) -> Vec<Value> {
    let requests = stage.login.received_requests().await.expect("it records");
    requests
        .iter()
        .map(|request| {
            let form = std::str::from_utf8(&request.body).expect("a form");
            let (grant, assertion) = form.split_once("&assertion=").expect("two fields");
            assert_eq!(
                grant,
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
            );
            let header = jsonwebtoken::decode_header(assertion).expect("a JWT");
            assert_eq!(header.kid.as_deref(), Some(KEY_ID));
            assert_eq!(header.typ.as_deref(), Some("JWT"));
            let mut validation = Validation::new(Algorithm::RS256);
            validation.set_audience(&[audience]);
            let key = DecodingKey::from_rsa_der(&public_key());
            jsonwebtoken::decode::<Value>(assertion, &key, &validation)
                .expect("signed with the service account's key")
                .claims
        })
        .collect()
}

#[tokio::test]
async fn the_service_account_acts_as_the_administrator_with_the_scopes_it_needs() {
    let stage = Stage::with(r#"steps = ["sign-out"]"#).await;
    stage.on("POST", "users/1098/signOut", 2, done()).await;
    stage.revoke().await.expect("it answers");
    stage.revoke().await.expect("it answers");
    let claims = assertions(&stage, GOOGLE).await;
    assert_eq!(claims.len(), 1, "one token serves both");
    let claims = &claims[0];
    assert_eq!(claims["iss"], SERVICE_ACCOUNT);
    assert_eq!(claims["sub"], ADMIN);
    assert_eq!(
        claims["scope"],
        "https://www.googleapis.com/auth/admin.directory.user.security \
         https://www.googleapis.com/auth/admin.directory.user.readonly"
    );
    let life = claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat");
    assert!((1..=3600).contains(&life), "{life} s");
}

#[tokio::test]
async fn the_audience_is_googles_unless_it_is_overridden() {
    let stage =
        Stage::with("steps = [\"sign-out\"]\naudience = \"https://test.example.com/token\"").await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
    stage.revoke().await.expect("it answers");
    assert_eq!(
        assertions(&stage, "https://test.example.com/token")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn groups_have_a_token_of_their_own() {
    let stage = Stage::without_tokens("").await;
    Mock::given(any())
        .respond_with(token_answer("ya29.groups"))
        .expect(1)
        .mount(&stage.login)
        .await;
    let members = list(
        "admin#directory#members",
        "members",
        vec![json!({"id": "1", "type": "USER"})],
    );
    Mock::given(method("GET"))
        .and(path("/admin/directory/v1/groups/g/members"))
        .and(header("authorization", "Bearer ya29.groups"))
        .respond_with(ok(members))
        .expect(1)
        .mount(&stage.api)
        .await;
    stage
        .directory()
        .expand(&cx(), "g", None)
        .await
        .expect("a page");
    let claims = assertions(&stage, GOOGLE).await;
    assert_eq!(
        claims[0]["scope"],
        "https://www.googleapis.com/auth/admin.directory.group.member.readonly"
    );
}

#[tokio::test]
async fn a_missing_delegation_names_the_client_id_and_the_scopes() {
    for (status, code) in [(401, "unauthorized_client"), (403, "access_denied")] {
        let error = refused(
            status,
            json!({"error": code, "error_description": "Client is unauthorized"}),
        )
        .await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(error.vendor_code(), Some(code));
        let hint = error.hint().expect("a hint");
        for expected in [
            CLIENT_ID,
            "https://www.googleapis.com/auth/admin.directory.user.security,\
             https://www.googleapis.com/auth/admin.directory.user.readonly",
        ] {
            assert!(hint.contains(expected), "{hint}");
        }
        assert!(!hint.contains("group"), "{hint}");
    }
}

#[tokio::test]
async fn an_unusable_assertion_says_what_is_wrong_with_it() {
    for (description, expected) in [
        ("Invalid email or User ID", "impersonate"),
        ("Invalid JWT Signature.", "make a new one"),
        (
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your \
             iat and exp values in the JWT claim.",
            "clock",
        ),
        ("Invalid grant: account not found", "deleted"),
        ("something new", "impersonate"),
    ] {
        let error = refused(
            400,
            json!({"error": "invalid_grant", "error_description": description}),
        )
        .await;
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        assert_eq!(error.vendor_code(), Some("invalid_grant"));
        let hint = error.hint().expect("a hint");
        assert!(hint.contains(expected), "{description}: {hint}");
    }
}

#[tokio::test]
async fn a_token_endpoint_in_trouble_may_be_asked_again() {
    for (status, body) in [
        (500, json!({"error": "internal_failure"})),
        (503, json!({})),
        (400, json!({"error": "server_error"})),
        (408, json!({})),
        (429, json!({})),
    ] {
        let error = refused(status, body).await;
        assert!(
            matches!(error.retry(), Retry::Safe { .. }),
            "{status}: {error:?}"
        );
        assert!(!error.is_lane_fault(), "{status}");
    }
}

async fn refused(status: u16, body: Value) -> rescind_core::error::Error {
    let stage = Stage::without_tokens("").await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .expect(1)
        .mount(&stage.login)
        .await;
    let error = stage.revoke().await.expect_err("no token, no call");
    assert!(stage.seen().await.is_empty());
    error
}
