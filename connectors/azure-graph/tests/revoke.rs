//! Ending sessions at Entra: alone and in batches.

mod entra;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use entra::scene::{Scene, items, subject, token_answer};
use entra::{Entra, Told, error, id, upn};
use rescind_core::context::{Observation, Priority};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{Account, RevokeRequest};
use rescind_core::report::{Outcome, Report, Unsupported};
use rescind_core::subject::{Identifier, Subject};
use rescind_testkit::{PaidPort, canary};
use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, Request, Respond, ResponseTemplate};

const PEOPLE: usize = 50;

fn single(n: usize) -> String {
    format!("/users('{}')/revokeSignInSessions", id(n))
}

fn accepted(answer: &Result<Report, Error>) -> bool {
    matches!(answer, Ok(report) if matches!(report.outcome, Outcome::Accepted { .. }))
}

/// Kind and retry of an error.
fn meaning(answer: Result<Report, Error>) -> (ErrorKind, Retry) {
    let error = answer.expect_err("no usable answer");
    (error.kind(), error.retry())
}

const SAFE: Retry = Retry::Safe { after: None };

#[tokio::test]
async fn one_person_is_one_documented_call() {
    let scene = Scene::answering(ResponseTemplate::new(404), token_answer(canary::TOKEN)).await;
    let cx = scene.cx().with_priority(Priority::Urgent);
    Mock::given(method("POST"))
        .and(path(format!("/v1.0{}", single(3))))
        .and(header("authorization", format!("Bearer {}", canary::TOKEN)))
        .and(header("content-type", "application/json"))
        .and(header("client-request-id", cx.correlation.to_string()))
        .and(header("x-ms-throttle-priority", "High"))
        .and(body_json(json!({})))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("request-id", "r-1")
                .insert_header("Date", "Sat, 21 Nov 2026 21:00:00 GMT")
                .insert_header("x-ms-throttle-limit-percentage", "0.9")
                .set_body_json(json!({"@odata.context": "x", "value": true})),
        )
        .with_priority(1)
        .expect(1)
        .mount(scene.vendor.api())
        .await;
    let mut account = Account::new(id(3), upn(3));
    account.enabled = Some(true);
    let request = RevokeRequest::new(subject(&id(3))).for_account(account);
    let report = scene
        .revocation()
        .revoke(&cx, &request)
        .await
        .expect("an answer");
    assert!(matches!(&report.outcome, Outcome::Accepted { ended } if ended.steps.len() == 1));
    assert_eq!(report.vendor_request_ids, ["r-1"]);
    assert_eq!(report.provider_time, "2026-11-21T21:00:00Z".parse().ok());
    assert!(
        report
            .residual
            .iter()
            .any(|left| left.up_to_secs == Some(90 * 60))
    );
    assert!(
        report
            .residual
            .iter()
            .any(|left| left.what.contains("still enabled"))
    );
    assert!(scene.port.observations().contains(&Observation::Load(0.9)));
}

#[tokio::test]
async fn twenty_at_once_are_one_batch_and_everybody_pays() {
    let entra = Entra::with_people(PEOPLE);
    let revoked = entra.revoked.clone();
    let scene = Scene::before(entra).await;
    assert!(scene.revoke_together(20).await.iter().all(accepted));
    let requests = scene.vendor.api_requests().await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url.path(), "/v1.0/$batch");
    let items = items(&requests[0]);
    assert_eq!(items.len(), 20);
    for item in &items {
        assert_eq!(item["method"], "POST");
        assert_eq!(item["body"], json!({}));
        assert_eq!(item["headers"]["Content-Type"], "application/json");
        assert!(item["headers"].get("x-ms-throttle-priority").is_none());
    }
    let ids: BTreeSet<_> = items
        .iter()
        .map(|item| item["id"].as_str().expect("text"))
        .collect();
    assert_eq!(ids.len(), 20);
    let units: u32 = scene
        .port
        .payments()
        .iter()
        .map(|paid| paid.units_of("writes"))
        .sum();
    assert_eq!(units, 20);
    assert_eq!(revoked.lock().expect("not poisoned").len(), 20);
}

