//! The order of things as the operating system saw it: what is written is synced before a request leaves, and before
//! anything is told.

use std::fs;
use std::path::Path;

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran};
use rescind_integration::system_calls::{STRACE, check, doctored, watched};

const PEOPLE: u64 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_precedes_every_revocation_and_the_report() {
    if !Path::new(STRACE).exists() {
        eprintln!("skipped: there is no strace on this machine, so no system call was watched");
        return;
    }
    let server = OtherGraph::start(Behaviour::default()).await;
    let desk = Desk::at_graph(&server.url());
    let config = desk.path().join("rescind.toml");
    let one_by_one = fs::read_to_string(&config).expect("written") + "max_in_flight = 1\n";
    desk.write("rescind.toml", &one_by_one);
    desk.people("people.csv", 0..PEOPLE);
    let command = desk.command(&[
        "revoke",
        "--file",
        "people.csv",
        "--note",
        "left the company",
        "--yes",
        "--no-verify",
        "--output",
        "json",
    ]);
    let trace = desk.path().join("trace");
    let mut watched = watched(&command, &trace);
    let ran = tokio::task::spawn_blocking(move || watched.output())
        .await
        .expect("it ends")
        .expect("strace starts");
    Ran::of(&ran).exits(0);
    assert_eq!(server.revocations(), PEOPLE);

    let trace = fs::read_to_string(&trace).expect("a trace");
    let lines: Vec<String> = trace.lines().map(str::to_owned).collect();
    let people = PEOPLE as usize;
    assert_eq!(check(&lines, people, desk.path()), Ok(()));

    // A trace with two lines swapped, or without a sync, is refused.
    let lies = doctored(&lines, people, desk.path());
    let wrong = [
        "a revocation left before its intent was durable",
        "the report was told before the outcomes were durable",
        "rescind.db was named before its content was durable",
        "a revocation left before the name of",
    ];
    assert_eq!(lies.len(), wrong.len());
    for (lie, wrong) in lies.iter().zip(wrong) {
        let refused = check(lie, people, desk.path()).expect_err("it lies");
        assert!(refused.contains(wrong), "{refused}");
    }
}
