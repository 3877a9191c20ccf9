//! Open orders belong to the tenants they were accepted for, and simulated ones are never mixed with real ones.

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::Desk;

const ONE: [&str; 5] = ["revoke", "u1@contoso.com", "--note", "x", "--yes"];

fn files(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(desk.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), content)
        })
        .collect();
    files.sort();
    files
}

fn edit(desk: &Desk, from: &str, to: &str) {
    let config =
        std::fs::read_to_string(desk.path().join("rescind.toml")).expect("a configuration");
    assert!(config.contains(from));
    desk.write("rescind.toml", &config.replace(from, to));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_order_is_never_sent_to_another_tenant() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.run(&[&ONE[..], &["--no-wait"]].concat()).exits(5);
    edit(&desk, "contoso.onmicrosoft.com", "fabrikam.onmicrosoft.com");
    let calls = graph.ledger().calls;
    for args in [
        &["run"][..],
        &ONE,
        &[
            "revoke",
            "u2@contoso.com",
            "--note",
            "y",
            "--yes",
            "--dry-run",
        ],
    ] {
        let ran = desk.run(args).exits(2);
        assert!(
            ran.stderr.contains("contoso.onmicrosoft.com"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("fabrikam.onmicrosoft.com"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(graph.ledger().calls, 0, "after {calls} while planning");
    assert_eq!(graph.revocations(), 0);
    edit(&desk, "fabrikam.onmicrosoft.com", "contoso.onmicrosoft.com");
    desk.run(&["run"]).exits(0);
    assert_eq!(graph.revocations(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_order_of_a_provider_that_is_gone_is_named() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.run(&[&ONE[..], &["--no-wait"]].concat()).exits(5);
    edit(&desk, "providers.entra", "providers.other");
    let ran = desk.run(&["run"]).exits(2);
    assert!(ran.stderr.contains("entra"), "{}", ran.stderr);
    assert_eq!(graph.revocations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn simulated_tenants_never_work_on_a_real_state_folder() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.run(&ONE).exits(0);
    for args in [&["run"][..], &ONE] {
        let ran = desk
            .run(&[args, &["--sandbox", "--state-dir", "state"]].concat())
            .exits(2);
        assert!(ran.stderr.contains("state"), "{}", ran.stderr);
    }
    for stray in ["ledger.jsonl", "sa.json", "rescind.toml", "leavers.csv"] {
        assert!(
            !desk.path().join("state").join(stray).exists(),
            "{stray} was left in a real state folder"
        );
    }
    desk.run(&["audit", "verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_tenants_never_work_on_a_state_folder_of_the_sandbox() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.run(&[
        "revoke",
        "katya.becker@contoso.com",
        "--sandbox",
        "--note",
        "x",
        "--yes",
        "--provider",
        "entra",
    ])
    .exits(0);
    for args in [&["run"][..], &ONE] {
        let ran = desk
            .run(&[args, &["--state-dir", "sandbox-state"]].concat())
            .exits(2);
        assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
    }
    assert_eq!(graph.ledger().calls, 0);
}

#[test]
fn the_sandbox_overwrites_nothing_that_is_not_its_own() {
    let desk = Desk::at_graph("http://127.0.0.1:9");
    desk.write("sa.json", "{}");
    desk.write("leavers.csv", "subject\nada@contoso.com\n");
    let before = files(&desk);
    let ran = desk
        .run(&[&ONE[..], &["--sandbox", "--state-dir", "."]].concat())
        .exits(2);
    assert!(ran.stderr.contains("rescind.toml"), "{}", ran.stderr);
    let ran = desk
        .run(&["sandbox", "--files", ".", "--stop-after", "1"])
        .exits(2);
    assert!(ran.stderr.contains("rescind.toml"), "{}", ran.stderr);
    assert_eq!(files(&desk), before);
}
