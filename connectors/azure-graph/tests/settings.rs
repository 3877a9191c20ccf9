//! Settings, proofs of identity, the token endpoint, and the probe.

mod entra;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra::scene::{Scene, build, build_at, build_from, subject, token_answer};
use entra::{CLIENT, Entra, TENANT, error, id, token, upn};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::connector::Roles;
use rescind_core::context::{Context, Observation};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{FindingLevel, ProbeReport, RevokeRequest};
use rescind_testkit::{FakeVendor, FreePort, canary};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, Request, ResponseTemplate};

#[derive(Debug)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Settings with the certificate and a private key from the fixtures, copied to where only its owner reads it.
fn certificate(vendor: &FakeVendor, key: &str, more: &str) -> String {
    let text = std::fs::read_to_string(fixture(key)).expect("a fixture");
    let key = vendor.secret_file(key, &text);
    format!(
        "certificate = '{}'\nprivate_key = {{ file = '{}' }}\n{more}",
        fixture("app.pem").display(),
        key.display()
    )
}

/// Makes one call, so that a token is asked for, and gives the form that was sent.
async fn form_of(vendor: &FakeVendor, roles: &Roles) -> (String, BTreeMap<String, String>) {
    let cx = Context::new(Arc::new(FreePort));
    let directory = roles.directory.clone().expect("a role");
    directory
        .resolve(&cx, &[subject(&id(0))])
        .await
        .expect("an answer");
    let requests = vendor.login().received_requests().await.expect("recorded");
    let last = requests.last().expect("a token request");
    let form = url::form_urlencoded::parse(&last.body)
        .into_owned()
        .collect();
    (last.url.path().to_owned(), form)
}

async fn vendor() -> FakeVendor {
    let vendor = FakeVendor::start().await;
    Mock::given(any())
        .respond_with(Entra::with_people(3))
        .mount(vendor.api())
        .await;
    Mock::given(any())
        .respond_with(token_answer(canary::TOKEN))
        .mount(vendor.login())
        .await;
    vendor
}

