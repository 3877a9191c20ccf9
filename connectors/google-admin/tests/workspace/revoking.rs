//! The procedure: what is sent, in which order, and what is said of it.

use std::time::Duration;

use rescind_core::error::{ErrorKind, Retry};
use rescind_core::provider::RevokeRequest;
use rescind_core::report::Outcome;
use rescind_core::subject::Subject;
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::stage::{Stage, counts, cx, partial, request, revoked};
use crate::wire::{asps, done, error, no_such_user, ok, tokens, user};

const CODES: &str = "users/1098/verificationCodes/invalidate";

/// Two app passwords, two grants, everything works.
async fn well(stage: &Stage) {
    stage
        .on("GET", "users/1098/asps", 1, ok(asps(&[7, 8])))
        .await;
    stage.on("DELETE", "users/1098/asps/7", 1, done()).await;
    stage.on("DELETE", "users/1098/asps/8", 1, done()).await;
    stage.on("POST", CODES, 1, done()).await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&["a", "b"])))
        .await;
    stage.on("DELETE", "users/1098/tokens/a", 1, done()).await;
    stage
        .on("DELETE", "users/1098/tokens/b", 1, ok(json!({})))
        .await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
}

/// Nothing to delete; codes and sign-out as told.
async fn bare(stage: &Stage, codes: u64, sign_out: ResponseTemplate) {
    stage.on("GET", "users/1098/asps", 1, ok(asps(&[]))).await;
    stage.on("POST", CODES, codes, done()).await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&[])))
        .await;
    stage.on("POST", "users/1098/signOut", 1, sign_out).await;
}

#[tokio::test]
async fn everything_ends_in_the_recommended_order() {
    let stage =
        Stage::with(r#"steps = ["sign-out", "grants", "backup-codes", "app-passwords"]"#).await;
    well(&stage).await;
    let report = stage.revoke().await.expect("it answers");
    assert!(report.provider_time.is_some());
    let ended = revoked(Ok(report));
    assert_eq!(
        counts(&ended),
        [
            ("app-passwords", 2, 0, 0, 0),
            ("backup-codes", 1, 0, 0, 0),
            ("grants", 2, 0, 0, 0),
            ("sign-out", 1, 0, 0, 0),
        ]
    );
    assert_eq!(
        stage.seen().await,
        [
            "GET users/1098/asps",
            "DELETE users/1098/asps/7",
            "DELETE users/1098/asps/8",
            "POST users/1098/verificationCodes/invalidate",
            "GET users/1098/tokens",
            "DELETE users/1098/tokens/a",
            "DELETE users/1098/tokens/b",
            "POST users/1098/signOut",
        ]
    );
    for request in stage.requests().await {
        assert!(request.body.is_empty(), "{}", request.url);
        assert_eq!(request.headers["accept"], "application/json");
        if request.method.as_str() == "POST" {
            assert_eq!(request.headers["content-length"], "0");
        }
    }
}

#[tokio::test]
async fn nothing_to_delete_is_still_a_revocation() {
    let stage = Stage::new().await;
    bare(&stage, 1, done()).await;
    let ended = revoked(stage.revoke().await);
    assert_eq!(
        counts(&ended),
        [
            ("app-passwords", 0, 0, 0, 0),
            ("backup-codes", 1, 0, 0, 0),
            ("grants", 0, 0, 0, 0),
            ("sign-out", 1, 0, 0, 0),
        ]
    );
}

#[tokio::test]
async fn only_the_configured_steps_run_and_the_rest_is_named_as_left() {
    let stage = Stage::with(r#"steps = ["sign-out"]"#).await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
    let report = stage.revoke().await.expect("it answers");
    let left = report
        .residual
        .iter()
        .map(|residual| residual.what.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    for step in ["app-passwords", "backup-codes", "grants"] {
        assert!(left.contains(step), "{step} is not named in: {left}");
    }
    assert_eq!(stage.seen().await, ["POST users/1098/signOut"]);
    assert!(
        stage.roles.evidence.is_none(),
        "Google offers no proof of a sign-out"
    );
}

#[tokio::test]
async fn what_is_gone_already_counts_as_absent() {
    let stage = Stage::new().await;
    stage.on("GET", "users/1098/asps", 1, ok(asps(&[7]))).await;
    stage
        .on(
            "DELETE",
            "users/1098/asps/7",
            1,
            error(404, "notFound", "Not Found"),
        )
        .await;
    stage.on("POST", CODES, 1, done()).await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&["a", "b"])))
        .await;
    stage
        .on(
            "DELETE",
            "users/1098/tokens/a",
            1,
            error(404, "notFound", "Resource Not Found"),
        )
        .await;
    stage.on("DELETE", "users/1098/tokens/b", 1, done()).await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
    let ended = revoked(stage.revoke().await);
    assert_eq!(counts(&ended)[0], ("app-passwords", 0, 1, 0, 0));
    assert_eq!(counts(&ended)[2], ("grants", 1, 1, 0, 0));
}