#[tokio::test]
async fn what_does_not_fill_a_batch_still_leaves() {
    let scene = Scene::before(Entra::with_people(PEOPLE)).await;
    assert!(scene.revoke_together(45).await.iter().all(accepted));
    let sizes: Vec<_> = scene
        .vendor
        .api_requests()
        .await
        .iter()
        .map(|r| items(r).len())
        .collect();
    assert_eq!(sizes, [20, 20, 5]);
}

/// While a batch waits through a pause nobody could call it off, nor find that a person in it is protected by now.
#[tokio::test]
async fn a_batch_that_a_pause_catches_goes_back_to_its_orders() {
    let scene = Scene::before(Entra::with_people(PEOPLE))
        .await
        .shutting_after(2);
    let answers = tokio::select! {
        answers = scene.revoke_together(2) => answers,
        () = scene.port.somebody_waits() => panic!("the batch waits until it may pay again"),
    };
    for answer in answers {
        assert_eq!(meaning(answer), (ErrorKind::Cancelled, SAFE));
    }
    assert_eq!(scene.vendor.api_requests().await.len(), 0);
}

/// That a token was fetched is no step of anybody's revocation.
#[tokio::test]
async fn so_does_a_batch_that_a_pause_catches_while_its_token_is_fetched() {
    for people in [1, 2] {
        let port = Arc::new(PaidPort::unlimited());
        let shutting = Arc::clone(&port);
        let login = move |_: &Request| {
            shutting.allow(0);
            shutting.shut();
            token_answer(canary::TOKEN)
        };
        let scene = Scene::answering(Entra::with_people(PEOPLE), login)
            .await
            .paying(port);
        let answers = tokio::select! {
            answers = scene.revoke_together(people) => answers,
            () = scene.port.somebody_waits() => panic!("they wait until they may pay again"),
        };
        for answer in answers {
            assert_eq!(meaning(answer), (ErrorKind::Cancelled, SAFE));
        }
        assert_eq!(scene.vendor.api_requests().await.len(), 0);
    }
}

#[tokio::test]
async fn each_item_has_an_answer_of_its_own() {
    let entra = Entra::with_people(6);
    let mut busy = error(429, "TooManyRequests");
    busy.1 = json!({"retry-after": "7"});
    for (n, told) in [
        (0, busy),
        (1, error(404, "Request_ResourceNotFound")),
        (2, error(403, "Authorization_RequestDenied")),
        (3, error(500, "UnknownError")),
        (4, (200, json!({}), json!({"value": false}))),
    ] {
        entra.answer(&single(n), told.0, told.1, told.2);
    }
    let scene = Scene::before(entra).await;
    let mut answers = scene.revoke_together(6).await;
    assert!(accepted(&answers.pop().expect("six")));
    let unrecognised = answers.pop().expect("five");
    assert_eq!(
        meaning(unrecognised),
        (ErrorKind::InvalidResponse, Retry::OutcomeUnknown)
    );
    let broken = answers.pop().expect("four");
    assert_eq!(
        meaning(broken),
        (ErrorKind::Unavailable, Retry::OutcomeUnknown)
    );
    let forbidden = answers.pop().expect("three").expect_err("forbidden");
    assert_eq!(forbidden.kind(), ErrorKind::PermissionDenied);
    assert!(!forbidden.is_lane_fault());
    assert!(
        forbidden
            .hint()
            .is_some_and(|hint| hint.contains("User.RevokeSessions.All"))
    );
    let gone = answers.pop().expect("two").expect("an answer");
    assert!(matches!(gone.outcome, Outcome::SubjectNotFound));
    let after = Some(Duration::from_secs(7));
    assert_eq!(
        meaning(answers.pop().expect("one")),
        (ErrorKind::RateLimited, Retry::Safe { after })
    );
    assert_eq!(scene.sent().await, ["/v1.0/$batch"]);
}

/// Answers a batch with what `twist` makes of the right answers.
struct Twisted(fn(Vec<Value>) -> Value);

impl Respond for Twisted {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let right = items(request)
            .iter()
            .map(|item| json!({"id": item["id"], "status": 200, "headers": {}, "body": {"value": true}}))
            .collect();
        ResponseTemplate::new(200).set_body_json(self.0(right))
    }
}

