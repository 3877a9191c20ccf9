//! An urgent order while a bulk order runs, and the death of the process that works for both.

use std::time::Duration;

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, balances};
use rescind_integration::running::Running;

const BULK: u64 = 2000;
const LIMIT: Duration = Duration::from_secs(180);

/// A server that lets about 400 people a second through.
async fn slow() -> (OtherGraph, Desk) {
    let behaviour = Behaviour {
        latency: Duration::from_millis(50),
        ..Behaviour::default()
    };
    let graph = OtherGraph::start(behaviour).await;
    let desk = Desk::at_graph(&graph.url());
    let config =
        std::fs::read_to_string(desk.path().join("rescind.toml")).expect("a configuration");
    desk.write("rescind.toml", &format!("{config}max_in_flight = 20\n"));
    (graph, desk)
}

fn bulk(desk: &Desk) -> Running {
    desk.people("bulk.csv", 0..BULK);
    desk.begin(&[
        "revoke",
        "--file",
        "bulk.csv",
        "--note",
        "bulk",
        "--yes",
        "--max-subjects",
        "2000",
        "--output",
        "json",
    ])
}

fn second(desk: &Desk, file: &str, more: &[&str]) -> Running {
    let mut args = vec![
        "revoke",
        "--file",
        file,
        "--note",
        "second",
        "--yes",
        "--max-subjects",
        "1000",
        "--output",
        "json",
    ];
    args.extend(more);
    desk.begin(&args)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_order_is_done_while_a_bulk_order_still_runs() {
    let (graph, desk) = slow().await;
    let first = bulk(&desk);
    graph.revoked(200).await;
    // However long the second process takes to start, the first is not done by then.
    graph.behave(Behaviour {
        latency: Duration::from_millis(500),
        ..Behaviour::default()
    });
    desk.people("urgent.csv", 900_000..900_003);
    let report = second(&desk, "urgent.csv", &["--urgent", "--no-verify"])
        .ends_within(LIMIT)
        .exits(0);
    graph.behave(Behaviour::default());
    let revoked = graph.revocations();
    assert!(!first.is_over(), "the bulk order still runs");
    assert!(
        revoked < BULK,
        "{revoked} people were revoked before the urgent order was done"
    );
    assert!(report.stderr.contains("following it"), "{}", report.stderr);
    let report = report.json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["accepted"], 3);
    assert_eq!(report["order"]["note"], "second");
    let report = first.ends_within(LIMIT).exits(0).json();
    assert_eq!(report["counts"]["accepted"], BULK);
    let ledger = graph.ledger();
    for number in (0..BULK).chain(900_000..900_003) {
        assert_eq!(ledger.revoked.get(&number), Some(&1), "u{number}");
    }
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_takes_over_when_the_first_is_killed() {
    let (graph, desk) = slow().await;
    let first = bulk(&desk);
    graph.revoked(200).await;
    desk.people("second.csv", 900_000..900_400);
    let follower = second(&desk, "second.csv", &[]);
    follower.until_it_says("following it");
    first.signal("KILL");
    assert_eq!(first.ends_within(LIMIT).code, None);
    let report = follower.ends_within(LIMIT).exits(0).json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], 400);
    let report = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    balances(&report["counts"]);
    let ledger = graph.ledger();
    for number in (0..BULK).chain(900_000..900_400) {
        assert!(
            ledger.revoked.contains_key(&number),
            "u{number} was never revoked"
        );
    }
    let twice = ledger.revoked.values().filter(|times| **times > 1).count();
    assert!(
        twice <= 40,
        "{twice} people were revoked again; 20 were in flight at the kill"
    );
    let orders = desk
        .run(&["orders", "list", "--output", "json"])
        .exits(0)
        .json();
    for order in orders["items"].as_array().expect("orders") {
        assert_eq!(order["state"], "finished", "{order}");
        assert_eq!(order["counts"]["confirmed"], order["counts"]["accepted"]);
    }
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}
