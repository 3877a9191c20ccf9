//! The short form of the power cut, and the stores that it must find out.

use rescind_proof::power_cut::{Asked, Flaw, Kind, run};
use rescind_proof::seed;

#[test]
fn a_power_cut_loses_nothing_and_tells_no_lie() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let mut asked = Asked::new(120, seed);
    asked.threads = 2;
    let seen = run(&asked).expect("it runs");
    assert!(seen.violations.is_empty(), "{:#?}", seen.violations);
    assert!(seen.cuts >= 120 && seen.in_flight > 0 && seen.repeated <= seen.in_flight);
}

/// Runs until the judge finds what this flaw leads to; 200 cuts are enough.
#[track_caller]
#[expect(clippy::print_stdout, reason = "a random test prints its seed")]
fn is_found_out(flaw: Flaw, kind: Kind) {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let mut asked = Asked::new(200, seed);
    asked.flaw = flaw;
    asked.until = Some(kind);
    let seen = run(&asked).expect("it runs");
    println!("found after {} cuts", seen.cuts);
    assert!(seen.count(kind) > 0, "{:#?}", seen.violations);
}

#[test]
fn a_store_that_does_not_sync_is_found_out() {
    is_found_out(Flaw::Normal, Kind::Forgotten);
}

#[test]
fn an_outcome_told_before_its_commit_is_found_out() {
    is_found_out(Flaw::OutcomeBeforeCommit, Kind::Forgotten);
}

#[test]
fn a_call_that_leaves_before_its_intent_is_found_out() {
    is_found_out(Flaw::CallBeforeIntent, Kind::WithoutIntent);
}
