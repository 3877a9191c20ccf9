//! No secret is ever shown or stored: values that occur nowhere else are looked for in everything the program leaves.

use std::time::Duration;

use rescind_integration::judge::tenants;
use rescind_integration::leaks::{holds, nothing_leaked};
use rescind_integration::other_graph::{ACCESS_TOKEN, Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran};

const LIMIT: Duration = Duration::from_secs(60);
const CANARY: &str = "canary-7f3a91c2";

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

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_record_is_in_its_file_and_nowhere_else() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let config =
        std::fs::read_to_string(desk.path().join("rescind.toml")).expect("a configuration");
    desk.write(
        "rescind.toml",
        &format!("{config}[audit]\ncheckpoint_copy = \"checkpoints\"\n"),
    );
    let mut outputs = vec![revoke(&desk, "u1@contoso.com").exits(0)];
    for args in [
        &["audit", "export"][..],
        &["audit", "export", "--redact"],
        &["audit", "verify", "--output", "json", "-vvv"],
        &["audit", "list", "--output", "json"],
        &["orders", "list", "-vvv", "--log-json"],
        &["verify", "-vvv"],
    ] {
        outputs.push(desk.run(args).exits(0));
    }
    let path = desk.path().join("state/audit.key");
    let text = std::fs::read_to_string(&path).expect("a key");
    let digits = text.trim_end();
    assert_eq!(digits.len(), 64, "32 bytes as digits");
    let seed: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits"))
        .collect();
    // A damaged key is not shown either.
    std::fs::write(&path, format!("{digits}0\n")).expect("ours");
    outputs.push(desk.run(&["audit", "verify", "-vvv"]).exits(1));
    std::fs::write(&path, text).expect("ours");
    let outputs: Vec<_> = outputs.iter().collect();
    nothing_leaked(&desk, &["audit.key"], &outputs, &[seed]);
}

#[test]
fn help_completions_and_the_manual_show_no_value_of_the_environment() {
    let desk = Desk::empty();
    let mut pages: Vec<Vec<&str>> = vec![
        vec!["--help"],
        vec!["-h"],
        vec!["help", "revoke"],
        vec!["man"],
        vec!["config", "schema"],
        vec!["connectors"],
        vec!["nonsense"],
        vec!["connectors", "--output", "json"],
    ];
    for command in ["revoke", "run", "orders", "providers", "audit", "sandbox"] {
        pages.push(vec![command, "--help"]);
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        pages.push(vec!["completions", shell]);
    }
    let mut told = 0;
    for page in pages {
        let mut command = desk.command(&page);
        for name in [
            "RESCIND_CONFIG",
            "COLUMNS",
            "RESCIND_STATE_DIR",
            "RESCIND_PROVIDERS__ENTRA__SETTINGS__CLIENT_SECRET",
            "ENTRA_CLIENT_SECRET",
            "SUDO_USER",
        ] {
            command.env(name, CANARY);
        }
        let ran = Ran::of(&command.output().expect("it starts"));
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(CANARY), "{page:?}:\n{text}");
            told += usize::from(text.contains("RESCIND_CONFIG"));
        }
    }
    assert!(told > 0, "the variable itself is documented");
}

#[test]
fn a_secret_that_an_environment_variable_puts_into_a_setting_is_not_repeated() {
    let desk = Desk::empty();
    desk.write("secret", CANARY);
    desk.private("secret");
    desk.write(
        "rescind.toml",
        "protected = []\n[providers.entra]\nkind = \"azure-graph\"\n[providers.entra.settings]\n\
         tenant = \"contoso.onmicrosoft.com\"\nclient_id = \"11111111-2222-3333-4444-555555555555\"\n\
         client_secret = { file = \"secret\" }\n",
    );
    for name in [
        "RESCIND_PROVIDERS__ENTRA__SETTINGS__CLIENT_SECRET",
        "RESCIND_PROVIDERS__ENTRA__SETTINGS__CLIENT_SECRET__VALUE",
        "RESCIND_PROVIDERS__ENTRA__SETTINGS__PRIVATE_KEY",
        "RESCIND_PROVIDERS__ENTRA__SETTINGS__GRAPH_URL",
        "RESCIND_PROVIDERS__ENTRA__LANE__QUOTA",
        "RESCIND_HTTP__PROXY",
    ] {
        for format in ["text", "json"] {
            let mut command = desk.command(&["config", "check", "-vv", "--output", format]);
            let ran = Ran::of(&command.env(name, CANARY).output().expect("it starts")).exits(2);
            assert!(!ran.stdout.contains(CANARY), "{name}:\n{}", ran.stdout);
            assert!(!ran.stderr.contains(CANARY), "{name}:\n{}", ran.stderr);
        }
    }
}

/// A killed process leaves the log of its database behind, in which nothing was folded or overwritten.
#[tokio::test(flavor = "multi_thread")]
#[cfg(debug_assertions)]
async fn a_process_that_dies_or_panics_with_a_secret_at_hand_leaves_none_of_it() {
    for place in [
        "before:staged",
        "before:sending",
        "before:answered",
        "after:running-confirmed",
    ] {
        for how in ["abort", "panic", "error"] {
            let graph = OtherGraph::start(Behaviour::default()).await;
            let desk = Desk::at_graph(&graph.url());
            desk.write("secret", CANARY);
            let mut command = desk.command(&[
                "revoke",
                "u1@contoso.com",
                "--note",
                "secrets",
                "--yes",
                "-vvv",
            ]);
            command
                .env("FAILPOINTS", format!("{place}={how}"))
                .env("RUST_BACKTRACE", "full")
                .env("RUST_LIB_BACKTRACE", "1");
            let ran = Ran::of(&command.output().expect("it starts"));
            assert_ne!(ran.code, Some(0), "{place}={how}: {ran:?}");
            if how == "panic" {
                assert!(ran.stderr.contains("failpoint.rs:"), "{}", ran.stderr);
            }
            if how == "abort" && place != "before:staged" {
                let log = std::fs::metadata(desk.path().join("state/rescind.db-wal"));
                assert!(log.is_ok_and(|log| log.len() > 0), "{place}: no log");
            }
            nothing_leaked(&desk, &["secret"], &[&ran], &[CANARY, ACCESS_TOKEN]);
        }
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let desk = Desk::empty();
    desk.write("rescind.db", &format!("secret={CANARY}"));
    assert!(holds(CANARY.as_bytes(), CANARY.as_bytes()));
    let caught = std::panic::catch_unwind(|| {
        nothing_leaked(&desk, &[], &[], &[CANARY]);
    });
    assert!(caught.is_err());
}
