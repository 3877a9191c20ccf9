//! A provider that is down, and a person who presses Ctrl-C.

use std::time::Duration;

use rescind_integration::other_graph::{Behaviour, Ledger, OtherGraph};
use rescind_integration::program::{Desk, balances};
use rescind_integration::running::Running;

const PEOPLE: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(180);

fn slow() -> Behaviour {
    Behaviour {
        latency: Duration::from_millis(50),
        ..Behaviour::default()
    }
}

fn at(url: &str) -> Desk {
    let desk = Desk::at_graph(url);
    let config =
        std::fs::read_to_string(desk.path().join("rescind.toml")).expect("a configuration");
    desk.write("rescind.toml", &format!("{config}max_in_flight = 40\n"));
    desk
}

fn revoke(desk: &Desk) -> Running {
    desk.people("people.csv", 0..PEOPLE);
    desk.begin(&[
        "revoke",
        "--file",
        "people.csv",
        "--note",
        "outage",
        "--yes",
        "--max-subjects",
        "1000",
        "--output",
        "json",
    ])
}

#[track_caller]
fn everybody_was_revoked(ledger: &Ledger, twice_at_most: usize) {
    for number in 0..PEOPLE {
        assert!(
            ledger.revoked.contains_key(&number),
            "u{number} was never revoked"
        );
    }
    let twice = ledger.revoked.values().filter(|times| **times > 1).count();
    assert!(twice <= twice_at_most, "{twice} people were revoked again");
}

#[track_caller]
fn a_run_ends_it(desk: &Desk) {
    let report = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_down_at_the_start_is_waited_for() {
    let (_, closed) = OtherGraph::start(Behaviour::default()).await.stop().await;
    let desk = at(&closed.url());
    let running = revoke(&desk);
    running.until_it_says("no connection to the server");
    let graph = closed.open(Behaviour::default());
    let report = running.ends_within(LIMIT).exits(0).json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    everybody_was_revoked(&graph.ledger(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_goes_down_in_the_middle_is_waited_for() {
    let graph = OtherGraph::start(slow()).await;
    let desk = at(&graph.url());
    let running = revoke(&desk);
    graph.revoked(200).await;
    let (mut ledger, closed) = graph.stop().await;
    running.until_it_says("provider down, waiting");
    let graph = closed.open(Behaviour::default());
    let report = running.ends_within(LIMIT).exits(0).json();
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    for (number, times) in graph.ledger().revoked {
        *ledger.revoked.entry(number).or_default() += times;
    }
    // What was in flight when the server went away has lost its answer, and the new one knows nothing of it.
    everybody_was_revoked(&ledger, 40);
    desk.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_lets_calls_end_and_says_how_to_go_on() {
    let graph = OtherGraph::start(slow()).await;
    let desk = at(&graph.url());
    let running = revoke(&desk);
    graph.revoked(200).await;
    running.signal("INT");
    let ran = running.ends_within(Duration::from_secs(15)).exits(5);
    assert!(
        ran.stderr.contains("`rescind run` continues"),
        "{}",
        ran.stderr
    );
    let report = ran.json();
    balances(&report["counts"]);
    let done = report["counts"]["confirmed"].as_u64().expect("a number");
    assert_eq!(
        done,
        graph.revocations(),
        "what was sent is what is reported"
    );
    assert!(done < PEOPLE);
    a_run_ends_it(&desk);
    everybody_was_revoked(&graph.ledger(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_twice_leaves_at_once_and_loses_nobody() {
    let graph = OtherGraph::start(slow()).await;
    let desk = at(&graph.url());
    let running = revoke(&desk);
    graph.revoked(200).await;
    // Answers that never come: only the second signal ends this soon.
    graph.behave(Behaviour {
        latency: Duration::from_secs(600),
        ..Behaviour::default()
    });
    graph.asked_again().await;
    running.signal("INT");
    running.until_it_says("Stopping");
    running.signal("INT");
    let ran = running.ends_within(Duration::from_secs(5)).exits(5);
    assert!(
        ran.stderr.contains("`rescind run` continues"),
        "{}",
        ran.stderr
    );
    let report = ran.json();
    balances(&report["counts"]);
    graph.behave(Behaviour::default());
    a_run_ends_it(&desk);
    everybody_was_revoked(&graph.ledger(), 40);
}