#[tokio::test]
async fn a_secret_is_sent_as_documented() {
    let vendor = vendor().await;
    let secret = vendor.secret_file("secret", "a~b+c/d=e&f");
    let roles = build(
        &vendor,
        &format!("client_secret = {{ file = '{}' }}", secret.display()),
    );
    let (path, form) = form_of(&vendor, &roles.expect("settings")).await;
    assert_eq!(path, format!("/{TENANT}/oauth2/v2.0/token"));
    let expected = [
        ("client_id", CLIENT.to_owned()),
        ("client_secret", "a~b+c/d=e&f".to_owned()),
        ("grant_type", "client_credentials".to_owned()),
        ("scope", format!("{}/.default", vendor.api_url())),
    ];
    assert_eq!(form, expected.map(|(k, v)| (k.to_owned(), v)).into());
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_that_verifies() {
    let public = std::fs::read(fixture("app.pub.pem")).expect("a fixture");
    let public = DecodingKey::from_rsa_pem(&public).expect("a key");
    for (key, more, algorithm) in [
        ("app.key", "", Algorithm::PS256),
        (
            "app-pkcs1.key",
            "certificate_header = 'ps256'",
            Algorithm::PS256,
        ),
        (
            "app.key",
            "certificate_header = 'rs256-x5t'",
            Algorithm::RS256,
        ),
    ] {
        let vendor = vendor().await;
        let roles = build(&vendor, &certificate(&vendor, key, more)).expect("settings");
        let (path, form) = form_of(&vendor, &roles).await;
        assert_eq!(
            form["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert!(!form.contains_key("client_secret"));
        let header = decode_header(&form["client_assertion"]).expect("a JWT");
        assert_eq!(header.alg, algorithm);
        assert_eq!(header.x5t_s256.is_some(), algorithm == Algorithm::PS256);
        assert_eq!(header.x5t.is_some(), algorithm == Algorithm::RS256);
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[format!("{}{path}", vendor.login_url())]);
        validation.set_issuer(&[CLIENT]);
        let claims = decode::<Value>(&form["client_assertion"], &public, &validation)
            .expect("verifies")
            .claims;
        assert_eq!(claims["sub"], CLIENT);
        let life =
            claims["exp"].as_i64().expect("a number") - claims["nbf"].as_i64().expect("a number");
        assert!((1..=600).contains(&life));
        assert!(uuid::Uuid::parse_str(claims["jti"].as_str().expect("text")).is_ok());
    }
}

#[tokio::test]
async fn a_thumbprint_is_the_certificates() {
    // Printed by `openssl x509 -in app.pem -noout -fingerprint -sha256`, and `-sha1`.
    let sha256 = "5B:85:CA:D9:C5:2E:6C:0C:17:1D:FE:3D:5B:BB:49:46:8E:71:FF:6E:C0:FE:5E:E5:BC:29:C8:65:C5:4A:65:2B";
    let sha1 = "90:09:74:CE:1A:4B:CF:F0:FA:23:82:27:0B:28:E6:BE:8E:E9:FC:15";
    for (more, expected) in [("", sha256), ("certificate_header = 'rs256-x5t'", sha1)] {
        let vendor = vendor().await;
        let roles = build(&vendor, &certificate(&vendor, "app.key", more)).expect("settings");
        let (_, form) = form_of(&vendor, &roles).await;
        let header = decode_header(&form["client_assertion"]).expect("a JWT");
        let thumbprint = header.x5t_s256.or(header.x5t).expect("a thumbprint");
        let bytes = URL_SAFE_NO_PAD.decode(thumbprint).expect("base64url");
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(hex.join(":"), expected);
    }
}

#[tokio::test]
async fn a_federated_token_is_read_again_for_every_token_request() {
    let vendor = vendor().await;
    let file = vendor.secret_file("federated", "first-token\n");
    let more = format!("federated_token = {{ file = '{}' }}", file.display());
    let roles = build(&vendor, &more).expect("settings");
    let (_, form) = form_of(&vendor, &roles).await;
    assert_eq!(form["client_assertion"], "first-token");
    std::fs::write(&file, "second-token\n").expect("written");
    let refused = entra::template(&error(401, "InvalidAuthenticationToken"));
    vendor.answer_times(1, any(), refused).await;
    let (_, form) = form_of(&vendor, &roles).await;
    assert_eq!(form["client_assertion"], "second-token");
    std::fs::remove_file(&file).expect("removed");
    vendor
        .answer(
            any(),
            entra::template(&error(401, "InvalidAuthenticationToken")),
        )
        .await;
    let cx = Context::new(Arc::new(FreePort));
    let revocation = roles.revocation.expect("a role");
    let request = RevokeRequest::new(subject(&id(0)));
    let error = revocation
        .revoke(&cx, &request)
        .await
        .expect_err("no token");
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unauthenticated, Retry::Never)
    );
}

