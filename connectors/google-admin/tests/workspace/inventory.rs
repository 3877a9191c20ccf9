//! Grants and app passwords one by one.

use rescind_core::error::Retry;
use rescind_core::provider::ItemId;
use serde_json::json;

use crate::stage::{Stage, counts, cx, partial, revoked};
use crate::wire::{asps, done, error, list, ok};

fn ids(texts: &[&str]) -> Vec<ItemId> {
    texts
        .iter()
        .map(|text| ItemId((*text).to_owned()))
        .collect()
}

#[tokio::test]
async fn the_list_names_what_can_be_ended() {
    let stage = Stage::new().await;
    stage.on("GET", "users/1098/asps", 1, ok(asps(&[7]))).await;
    let grants = vec![
        json!({"clientId": "1234.apps.googleusercontent.com", "displayText": "Some App",
            "scopes": ["https://www.googleapis.com/auth/drive"], "anonymous": false, "nativeApp": true}),
        json!({"clientId": "host.example.com/x", "anonymous": true}),
    ];
    let grants = list("admin#directory#tokenList", "items", grants);
    stage.on("GET", "users/1098/tokens", 1, ok(grants)).await;
    let items = stage.inventory().list(&cx(), "1098").await.expect("a list");
    let told: Vec<_> = items
        .iter()
        .map(|item| (item.id.0.as_str(), item.kind.as_str(), item.title.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("app-password:7", "app-password", "Thunderbird"),
            ("grant:1234.apps.googleusercontent.com", "grant", "Some App"),
            ("grant:host.example.com/x", "grant", "host.example.com/x"),
        ]
    );
    assert_eq!(
        items[0].created_at.map(jiff::Timestamp::as_millisecond),
        Some(1_700_000_000_000)
    );
    assert_eq!(items[0].last_used_at, None, "Google writes 0 for never");
    assert!(items[1].detail[0].ends_with("/auth/drive"));
}

#[tokio::test]
async fn named_items_end_and_nothing_else() {
    let stage = Stage::new().await;
    stage.on("DELETE", "users/1098/asps/7", 1, done()).await;
    stage
        .on(
            "DELETE",
            "users/1098/tokens/host.example.com%2Fx",
            1,
            done(),
        )
        .await;
    let items = ids(&[
        "grant:host.example.com/x",
        "app-password:7",
        "app-password:7",
    ]);
    let ended = revoked(stage.inventory().end(&cx(), "1098", &items).await);
    assert_eq!(
        counts(&ended),
        [("app-passwords", 1, 0, 0, 0), ("grants", 1, 0, 0, 0)]
    );
    assert_eq!(stage.seen().await.len(), 2);
}

#[tokio::test]
async fn an_item_that_fails_is_named() {
    let stage = Stage::new().await;
    stage
        .on(
            "DELETE",
            "users/1098/tokens/a",
            1,
            error(403, "forbidden", ""),
        )
        .await;
    let (_, failed) = partial(
        stage
            .inventory()
            .end(&cx(), "1098", &ids(&["grant:a"]))
            .await,
    );
    assert_eq!(failed[0].item.as_deref(), Some("grant:a"));
}

#[tokio::test]
async fn one_wrong_id_and_nothing_is_sent() {
    let stage = Stage::new().await;
    let answer = stage
        .inventory()
        .end(&cx(), "1098", &ids(&["grant:a", "session:1"]))
        .await;
    assert_eq!(answer.expect_err("no such item").retry(), Retry::Never);
    assert!(stage.seen().await.is_empty());
}
