//! Kills at random instants lose nobody; a program that does not keep what it acts on is caught.

use rescind_proof::crash::{Options, crash};
use rescind_proof::seed;

fn small() -> Options {
    Options {
        kills: 15,
        people: 1_000,
        order: 250,
        life_ms: 2_000,
        on_its_way_ms: 2_000,
        armed: None,
    }
}

#[test]
fn a_kill_at_any_instant_loses_nobody_and_repeats_nothing_on_disk() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let outcome = crash(&small(), seed).expect("the program starts");
    assert!(outcome.findings.is_well(), "seed {seed}: {outcome:?}");
    assert!(outcome.verified, "seed {seed}: {outcome:?}");
    assert_eq!(outcome.ended.1, 0, "seed {seed}: {outcome:?}");
    assert!(outcome.killed.iter().sum::<u64>() >= 15, "{outcome:?}");
    assert!(outcome.accepted.1 >= 1_000, "{outcome:?}");
}

#[cfg(debug_assertions)]
#[test]
fn a_program_that_forgets_its_claims_is_caught() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let lying = Options {
        kills: 0,
        people: 250,
        life_ms: 4_000,
        on_its_way_ms: 0,
        armed: Some("before:pending-running=lie"),
        ..small()
    };
    let outcome = crash(&lying, seed).expect("the program starts");
    assert!(outcome.findings.needless_repeats > 0, "{outcome:?}");
}
