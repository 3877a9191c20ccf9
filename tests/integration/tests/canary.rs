//! A provider that says no too often: the order pauses before it has asked about everybody.

use std::time::Duration;

use rescind_integration::judge::{judge, tenants};
use rescind_integration::program::balances;
use rescind_sandbox::Person;

const LIMIT: Duration = Duration::from_secs(60);
const PEOPLE: u32 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_pauses_when_more_than_five_of_the_first_hundred_are_parked() {
    let (sandbox, desk) = tenants("microsoft:deny=15%", PEOPLE + 20).await;
    let mut text = String::from("subject\n");
    for number in 0..PEOPLE {
        text.push_str(&sandbox.people().upn(Person::regular(number)));
        text.push('\n');
    }
    desk.write("people.csv", &text);
    let ran = desk
        .begin(&[
            "revoke",
            "--file",
            "people.csv",
            "--provider",
            "entra",
            "--note",
            "canary",
            "--yes",
            "--max-subjects",
            "400",
            "--output",
            "json",
        ])
        .ends_within(LIMIT)
        .exits(5);
    let report = ran.json();
    balances(&report["counts"]);
    assert_eq!(report["order"]["state"], "paused", "{}", report["order"]);
    let id = report["order"]["id"].as_str().expect("an id");
    assert!(ran.stderr.contains(id), "{}", ran.stderr);
    let asked = judge(&sandbox);
    asked.agrees_with(&report);
    // Who is denied before anybody was served is asked again later, once five tell that it is not the lane's fault.
    assert!(
        asked.touched.len() <= 105,
        "{} people were asked about",
        asked.touched.len()
    );
    assert!(report["counts"]["parked"].as_u64() > Some(5));

    let ran = desk.begin(&["run"]).ends_within(LIMIT).exits(5);
    assert!(
        ran.stderr.contains(id),
        "it says which order is paused: {}",
        ran.stderr
    );
    assert_eq!(
        judge(&sandbox).touched,
        asked.touched,
        "a plain run releases nothing"
    );

    sandbox.set_faults("none".parse().expect("no fault"));
    let report = desk
        .begin(&["run", "--order", id, "--output", "json"])
        .ends_within(LIMIT)
        .exits(0)
        .json();
    balances(&report["counts"]);
    assert_eq!(report["counts"]["confirmed"], PEOPLE);
    let judge = judge(&sandbox);
    judge.agrees_with(&report);
    assert!(judge.ended.values().all(|times| *times == 1));
    desk.run(&["verify"]).exits(0);
    desk.run(&["audit", "verify"]).exits(0);
}
