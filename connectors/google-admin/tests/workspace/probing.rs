//! What `rescind providers check` finds.

use rescind_core::provider::{FindingLevel, ProbeReport};
use serde_json::json;
use wiremock::matchers::{any, body_string_contains};
use wiremock::{Mock, ResponseTemplate};

use crate::stage::{Stage, cx};
use crate::wire::{CLIENT_ID, error, list, ok, token_answer, tokens, user};

const ADMINS_GRANTS: &str = "users/admin%40example.com/tokens";

async fn probe(stage: &Stage) -> ProbeReport {
    stage
        .revocation()
        .probe(&cx())
        .await
        .expect("something can be said")
}

fn levels(report: &ProbeReport) -> Vec<(&str, FindingLevel)> {
    report
        .findings
        .iter()
        .map(|finding| (finding.what.as_str(), finding.level))
        .collect()
}

fn one_user() -> ResponseTemplate {
    ok(list(
        "admin#directory#users",
        "users",
        vec![user("1", "admin@example.com")],
    ))
}

#[tokio::test]
async fn a_good_configuration_is_well_and_only_read() {
    let stage = Stage::new().await;
    stage.on("GET", "users", 1, one_user()).await;
    stage.on("GET", ADMINS_GRANTS, 1, ok(tokens(&[]))).await;
    let report = probe(&stage).await;
    assert!(
        report
            .findings
            .iter()
            .all(|finding| finding.level == FindingLevel::Good),
        "{report:?}"
    );
    let seen = stage.seen().await;
    assert!(
        seen[0].starts_with("GET users?customer=my_customer&maxResults=1&"),
        "{}",
        seen[0]
    );
    assert!(
        seen.iter().all(|request| request.starts_with("GET ")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_missing_delegation_is_a_fault_that_names_what_to_authorise() {
    let stage = Stage::without_tokens("").await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(401).set_body_json(json!({"error": "unauthorized_client"})),
        )
        .mount(&stage.login)
        .await;
    let report = probe(&stage).await;
    assert_eq!(levels(&report), [("token", FindingLevel::Fault)]);
    let hint = report.findings[0].hint.as_deref().unwrap_or_default();
    assert!(
        hint.contains(CLIENT_ID) && hint.contains("user.security"),
        "{hint}"
    );
    assert!(stage.seen().await.is_empty());
}

#[tokio::test]
async fn a_missing_scope_for_groups_is_a_warning() {
    let stage = Stage::without_tokens("").await;
    // The scope is inside the assertion, whose text differs: the second request is the one for groups.
    Mock::given(body_string_contains("assertion="))
        .respond_with(token_answer("ya29.people"))
        .up_to_n_times(1)
        .mount(&stage.login)
        .await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(401).set_body_json(json!({"error": "unauthorized_client"})),
        )
        .mount(&stage.login)
        .await;
    stage.on("GET", "users", 1, one_user()).await;
    stage.on("GET", ADMINS_GRANTS, 1, ok(tokens(&[]))).await;
    let report = probe(&stage).await;
    assert!(report.is_well());
    let groups = report.findings.last().expect("a finding");
    assert_eq!(groups.level, FindingLevel::Warning);
    let hint = groups.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("group.member.readonly"), "{hint}");
}

#[tokio::test]
async fn an_api_that_is_not_enabled_is_a_fault() {
    let stage = Stage::new().await;
    let off = || error(403, "accessNotConfigured", "");
    stage.on("GET", "users", 1, off()).await;
    stage.on("GET", ADMINS_GRANTS, 1, off()).await;
    let report = probe(&stage).await;
    assert!(!report.is_well());
    let hint = report.findings[1].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("admin.googleapis.com"), "{hint}");
}

#[tokio::test]
async fn an_administrator_without_the_security_privilege_is_warned_about() {
    let stage = Stage::new().await;
    stage.on("GET", "users", 1, one_user()).await;
    stage
        .on(
            "GET",
            ADMINS_GRANTS,
            1,
            error(403, "forbidden", "Not Authorized"),
        )
        .await;
    let report = probe(&stage).await;
    assert_eq!(
        levels(&report)[2],
        ("right User Security Management", FindingLevel::Warning)
    );
}

#[tokio::test]
async fn sessions_that_would_live_on_are_warned_about() {
    let stage = Stage::with(r#"steps = ["grants"]"#).await;
    stage.on("GET", "users", 1, one_user()).await;
    stage.on("GET", ADMINS_GRANTS, 1, ok(tokens(&[]))).await;
    let report = probe(&stage).await;
    assert_eq!(
        levels(&report).last(),
        Some(&("steps", FindingLevel::Warning))
    );
}

#[tokio::test]
async fn an_outage_is_no_finding() {
    let stage = Stage::new().await;
    stage
        .on("GET", "users", 1, error(503, "backendError", ""))
        .await;
    assert!(stage.revocation().probe(&cx()).await.is_err());
}