#[tokio::test]
async fn an_item_without_exactly_one_answer_is_unknown() {
    let missing: fn(Vec<Value>) -> Value = |mut right| {
        right.remove(1);
        json!({"responses": right})
    };
    let doubled: fn(Vec<Value>) -> Value = |mut right| {
        right.push(right[1].clone());
        json!({"responses": right})
    };
    let renamed: fn(Vec<Value>) -> Value = |mut right| {
        right[1]["id"] = json!("99");
        json!({"responses": right})
    };
    let misshapen: fn(Vec<Value>) -> Value = |mut right| {
        right[1]["status"] = json!("200");
        json!({"responses": right})
    };
    for twist in [missing, doubled, renamed, misshapen] {
        let scene = Scene::answering(Twisted(twist), token_answer(canary::TOKEN)).await;
        let mut answers = scene.revoke_together(3).await;
        assert!(accepted(&answers[0]) && accepted(&answers[2]));
        let unknown = (ErrorKind::InvalidResponse, Retry::OutcomeUnknown);
        assert_eq!(meaning(answers.remove(1)), unknown);
    }
}

#[tokio::test]
async fn answers_in_another_order_find_their_own_item() {
    let swapped: fn(Vec<Value>) -> Value = |mut right| {
        right[0]["status"] = json!(404);
        right[0]["body"] = json!({"error": {"code": "Request_ResourceNotFound", "message": ""}});
        right.swap(0, 2);
        json!({"responses": right})
    };
    let scene = Scene::answering(Twisted(swapped), token_answer(canary::TOKEN)).await;
    let answers = scene.revoke_together(3).await;
    assert!(
        answers[0]
            .as_ref()
            .is_ok_and(|r| matches!(r.outcome, Outcome::SubjectNotFound))
    );
    assert!(accepted(&answers[1]) && accepted(&answers[2]));
}