#[tokio::test]
async fn an_invalid_app_password_is_absent_only_if_the_list_agrees() {
    for (left, expected) in [(&[][..], (0, 1, 0)), (&[7][..], (0, 0, 1))] {
        let stage = Stage::with(r#"steps = ["app-passwords"]"#).await;
        stage.once("GET", "users/1098/asps", ok(asps(&[7]))).await;
        stage
            .on(
                "DELETE",
                "users/1098/asps/7",
                1,
                error(400, "invalid", "Invalid codeId"),
            )
            .await;
        stage.on("GET", "users/1098/asps", 1, ok(asps(left))).await;
        let answer = stage.revoke().await;
        let ended = if left.is_empty() {
            revoked(answer)
        } else {
            let (ended, failed) = partial(answer);
            assert_eq!(failed[0].item.as_deref(), Some("app-password:7"));
            assert_eq!(failed[0].error.retry(), Retry::Never);
            ended
        };
        let (_, done, absent, failed, _) = counts(&ended)[0];
        assert_eq!((done, absent, failed), expected);
    }
}

#[tokio::test]
async fn backup_codes_of_a_suspended_person_are_left_out_and_said_so() {
    let stage = Stage::new().await;
    bare(&stage, 0, done()).await;
    let answer = stage
        .revocation()
        .revoke(&cx(), &request(Some(false)))
        .await;
    let report = answer.expect("it answers");
    assert!(
        !report
            .residual
            .iter()
            .any(|left| left.what.contains("enabled")),
        "a suspended person cannot sign in again"
    );
    let ended = revoked(Ok(report));
    assert_eq!(counts(&ended)[1], ("backup-codes", 0, 0, 0, 1));
    let note = ended.steps[1].note.as_deref().unwrap_or_default();
    assert!(note.contains("suspended"), "{note:?}");
}

#[tokio::test]
async fn a_person_who_is_not_suspended_may_sign_in_again() {
    let stage = Stage::new().await;
    bare(&stage, 1, done()).await;
    let answer = stage.revocation().revoke(&cx(), &request(Some(true))).await;
    let residual = answer.expect("it answers").residual;
    assert!(
        residual
            .iter()
            .any(|left| left.what.contains("still enabled"))
    );
    assert!(residual.iter().any(|left| left.up_to_secs == Some(3600)));
    assert!(residual.iter().any(|left| left.what.contains("SAML")));
}

#[tokio::test]
async fn a_sign_out_that_answers_with_a_page_is_not_done() {
    for body in [
        "<html>Sign in</html>",
        r#"{"signedOut":false}"#,
        "[]",
        "null",
    ] {
        let stage = Stage::new().await;
        let page = ResponseTemplate::new(200).set_body_raw(body, "text/html");
        bare(&stage, 1, page).await;
        let (ended, failed) = partial(stage.revoke().await);
        assert_eq!(counts(&ended)[3], ("sign-out", 0, 0, 1, 0));
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].error.kind(), ErrorKind::InvalidResponse);
        assert_eq!(failed[0].error.retry(), Retry::OutcomeUnknown);
    }
}

