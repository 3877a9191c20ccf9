//! Wrong secrets and missing rights: one lane stops and says what to mend, the others finish, and nobody is lost.

use std::fmt::Write;
use std::time::Duration;

use rescind_integration::judge::{judge, tenants};
use rescind_integration::program::{Desk, Ran, balances};
use rescind_sandbox::{Person, Sandbox};

const LIMIT: Duration = Duration::from_secs(60);
const PEOPLE: u32 = 60;

/// Sixty regular people, each with the name Microsoft and the name Google knows.
fn list(desk: &Desk, sandbox: &Sandbox) {
    let mut text = String::from("subject,workspace\n");
    for number in 0..PEOPLE {
        let person = Person::regular(number);
        let google = sandbox
            .people()
            .google_email(person)
            .expect("a regular person");
        writeln!(text, "{},{google}", sandbox.people().upn(person)).expect("a text can grow");
    }
    desk.write("people.csv", &text);
}

fn revoke(desk: &Desk) -> Ran {
    desk.begin(&[
        "revoke",
        "--file",
        "people.csv",
        "--provider",
        "entra",
        "--provider",
        "workspace",
        "--note",
        "credentials",
        "--yes",
        "--max-subjects",
        "60",
        "--output",
        "json",
    ])
    .ends_within(LIMIT)
}

/// Google's people are done, Microsoft's are all still open, and nothing reached Microsoft.
#[track_caller]
fn only_the_other_provider_finished(sandbox: &Sandbox, ran: &Ran) {
    let report = ran.json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["open"], PEOPLE, "{}", report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let judge = judge(sandbox);
    judge.agrees_with(&report);
    assert!(
        judge
            .ended
            .keys()
            .all(|(provider, _)| provider == "workspace")
    );
    assert!(ran.stderr.contains("entra stopped"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`rescind run` continues"),
        "{}",
        ran.stderr
    );
}

#[track_caller]
fn a_run_ends_everything(desk: &Desk, sandbox: &Sandbox) {
    let report = desk
        .begin(&["run", "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], 2 * PEOPLE);
    let judge = judge(sandbox);
    judge.agrees_with(&report);
    assert!(
        judge.ended.values().all(|times| *times == 1),
        "{:?}",
        judge.ended
    );
    assert_eq!(judge.ended.len(), 2 * PEOPLE as usize);
    desk.run(&["verify"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_stops_one_lane_and_is_named() {
    let (sandbox, desk) = tenants("none", 120).await;
    list(&desk, &sandbox);
    let right = std::fs::read_to_string(desk.path().join("entra-client-secret")).expect("a secret");
    desk.write("entra-client-secret", "not-the-secret");
    let ran = revoke(&desk).exits(5);
    only_the_other_provider_finished(&sandbox, &ran);
    assert!(ran.stderr.contains("secret"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("not-the-secret"), "{}", ran.stderr);
    let again = desk.begin(&["run"]).ends_within(LIMIT).exits(5);
    assert!(again.stderr.contains("secret"), "{}", again.stderr);
    let checked = desk.run(&["providers", "check"]).exits(3);
    assert!(
        checked.stdout.contains("entra (azure-graph): CANNOT WORK"),
        "{}",
        checked.stdout
    );
    desk.write("entra-client-secret", &right);
    a_run_ends_everything(&desk, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_stops_one_lane_and_is_named() {
    let right = "User.RevokeSessions.All";
    let (sandbox, desk) = tenants(&format!("missing-right={right}"), 120).await;
    list(&desk, &sandbox);
    let ran = revoke(&desk).exits(5);
    only_the_other_provider_finished(&sandbox, &ran);
    assert!(ran.stderr.contains(right), "{}", ran.stderr);
    let checked = desk.run(&["providers", "check"]).exits(3);
    assert!(checked.stdout.contains(right), "{}", checked.stdout);
    sandbox.set_faults("none".parse().expect("no fault"));
    desk.run(&["providers", "check", "entra"]).exits(0);
    a_run_ends_everything(&desk, &sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_read_people_nobody_is_revoked_blindly() {
    let right = "User.Read.All";
    let (sandbox, desk) = tenants(&format!("missing-right={right}"), 120).await;
    list(&desk, &sandbox);
    let ran = revoke(&desk).exits(5);
    only_the_other_provider_finished(&sandbox, &ran);
    assert!(ran.stderr.contains(right), "{}", ran.stderr);
    sandbox.set_faults("none".parse().expect("no fault"));
    a_run_ends_everything(&desk, &sandbox);
}
