//! What is said of settings that cannot work.

use rescind_core::config::ConfigError;
use serde_json::{Value, json};

use crate::stage::{Stage, build, secret_file};
use crate::wire::{key_file, private_pem};

/// Builds with this key file and these further settings.
fn with_key(key: &Value, settings: &str) -> Result<(), ConfigError> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = secret_file(&folder, "sa.json", &key.to_string());
    let named = format!(
        "service_account_key = {{ file = \"{}\" }}\n",
        path.display()
    );
    build(&format!(
        "{named}impersonate = \"admin@example.com\"\n{settings}"
    ))
    .map(drop)
}

/// The keys of all problems, and the problems in words.
fn problems(answer: Result<(), ConfigError>) -> (Vec<String>, String) {
    let error = answer.expect_err("it cannot work");
    let keys = error.problems().iter().map(|problem| problem.key.clone());
    (keys.collect(), error.to_string())
}

#[test]
fn the_smallest_settings_are_enough() {
    with_key(&key_file(), "").expect("these are all that is required");
}

#[test]
fn an_unknown_step_is_told_with_those_there_are() {
    let (keys, text) = problems(with_key(&key_file(), r#"steps = ["grants", "password"]"#));
    assert!(keys[0].starts_with("steps"), "{keys:?}");
    for step in ["app-passwords", "backup-codes", "grants", "sign-out"] {
        assert!(text.contains(step), "{text}");
    }
}

#[test]
fn steps_name_each_step_once_and_at_least_one() {
    for steps in ["[]", r#"["grants", "grants"]"#] {
        let (keys, _) = problems(with_key(&key_file(), &format!("steps = {steps}")));
        assert_eq!(keys, ["steps"]);
    }
}

#[test]
fn every_problem_is_told_in_one_run() {
    let wrong = "customer = \"a b\"\napi_url = \"http://admin.googleapis.com\"\ntoken_url = \"none\"\naudience = \" \"\n\
                 steps = []";
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let missing = folder.path().join("missing.json");
    let settings = format!(
        "service_account_key = {{ file = \"{}\" }}\nimpersonate = \"admin\"\n{wrong}",
        missing.display()
    );
    let (mut keys, _) = problems(build(&settings).map(drop));
    keys.sort();
    assert_eq!(
        keys,
        [
            "api_url",
            "audience",
            "customer",
            "impersonate",
            "service_account_key",
            "steps",
            "token_url"
        ]
    );
}

#[test]
fn a_key_that_cannot_work_is_refused_without_being_shown() {
    let without = |field: &str| {
        let mut key = key_file();
        key.as_object_mut().expect("an object").remove(field);
        key
    };
    let with = |field: &str, value: Value| {
        let mut key = key_file();
        key[field] = value;
        key
    };
    for (key, expected) in [
        (with("type", json!("authorized_user")), "service_account"),
        (without("type"), "service_account"),
        (without("client_email"), "client_email"),
        (without("private_key"), "private_key"),
        (with("private_key", json!("canary-not-a-key")), "PEM"),
        (with("private_key", json!(["canary-not-a-key"])), "JSON key"),
        (
            with("universe_domain", json!("canary.example.com")),
            "universe_domain",
        ),
        (json!("canary"), "JSON key"),
    ] {
        let (keys, text) = problems(with_key(&key, ""));
        assert_eq!(keys, ["service_account_key"], "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains("canary"), "{text}");
        assert!(!text.contains(&private_pem()[40..80]), "{text}");
    }
}

#[test]
fn the_keys_own_token_endpoint_is_checked_like_any_other() {
    let mut key = key_file();
    key["token_uri"] = "http://tokens.example.com/".into();
    let (keys, _) = problems(with_key(&key, ""));
    assert_eq!(keys, ["service_account_key.token_uri"]);
    with_key(&key, "token_url = \"https://tokens.example.com/\"").expect("it is overridden");
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new().await;
    let path = stage.secret_file("open.json", &key_file().to_string());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
        .expect("the owner may change the mode");
    let settings = format!(
        "service_account_key = {{ file = \"{}\" }}\nimpersonate = \"admin@example.com\"",
        path.display()
    );
    let (keys, text) = problems(build(&settings).map(drop));
    assert_eq!(keys, ["service_account_key"]);
    assert!(text.contains("chmod 600"), "{text}");
}

#[tokio::test]
async fn the_vendors_account_is_the_customer_or_the_administrators_domain() {
    let tenant = |stage: &Stage| stage.revocation().descriptor().vendor_tenant.clone();
    assert_eq!(tenant(&Stage::new().await), "example.com");
    let named = Stage::with("customer = \"C01234567\"").await;
    assert_eq!(tenant(&named), "C01234567");
}
