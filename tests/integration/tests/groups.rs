//! Groups: always a stated size, everybody in them once, and nobody of the protected list.

use std::time::Duration;

use rescind_integration::judge::{judge, tenants};
use rescind_integration::program::{Desk, Ran, balances};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

fn revoke(desk: &Desk, more: &[&str]) -> Ran {
    let args = [
        &[
            "revoke",
            "--note",
            "group",
            "--provider",
            "entra",
            "--yes",
            "--output",
            "json",
        ],
        more,
    ]
    .concat();
    desk.begin(&args).ends_within(LIMIT)
}

fn names(report: &Value, state: &str) -> Vec<String> {
    let jobs = report["jobs"].as_array().expect("jobs");
    let mut names: Vec<_> = jobs
        .iter()
        .filter(|job| job["state"] == state)
        .map(|job| job["account"].as_str().unwrap_or_default().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn even_a_small_group_needs_its_size_stated() {
    let (sandbox, desk) = tenants("none", 24).await;
    let ran = revoke(&desk, &["--group", "entra:all-staff"]).exits(4);
    assert!(ran.stderr.contains("--max-subjects"), "{}", ran.stderr);
    let ran = revoke(
        &desk,
        &["--group", "entra:all-staff", "--max-subjects", "3"],
    )
    .exits(4);
    assert!(ran.stderr.contains('3'), "{}", ran.stderr);
    assert!(judge(&sandbox).touched.is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_members_are_called_once_and_protected_ones_never() {
    let (sandbox, desk) = tenants("none", 40).await;
    // `all-staff` holds `engineering`; naming both names the engineers twice.
    let ran = revoke(
        &desk,
        &[
            "--group",
            "entra:all-staff",
            "--group",
            "entra:engineering",
            "--max-subjects",
            "100",
        ],
    );
    // The protected account was asked for, so it is listed as refused.
    let report = ran.exits(3).json();
    balances(&report["counts"]);
    let judge = judge(&sandbox);
    judge.agrees_with(&report);
    assert!(
        judge.ended.values().all(|times| *times == 1),
        "{:?}",
        judge.ended
    );
    assert!(
        !judge
            .touched
            .iter()
            .any(|name| name.starts_with("breakglass"))
    );
    let people = sandbox.people();
    let mut expected: Vec<_> = people
        .everybody()
        .filter(|person| sandbox.is_in_group("all-staff", *person))
        .map(|person| people.upn(person))
        .filter(|name| !name.starts_with("breakglass") && !name.contains("#EXT#"))
        .collect();
    expected.sort();
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(names(&report, "confirmed"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_read_is_an_error_and_not_nobody() {
    let (sandbox, desk) = tenants("none", 40).await;
    for (group, named) in [
        ("entra:no-such-group", "no-such-group"),
        ("entra:project-x", "project-x"),
        ("nosuch:all-staff", "nosuch"),
        ("all-staff", "PROVIDER:NAME"),
    ] {
        let ran = revoke(&desk, &["--group", group, "--max-subjects", "100"]).exits(2);
        assert!(ran.stderr.contains(named), "{group}: {}", ran.stderr);
    }
    let ran = revoke(&desk, &["--group", "entra:empty", "--max-subjects", "100"]);
    assert!(matches!(ran.code, Some(2 | 4)), "{ran:?}");
    assert!(judge(&sandbox).touched.is_empty(), "nothing was sent");
}
