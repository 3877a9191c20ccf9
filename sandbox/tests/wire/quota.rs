//! Throttling, as the vendors document it.

use rescind_sandbox::{Person, Quota, SandboxOptions};
use serde_json::json;

use crate::client::{revoke_item, start, start_with};

#[tokio::test]
async fn an_item_over_the_quota_is_throttled_alone() {
    let caller = start_with(SandboxOptions {
        people: 80,
        quota: Quota::Limit {
            units: 5,
            per_secs: 60,
        },
        ..SandboxOptions::default()
    })
    .await;
    let items: Vec<_> = (0..8)
        .map(|n| {
            revoke_item(
                &n.to_string(),
                &caller.sandbox.people().object_id(Person::regular(n)),
            )
        })
        .collect();
    let body = caller.batch(json!(items)).await.json();
    let answers = body["responses"].as_array().unwrap();
    let with = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer["status"] == status)
            .collect::<Vec<_>>()
    };
    assert_eq!(with(200).len(), 5);
    let throttled = with(429);
    assert_eq!(throttled.len(), 3);
    assert_eq!(throttled[0]["body"]["error"]["code"], "TooManyRequests");
    assert_eq!(
        throttled[0]["headers"]["x-ms-throttle-information"],
        "WriteLimitExceeded"
    );
    let wait: u64 = throttled[0]["headers"]["Retry-After"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((10..=12).contains(&wait), "{wait}");
    assert!(caller.sandbox.ledger().iter().all(|entry| !entry.early));
    assert_eq!(
        caller.get("/organization").await.status,
        200,
        "reads have no limit here"
    );
}

#[tokio::test]
async fn a_throttled_moment_can_be_ordered_and_impatience_is_written_down() {
    let caller = start("microsoft:throttle-at=3/60s").await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    assert_eq!(caller.revoke(&id).await.status, 200);
    assert_eq!(caller.revoke(&id).await.status, 200);
    let throttled = caller.revoke(&id).await;
    assert_eq!(throttled.status, 429);
    assert_eq!(throttled.header("retry-after"), Some("60"));
    assert!(
        throttled
            .header("x-ms-throttle-scope")
            .unwrap()
            .starts_with("Tenant_Application/")
    );
    // The grace for calls that were on their way is 250 ms: wait for the sandbox's own clock to pass it.
    while caller.sandbox.summary().early == 0 {
        assert_eq!(caller.revoke(&id).await.status, 429);
    }
    assert_eq!(caller.sandbox.summary().effects, 2);
}
