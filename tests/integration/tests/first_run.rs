//! The first thing a person tries: the ready list of leavers against the simulated tenants inside the program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rescind_integration::judge::Judge;
use rescind_integration::program::{Desk, balances};
use rescind_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(120);

/// People of the ready list whom no call may be about: two guests' and a typo's rows, and the protected account.
const NEVER: [&str; 3] = ["breakglass@", "ada_fabrikam.com#EXT#", "sofia.jansne@"];

fn revoke(more: &[&'static str]) -> Vec<&'static str> {
    let mut args = vec![
        "revoke",
        "--sandbox",
        "--file",
        "examples/leavers.csv",
        "--note",
        "try it",
        "--yes",
        "--max-subjects",
        "500",
        "--output",
        "json",
    ];
    args.extend(more);
    args
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An empty folder with nothing but the example in it.
fn desk() -> Desk {
    let desk = Desk::empty();
    let list = repository().join("examples/leavers.csv");
    std::fs::create_dir(desk.path().join("examples")).expect("an empty folder");
    std::fs::copy(list, desk.path().join("examples/leavers.csv")).expect("the example is there");
    desk
}

fn ledger(desk: &Desk) -> PathBuf {
    desk.path().join("sandbox-state/ledger.jsonl")
}

#[track_caller]
fn the_ledger_agrees(desk: &Desk, report: &Value) -> Judge {
    balances(&report["counts"]);
    assert_eq!(report["counts"]["open"], 0);
    let judge = Judge::of_file(&ledger(desk));
    judge.agrees_with(report);
    for name in &judge.touched {
        assert!(
            !NEVER.iter().any(|never| name.starts_with(never)),
            "a call was made about {name}"
        );
    }
    assert_eq!(judge.early, 0, "calls inside a Retry-After");
    judge
}

#[test]
fn the_first_run_ends_the_sessions_of_everybody_it_says_and_of_nobody_else() {
    let desk = desk();
    let report = desk.begin(&revoke(&[])).ends_within(LIMIT).exits(3).json();
    let judge = the_ledger_agrees(&desk, &report);
    assert!(judge.throttled > 0, "the moment of throttling is shown");
    assert!(
        judge.ended.values().all(|times| *times == 1),
        "nobody was ended twice: {:?}",
        judge.ended
    );
    assert!(judge.ended.len() > 380, "{} people", judge.ended.len());
    desk.run(&["verify", "--sandbox"]).exits(0);
    desk.run(&["audit", "verify", "--sandbox"]).exits(0);
}

#[test]
fn a_second_verifier_that_shares_no_code_agrees_with_the_record() {
    let desk = desk();
    desk.begin(&revoke(&[])).ends_within(LIMIT).exits(3);
    let exported = desk.run(&["audit", "export", "--sandbox"]).exits(0).stdout;
    let verdict = |text: &str| {
        let file = desk.write("audit.jsonl", text);
        let output = Command::new("python3")
            .arg(repository().join("examples/verify_audit.py"))
            .arg(file)
            .output();
        output.map(|output| output.status.code())
    };
    let Ok(whole) = verdict(&exported) else {
        eprintln!("skipped: python3 is missing");
        return;
    };
    assert_eq!(whole, Some(0));
    let changed = exported.replacen("confirmed", "refused", 1);
    assert_ne!(changed, exported);
    assert_ne!(verdict(&changed).expect("it ran before"), Some(0));
    let file = desk.write("changed.jsonl", &changed);
    let file = file.to_str().expect("a plain path");
    desk.run(&["audit", "verify", "--file", file]).exits(3);
}

#[test]
fn a_first_run_that_is_killed_goes_on_where_it_was() {
    let desk = desk();
    let running = desk.begin(&revoke(&["--latency-ms", "20"]));
    let started = Instant::now();
    let ended = || {
        std::fs::read_to_string(ledger(&desk))
            .unwrap_or_default()
            .matches("\"effect\":true")
            .count()
    };
    while ended() < 150 {
        assert!(!running.is_over(), "it was to be killed in the middle");
        assert!(started.elapsed() < LIMIT, "it ends nobody's sessions");
        std::thread::yield_now();
    }
    running.signal("KILL");
    assert_eq!(running.ends_within(LIMIT).code, None);
    let before = desk
        .run(&["orders", "list", "--sandbox", "--output", "json"])
        .exits(0)
        .json();
    assert!(
        before["items"][0]["counts"]["open"].as_u64() > Some(0),
        "{before}"
    );
    let report = desk
        .begin(&["run", "--sandbox", "--output", "json"])
        .ends_within(LIMIT)
        .exits(3)
        .json();
    the_ledger_agrees(&desk, &report);
    desk.run(&["verify", "--sandbox"]).exits(0);
    desk.run(&["audit", "verify", "--sandbox"]).exits(0);
}

#[tokio::test]
async fn the_example_is_the_list_the_simulated_tenants_have() {
    let sandbox = Sandbox::start(SandboxOptions::first_run())
        .await
        .expect("a free port");
    let example =
        std::fs::read_to_string(repository().join("examples/leavers.csv")).expect("the example");
    assert_eq!(example, sandbox.people_csv());
}