#[tokio::test]
async fn a_list_that_does_not_say_it_is_one_is_not_empty() {
    for answer in [
        json!({}),
        json!({"kind": "admin#directory#aspList"}),
        json!({"items": []}),
    ] {
        let stage = Stage::with(r#"steps = ["grants", "sign-out"]"#).await;
        stage.on("GET", "users/1098/tokens", 1, ok(answer)).await;
        stage.on("POST", "users/1098/signOut", 1, done()).await;
        let (ended, failed) = partial(stage.revoke().await);
        assert_eq!(
            counts(&ended),
            [("grants", 0, 0, 1, 0), ("sign-out", 1, 0, 0, 0)]
        );
        assert_eq!(failed[0].error.kind(), ErrorKind::InvalidResponse);
    }
}

#[tokio::test]
async fn a_failed_grant_hides_no_other() {
    let stage = Stage::with(r#"steps = ["grants", "sign-out"]"#).await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&["a", "b", "c"])))
        .await;
    stage.on("DELETE", "users/1098/tokens/a", 1, done()).await;
    stage
        .on(
            "DELETE",
            "users/1098/tokens/b",
            1,
            error(403, "forbidden", ""),
        )
        .await;
    stage.on("DELETE", "users/1098/tokens/c", 1, done()).await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
    let (ended, failed) = partial(stage.revoke().await);
    assert_eq!(
        counts(&ended),
        [("grants", 2, 0, 1, 0), ("sign-out", 1, 0, 0, 0)]
    );
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].step, "grants");
    assert_eq!(failed[0].item.as_deref(), Some("grant:b"));
    assert_eq!(failed[0].error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_throttle_stops_the_procedure_and_keeps_what_was_done() {
    let stage = Stage::new().await;
    stage.on("GET", "users/1098/asps", 1, ok(asps(&[7]))).await;
    stage.on("DELETE", "users/1098/asps/7", 1, done()).await;
    stage.on("POST", CODES, 1, done()).await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&["a", "b", "c"])))
        .await;
    stage.on("DELETE", "users/1098/tokens/a", 1, done()).await;
    let slow_down = error(403, "userRateLimitExceeded", "").insert_header("Retry-After", "9");
    stage
        .on("DELETE", "users/1098/tokens/b", 1, slow_down)
        .await;
    let (ended, failed) = partial(stage.revoke().await);
    assert_eq!(
        counts(&ended),
        [
            ("app-passwords", 1, 0, 0, 0),
            ("backup-codes", 1, 0, 0, 0),
            ("grants", 1, 0, 2, 0),
        ]
    );
    assert_eq!(ended.steps[2].note.as_deref(), Some("1 of them not tried"));
    let blamed: Vec<_> = failed.iter().map(|failure| failure.step.as_str()).collect();
    assert_eq!(blamed, ["grants", "sign-out"]);
    for failure in &failed {
        assert_eq!(failure.error.kind(), ErrorKind::RateLimited);
        let after = Some(Duration::from_secs(9));
        assert_eq!(failure.error.retry(), Retry::Safe { after });
    }
}

#[tokio::test]
async fn the_next_attempt_does_what_is_left() {
    let stage = Stage::new().await;
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&["b"])))
        .await;
    stage.on("DELETE", "users/1098/tokens/b", 1, done()).await;
    stage.on("POST", "users/1098/signOut", 1, done()).await;
    let mut left = request(None);
    left.done_steps = vec!["app-passwords".into(), "backup-codes".into()];
    let ended = revoked(stage.revocation().revoke(&cx(), &left).await);
    assert_eq!(
        counts(&ended),
        [("grants", 1, 0, 0, 0), ("sign-out", 1, 0, 0, 0)]
    );
    assert_eq!(stage.seen().await.len(), 3);
}

