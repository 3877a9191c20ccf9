//! Wrong input has one right answer each: an exit code, a message that says what to do, and no call.

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran, balances};

async fn run(desk: &Desk, args: &[&str], input: Option<&[u8]>) -> Ran {
    let mut command = desk.command(args);
    if let Some(input) = input {
        let path = desk.write(".stdin", "");
        std::fs::write(&path, input).expect("the folder can be written");
        command.stdin(std::fs::File::open(&path).expect("just written"));
    }
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("the thread ends");
    Ran::of(&output.expect("the program starts"))
}

const YES: [&str; 4] = ["--note", "test", "--yes", "--max-subjects=100000"];

async fn revoke(desk: &Desk, more: &[&str], input: Option<&[u8]>) -> Ran {
    let args: Vec<_> = ["revoke"]
        .into_iter()
        .chain(YES)
        .chain(more.iter().copied())
        .collect();
    run(desk, &args, input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_shows_nothing_is_no_note() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    for blank in ["", "   ", "\u{200b}\u{feff}", "\t\n"] {
        let ran = run(
            &desk,
            &["revoke", "u1@contoso.com", "--yes", "--note", blank],
            None,
        )
        .await
        .exits(2);
        assert!(ran.stderr.contains("note is blank"), "{}", ran.stderr);
    }
    run(&desk, &["revoke", "u1@contoso.com", "--yes"], None)
        .await
        .exits(2);
    assert_eq!(graph.ledger().calls, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spreadsheet_export_is_read_as_it_comes() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let csv = "\u{feff}upn,note\r\nu1@contoso.com,\"a, b\"\r\n\"u2@contoso.com\",x\r\n\r\nU1@contoso.com,again\r\n";
    let report = revoke(
        &desk,
        &["--file", "-", "--output", "json"],
        Some(csv.as_bytes()),
    )
    .await
    .exits(0)
    .json();
    assert_eq!(report["counts"]["accepted"], 2);
    let ledger = graph.ledger();
    assert_eq!(ledger.revoked.len(), 2);
    assert!(ledger.revoked.values().all(|times| *times == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_cannot_be_read_stop_the_order_and_are_named() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let bad: &[(&str, &[u8], &str)] = &[
        ("nothing in it", b"", "names nobody"),
        ("only a header", b"subject\n", "names nobody"),
        (
            "a header twice",
            b"subject,subject\na@contoso.com,b@contoso.com\n",
            "subject",
        ),
        (
            "an unknown column",
            b"subject,colour\na@contoso.com,red\n",
            "colour",
        ),
        (
            "bytes that are no text",
            b"subject\nu1@contoso.com\n\xff\xfe@contoso.com\n",
            "3",
        ),
        (
            "a control character",
            b"subject\nu1@contoso.com\nu2\x1b[2J@contoso.com\n",
            "3",
        ),
        (
            "an unknown provider",
            b"subject,provider\nu1@contoso.com,nosuch\n",
            "nosuch",
        ),
    ];
    for (what, input, named) in bad {
        let ran = revoke(&desk, &["--file", "-"], Some(input)).await.exits(2);
        assert!(ran.stderr.contains(named), "{what}: {}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}'), "{what}: {}", ran.stderr);
    }
    let ran = run(
        &desk,
        &[
            "revoke",
            "u1@contoso.com",
            "--provider",
            "nosuch",
            "--note",
            "x",
            "--yes",
        ],
        None,
    )
    .await
    .exits(2);
    assert!(ran.stderr.contains("entra"), "{}", ran.stderr);
    assert_eq!(graph.ledger().revoked.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_in_one_field_are_refused_with_their_line() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let mut input = b"subject\nu1@contoso.com\n\"".to_vec();
    input.resize(10 << 20, b'x');
    input.extend(b"\"\n");
    let ran = revoke(&desk, &["--file", "-"], Some(&input)).await.exits(2);
    assert!(ran.stderr.contains("line 3"), "{}", ran.stderr);
    assert!(ran.stderr.len() < 4000, "the message is bounded");
    assert_eq!(graph.ledger().revoked.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_rows_may_be_left_out_and_are_listed() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let input = b"subject\nu1@contoso.com\nbad\x07@contoso.com\nu2@contoso.com\n";
    let ran = revoke(
        &desk,
        &["--file", "-", "--skip-bad-rows", "--output", "json"],
        Some(input),
    )
    .await
    .exits(0);
    assert_eq!(ran.json()["counts"]["confirmed"], 2);
    let plan = revoke(
        &desk,
        &[
            "--file",
            "-",
            "--skip-bad-rows",
            "--dry-run",
            "--output",
            "json",
        ],
        Some(input),
    )
    .await;
    assert_eq!(plan.exits(0).json()["plan"]["bad_rows"]["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_is_refused_and_never_a_success() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let report = run(
        &desk,
        &[
            "revoke",
            "u1@contoso.com",
            "typo@contoso.com",
            "--note",
            "x",
            "--yes",
            "--output",
            "json",
        ],
        None,
    )
    .await
    .exits(3)
    .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], 1);
    assert_eq!(report["counts"]["refused"], 1);
    assert_eq!(graph.ledger().revoked.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_states_the_size_it_means() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.people("many.csv", 0..60);
    run(
        &desk,
        &["revoke", "--file", "many.csv", "--note", "x"],
        None,
    )
    .await
    .exits(4);
    run(
        &desk,
        &["revoke", "--file", "many.csv", "--note", "x", "--yes"],
        None,
    )
    .await
    .exits(4);
    run(
        &desk,
        &[
            "revoke",
            "--file",
            "many.csv",
            "--note",
            "x",
            "--yes",
            "--max-subjects",
            "59",
        ],
        None,
    )
    .await
    .exits(4);
    assert_eq!(graph.ledger().revoked.len(), 0);
    run(
        &desk,
        &[
            "revoke",
            "--file",
            "many.csv",
            "--note",
            "x",
            "--yes",
            "--max-subjects",
            "60",
        ],
        None,
    )
    .await
    .exits(0);
    assert_eq!(graph.ledger().revoked.len(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_account_is_never_called_by_any_spelling() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let config = std::fs::read_to_string(desk.path().join("rescind.toml")).expect("written above");
    desk.write(
        "rescind.toml",
        &config.replace("breakglass@contoso.com", "u7@contoso.com"),
    );
    let by_id = rescind_integration::other_graph::id_of(7);
    for spelling in [
        "u7@contoso.com",
        "U7@CONTOSO.COM",
        by_id.as_str(),
        "\u{ff55}7@contoso.com",
    ] {
        run(&desk, &["revoke", spelling, "--note", "x", "--yes"], None)
            .await
            .exits(3);
    }
    assert_eq!(graph.ledger().revoked.len(), 0);
}

#[test]
fn every_mistake_of_a_configuration_is_reported_with_its_line() {
    let desk = Desk::empty();
    desk.write(
        "rescind.toml",
        r#"statedir = "./x"
protected = "breakglass@contoso.com"

[providers.Entra]
kind = "azure-graph"

[providers.entra]
kind = "azure-graf"

[providers.workspace]
kind = "google-admin"
[providers.workspace.settings]
service_account_key = { file = "missing.json" }
impersonate = "admin@example.com"
stepz = []

[guards]
confirm_above = "many"
"#,
    );
    let ran = desk.run(&["config", "check", "--columns", "200"]).exits(2);
    for (line, key) in [
        (1, "statedir"),
        (2, "protected"),
        (4, "Entra"),
        (8, "kind"),
        (15, "stepz"),
        (18, "confirm_above"),
    ] {
        assert!(ran.stderr.contains(key), "{key} in\n{}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("rescind.toml:{line}:")),
            "line {line} of {key} in\n{}",
            ran.stderr
        );
    }
    assert!(
        ran.stderr.contains("state_dir"),
        "the nearest key is named:\n{}",
        ran.stderr
    );
}

#[test]
fn without_a_protected_list_nothing_starts() {
    let desk = Desk::empty();
    desk.write(
        "rescind.toml",
        "[providers.edge]\nkind = \"standalone-sentry\"\n",
    );
    let ran = desk
        .run(&["revoke", "a@contoso.com", "--note", "x", "--yes"])
        .exits(2);
    assert!(ran.stderr.contains("protected"), "{}", ran.stderr);
}

#[test]
fn an_error_is_one_object_for_a_script() {
    let desk = Desk::empty();
    for args in [
        &["revoke", "a@contoso.com", "--note", "x", "--output", "json"][..],
        &["revoke", "--output=json"][..],
    ] {
        let ran = desk.run(args).exits(2);
        let error: serde_json::Value =
            serde_json::from_str(&ran.stderr).expect("one JSON object on stderr");
        for key in ["code", "message", "hint"] {
            assert!(error["error"][key].is_string(), "{key} in {error}");
        }
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn a_closed_pipe_is_no_fault() {
    use std::io::Read;
    let desk = Desk::empty();
    let mut command = desk.command(&["man"]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{said}");
    assert_eq!(said, "");
}
