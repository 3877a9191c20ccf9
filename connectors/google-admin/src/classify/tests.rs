use super::*;

/// An answer in the older dialect.
fn old(reason: &str, message: &str) -> String {
    serde_json::json!({"error": {"code": 0, "message": message,
        "errors": [{"domain": "global", "reason": reason, "message": message}]}})
    .to_string()
}

/// An answer in the newer dialect.
fn new(status: &str, detail: Option<&str>, message: &str) -> String {
    let details = detail.map(|reason| {
        serde_json::json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}])
    });
    serde_json::json!({"error": {"code": 0, "message": message, "status": status, "details": details}})
        .to_string()
}

fn verdict(call: Call, status: u16, body: &str) -> Result<(), Refusal> {
    let after = Some(Duration::from_secs(7));
    classify(
        call,
        Seen {
            status: StatusCode::from_u16(status).expect("a status"),
            retry_after: after,
            body: body.as_bytes(),
        },
    )
}

/// A verdict in few words, for tables.
fn short(verdict: &Result<(), Refusal>) -> String {
    match verdict {
        Ok(()) => "success".to_owned(),
        Err(Refusal::UserMissing(_)) => "user missing".to_owned(),
        Err(Refusal::ItemMissing(_)) => "item missing".to_owned(),
        Err(Refusal::DomainMissing(_)) => "domain missing".to_owned(),
        Err(Refusal::PerhapsMissing(_)) => "perhaps missing".to_owned(),
        Err(Refusal::Failed(error)) => {
            let retry = match error.retry() {
                Retry::Never => "never",
                Retry::Safe { after: None } => "safe",
                Retry::Safe { after: Some(_) } => "safe, as asked",
                Retry::OutcomeUnknown => "unknown",
            };
            let lane = if error.is_lane_fault() { ", lane" } else { "" };
            format!("{:?}, {retry}{lane}", error.kind())
        }
    }
}

fn check(rows: &[(Call, u16, String, &str)]) {
    for (call, status, body, expected) in rows {
        assert_eq!(
            short(&verdict(*call, *status, body)),
            *expected,
            "{} answered {status} {body}",
            call.name()
        );
    }
}

const ALL: [Call; 9] = [
    Call::UsersGet,
    Call::UsersList,
    Call::MembersList,
    Call::TokensList,
    Call::TokensDelete,
    Call::AspsList,
    Call::AspsDelete,
    Call::InvalidateCodes,
    Call::SignOut,
];

#[test]
fn a_change_succeeds_only_with_nothing_in_its_body() {
    for call in [
        Call::SignOut,
        Call::TokensDelete,
        Call::AspsDelete,
        Call::InvalidateCodes,
    ] {
        for (status, body) in [
            (204, ""),
            (200, ""),
            (200, "{}"),
            (200, " {\n} "),
            (202, ""),
        ] {
            assert_eq!(
                short(&verdict(call, status, body)),
                "success",
                "{status} {body:?}"
            );
        }
        for body in [
            "<html>sign in</html>",
            "{\"result\":false}",
            "{\"error\":{}}",
            "null",
            "[]",
            "{",
            "{}\u{c}",
            "true",
        ] {
            assert_eq!(
                short(&verdict(call, 200, body)),
                "InvalidResponse, unknown",
                "{body:?}"
            );
        }
    }
}

#[test]
fn a_read_succeeds_only_with_200() {
    check(&[
        (Call::UsersGet, 200, "{}".into(), "success"),
        (
            Call::TokensList,
            204,
            String::new(),
            "InvalidResponse, safe",
        ),
        (Call::AspsList, 202, "{}".into(), "InvalidResponse, safe"),
    ]);
}

#[test]
fn every_form_of_throttling_waits_as_asked() {
    let throttled = "RateLimited, safe, as asked";
    for call in ALL {
        check(&[
            (
                call,
                403,
                old("userRateLimitExceeded", "User Rate Limit Exceeded"),
                throttled,
            ),
            (
                call,
                403,
                old("rateLimitExceeded", "Rate Limit Exceeded"),
                throttled,
            ),
            (
                call,
                403,
                old("quotaExceeded", "Too many concurrent operations"),
                throttled,
            ),
            (
                call,
                429,
                old("rateLimitExceeded", "Too many requests"),
                throttled,
            ),
            (
                call,
                429,
                new("RESOURCE_EXHAUSTED", None, "Quota exceeded"),
                throttled,
            ),
            (
                call,
                403,
                new("PERMISSION_DENIED", Some("RATE_LIMIT_EXCEEDED"), ""),
                throttled,
            ),
            (call, 429, String::new(), throttled),
            (
                call,
                429,
                "Quota exceeded for quota group 'default'".into(),
                throttled,
            ),
            (
                call,
                503,
                "Quota exceeded for quota group 'default'".into(),
                throttled,
            ),
            (
                call,
                403,
                "Request rate higher than configured.".into(),
                throttled,
            ),
            (
                call,
                403,
                "<p>Request rate higher than configured</p>".into(),
                throttled,
            ),
        ]);
    }
}