#[tokio::test]
async fn what_the_vendor_would_only_number_is_said_in_words() {
    let vendor = vendor().await;
    let good = certificate(&vendor, "app.key", "");
    let fine: Arc<dyn Clock> = Arc::new(SystemClock);
    let at = |text: &str| -> Arc<dyn Clock> { Arc::new(At(text.parse().expect("a time"))) };
    let no_pem = vendor.secret_file("no.pem", "not a certificate");
    let swapped = format!(
        "certificate = '{}'\nprivate_key = {{ file = '{}' }}",
        no_pem.display(),
        no_pem.display()
    );
    for (more, clock, key, says) in [
        (
            certificate(&vendor, "other.key", ""),
            fine.clone(),
            "private_key",
            "does not belong",
        ),
        (
            good.clone(),
            at("2300-01-01T00:00:00Z"),
            "certificate",
            "expired",
        ),
        (
            good.clone(),
            at("2001-01-01T00:00:00Z"),
            "certificate",
            "not valid before",
        ),
        (swapped, fine.clone(), "certificate", "no PEM certificate"),
        (
            format!("{good}\nclient_secret = {{ env = 'X' }}"),
            fine.clone(),
            "client_secret",
            "more than one",
        ),
        (
            String::new(),
            fine.clone(),
            "client_secret",
            "nothing proves",
        ),
        (
            "certificate = 'x.pem'".to_owned(),
            fine.clone(),
            "private_key",
            "missing",
        ),
        (
            "private_key = { env = 'X' }".to_owned(),
            fine.clone(),
            "certificate",
            "missing",
        ),
    ] {
        let problems = build_at(&vendor, &more, clock).expect_err(says);
        let problem = &problems.problems()[0];
        assert_eq!(problem.key, key, "{problem}");
        assert!(problem.message.contains(says), "{problem}");
    }
}

#[test]
fn addresses_are_checked_and_all_problems_told() {
    let bad = "tenant = 'common'\nclient_id = ' '\ngraph_url = 'http://graph.example.com'\n\
               login_url = 'ftp://x'\nclient_secret = { env = 'NO_SUCH_VARIABLE_HERE' }\n";
    let problems = build_from(bad, Arc::new(SystemClock)).expect_err("all of it");
    let keys: Vec<_> = problems
        .problems()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "tenant",
            "client_id",
            "graph_url",
            "login_url",
            "client_secret"
        ]
    );
    for tenant in ["", "organizations", "a/b", "../x", "a b", "contoso.com?x"] {
        let settings =
            format!("tenant = '{tenant}'\nclient_id = 'x'\nfederated_token = {{ file = 'x' }}");
        let problems = build_from(&settings, Arc::new(SystemClock)).expect_err(tenant);
        assert_eq!(problems.problems()[0].key, "tenant", "{tenant}");
    }
}

#[test]
fn every_cloud_can_be_chosen() {
    for cloud in ["global", "usgov", "usgov-dod", "china"] {
        let settings = format!(
            "tenant = 'Contoso.onmicrosoft.com'\nclient_id = 'x'\ncloud = '{cloud}'\n\
             federated_token = {{ file = 'x' }}"
        );
        let roles = build_from(&settings, Arc::new(SystemClock)).expect(cloud);
        let revocation = roles.revocation.expect("a role");
        assert_eq!(
            revocation.descriptor().vendor_tenant,
            "contoso.onmicrosoft.com"
        );
    }
    let settings =
        "tenant = 'x'\nclient_id = 'x'\ncloud = 'germany'\nfederated_token = { file = 'x' }";
    assert!(build_from(settings, Arc::new(SystemClock)).is_err());
}

async fn revoke_with_login(status: u16, headers: Value, body: Value) -> Error {
    let login = entra::template(&(status, headers, body));
    let scene = Scene::answering(Entra::with_people(1), login).await;
    let error = scene.revoke(0).await.expect_err("no token");
    assert!(scene.sent().await.is_empty());
    error
}

/// Every row of the vendor's table for the token endpoint.
#[tokio::test]
async fn every_refusal_of_the_token_endpoint_is_told_with_its_remedy() {
    for (status, name, number, hint) in [
        (401, "invalid_client", "7000215", "secret is wrong"),
        (401, "invalid_client", "7000222", "expired"),
        (401, "invalid_client", "700027", "register this certificate"),
        (400, "invalid_client", "700021", "check client_id"),
        (400, "invalid_client", "700023", "check client_id"),
        (401, "invalid_client", "7000218", "neither"),
        (400, "unauthorized_client", "700016", "not in this tenant"),
        (400, "invalid_request", "90002", "no such tenant"),
        (400, "invalid_scope", "70011", "/.default"),
        (400, "some_new_error", "999", "look the number up"),
    ] {
        let description = format!("AADSTS{number}: for 'ada@contoso.com'.\r\nTrace ID: x");
        let body = json!({"error": name, "error_description": description, "error_codes": [1]});
        let error = revoke_with_login(status, json!({}), body).await;
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::Unauthenticated, Retry::Never)
        );
        assert!(error.is_lane_fault());
        assert_eq!(
            error.vendor_code(),
            Some(format!("AADSTS{number}").as_str())
        );
        assert!(
            error.hint().is_some_and(|told| told.contains(hint)),
            "{number}"
        );
        assert!(!error.message().contains("for '"), "{}", error.message());
    }
}

