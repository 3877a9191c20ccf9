//! The Workspace account.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rescind_sandbox::{
    GOOGLE_CLIENT_EMAIL, GOOGLE_SCOPES, Operation, Person, Population, Quota, SandboxOptions,
};
use serde_json::{Value, json};

use crate::client::{Answer, Caller, start, start_with};

const ADMIN: &str = "admin@example.com";

fn sign(pem: &str, claims: &Value) -> String {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).unwrap();
    let key = aws_lc_rs::rsa::KeyPair::from_pkcs8(&der).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(&json!({"alg": "RS256", "typ": "JWT"})),
        part(claims)
    );
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &aws_lc_rs::signature::RSA_PKCS1_SHA256,
        &aws_lc_rs::rand::SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The claims of a good assertion. The sandbox tells the time: its `Date` header.
async fn claims(caller: &Caller) -> Value {
    let date = caller
        .send("GET", "/_sandbox/summary", &[], "")
        .await
        .unwrap();
    let date = date.header("date").unwrap().to_owned();
    let now = jiff::fmt::rfc2822::parse(&date.replace("GMT", "+0000"))
        .unwrap()
        .timestamp()
        .as_second();
    json!({
        "iss": GOOGLE_CLIENT_EMAIL, "sub": ADMIN, "scope": GOOGLE_SCOPES.join(" "),
        "aud": "https://oauth2.googleapis.com/token", "iat": now, "exp": now + 3600,
    })
}

async fn exchange(caller: &Caller, claims: &Value) -> Answer {
    let key: Value = serde_json::from_str(&caller.sandbox.service_account_key()).unwrap();
    let assertion = sign(key["private_key"].as_str().unwrap(), claims);
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
        ),
        ("assertion", assertion),
    ];
    caller.form("/token", &form).await
}

/// Swaps the Graph token for one of Google's.
async fn signed_in(mut caller: Caller) -> Caller {
    let answer = exchange(&caller, &claims(&caller).await).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["access_token"]
        .as_str()
        .unwrap()
        .clone_into(&mut caller.bearer);
    caller
}

async fn call(caller: &Caller, method: &str, path: &str) -> Answer {
    let authorization = format!("Bearer {}", caller.bearer);
    let headers = [("authorization", authorization.as_str())];
    caller
        .send(method, &format!("/admin/directory/v1/{path}"), &headers, "")
        .await
        .unwrap()
}

/// Somebody who holds something of every kind and is not suspended.
fn burdened(people: &Population) -> Person {
    people
        .regulars()
        .find(|person| {
            people.grants(*person).count_ones() > 1
                && people.app_passwords(*person) != 0
                && people.has_backup_codes(*person)
                && !people.is_disabled(*person)
        })
        .unwrap()
}

#[tokio::test]
async fn an_assertion_is_verified_before_a_token_is_given() {
    let caller = start("").await;
    let good = claims(&caller).await;
    let cases = [
        ("iss", json!("other@example.com"), 400, "invalid_grant"),
        ("sub", json!("nobody@example.com"), 400, "invalid_grant"),
        (
            "aud",
            json!("https://elsewhere.example.com"),
            400,
            "invalid_grant",
        ),
        ("exp", json!(1000), 400, "invalid_grant"),
        (
            "exp",
            json!(good["iat"].as_i64().unwrap() + 7200),
            400,
            "invalid_grant",
        ),
        (
            "scope",
            json!("https://www.googleapis.com/auth/admin.directory.user"),
            401,
            "unauthorized_client",
        ),
    ];
    for (name, value, status, error) in cases {
        let mut claims = good.clone();
        claims[name] = value;
        let answer = exchange(&caller, &claims).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (status, Some(error)),
            "{name}"
        );
    }
    let key: Value = serde_json::from_str(&caller.sandbox.service_account_key()).unwrap();
    let signed = sign(key["private_key"].as_str().unwrap(), &good);
    let mut other = good;
    other["sub"] = json!("breakglass@example.com");
    let parts: Vec<&str> = signed.split('.').collect();
    let forged = URL_SAFE_NO_PAD.encode(other.to_string());
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned(),
        ),
        ("assertion", format!("{}.{forged}.{}", parts[0], parts[2])),
    ];
    let answer = caller.form("/token", &form).await;
    assert_eq!(answer.json()["error_description"], "Invalid JWT Signature.");
}