#[test]
fn throttling_without_a_hint_has_none() {
    let verdict = classify(
        Call::SignOut,
        Seen {
            status: StatusCode::FORBIDDEN,
            retry_after: None,
            body: old("userRateLimitExceeded", "").as_bytes(),
        },
    );
    assert_eq!(short(&verdict), "RateLimited, safe");
}

#[test]
fn a_missing_user_is_told_from_a_missing_grant() {
    let user = old("notFound", "Resource Not Found: userKey");
    let other = old("notFound", "Resource Not Found: clientId");
    check(&[
        (Call::UsersGet, 404, user.clone(), "user missing"),
        (
            Call::UsersGet,
            404,
            old("userNotFound", "x"),
            "user missing",
        ),
        (Call::SignOut, 404, user.clone(), "user missing"),
        (Call::TokensDelete, 404, user.clone(), "user missing"),
        (Call::AspsDelete, 404, user, "user missing"),
        (
            Call::UsersGet,
            404,
            new("NOT_FOUND", None, "Resource Not Found: userKey"),
            "user missing",
        ),
        (Call::TokensDelete, 404, other.clone(), "item missing"),
        (Call::AspsDelete, 404, other.clone(), "item missing"),
        (
            Call::TokensDelete,
            404,
            new("NOT_FOUND", None, "gone"),
            "item missing",
        ),
        (Call::SignOut, 404, other, "Unexpected, never"),
    ]);
}

#[test]
fn a_404_that_names_nobody_is_a_wrong_address_not_a_missing_user() {
    for call in ALL {
        check(&[
            (call, 404, String::new(), "Unexpected, never"),
            (
                call,
                404,
                "<html>404 userKey</html>".into(),
                "Unexpected, never",
            ),
        ]);
    }
    // What lists cannot say of a person is not taken for it.
    check(&[
        (
            Call::UsersList,
            404,
            old("notFound", "Resource Not Found: userKey"),
            "Unexpected, never",
        ),
        (
            Call::MembersList,
            404,
            old("notFound", "Resource Not Found: groupKey"),
            "Unexpected, never",
        ),
    ]);
}

#[test]
fn a_foreign_domain_is_its_own_verdict() {
    check(&[
        (
            Call::UsersGet,
            404,
            old("notFound", "Domain not found."),
            "domain missing",
        ),
        (
            Call::UsersGet,
            403,
            "invalid domain.".into(),
            "domain missing",
        ),
        (
            Call::UsersList,
            404,
            old("notFound", "Domain not found."),
            "Unexpected, never",
        ),
    ]);
}

#[test]
fn an_unknown_app_password_is_looked_up_again() {
    check(&[
        (
            Call::AspsDelete,
            400,
            old("invalid", "Invalid codeId"),
            "perhaps missing",
        ),
        (
            Call::TokensDelete,
            400,
            old("invalid", "x"),
            "Unexpected, never",
        ),
    ]);
}

#[test]
fn a_missing_right_concerns_one_person() {
    check(&[
        (
            Call::SignOut,
            403,
            old("forbidden", "Not Authorized to access this resource/api"),
            "PermissionDenied, never",
        ),
        (
            Call::SignOut,
            403,
            old("insufficientPermissions", ""),
            "PermissionDenied, never",
        ),
        (
            Call::SignOut,
            403,
            new("PERMISSION_DENIED", None, ""),
            "PermissionDenied, never",
        ),
        (Call::SignOut, 403, String::new(), "PermissionDenied, never"),
    ]);
}

#[test]
fn what_concerns_the_whole_run_stops_the_lane() {
    let stops = "PermissionDenied, never, lane";
    check(&[
        (Call::UsersGet, 403, old("accessNotConfigured", ""), stops),
        (
            Call::UsersGet,
            403,
            new("PERMISSION_DENIED", Some("SERVICE_DISABLED"), ""),
            stops,
        ),
        (Call::UsersGet, 403, old("domainCannotUseApis", ""), stops),
        (
            Call::UsersGet,
            403,
            old("dailyLimitExceeded", "Quota exceeded for today"),
            stops,
        ),
        (
            Call::UsersGet,
            403,
            new(
                "PERMISSION_DENIED",
                Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
                "",
            ),
            stops,
        ),
    ]);
    for (status, body) in [
        (401, old("authError", "Invalid Credentials")),
        (401, new("UNAUTHENTICATED", None, "")),
        (401, "Login Required".to_owned()),
    ] {
        check(&[(Call::SignOut, status, body, "Unauthenticated, never, lane")]);
    }
}