#[tokio::test]
async fn the_number_of_a_refusal_is_read_without_its_words() {
    let body = json!({"error": "invalid_client", "error_codes": [7_000_222]});
    let error = revoke_with_login(401, json!({}), body).await;
    assert_eq!(error.vendor_code(), Some("AADSTS7000222"));
    assert!(error.hint().is_some_and(|told| told.contains("expired")));
}

#[tokio::test]
async fn a_token_endpoint_in_trouble_is_waited_for() {
    let after = Some(Duration::from_secs(21));
    let later = json!({"Retry-After": "21"});
    for (status, body, kind) in [
        (
            400,
            json!({"error": "temporarily_unavailable"}),
            ErrorKind::Unavailable,
        ),
        (429, json!({"error": "x"}), ErrorKind::RateLimited),
        (429, Value::Null, ErrorKind::RateLimited),
        (500, json!({}), ErrorKind::Unavailable),
        (503, Value::Null, ErrorKind::Unavailable),
        (504, Value::Null, ErrorKind::Unavailable),
    ] {
        let error = revoke_with_login(status, later.clone(), body).await;
        assert_eq!(
            (error.kind(), error.retry()),
            (kind, Retry::Safe { after }),
            "{status}"
        );
    }
    for answer in [
        ResponseTemplate::new(200).set_body_raw("<html>", "text/html"),
        ResponseTemplate::new(200).set_body_json(json!({"token_type": "Bearer"})),
        ResponseTemplate::new(200).set_body_json(json!({"token_type": "mac", "access_token": "x"})),
        ResponseTemplate::new(200)
            .set_body_json(json!({"access_token": "a\nb", "token_type": "Bearer"})),
        ResponseTemplate::new(200).set_body_bytes(vec![b' '; 300 * 1024]),
        ResponseTemplate::new(204),
    ] {
        let scene = Scene::answering(Entra::with_people(1), answer).await;
        let error = scene.revoke(0).await.expect_err("no token");
        let safe = Retry::Safe { after: None };
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::InvalidResponse, safe)
        );
        assert!(scene.sent().await.is_empty());
    }
}

async fn probe(scene: &Scene) -> ProbeReport {
    scene
        .revocation()
        .probe(&scene.cx())
        .await
        .expect("findings")
}

fn level(report: &ProbeReport, what: &str) -> Option<FindingLevel> {
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.what == what)?;
    Some(finding.level)
}

async fn probed(roles: &[&str]) -> ProbeReport {
    let login = token_answer(&token(roles));
    probe(&Scene::answering(Entra::with_people(600), login).await).await
}

#[tokio::test]
async fn a_probe_names_each_missing_right() {
    use FindingLevel::{Fault, Good, Warning};
    let (revoke, read, group) = (
        "right User.RevokeSessions.All",
        "right User.Read.All",
        "right GroupMember.Read.All",
    );
    for (roles, expected) in [
        (
            &[
                "User.RevokeSessions.All",
                "User.Read.All",
                "GroupMember.Read.All",
            ][..],
            [Good, Good, Good],
        ),
        (
            &["User.RevokeSessions.All", "User.Read.All"],
            [Good, Good, Warning],
        ),
        (&["User.ReadWrite.All"], [Good, Good, Warning]),
        (&["Directory.ReadWrite.All"], [Good, Good, Good]),
        (&["Directory.Read.All"], [Fault, Good, Good]),
        (&["Mail.Read"], [Fault, Fault, Warning]),
    ] {
        let report = probed(roles).await;
        let levels = [revoke, read, group].map(|what| level(&report, what).expect(what));
        assert_eq!(levels, expected, "{roles:?}");
        assert_eq!(level(&report, "tenant"), Some(Good));
        assert_eq!(level(&report, "quota"), Some(Good));
    }
}

