//! The whole program with the connector in it, against a server that imitates Acme.

use std::path::Path;
use std::process::{Command, Output};

use rescind_testkit::canary;
use rescind_testkit::wiremock::matchers::{header, method, path};
use rescind_testkit::wiremock::{Mock, MockServer, ResponseTemplate};
use serde_json::json;

#[tokio::test]
async fn an_order_ends_sessions_at_a_vendor_the_product_does_not_know() {
    let acme = MockServer::start().await;
    Mock::given(method("DELETE"))
        .and(path("/v1/people/ada%40example.com/sessions"))
        .and(header(
            "authorization",
            format!("Bearer {}", canary::SECRET),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"ended": 3})))
        .expect(1)
        .mount(&acme)
        .await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    configure(folder.path(), &acme.uri());

    let args = [
        "revoke",
        "ada@example.com",
        "--note",
        "laptop stolen",
        "--yes",
    ];
    let output = run(folder.path(), &[&args[..], &["--output", "json"]].concat());

    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}\n{errors}");
    let result: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(result["counts"]["confirmed"], 1, "{told}");
    assert_eq!(result["jobs"][0]["provider"], "acme", "{told}");
    assert!(!told.contains(canary::SECRET) && !errors.contains(canary::SECRET));
}

#[test]
fn a_typing_error_in_the_settings_is_named_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    configure(folder.path(), "http://127.0.0.1:1");
    let file = folder.path().join("rescind.toml");
    let text = std::fs::read_to_string(&file).expect("readable");
    std::fs::write(&file, text.replace("workspace =", "workspaces =")).expect("writable");

    let output = run(folder.path(), &["config", "check"]);

    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("workspaces"), "{errors}");
    assert!(errors.contains("rescind.toml"), "{errors}");
}

fn configure(folder: &Path, api: &str) {
    let key = folder.join("acme.key");
    std::fs::write(&key, canary::SECRET).expect("writable");
    only_for_owner(&key);
    let text = format!(
        "state_dir = '{}'\nprotected = []\n\n[providers.acme]\nkind = 'acme-idp'\n\n\
         [providers.acme.settings]\nworkspace = 'contoso'\napi_url = '{api}'\n\
         api_key = {{ file = '{}' }}\n",
        folder.join("state").display(),
        key.display()
    );
    std::fs::write(folder.join("rescind.toml"), text).expect("writable");
}

#[cfg(unix)]
fn only_for_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the owner may");
}

#[cfg(not(unix))]
fn only_for_owner(_path: &Path) {}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_acme-rescind"))
        .current_dir(folder)
        .env_remove("RESCIND_CONFIG")
        .args(args)
        .output()
        .expect("the program runs")
}
