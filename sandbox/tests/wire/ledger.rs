//! The ledger: in memory, over HTTP, in its file, and across restarts.

use rescind_sandbox::{Operation, Person, SandboxOptions};
use serde_json::Value;

use crate::client::{start, start_with};

fn with_file(folder: &tempfile::TempDir, sync: bool) -> SandboxOptions {
    SandboxOptions {
        people: 80,
        ledger: Some(folder.path().join("deep/ledger.jsonl")),
        ledger_sync: sync,
        ..SandboxOptions::default()
    }
}

#[tokio::test]
async fn what_was_done_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let caller = start_with(with_file(&folder, false)).await;
    let id = caller.sandbox.people().object_id(Person::regular(5));
    let path = format!("/users/{id}?$select=signInSessionsValidFromDateTime");
    assert_eq!(caller.revoke(&id).await.status, 200);
    let before = caller.get(&path).await.json();
    let ledger = caller.sandbox.ledger();
    caller.sandbox.shutdown().await.unwrap();

    let caller = start_with(with_file(&folder, false)).await;
    assert_eq!(caller.get(&path).await.json(), before);
    assert_eq!(caller.sandbox.ledger(), ledger);
    assert_eq!(caller.revoke(&id).await.status, 200);
    assert_eq!(
        caller.sandbox.effects(Operation::Revoke)[Person::regular(5).index() as usize],
        2
    );
}

#[tokio::test]
async fn a_synchronous_ledger_has_the_call_before_the_caller_has_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let caller = start_with(with_file(&folder, true)).await;
    let id = caller.sandbox.people().object_id(Person::regular(5));
    assert_eq!(caller.revoke(&id).await.status, 200);
    let file = std::fs::read_to_string(folder.path().join("deep/ledger.jsonl")).unwrap();
    assert_eq!(file, caller.sandbox.ledger_lines());
    assert_eq!(file.lines().count(), 1);
}

#[tokio::test]
async fn a_line_that_a_crash_cut_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/ledger.jsonl");
    let caller = start_with(with_file(&folder, true)).await;
    let id = caller.sandbox.people().object_id(Person::regular(5));
    caller.revoke(&id).await;
    caller.sandbox.shutdown().await.unwrap();
    let mut text = std::fs::read_to_string(&path).unwrap();
    let half = text[..40].to_owned();
    text.push_str(&half);
    std::fs::write(&path, text).unwrap();

    for round in 1..3 {
        let caller = start_with(with_file(&folder, true)).await;
        assert_eq!(caller.sandbox.ledger().len(), round);
        caller.revoke(&id).await;
        caller.sandbox.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_ledger_of_other_people_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let caller = start_with(with_file(&folder, true)).await;
    let id = caller.sandbox.people().object_id(Person::regular(5));
    caller.revoke(&id).await;
    caller.sandbox.shutdown().await.unwrap();
    let options = SandboxOptions {
        seed: 43,
        ..with_file(&folder, true)
    };
    let error = rescind_sandbox::Sandbox::start(options).await.unwrap_err();
    assert!(error.to_string().contains("another population"), "{error}");
}

#[tokio::test]
async fn the_ledger_is_read_over_http() {
    let caller = start("").await;
    caller.revoke("nobody@contoso.com").await;
    caller
        .revoke(&caller.sandbox.people().upn(Person::regular(0)))
        .await;
    let all = caller
        .send("GET", "/_sandbox/ledger", &[], "")
        .await
        .unwrap();
    let lines: Vec<Value> = all
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["name"], "nobody@contoso.com");
    assert_eq!(lines[0]["subject"], Value::Null);
    assert_eq!(lines[0]["status"], 404);
    let rest = caller
        .send("GET", "/_sandbox/ledger?after=1", &[], "")
        .await
        .unwrap();
    assert!(all.body.ends_with(&rest.body) && rest.body.len() < all.body.len());
    let summary = caller
        .send("GET", "/_sandbox/summary", &[], "")
        .await
        .unwrap()
        .json();
    assert_eq!(summary["effects"], 1);
    assert_eq!(summary["people"]["microsoft"], 1);
    assert_eq!(summary["calls"]["microsoft"]["revoke"]["404"], 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_written_files_are_complete_and_secrets_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let caller = start("").await;
    for _ in 0..2 {
        caller.sandbox.write_files(folder.path()).unwrap();
    }
    for secret in ["sa.json", "entra-client-secret"] {
        let mode = std::fs::metadata(folder.path().join(secret))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let key = std::fs::read(folder.path().join("sa.json")).unwrap();
    let key: Value = serde_json::from_slice(&key).unwrap();
    assert!(
        key["private_key"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----\n")
    );
    let config = std::fs::read_to_string(folder.path().join("rescind.toml")).unwrap();
    assert!(config.contains(&caller.sandbox.base_url()));
    let leavers = std::fs::read_to_string(folder.path().join("leavers.csv")).unwrap();
    assert_eq!(leavers, caller.sandbox.people_csv());
}
