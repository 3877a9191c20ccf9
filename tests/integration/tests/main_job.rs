//! The main job against a Graph server that is not the sandbox: everybody once, through kills, voided tokens, resets,
//! errors and a limit nobody told us.

use std::process::Child;

use rescind_integration::other_graph::{Behaviour, Ledger, OtherGraph};
use rescind_integration::program::{Desk, Ran, balances};

const PEOPLE: u64 = 3000;

fn revoke(desk: &Desk) -> Vec<&'static str> {
    desk.people("people.csv", 0..PEOPLE);
    vec![
        "revoke",
        "--file",
        "people.csv",
        "--note",
        "end to end",
        "--yes",
        "--max-subjects",
        "3000",
        "--output",
        "json",
    ]
}

/// Runs the program on a thread of its own, so that the server keeps answering.
async fn run(desk: &Desk, args: &[&str]) -> Ran {
    let mut command = desk.command(args);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("the thread ends");
    Ran::of(&output.expect("the program starts"))
}

#[track_caller]
fn nobody_is_lost(ledger: &Ledger, repeats: u64) {
    let lost = (0..PEOPLE)
        .filter(|number| !ledger.revoked.contains_key(number))
        .count();
    assert_eq!(lost, 0, "people without a revocation");
    let extra: u64 = ledger
        .revoked
        .values()
        .map(|times| u64::from(*times) - 1)
        .sum();
    assert!(
        extra <= repeats,
        "{extra} repeated calls, at most {repeats} expected"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_in_a_file_is_revoked_exactly_once() {
    let graph = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&graph.url());
    let report = run(&desk, &revoke(&desk)).await.exits(0).json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let evidence = report["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .filter(|job| job["evidence"] == "verified");
    assert_eq!(evidence.count() as u64, PEOPLE);
    nobody_is_lost(&graph.ledger(), 0);
    run(&desk, &["verify"]).await.exits(0);
    run(&desk, &["audit", "verify"]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_being_killed_in_the_middle() {
    let latency = std::time::Duration::from_millis(20);
    let graph = OtherGraph::start(Behaviour {
        latency,
        ..Behaviour::default()
    })
    .await;
    let desk = Desk::at_graph(&graph.url());
    let mut child: Child = desk.start(&revoke(&desk));
    graph.revoked(PEOPLE / 3).await;
    child.kill().expect("it still runs");
    child.wait().expect("it is dead");
    // What may be called again is what was claimed and has no outcome on disk: its answer was never told.
    let listed = run(&desk, &["orders", "list", "--output", "json"])
        .await
        .json();
    let order = listed["items"][0]["id"]
        .as_str()
        .expect("an order")
        .to_owned();
    let shown = run(&desk, &["orders", "show", &order, "--output", "json"])
        .await
        .json();
    let jobs = shown["jobs"].as_array().expect("its jobs").iter();
    let unknown = jobs.filter(|job| job["state"] == "running").count() as u64;
    let report = run(&desk, &["run", "--output", "json"])
        .await
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    nobody_is_lost(&graph.ledger(), unknown);
    run(&desk, &["verify"]).await.exits(0);
    run(&desk, &["audit", "verify"]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn voided_access_tokens_lose_nobody() {
    let graph = OtherGraph::start(Behaviour {
        // More than are in flight at once, or a token is ended before anybody has used it: then the credentials are at fault.
        void_every: Some(197),
        ..Behaviour::default()
    })
    .await;
    let desk = Desk::at_graph(&graph.url());
    let report = run(&desk, &revoke(&desk)).await.exits(0).json();
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let ledger = graph.ledger();
    nobody_is_lost(&ledger, 0);
    assert!(ledger.tokens > 1, "tokens were voided");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_end_before_anybody_can_use_them_stop_the_lane_and_lose_nobody() {
    let graph = OtherGraph::start(Behaviour {
        void_every: Some(5),
        ..Behaviour::default()
    })
    .await;
    let desk = Desk::at_graph(&graph.url());
    let stopped = run(&desk, &revoke(&desk)).await.exits(5);
    assert!(
        stopped.stderr.contains("a fresh access token is refused"),
        "{}",
        stopped.stderr
    );
    let counts = &stopped.json()["counts"];
    balances(counts);
    assert!(counts["open"].as_u64() > Some(0), "{counts}");
    graph.behave(Behaviour::default());
    let report = run(&desk, &["run", "--output", "json"])
        .await
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    nobody_is_lost(&graph.ledger(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn resets_and_errors_lose_nobody_and_confirm_nothing_false() {
    let behaviour = Behaviour {
        reset_before: Some(40),
        reset_after: Some(40),
        fail_before: Some(40),
        fail_after: Some(40),
        ..Behaviour::default()
    };
    let graph = OtherGraph::start(behaviour).await;
    let desk = Desk::at_graph(&graph.url());
    let report = run(&desk, &revoke(&desk)).await.exits(0).json();
    balances(&report["counts"]);
    let ledger = graph.ledger();
    for job in report["jobs"].as_array().expect("jobs") {
        assert_eq!(job["state"], "confirmed", "{job}");
        let subject = job["subject"].as_str().expect("a subject");
        let number: u64 = subject
            .trim_start_matches('u')
            .split('@')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert!(
            ledger.revoked.contains_key(&number),
            "{subject} was reported and never revoked"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_nobody_told_us_is_found_and_kept() {
    let behaviour = Behaviour {
        calls_per_second: Some(400),
        ..Behaviour::default()
    };
    let graph = OtherGraph::start(behaviour).await;
    let desk = Desk::at_graph(&graph.url());
    let report = run(&desk, &revoke(&desk)).await.exits(0).json();
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let ledger = graph.ledger();
    nobody_is_lost(&ledger, 0);
    assert!(
        ledger.throttled_late * 100 <= ledger.calls,
        "{} of {} calls were throttled after the first second",
        ledger.throttled_late,
        ledger.calls
    );
}