#[tokio::test]
async fn everything_a_person_holds_can_be_ended() {
    let caller = signed_in(start("").await).await;
    let people = *caller.sandbox.people();
    let person = burdened(&people);
    let user = call(
        &caller,
        "GET",
        &format!("users/{}", people.google_alias(person).unwrap()),
    )
    .await
    .json();
    let id = user["id"].as_str().unwrap().to_owned();
    assert_eq!(user["primaryEmail"], people.google_email(person).unwrap());

    let grants = call(&caller, "GET", &format!("users/{id}/tokens"))
        .await
        .json();
    for grant in grants["items"].as_array().unwrap() {
        let client: String =
            url::form_urlencoded::byte_serialize(grant["clientId"].as_str().unwrap().as_bytes())
                .collect();
        let path = format!("users/{id}/tokens/{client}");
        assert_eq!(
            call(&caller, "GET", &path).await.json()["clientId"],
            grant["clientId"]
        );
        assert_eq!(call(&caller, "DELETE", &path).await.status, 204);
        let again = call(&caller, "DELETE", &path).await;
        assert_eq!((again.status, again.reason().as_str()), (404, "notFound"));
    }
    let passwords = call(&caller, "GET", &format!("users/{id}/asps"))
        .await
        .json();
    for password in passwords["items"].as_array().unwrap() {
        let path = format!("users/{id}/asps/{}", password["codeId"]);
        assert_eq!(call(&caller, "DELETE", &path).await.status, 204);
        let again = call(&caller, "DELETE", &path).await;
        assert_eq!((again.status, again.reason().as_str()), (400, "invalid"));
    }
    let codes = format!("users/{id}/verificationCodes");
    assert_eq!(
        call(&caller, "GET", &codes).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    assert_eq!(
        call(&caller, "POST", &format!("{codes}/invalidate"))
            .await
            .status,
        204
    );
    assert_eq!(
        call(&caller, "POST", &format!("users/{id}/signOut"))
            .await
            .status,
        204
    );

    for list in ["tokens", "asps", "verificationCodes"] {
        let body = call(&caller, "GET", &format!("users/{id}/{list}"))
            .await
            .json();
        assert_eq!(body.get("items"), None, "{list}");
    }
    assert!(!caller.sandbox.holds_anything(person));
    assert_eq!(
        caller.sandbox.effects(Operation::SignOut)[person.index() as usize],
        1
    );
    assert_eq!(
        caller.sandbox.effects(Operation::DeleteGrant)[person.index() as usize],
        people.grants(person).count_ones()
    );
}

#[tokio::test]
async fn unknown_people_are_told_in_the_vendors_words() {
    let caller = signed_in(start("").await).await;
    for (key, status, reason, message) in [
        ("nobody@example.com", 404, "notFound", "userKey"),
        ("ada@fabrikam.com", 404, "notFound", "Domain not found."),
        (
            "all-staff@example.com",
            400,
            "badRequest",
            "Type not supported: userKey",
        ),
    ] {
        let answer = call(&caller, "GET", &format!("users/{key}")).await;
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (status, reason),
            "{key}"
        );
        assert!(
            answer.json()["error"]["message"]
                .as_str()
                .unwrap()
                .contains(message)
        );
    }
}

#[tokio::test]
async fn backup_codes_of_a_suspended_user_cannot_be_changed() {
    let caller = signed_in(
        start_with(SandboxOptions {
            people: 400,
            ..SandboxOptions::default()
        })
        .await,
    )
    .await;
    let people = *caller.sandbox.people();
    let person = people
        .regulars()
        .find(|person| people.is_disabled(*person))
        .unwrap();
    let id = people.google_id(person);
    assert_eq!(
        call(&caller, "GET", &format!("users/{id}")).await.json()["suspended"],
        true
    );
    let answer = call(
        &caller,
        "POST",
        &format!("users/{id}/verificationCodes/invalidate"),
    )
    .await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (400, "failedPrecondition")
    );
}

#[tokio::test]
async fn only_administrators_may_ask() {
    let mut caller = start("").await;
    let mut asked = claims(&caller).await;
    asked["sub"] = json!(caller.sandbox.people().google_email(Person::regular(0)));
    caller.bearer = exchange(&caller, &asked).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = call(&caller, "GET", "users/admin@example.com").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "forbidden")
    );

    asked["sub"] = json!(ADMIN);
    asked["scope"] = json!(GOOGLE_SCOPES[1]);
    caller.bearer = exchange(&caller, &asked).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = call(&caller, "GET", "users/admin@example.com/tokens").await;
    assert_eq!(answer.json()["error"]["status"], "PERMISSION_DENIED");
    caller.sandbox.void_tokens();
    let answer = call(&caller, "GET", "users/admin@example.com").await;
    assert_eq!(answer.json()["error"]["status"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let caller = signed_in(start("").await).await;
    let everybody = async |path: &str, field: &str| {
        let mut seen = Vec::new();
        let mut page = String::new();
        loop {
            let body = call(&caller, "GET", &format!("{path}{page}")).await.json();
            seen.extend(
                body[field]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["id"].to_string()),
            );
            match body["nextPageToken"].as_str() {
                Some(next) => page = format!("&pageToken={next}"),
                None => break,
            }
        }
        let all = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all);
        all
    };
    assert_eq!(
        everybody("users?customer=my_customer&maxResults=7", "users").await,
        78
    );
    assert_eq!(
        everybody(
            "groups/all-staff@example.com/members?maxResults=2",
            "members"
        )
        .await,
        5
    );
    let derived = "groups/all-staff@example.com/members?includeDerivedMembership=true&maxResults=9";
    assert_eq!(everybody(derived, "members").await, 75);
    let nobody = call(&caller, "GET", "groups/empty@example.com/members")
        .await
        .json();
    assert_eq!(nobody.get("members"), None);
    let whole = call(&caller, "GET", "groups/everyone@example.com/members")
        .await
        .json();
    assert_eq!(whole["members"][0]["type"], "CUSTOMER");
    assert_eq!(call(&caller, "GET", "users").await.status, 400);
}

#[tokio::test]
async fn too_many_queries_a_minute_are_refused_with_403() {
    let caller = signed_in(
        start_with(SandboxOptions {
            people: 80,
            quota: Quota::Limit {
                units: 3,
                per_secs: 600,
            },
            ..SandboxOptions::default()
        })
        .await,
    )
    .await;
    for _ in 0..3 {
        assert_eq!(
            call(&caller, "GET", "users/admin@example.com").await.status,
            200
        );
    }
    let answer = call(&caller, "GET", "users/admin@example.com").await;
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (403, "userRateLimitExceeded")
    );
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test]
async fn a_throttle_may_be_plain_text() {
    let caller = signed_in(start("plain-text=100%").await).await;
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let answer = call(&caller, "POST", "users/admin@example.com/signOut").await;
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        bodies.push(answer.status);
    }
    bodies.sort_unstable();
    assert_eq!(bodies, [403, 429, 503]);
    assert_eq!(caller.sandbox.summary().effects, 0);
}
