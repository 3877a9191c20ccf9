//! Google Workspace and Standalone Sentry through the whole program, before the simulated tenants. Their ledger, not
//! our own database, says what was done.

use rescind_integration::program::{Desk, Ran, balances};
use serde_json::Value;

/// Runs a command on the simulated tenants of this folder.
fn sandbox(desk: &Desk, args: &[&str]) -> Ran {
    desk.run(&[&["--sandbox"], args].concat())
}

/// Some people of the simulated Workspace account.
fn people(desk: &Desk, count: usize) -> Vec<String> {
    sandbox(desk, &["providers", "check", "workspace"]).exits(0);
    let list = desk.path().join("sandbox-state").join("leavers.csv");
    let list = std::fs::read_to_string(list).expect("the sandbox writes a list of leavers");
    list.lines()
        .skip(1)
        .filter_map(|line| line.rsplit(',').next())
        .filter(|address| address.ends_with("@example.com"))
        .take(count)
        .map(str::to_owned)
        .collect()
}

/// What was really done at Google.
fn done(desk: &Desk) -> Vec<Value> {
    let ledger = desk.path().join("sandbox-state").join("ledger.jsonl");
    let ledger = std::fs::read_to_string(ledger).expect("the sandbox keeps a ledger");
    ledger
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .filter(|entry: &Value| entry["tenant"] == "google" && entry["effect"] == true)
        .collect()
}

#[test]
fn people_of_a_workspace_are_signed_out_and_nothing_of_theirs_is_left() {
    let desk = Desk::empty();
    let people = people(&desk, 4);
    let names: Vec<_> = people.iter().map(String::as_str).collect();
    let options = [
        "--provider",
        "workspace",
        "--note",
        "left",
        "--yes",
        "--output",
        "json",
    ];
    let order = [&["revoke"], names.as_slice(), &options].concat();
    let report = sandbox(&desk, &order).exits(0).json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], people.len());
    let done = done(&desk);
    for job in report["jobs"].as_array().expect("jobs") {
        assert_eq!(job["evidence"], "verified", "{job}");
        // Some are named by an alias; the ledger knows accounts.
        let times = done
            .iter()
            .filter(|entry| entry["subject"] == job["resolved"] && entry["operation"] == "sign_out")
            .count();
        assert_eq!(times, 1, "{job}");
    }
    let left = ["--provider", "workspace", "--output", "json"];
    let list = [&["inventory", "list"], names.as_slice(), &left].concat();
    let list = sandbox(&desk, &list).exits(0).json();
    assert_eq!(list["items"], Value::Array(Vec::new()));
}

#[test]
fn one_named_item_ends_and_nothing_else() {
    let desk = Desk::empty();
    let people = people(&desk, 20);
    let names: Vec<_> = people.iter().map(String::as_str).collect();
    let options = ["--provider", "workspace", "--output", "json"];
    let list = [&["inventory", "list"], names.as_slice(), &options].concat();
    // Some of them may be unknown: the exit code says so, the list has the others.
    let before = sandbox(&desk, &list).json();
    let before = before["items"].as_array().expect("items");
    let owner = &before.first().expect("somebody has a grant")["account"];
    let of_owner = before
        .iter()
        .filter(|item| item["account"] == *owner)
        .count();
    assert!(
        of_owner > 1,
        "the person keeps something, so that no list is empty"
    );
    let item = before[0]["item"].as_str().expect("an id");
    let end = [
        &["inventory", "end", item, "--note", "lost laptop", "--yes"],
        &options[..],
    ]
    .concat();
    let report = sandbox(&desk, &end).exits(0).json();
    assert_eq!(report["counts"]["confirmed"], 1);
    // The lists show a person as a whole: of one item they prove nothing, so nothing is waited for.
    assert_eq!(report["jobs"][0]["evidence"], "none");
    assert_eq!(done(&desk).len(), 1, "one deletion");
    let after = sandbox(&desk, &list).json();
    let kept: Vec<_> = before
        .iter()
        .filter(|other| other["item"] != item)
        .collect();
    let after: Vec<_> = after["items"].as_array().expect("items").iter().collect();
    assert_eq!(after, kept);
}

#[test]
fn standalone_sentry_shows_as_refused_beside_a_provider_that_works() {
    let desk = Desk::empty();
    let people = people(&desk, 1);
    let order = [
        "revoke",
        people[0].as_str(),
        "--provider",
        "workspace",
        "--provider",
        "edge",
        "--note",
        "left",
        "--yes",
        "--output",
        "json",
    ];
    let report = sandbox(&desk, &order).exits(3).json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], 1);
    assert_eq!(report["counts"]["refused"], 1);
    let jobs = report["jobs"].as_array().expect("jobs");
    let refused = jobs
        .iter()
        .find(|job| job["provider"] == "edge")
        .expect("the gap shows");
    assert_eq!(refused["outcome"], "unsupported");
    assert!(
        refused["error"]["hint"]
            .as_str()
            .is_some_and(|hint| !hint.is_empty())
    );
}