#[tokio::test]
async fn what_fails_for_the_batch_fails_for_everybody_in_it() {
    let page = ResponseTemplate::new(200).set_body_raw("<html>sign in</html>", "text/html");
    let cut =
        ResponseTemplate::new(200).set_body_raw(r#"{"responses":[{"id":"1""#, "application/json");
    let unknown = (ErrorKind::InvalidResponse, Retry::OutcomeUnknown);
    let after = Some(Duration::from_secs(9));
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "9");
    for (answer, expected) in [
        (page, unknown),
        (cut, unknown),
        (ResponseTemplate::new(200), unknown),
        (
            ResponseTemplate::new(202).set_body_json(json!({"responses": []})),
            unknown,
        ),
        (busy, (ErrorKind::RateLimited, Retry::Safe { after })),
        (ResponseTemplate::new(503), (ErrorKind::Unavailable, SAFE)),
        (
            ResponseTemplate::new(502),
            (ErrorKind::Unavailable, Retry::OutcomeUnknown),
        ),
        (
            ResponseTemplate::new(403),
            (ErrorKind::PermissionDenied, Retry::Never),
        ),
        (
            ResponseTemplate::new(400),
            (ErrorKind::Unexpected, Retry::Never),
        ),
        (
            ResponseTemplate::new(404),
            (ErrorKind::Unexpected, Retry::Never),
        ),
    ] {
        let scene = Scene::answering(answer, token_answer(canary::TOKEN)).await;
        for answer in scene.revoke_together(3).await {
            assert_eq!(meaning(answer), expected);
        }
        assert_eq!(scene.sent().await, ["/v1.0/$batch"]);
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_the_batch_and_the_repeat_is_paid() {
    let scene = Scene::before(Entra::with_people(PEOPLE)).await;
    let refused = entra::template(&error(401, "InvalidAuthenticationToken"));
    scene
        .vendor
        .answer_times(1, wiremock::matchers::any(), refused)
        .await;
    assert!(scene.revoke_together(20).await.iter().all(accepted));
    assert_eq!(scene.sent().await, ["/v1.0/$batch"; 2]);
    assert_eq!(scene.vendor.login_requests().await, 2);
    let units: u32 = scene
        .port
        .payments()
        .iter()
        .map(|paid| paid.units_of("writes"))
        .sum();
    assert_eq!(units, 40);
}

#[tokio::test]
async fn an_item_whose_token_is_refused_goes_once_more_by_itself() {
    let entra = Entra::with_people(PEOPLE);
    let (status, headers, body) = error(401, "InvalidAuthenticationToken");
    entra.answer(&single(1), status, headers, body);
    let odd = entra.odd.clone();
    let scene = Scene::before(entra).await;
    let forget = move |_: &Request| {
        odd.lock().expect("not poisoned").clear();
        false
    };
    // The single repeat finds the tenant in a better mood.
    scene
        .vendor
        .answer(SingleCall(forget), ResponseTemplate::new(500))
        .await;
    assert!(scene.revoke_together(3).await.iter().all(accepted));
    assert_eq!(
        scene.sent().await,
        ["/v1.0/$batch".to_owned(), format!("/v1.0{}", single(1))]
    );
}

struct SingleCall<F>(F);

impl<F: Fn(&Request) -> bool + Send + Sync> wiremock::Match for SingleCall<F> {
    fn matches(&self, request: &Request) -> bool {
        !request.url.path().ends_with("$batch") && (self.0)(request)
    }
}

/// Every row of the vendor's table of errors, as a single call and as an item of a batch.
#[tokio::test]
async fn every_error_means_what_the_vendor_documents() {
    use ErrorKind as K;
    let unknown = Retry::OutcomeUnknown;
    let permanent = (K::Unexpected, Retry::Never);
    let mut rows: Vec<(Told, (ErrorKind, Retry))> = vec![
        (error(400, "Request_BadRequest"), permanent),
        (error(400, "BadRequest"), permanent),
        (
            error(401, "InvalidAuthenticationToken"),
            (K::Unauthenticated, Retry::Never),
        ),
        (
            error(401, "Authorization_IdentityNotFound"),
            (K::Unauthenticated, Retry::Never),
        ),
        (
            error(403, "Authorization_RequestDenied"),
            (K::PermissionDenied, Retry::Never),
        ),
        (
            error(403, "insufficient_claims"),
            (K::PermissionDenied, Retry::Never),
        ),
        (error(404, ""), permanent),
        (error(404, "UnknownError"), permanent),
        (
            not_found(
                "ResourceNotFound",
                "Resource not found for the segment 'revokeSignInSessions'.",
            ),
            permanent,
        ),
        (
            not_found(
                "itemNotFound",
                "No HTTP resource was found that matches the request URI.",
            ),
            permanent,
        ),
        (not_found("ResourceNotFound", ""), permanent),
        (error(408, "UnknownError"), (K::Timeout, unknown)),
        (error(423, "locked"), (K::Unavailable, SAFE)),
        (error(424, "FailedDependency"), (K::Unavailable, SAFE)),
        (error(429, "TooManyRequests"), (K::RateLimited, SAFE)),
        (error(429, "UnknownError"), (K::RateLimited, SAFE)),
        (error(400, "activityLimitReached"), (K::RateLimited, SAFE)),
        (error(503, "throttledRequest"), (K::RateLimited, SAFE)),
        (error(500, "UnknownError"), (K::Unavailable, unknown)),
        (error(502, "UnknownError"), (K::Unavailable, unknown)),
        (error(503, "serviceNotAvailable"), (K::Unavailable, SAFE)),
        (error(504, "UnknownError"), (K::Unavailable, unknown)),
        (error(509, "UnknownError"), (K::Unavailable, unknown)),
        (
            (200, json!({}), json!({"value": false})),
            (K::InvalidResponse, unknown),
        ),
        (
            (200, json!({}), json!({"value": "true"})),
            (K::InvalidResponse, unknown),
        ),
        (
            (
                200,
                json!({}),
                json!({"value": true, "error": {"code": "UnknownError"}}),
            ),
            (K::InvalidResponse, unknown),
        ),
        (
            (
                200,
                json!({}),
                json!({"value": true, "error": "UnknownError"}),
            ),
            (K::InvalidResponse, unknown),
        ),
        ((200, json!({}), json!({})), (K::InvalidResponse, unknown)),
        ((200, json!({}), Value::Null), (K::InvalidResponse, unknown)),
        (
            (201, json!({}), json!({"value": true})),
            (K::InvalidResponse, unknown),
        ),
        ((202, json!({}), Value::Null), (K::InvalidResponse, unknown)),
        (
            (204, json!({}), json!({"value": false})),
            (K::InvalidResponse, unknown),
        ),
        (
            (302, json!({"Location": "/login"}), Value::Null),
            (K::InvalidResponse, Retry::Never),
        ),
    ];
    for status in [
        402, 405, 406, 409, 410, 411, 412, 413, 415, 416, 422, 501, 507,
    ] {
        rows.push((error(status, "UnknownError"), permanent));
    }
    for (told, expected) in rows {
        let entra = Entra::with_people(3);
        entra.answer(&single(1), told.0, told.1.clone(), told.2.clone());
        let scene = Scene::before(entra).await;
        // A server cannot send a body with 204; an item of a batch can.
        if told.0 != 204 {
            assert_eq!(meaning(scene.revoke(1).await), expected, "single {told:?}");
        }
        let mut answers = scene.revoke_together(2).await;
        assert_eq!(meaning(answers.remove(1)), expected, "item {told:?}");
        assert!(accepted(&answers[0]), "the item beside {told:?}");
    }
}

fn not_found(code: &str, message: &str) -> Told {
    let body = json!({"error": {"code": code, "message": message}});
    (404, json!({}), body)
}

#[tokio::test]
async fn nobody_is_nobody_when_graph_means_the_user() {
    for told in [
        not_found("Request_ResourceNotFound", "Resource 'x' does not exist."),
        not_found("Request_ResourceNotFound", ""),
        not_found("ResourceNotFound", "The user could not be found."),
        not_found("itemNotFound", "The resource does not exist."),
    ] {
        let entra = Entra::with_people(3);
        entra.answer(&single(1), told.0, told.1, told.2);
        let scene = Scene::before(entra).await;
        let alone = scene.revoke(1).await.expect("an answer");
        assert!(matches!(alone.outcome, Outcome::SubjectNotFound));
        let item = scene.revoke_together(2).await.remove(1).expect("an answer");
        assert!(matches!(item.outcome, Outcome::SubjectNotFound));
    }
}

#[tokio::test]
async fn an_error_beside_an_item_or_a_batch_contradicts_its_success() {
    let beside_the_item: fn(Vec<Value>) -> Value = |mut right| {
        right[1]["error"] = json!({"code": "UnknownError"});
        json!({"responses": right})
    };
    let beside_the_batch: fn(Vec<Value>) -> Value =
        |right| json!({"responses": right, "error": {"code": "UnknownError"}});
    for twist in [beside_the_item, beside_the_batch] {
        let scene = Scene::answering(Twisted(twist), token_answer(canary::TOKEN)).await;
        let unknown = (ErrorKind::InvalidResponse, Retry::OutcomeUnknown);
        assert_eq!(meaning(scene.revoke_together(3).await.remove(1)), unknown);
    }
}

#[tokio::test]
async fn both_documented_forms_are_a_success() {
    for told in [
        (200, json!({}), json!({"value": true, "error": null})),
        (200, json!({}), json!({"value": true})),
        (204, json!({}), Value::Null),
    ] {
        let entra = Entra::with_people(3);
        entra.answer(&single(1), told.0, told.1, told.2);
        let scene = Scene::before(entra).await;
        assert!(accepted(&scene.revoke(1).await));
        assert!(scene.revoke_together(2).await.iter().all(accepted));
    }
}

#[tokio::test]
async fn a_guest_is_never_called() {
    let scene = Scene::before(Entra::with_people(1)).await;
    let mut account = Account::new(id(0), upn(0));
    account.not_covered = Some(Unsupported::new("a guest", "ask at home"));
    let resolved = RevokeRequest::new(subject(&id(0))).for_account(account);
    let by_name = RevokeRequest::new(subject("a_fabrikam.com#ext#@contoso.onmicrosoft.com"));
    for request in [resolved, by_name] {
        let report = scene.revoke_as(&request).await.expect("an answer");
        assert!(matches!(report.outcome, Outcome::Unsupported(_)));
    }
    assert!(scene.sent().await.is_empty());
    assert_eq!(scene.vendor.login_requests().await, 0);
}

#[tokio::test]
async fn a_mail_address_is_looked_up_and_acted_on_by_id() {
    let entra = Entra::with_people(3);
    let revoked = entra.revoked.clone();
    let scene = Scene::before(entra).await;
    let email = "alias2@contoso.com".to_owned();
    let by_mail = Subject::typed(Identifier::Email { email }).expect("readable");
    assert!(accepted(
        &scene.revoke_as(&RevokeRequest::new(by_mail)).await
    ));
    assert_eq!(*revoked.lock().expect("not poisoned"), [id(2)]);
}