#[tokio::test]
async fn a_throttle_before_anything_was_done_is_no_report() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            "users/1098/asps",
            1,
            error(429, "rateLimitExceeded", ""),
        )
        .await;
    let error = stage.revoke().await.expect_err("nothing was done");
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(stage.seen().await.len(), 1, "nothing follows a throttle");
}

#[tokio::test]
async fn a_fault_of_the_whole_project_stops_at_once() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            "users/1098/asps",
            1,
            error(403, "accessNotConfigured", ""),
        )
        .await;
    let error = stage.revoke().await.expect_err("nothing was done");
    assert!(error.is_lane_fault());
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("admin.googleapis.com"))
    );
    assert_eq!(stage.seen().await.len(), 1);
}

#[tokio::test]
async fn a_right_that_is_missing_for_every_step_is_one_error() {
    let stage = Stage::with(r#"steps = ["app-passwords", "grants", "sign-out"]"#).await;
    let forbidden = || {
        error(
            403,
            "forbidden",
            "Not Authorized to access this resource/api",
        )
    };
    stage.on("GET", "users/1098/asps", 1, forbidden()).await;
    stage.on("GET", "users/1098/tokens", 1, forbidden()).await;
    stage.on("POST", "users/1098/signOut", 1, forbidden()).await;
    let error = stage.revoke().await.expect_err("nothing was done");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(error.retry(), Retry::Never);
    assert!(!error.is_lane_fault(), "another person may be in reach");
}

#[tokio::test]
async fn a_person_who_vanishes_on_the_way_is_not_found() {
    let stage = Stage::new().await;
    stage.on("GET", "users/1098/asps", 1, ok(asps(&[]))).await;
    stage.on("POST", CODES, 1, done()).await;
    stage
        .on("GET", "users/1098/tokens", 1, no_such_user())
        .await;
    let report = stage.revoke().await.expect("it answers");
    assert!(matches!(report.outcome, Outcome::SubjectNotFound));
}

#[tokio::test]
async fn an_unregistered_application_stays_one_path_segment() {
    let stage = Stage::with(r#"steps = ["grants"]"#).await;
    let odd = "host.example.com/a b?c#d";
    stage
        .on("GET", "users/1098/tokens", 1, ok(tokens(&[odd])))
        .await;
    let encoded = "users/1098/tokens/host.example.com%2Fa%20b%3Fc%23d";
    stage.on("DELETE", encoded, 1, done()).await;
    assert_eq!(
        counts(&revoked(stage.revoke().await)),
        [("grants", 1, 0, 0, 0)]
    );
}

#[tokio::test]
async fn an_unresolved_person_is_looked_up_and_revoked_by_id() {
    let stage = Stage::new().await;
    let key = "users/o%27neil%2Btest%40example.com";
    stage
        .on("GET", key, 1, ok(user("1098", "o'neil+test@example.com")))
        .await;
    well(&stage).await;
    let given = Subject::parse("o'neil+test@example.com").expect("a subject");
    let report = stage
        .revocation()
        .revoke(&cx(), &RevokeRequest::new(given))
        .await;
    let report = report.expect("it answers");
    assert!(
        report
            .residual
            .iter()
            .any(|left| left.what.contains("still enabled"))
    );
    revoked(Ok(report));
    let seen = stage.seen().await;
    assert!(seen[0].contains("projection=basic"), "{}", seen[0]);
    assert_eq!(seen.len(), 9);
}

#[tokio::test]
async fn an_unknown_address_is_not_found_and_nothing_follows() {
    for answer in [no_such_user(), error(404, "notFound", "Domain not found.")] {
        let stage = Stage::new().await;
        stage
            .on("GET", "users/nobody%40example.com", 1, answer)
            .await;
        let given = Subject::parse("nobody@example.com").expect("a subject");
        let report = stage
            .revocation()
            .revoke(&cx(), &RevokeRequest::new(given))
            .await;
        assert!(matches!(
            report.expect("it answers").outcome,
            Outcome::SubjectNotFound
        ));
        assert_eq!(stage.seen().await.len(), 1);
    }
}
