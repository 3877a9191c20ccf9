//! No secret is ever shown or stored: values that occur nowhere else are looked for in everything the program leaves.

use std::path::Path;
use std::time::Duration;

use rescind_integration::judge::tenants;
use rescind_integration::other_graph::{ACCESS_TOKEN, Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran};

const LIMIT: Duration = Duration::from_secs(60);
const CANARY: &str = "canary-7f3a91c2";

/// Every file below a folder that does not hold a secret because a person put it there.
fn files_in(folder: &Path, except: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            files_in(&path, except, found);
        } else if !except.contains(&name.as_str()) {
            found.push((
                path.display().to_string(),
                std::fs::read(&path).expect("a file"),
            ));
        }
    }
}

fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

#[track_caller]
fn nothing_leaked(desk: &Desk, except: &[&str], outputs: &[&Ran], secrets: &[&str]) {
    let mut places = Vec::new();
    files_in(desk.path(), except, &mut places);
    assert!(
        places.iter().any(|(name, _)| name.ends_with("rescind.db")),
        "a state folder was searched"
    );
    for (number, ran) in outputs.iter().enumerate() {
        places.push((format!("stdout {number}"), ran.stdout.clone().into_bytes()));
        places.push((format!("stderr {number}"), ran.stderr.clone().into_bytes()));
    }
    for secret in secrets {
        for (name, text) in &places {
            assert!(!holds(text, secret), "{name} holds {secret}");
        }
    }
}

fn revoke(desk: &Desk, who: &str) -> Ran {
    desk.begin(&["revoke", who, "--note", "secrets", "--yes", "-vv"])
        .ends_within(LIMIT)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_and_access_tokens_are_shown_nowhere() {
    let graph = OtherGraph::start(Behaviour {
        void_every: Some(3),
        ..Behaviour::default()
    })
    .await;
    let desk = Desk::at_graph(&graph.url());
    desk.write("secret", CANARY);
    let done = revoke(&desk, "u1@contoso.com").exits(0);
    let checked = desk.run(&["providers", "check", "-vv"]);
    let exported = desk.run(&["audit", "export"]).exits(0);
    let config = desk.run(&["config", "check", "-vv"]).exits(0);
    graph.stop().await;
    let down = desk.run(&["providers", "check", "-vv"]).exits(3);
    nothing_leaked(
        &desk,
        &["secret"],
        &[&done, &checked, &exported, &config, &down],
        &[CANARY, ACCESS_TOKEN],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_the_environment_is_shown_nowhere() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let config =
        std::fs::read_to_string(desk.path().join("rescind.toml")).expect("a configuration");
    desk.write(
        "rescind.toml",
        &config.replace("{ file = \"secret\" }", "{ env = \"ENTRA_SECRET\" }"),
    );
    let mut command = desk.command(&[
        "revoke",
        "u1@contoso.com",
        "--note",
        "secrets",
        "--yes",
        "-vv",
    ]);
    let done = Ran::of(
        &command
            .env("ENTRA_SECRET", CANARY)
            .output()
            .expect("it starts"),
    )
    .exits(0);
    let mut command = desk.command(&["providers", "check", "--output", "json", "-vv"]);
    let checked = Ran::of(
        &command
            .env("ENTRA_SECRET", CANARY)
            .output()
            .expect("it starts"),
    );
    nothing_leaked(&desk, &[], &[&done, &checked], &[CANARY, ACCESS_TOKEN]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_shown_nowhere() {
    let (sandbox, desk) = tenants("none", 40).await;
    desk.write("entra-client-secret", CANARY);
    let key = sandbox.service_account_key();
    let key: serde_json::Value = serde_json::from_str(&key).expect("a key file");
    let pem = key["private_key"].as_str().expect("a key").to_owned();
    let lines: Vec<_> = pem
        .lines()
        .filter(|line| line.len() >= 32 && !line.starts_with('-'))
        .collect();
    assert!(lines.len() > 5, "the key has lines to look for");
    let who = sandbox.people().upn(rescind_sandbox::Person::regular(0));
    let stopped = revoke(&desk, &who);
    assert!(matches!(stopped.code, Some(5)), "{stopped:?}");
    let checked = desk.run(&["providers", "check", "-vv"]).exits(3);
    let exported = desk.run(&["audit", "export"]).exits(0);
    let mut secrets = lines.clone();
    secrets.push(CANARY);
    nothing_leaked(
        &desk,
        &["entra-client-secret", "sa.json"],
        &[&stopped, &checked, &exported],
        &secrets,
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let settings = |line: &str| {
        format!(
            "protected = []\n[providers.entra]\nkind = \"azure-graph\"\n[providers.entra.settings]\n\
             tenant = \"contoso.onmicrosoft.com\"\nclient_id = \"11111111-2222-3333-4444-555555555555\"\n{line}\n"
        )
    };
    for wrong in [
        format!("client_secret = \"{CANARY}\""),
        format!("client_secret = {{ file = \"secret\", env = \"{CANARY}\" }}"),
        format!("client_secrt = \"{CANARY}\""),
        format!("client_secret = {{ value = \"{CANARY}\" }}"),
        format!("client_secret = [\"{CANARY}\"]"),
        format!("client_secret = \"{CANARY}"),
        format!("private_key = \"\"\"\n{CANARY}\n\"\"\""),
        format!("certificate = \"{CANARY}\""),
        format!("federated_token = \"{CANARY}\""),
        format!(
            "graph_url = \"https://user:{CANARY}@graph.example.com\"\nclient_secret = {{ file = \"secret\" }}"
        ),
    ] {
        let desk = Desk::empty();
        desk.write("rescind.toml", &settings(&wrong));
        for format in ["text", "json"] {
            let ran = desk
                .run(&["config", "check", "-vv", "--output", format])
                .exits(2);
            assert!(!ran.stdout.contains(CANARY), "{wrong}:\n{}", ran.stdout);
            assert!(!ran.stderr.contains(CANARY), "{wrong}:\n{}", ran.stderr);
        }
    }
}
