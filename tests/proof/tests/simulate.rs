//! The simulation in its short form, and the judge before products that are wrong on purpose.

use rescind_proof::seed;
use rescind_proof::simulate::{Breakage, many, one};

#[test]
fn hundreds_of_seeds_show_no_violation() {
    let first = seed::or_fresh(None);
    println!("seed {first}");
    let tally = many(first, 300, Breakage::None, |line| println!("{line}"));
    assert_eq!(
        tally.failed, 0,
        "proof simulate --replay {:?}",
        tally.failures
    );
    for what in [
        "confirmed",
        "confirmed by another job's call",
        "confirmed by evidence",
        "gone",
        "refused",
        "parked",
        "waiting: unknown",
        "pauses heard",
        "rescues",
        "processes killed",
        "commits that said they failed",
    ] {
        assert!(tally.seen.contains_key(what), "{what} never happened");
    }
}

#[test]
fn a_seed_decides_every_event() {
    let first = seed::or_fresh(None);
    println!("seed {first}");
    for seed in first..first + 25 {
        let (once, again) = (
            one(seed, Breakage::None, true),
            one(seed, Breakage::None, true),
        );
        assert_eq!(once.events, again.events, "seed {seed}");
        assert!(once.trace == again.trace, "seed {seed}");
    }
}

/// Seeds until the judge notices.
fn caught_after(breakage: Breakage, most: u64) {
    let caught = (0..most).find(|seed| !one(*seed, breakage, false).violations.is_empty());
    assert!(caught.is_some(), "{breakage:?} passes {most} seeds");
}

#[test]
fn a_store_that_answers_settlements_early_is_caught() {
    caught_after(Breakage::SettlesBeforeCommit, 20);
}

#[test]
fn a_store_that_answers_claims_early_is_caught() {
    caught_after(Breakage::ClaimsBeforeCommit, 20);
}

#[test]
fn a_store_that_loses_a_commit_is_caught() {
    caught_after(Breakage::LosesACommit, 60);
}

#[test]
fn a_provider_that_confirms_without_effect_is_caught() {
    caught_after(Breakage::ConfirmsWithoutEffect, 60);
}

#[test]
fn a_forgotten_protected_person_is_caught() {
    caught_after(Breakage::ForgetsProtection, 60);
}

#[test]
fn a_pause_forgotten_at_a_restart_is_caught() {
    caught_after(Breakage::ForgetsPause, 200);
}