#[tokio::test]
async fn a_token_without_roles_is_tried_on_a_harmless_read() {
    let report = probed(&[]).await;
    assert_eq!(
        level(&report, "right User.RevokeSessions.All"),
        Some(FindingLevel::Warning)
    );
    assert_eq!(
        level(&report, "right User.Read.All"),
        Some(FindingLevel::Good)
    );
    let refused = entra::template(&error(403, "Authorization_RequestDenied"));
    let scene = Scene::answering(refused, token_answer(&token(&[]))).await;
    let report = probe(&scene).await;
    assert_eq!(
        level(&report, "right User.Read.All"),
        Some(FindingLevel::Fault)
    );
    assert_eq!(level(&report, "tenant"), Some(FindingLevel::Warning));
    assert!(!report.is_well());
}

#[tokio::test]
async fn a_probe_learns_the_quota_and_ends_no_session() {
    let roles = ["User.RevokeSessions.All", "User.Read.All"];
    let scene = Scene::answering(Entra::with_people(600), token_answer(&token(&roles))).await;
    probe(&scene).await;
    let learned = Observation::BudgetIs {
        budget: "units",
        units: 8_000,
    };
    assert!(scene.port.observations().contains(&learned));
    let requests = scene.vendor.api_requests().await;
    assert!(
        requests
            .iter()
            .all(|request| request.method.as_str() == "GET")
    );
}

#[tokio::test]
async fn a_token_for_another_tenant_is_a_fault() {
    let vendor = vendor().await;
    vendor
        .answer_login(token_answer(&token(&["User.RevokeSessions.All"])))
        .await;
    let settings = format!(
        "tenant = '{}'\nclient_id = '{CLIENT}'\ngraph_url = '{}'\nlogin_url = '{}'\n\
         client_secret = {{ file = '{}' }}",
        id(4711),
        vendor.api_url(),
        vendor.login_url(),
        vendor.secret_file("secret", canary::SECRET).display()
    );
    let roles = build_from(&settings, Arc::new(SystemClock)).expect("settings");
    let cx = Context::new(Arc::new(FreePort));
    let report = roles
        .revocation
        .expect("a role")
        .probe(&cx)
        .await
        .expect("findings");
    assert_eq!(level(&report, "tenant"), Some(FindingLevel::Fault));
}

#[tokio::test]
async fn an_outage_is_no_finding() {
    let down = ResponseTemplate::new(503);
    let scene = Scene::answering(down, token_answer(&token(&["User.Read.All"]))).await;
    let error = scene
        .revocation()
        .probe(&scene.cx())
        .await
        .expect_err("down");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn refused_credentials_are_a_finding_with_a_remedy() {
    let body = json!({"error": "invalid_client", "error_description": "AADSTS7000222: expired"});
    let refused = move |_: &Request| ResponseTemplate::new(401).set_body_json(&body);
    let scene = Scene::answering(Entra::with_people(1), refused).await;
    let report = probe(&scene).await;
    assert_eq!(report.findings.len(), 1);
    assert_eq!(level(&report, "token"), Some(FindingLevel::Fault));
    assert!(
        report.findings[0]
            .hint
            .as_deref()
            .is_some_and(|hint| hint.contains("expired"))
    );
    assert!(!format!("{report:?}").contains(&upn(0)));
}
