//! Faults happen before or after the effect, as they were ordered.

use rescind_sandbox::Person;
use serde_json::json;

use crate::client::{Caller, revoke_item, start};

async fn revoke_once(faults: &str) -> (Caller, Result<(u16, String), String>) {
    let caller = start(faults).await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    let path = format!("/users/{id}/revokeSignInSessions");
    let answer = caller.graph("POST", &path, "").await;
    let answer = answer
        .map(|answer| {
            (
                answer.status,
                String::from_utf8_lossy(&answer.body).into_owned(),
            )
        })
        .map_err(|error| error.to_string());
    (caller, answer)
}

#[tokio::test]
async fn a_reset_before_the_effect_leaves_none() {
    let (caller, answer) = revoke_once("reset-before=100%").await;
    assert!(answer.is_err());
    assert!(caller.sandbox.ledger().is_empty());
}

#[tokio::test]
async fn a_reset_after_the_effect_hides_it() {
    let (caller, answer) = revoke_once("reset-after=100%").await;
    assert!(answer.is_err());
    let ledger = caller.sandbox.ledger();
    assert_eq!(
        (ledger.len(), ledger[0].effect, ledger[0].status),
        (1, true, 0)
    );
}

#[tokio::test]
async fn a_cut_answer_promises_more_than_it_sends() {
    let (caller, answer) = revoke_once("cut-after=100%").await;
    assert!(answer.is_err());
    assert_eq!(caller.sandbox.summary().effects, 1);
}

#[tokio::test]
async fn server_errors_come_before_or_after_the_effect() {
    for (faults, effects) in [
        ("5xx-before=100%", 0),
        ("5xx-after=100%", 1),
        ("busy=100%", 0),
    ] {
        let (caller, answer) = revoke_once(faults).await;
        let (status, _) = answer.unwrap();
        assert!(status >= 500, "{faults}: {status}");
        assert_eq!(caller.sandbox.summary().effects, effects, "{faults}");
    }
}

#[tokio::test]
async fn a_lie_has_no_effect() {
    for (faults, telling) in [
        ("html=100%", "<!doctype html>"),
        ("empty=100%", ""),
        ("false=100%", "false"),
    ] {
        let (caller, answer) = revoke_once(faults).await;
        let (status, body) = answer.unwrap();
        assert_eq!(status, 200, "{faults}");
        assert!(
            body.contains(telling) && !body.contains("true"),
            "{faults}: {body}"
        );
        assert_eq!(caller.sandbox.summary().effects, 0, "{faults}");
    }
}

#[tokio::test]
async fn an_item_fails_alone_inside_its_batch() {
    let caller = start("5xx-before=50%").await;
    let items: Vec<_> = (0..20)
        .map(|n| {
            revoke_item(
                &n.to_string(),
                &caller.sandbox.people().object_id(Person::regular(n)),
            )
        })
        .collect();
    let answer = caller.batch(json!(items)).await;
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let good = body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["status"] == 200)
        .count();
    assert!((1..20).contains(&good), "{good}");
    assert_eq!(caller.sandbox.summary().effects, good as u64);
}

#[tokio::test]
async fn a_lag_hides_the_new_watermark() {
    let caller = start("lag=60s").await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    let path = format!("/users/{id}?$select=signInSessionsValidFromDateTime");
    let before = caller.get(&path).await.json();
    assert_eq!(caller.revoke(&id).await.status, 200);
    assert_eq!(caller.get(&path).await.json(), before);
    caller.sandbox.set_faults("none".parse().unwrap());
    assert_ne!(caller.get(&path).await.json(), before);
}

#[tokio::test]
async fn an_outage_answers_503_to_everybody() {
    let caller = start("").await;
    caller
        .sandbox
        .set_faults("microsoft:outage=0s..60s".parse().unwrap());
    assert_eq!(caller.get("/organization").await.status, 503);
    caller.sandbox.set_faults("none".parse().unwrap());
    assert_eq!(caller.get("/organization").await.status, 200);
}

#[tokio::test]
async fn tokens_are_voided_every_so_many_requests() {
    let caller = start("void-tokens-every=3").await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(caller.get("/organization").await.status);
    }
    // The token request was the first of the tenant.
    assert_eq!(statuses, [200, 401, 401, 401]);
}

#[tokio::test]
async fn people_can_be_denied_and_deleted() {
    let caller = start("").await;
    let people = *caller.sandbox.people();
    let (denied, deleted) = (
        people.upn(Person::regular(0)),
        people.upn(Person::regular(1)),
    );
    let faults = format!("microsoft:deny={denied},microsoft:delete={deleted}");
    caller.sandbox.set_faults(faults.parse().unwrap());
    assert_eq!(caller.revoke(&denied).await.status, 403);
    assert_eq!(caller.revoke(&deleted).await.status, 404);
    assert_eq!(
        caller.revoke(&people.upn(Person::regular(2))).await.status,
        200
    );
}

#[tokio::test]
async fn the_tenants_clock_can_be_wrong() {
    let caller = start("microsoft:skew=-1m").await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    let answer = caller.revoke(&id).await;
    let watermark = caller
        .get(&format!(
            "/users/{id}?$select=signInSessionsValidFromDateTime"
        ))
        .await
        .json();
    let watermark = watermark["signInSessionsValidFromDateTime"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(answer.header("date").unwrap().contains(&watermark[11..19]));
}

#[tokio::test]
async fn knobs_turn_over_http() {
    let caller = start("").await;
    let turn = async |body: &'static str| {
        caller
            .send("POST", "/_sandbox/knobs", &[], body)
            .await
            .unwrap()
    };
    assert_eq!(turn(r#"{"faults":"busy=100%"}"#).await.status, 204);
    assert_eq!(caller.get("/organization").await.status, 503);
    let wrong = turn(r#"{"faults":"bussy=100%"}"#).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("busy"));
    assert_eq!(turn(r#"{"fault":""}"#).await.status, 400);
    assert_eq!(
        turn(r#"{"faults":"none","quota":"1/60"}"#).await.status,
        204
    );
    let id = caller.sandbox.people().object_id(Person::regular(0));
    assert_eq!(caller.revoke(&id).await.status, 200);
    assert_eq!(caller.revoke(&id).await.status, 429);
    let void = caller
        .send("POST", "/_sandbox/void-tokens", &[], "")
        .await
        .unwrap();
    assert_eq!(void.status, 204);
    assert_eq!(caller.get("/organization").await.status, 401);
}
