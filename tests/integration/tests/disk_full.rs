//! A state folder on a disk that fills up in the middle of an order.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, balances};

const LIMIT: Duration = Duration::from_secs(90);
const PEOPLE: u64 = 3000;

/// A small disk; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None` where mounting is not allowed.
    fn mount(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    fn resize(&self, options: &str) {
        let resized = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status();
        assert!(
            resized.is_ok_and(|status| status.success()),
            "the disk can grow"
        );
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_work_clearly_and_loses_nobody() {
    let latency = Duration::from_millis(10);
    let graph = OtherGraph::start(Behaviour {
        latency,
        ..Behaviour::default()
    })
    .await;
    let desk = Desk::at_graph(&graph.url());
    let Some(disk) = Disk::mount(&desk.path().join("state"), "size=64m") else {
        eprintln!("skipped: only root may mount a small disk");
        return;
    };
    desk.people("people.csv", 0..PEOPLE);
    let accepted = desk
        .begin(&[
            "revoke",
            "--file",
            "people.csv",
            "--note",
            "disk",
            "--yes",
            "--max-subjects",
            "3000",
            "--no-wait",
        ])
        .ends_within(LIMIT)
        .exits(5);
    assert!(accepted.stdout.contains("3000"), "{}", accepted.stdout);
    let used: u64 = std::fs::read_dir(&disk.0)
        .expect("a folder")
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .map_or(0, |file| file.len())
        })
        .sum();
    disk.resize(&format!("size={}k", used / 1024 + 1500));
    let ran = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(1);
    let said: serde_json::Value =
        serde_json::from_str(ran.stderr.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert_eq!(said["error"]["code"], "disk_full", "{said}");
    assert!(
        said["error"]["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("rescind run")),
        "{said}"
    );
    assert!(
        ran.stdout.is_empty(),
        "a report is not made of what may not be on disk"
    );
    let before = graph.revocations();
    assert!(
        before > 0 && before < PEOPLE,
        "{before} people before the disk was full"
    );

    // Still full: nothing starts, nothing is sent.
    let again = desk.begin(&["run"]).ends_within(LIMIT);
    assert_eq!(again.code, Some(1), "{again:?}");

    disk.resize("size=64m");
    let report = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let ledger = graph.ledger();
    for number in 0..PEOPLE {
        assert!(
            ledger.revoked.contains_key(&number),
            "u{number} was reported and never revoked"
        );
    }
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}
