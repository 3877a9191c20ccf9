//! What scripts and people read: one shape, whatever the command, and nothing in it that a terminal or a spreadsheet
//! would carry out.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran, balances};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);
/// Moves the cursor, reads backwards, and is a formula.
const HOSTILE: &str = "=cmd|'/C calc'!A0 \u{1b}[2J\u{202e}\u{9b}31m\u{200b}";

fn revoke(desk: &Desk, more: &[&str]) -> Ran {
    let args = [&["revoke", "--yes", "--max-subjects", "5000"], more].concat();
    desk.begin(&args).ends_within(LIMIT)
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[track_caller]
fn has(value: &Value, names: &[&str]) {
    let keys = keys(value);
    for name in names {
        assert!(keys.contains(name), "no {name} in {value}");
    }
}

/// The shape of one order with its jobs, as scripts depend on it.
#[track_caller]
fn is_an_order(report: &Value, jobs: usize) {
    has(report, &["schema", "order", "counts", "jobs"]);
    has(
        &report["order"],
        &["id", "note", "reference", "actor", "created_at"],
    );
    let counts: BTreeSet<_> = [
        "accepted",
        "confirmed",
        "gone",
        "open",
        "parked",
        "refused",
        "cancelled",
    ]
    .into();
    assert_eq!(keys(&report["counts"]), counts);
    balances(&report["counts"]);
    let listed = report["jobs"].as_array().expect("jobs");
    assert_eq!(listed.len(), jobs);
    for job in listed {
        has(
            job,
            &[
                "order_id",
                "subject",
                "resolved",
                "provider",
                "state",
                "outcome",
                "attempts",
                "confirmed_at",
                "effective_by",
                "evidence",
                "residual",
                "error",
                "vendor_request_id",
            ],
        );
        if !job["error"].is_null() {
            has(&job["error"], &["kind", "message"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_left_behind_is_listed_watched_exported_and_ended() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.write(
        "people.txt",
        "u1@contoso.com\nu2@contoso.com\nnobody@contoso.com\n",
    );
    let order = [
        "--file",
        "people.txt",
        "--note",
        "left",
        "--reference",
        "INC-1",
        "--no-wait",
        "--output",
        "json",
    ];
    let accepted = revoke(&desk, &order).exits(5).json();
    assert_eq!(accepted["counts"]["accepted"], 3);
    assert_eq!(graph.revocations(), 0, "nothing was sent");
    let id = accepted["order"]["id"].as_str().expect("an id").to_owned();

    let open = desk
        .run(&["orders", "list", "--unfinished", "--output", "json"])
        .exits(0)
        .json();
    has(&open, &["schema", "items"]);
    assert_eq!(open["items"][0]["id"], id.as_str());
    assert_eq!(open["items"][0]["reference"], "INC-1");

    let watching = desk.begin(&["orders", "watch", &id, "--output", "json"]);
    watching.until_it_says("0 of 3");
    let ran = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(3)
        .json();
    is_an_order(&ran, 3);
    assert_eq!(ran["orders"].as_array().map(Vec::len), Some(1));
    balances(&ran["orders"][0]["counts"]);
    is_an_order(&watching.ends_within(LIMIT).exits(3).json(), 3);
    assert_eq!(graph.ledger().revoked.len(), 2);

    let shown = desk
        .run(&["orders", "show", &id, "--output", "json"])
        .exits(0)
        .json();
    is_an_order(&shown, 3);
    assert_eq!(shown["order"]["state"], "finished");
    let refused = desk
        .run(&[
            "orders", "show", &id, "--state", "refused", "--output", "jsonl",
        ])
        .exits(0)
        .stdout;
    assert_eq!(refused.lines().count(), 1, "{refused}");
    assert!(refused.contains("nobody@contoso.com"), "{refused}");
    let lines = desk
        .run(&["orders", "export", &id, "--output", "jsonl"])
        .exits(0)
        .stdout;
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        let job: Value = serde_json::from_str(line).expect("an object a line");
        assert_eq!(job["order_id"], id.as_str());
    }
    let csv = desk
        .run(&["orders", "export", &id, "--output", "csv"])
        .exits(0)
        .stdout;
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.starts_with("order_id,"), "{csv}");

    let again = desk
        .begin(&["orders", "retry", &id, "--yes", "--output", "json"])
        .ends_within(LIMIT)
        .exits(3)
        .json();
    is_an_order(&again, 1);
    assert_eq!(again["order"]["retry_of"], id.as_str());
    assert_eq!(again["order"]["note"], "left");
    desk.run(&["orders", "show", "0197f3c2-0000-7000-8000-000000000000"])
        .exits(2);
    desk.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_never_sent() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.people("people.csv", 0..10);
    let order = [
        "--file",
        "people.csv",
        "--note",
        "mistake",
        "--no-wait",
        "--output",
        "json",
    ];
    let accepted = revoke(&desk, &order).exits(5).json();
    let id = accepted["order"]["id"].as_str().expect("an id");
    desk.run(&["orders", "cancel", id, "--note", " "]).exits(2);
    desk.run(&["orders", "cancel", id, "--note", "wrong list"])
        .exits(0);
    desk.run(&["run"]).exits(0);
    let shown = desk
        .run(&["orders", "show", id, "--output", "json"])
        .exits(0)
        .json();
    is_an_order(&shown, 10);
    assert_eq!(shown["counts"]["cancelled"], 10);
    assert_eq!(graph.revocations(), 0);
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orders_of_one_run_have_sums_and_their_own_counts() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    for who in ["u1@contoso.com", "u2@contoso.com"] {
        revoke(&desk, &[who, "--note", "two", "--no-wait"]).exits(5);
    }
    let report = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    assert_eq!(report["order"], Value::Null);
    assert_eq!(report["counts"]["confirmed"], 2);
    assert_eq!(report["orders"].as_array().map(Vec::len), Some(2));
    let ids: BTreeSet<_> = report["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|job| job["order_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 2);
}

#[track_caller]
fn is_harmless(what: &str, text: &str) {
    let alive = text.chars().find(|c| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{200b}' | '\u{9b}')
    });
    assert_eq!(alive, None, "{what}:\n{}", text.escape_debug());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_from_outside_moves_the_cursor_or_comes_alive_in_a_spreadsheet() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.write(
        "people.txt",
        "=cmd|'/C'!A0\n+1+1\n-2\n@SUM(1)\nu1@contoso.com\n",
    );
    let order = [
        "--file",
        "people.txt",
        "--note",
        HOSTILE,
        "--reference",
        HOSTILE,
    ];
    let ran = revoke(&desk, &order).exits(3);
    is_harmless("the summary", &ran.stdout);
    is_harmless("remarks", &ran.stderr);
    let list = desk
        .run(&["orders", "list", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(
        list["items"][0]["note"], HOSTILE,
        "JSON has it to the letter"
    );
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    for args in [
        &["orders", "list"][..],
        &["orders", "list", "--output", "csv"],
        &["orders", "show", &id],
        &["orders", "show", &id, "--output", "csv"],
        &["orders", "export", &id, "--output", "csv"],
        &["audit", "list"],
        &["audit", "list", "--output", "csv"],
        &["audit", "show", "1"],
        &["run", "--order", &id],
    ] {
        let ran = desk.run(args);
        is_harmless(&args.join(" "), &ran.stdout);
        is_harmless(&args.join(" "), &ran.stderr);
        if args.contains(&"csv") {
            for live in [
                "\n=", ",=", ",\"=", "\n+", ",+", ",\"+", ",-", ",\"-", ",@", ",\"@",
            ] {
                assert!(
                    !ran.stdout.contains(live),
                    "{args:?} has a live cell:\n{}",
                    ran.stdout
                );
            }
        }
    }
    // Also in what is never accepted.
    for subject in ["a\u{202e}b@contoso.com", "a\u{1b}[2J@contoso.com"] {
        let ran = revoke(&desk, &[subject, "--note", "x"]).exits(2);
        is_harmless("an error", &ran.stderr);
    }
    let ran = desk.run(&["orders", "show", "\u{1b}[2J\u{202e}"]).exits(2);
    is_harmless("an error", &ran.stderr);
    let ran = revoke(
        &desk,
        &[
            "u1@contoso.com",
            "--note",
            "x",
            "--provider",
            "\u{1b}[2J\u{202e}",
        ],
    )
    .exits(2);
    is_harmless("an error", &ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_fits_the_columns_it_is_given() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.write(
        "people.txt",
        "u1@contoso.com\nu2@contoso.com\nnobody@contoso.com\nsomebody.else@contoso.com\n",
    );
    let note = "contractors of the autumn who have all gone home and shall not come back before the spring";
    let order = [
        "--file",
        "people.txt",
        "--note",
        note,
        "--reference",
        "INC-4711",
        "--columns",
        "60",
    ];
    let summary = revoke(&desk, &order).exits(3).stdout;
    let list = desk
        .run(&["orders", "list", "--output", "json"])
        .exits(0)
        .json();
    let id = list["items"][0]["id"].as_str().expect("an id");
    let shown = desk
        .run(&["orders", "show", id, "--columns", "60"])
        .exits(0)
        .stdout;
    let plan = revoke(&desk, &[&order[..], &["--dry-run"]].concat())
        .exits(0)
        .stdout;
    for (what, text) in [
        ("revoke", summary),
        ("orders show", shown),
        ("the plan", plan),
    ] {
        for line in text.lines() {
            let one_word = line
                .split_whitespace()
                .any(|word| word.chars().count() > 50);
            assert!(line.chars().count() <= 60 || one_word, "{what}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_from_a_long_order_is_no_fault() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    desk.people("people.csv", 0..3000);
    let order = [
        "--file",
        "people.csv",
        "--note",
        "long",
        "--no-wait",
        "--output",
        "json",
    ];
    let accepted = revoke(&desk, &order).exits(5).json();
    let id = accepted["order"]["id"].as_str().expect("an id");
    for format in ["text", "json", "jsonl", "csv"] {
        let mut child = desk
            .command(&["orders", "show", id, "--output", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().expect("piped"));
        reader.read_line(&mut first).expect("a line");
        drop(reader);
        let ran = Ran::of(&child.wait_with_output().expect("it ends")).exits(0);
        assert_eq!(ran.stderr, "", "{format}");
    }
}