#[test]
fn each_lane_fault_says_what_to_do() {
    for reason in [
        "accessNotConfigured",
        "domainCannotUseApis",
        "dailyLimitExceeded",
    ] {
        match verdict(Call::UsersGet, 403, &old(reason, "")) {
            Err(Refusal::Failed(error)) => {
                assert!(error.hint().is_some(), "{reason}");
                assert_eq!(error.vendor_code(), Some(reason));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_bad_request_stays_bad() {
    let permanent = "Unexpected, never";
    check(&[
        (Call::SignOut, 400, old("badRequest", ""), permanent),
        (Call::SignOut, 400, old("invalid", ""), permanent),
        (Call::SignOut, 400, old("invalidInput", ""), permanent),
        (
            Call::SignOut,
            400,
            new("INVALID_ARGUMENT", None, ""),
            permanent,
        ),
        (
            Call::SignOut,
            400,
            new("FAILED_PRECONDITION", None, ""),
            permanent,
        ),
        (Call::SignOut, 412, old("conditionNotMet", ""), permanent),
        (Call::SignOut, 409, old("duplicate", ""), permanent),
        (Call::SignOut, 405, String::new(), permanent),
        (Call::SignOut, 418, String::new(), permanent),
        (Call::SignOut, 302, String::new(), "InvalidResponse, never"),
        (
            Call::SignOut,
            100,
            String::new(),
            "InvalidResponse, unknown",
        ),
    ]);
}

#[test]
fn a_group_address_is_named_as_such() {
    let body = old("badRequest", "Type not supported: userKey");
    match verdict(Call::UsersGet, 400, &body) {
        Err(Refusal::Failed(error)) => {
            assert!(error.message().contains("group"), "{error}");
            assert_eq!(error.retry(), Retry::Never);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn doubt_is_doubt_only_where_something_may_have_changed() {
    for (status, kind) in [
        (500, "Unavailable"),
        (502, "Unavailable"),
        (504, "Unavailable"),
        (408, "Timeout"),
    ] {
        for (call, retry) in [
            (Call::SignOut, "unknown"),
            (Call::TokensList, "safe, as asked"),
        ] {
            check(&[(
                call,
                status,
                old("backendError", "Backend Error"),
                &format!("{kind}, {retry}"),
            )]);
        }
    }
    check(&[
        (
            Call::SignOut,
            503,
            "<html>502</html>".into(),
            "Unavailable, safe, as asked",
        ),
        (
            Call::SignOut,
            503,
            new("UNAVAILABLE", None, ""),
            "Unavailable, safe, as asked",
        ),
        (
            Call::SignOut,
            409,
            new("ABORTED", None, ""),
            "Unavailable, safe, as asked",
        ),
        (
            Call::SignOut,
            400,
            old("transientError", ""),
            "Unavailable, unknown",
        ),
    ]);
}

#[test]
fn no_status_and_no_body_is_taken_for_more_than_it_says() {
    let bodies = [
        String::new(),
        "{}".to_owned(),
        "{\"error\":\"text\"}".to_owned(),
        "{\"error\":{\"errors\":{}}}".to_owned(),
        "{\"error\":{\"errors\":[null,{\"reason\":1}],\"details\":[[]]}}".to_owned(),
        "\u{0}\u{ffff}".to_owned(),
        "[".repeat(100_000),
    ];
    for call in ALL {
        for status in 100..1000 {
            for body in &bodies {
                let verdict = verdict(call, status, body);
                if !(200..300).contains(&status) {
                    assert!(
                        matches!(verdict, Err(Refusal::Failed(_))),
                        "{} {status} {body:.40} was read as {verdict:?}",
                        call.name()
                    );
                }
            }
        }
    }
}

#[test]
fn an_error_never_repeats_what_google_wrote_about_a_person() {
    let body = old("ada@example.com", "no access to ada@example.com");
    match verdict(Call::SignOut, 403, &body) {
        Err(Refusal::Failed(error)) => {
            let shown = format!("{error} {error:?} {:?}", error.to_record());
            assert!(!shown.contains("ada"), "{shown}");
        }
        other => panic!("{other:?}"),
    }
}
