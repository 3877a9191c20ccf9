//! The instrument of the protected list in its short form, and its judge before products that are wrong on purpose.

use rescind_proof::protected::{Flaw, many, ways};
use rescind_proof::seed;

#[test]
fn nobody_protected_is_called_whatever_the_plan_calls_them() {
    let first = seed::or_fresh(None);
    println!("seed {first}");
    let tally = many(first, 200, Flaw::None, |line| println!("{line}"));
    assert_eq!(tally.protected, 0, "{:?}", tally.failures);
    assert_eq!(tally.seen.get("runs without an end"), None);
    assert!(tally.called_a_plan() >= 1.0, "{tally:?}");
    for way in ways() {
        assert!(tally.seen.contains_key(way), "{way}: never");
    }
}

/// Whether the judge notices, sooner or later: how many plans it takes is chance, so plans go on until one shows it.
fn is_caught(flaw: Flaw, first: u64) -> bool {
    const AT_ONCE: u64 = 60;
    (0..10).any(|n| many(first + n * AT_ONCE, AT_ONCE, flaw, |_| {}).protected > 0)
}

#[test]
fn a_forgotten_entry_is_caught() {
    let first = seed::or_fresh(None);
    println!("seed {first}");
    assert!(is_caught(Flaw::ForgetsAnEntry, first));
}

#[test]
fn a_list_that_is_not_looked_up_is_caught() {
    let first = seed::or_fresh(None);
    println!("seed {first}");
    assert!(is_caught(Flaw::ComparesSpellingsOnly, first));
}
