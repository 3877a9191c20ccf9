//! The throttling instrument in its short form, and its judge before connectors that are wrong on purpose.

use std::time::Duration;

use rescind_proof::seed;
use rescind_proof::throttle::{
    Flaw, bulk, catches, dead_lane, flawed, outage, restarts_at_the_quota, restarts_in_a_pause,
};

#[test]
fn a_documented_quota_is_used_up_and_an_urgent_person_does_not_wait_for_it() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = bulk(5_000, seed);
    assert!(found.of_minimum <= 1.06, "{found:?}");
    assert!(found.urgent_after <= Duration::from_secs(1), "{found:?}");
    assert_eq!((found.refused, found.left_out), (0, 0), "{found:?}");
}

#[test]
fn a_dead_lane_holds_nobody_else_up() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let longer = dead_lane(200, seed);
    assert!(longer <= 1.02, "{longer}");
}

#[test]
fn an_outage_parks_nobody_and_is_left_alone() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = outage(1, seed);
    assert_eq!(found.parked, 0, "{found:?}");
    assert!(found.least_between >= Duration::from_secs(30), "{found:?}");
    assert!(found.all_after.is_some(), "{found:?}");
}

#[test]
fn restarts_send_nothing_early_and_lose_no_time() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = restarts_in_a_pause(seed);
    assert_eq!(found.early, 0, "{found:?}");
    assert!(found.of_minimum <= 1.0, "{found:?}");
    let found = restarts_at_the_quota(5_000, seed);
    assert_eq!(found.refused, 0, "{found:?}");
    assert!(found.of_minimum <= 1.06, "{found:?}");
}

#[test]
fn the_judge_passes_what_is_not_flawed() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = flawed(Flaw::None, seed);
    assert!(!catches(&found), "{found:?}");
}

#[test]
fn a_lane_that_does_not_hear_the_wish_to_wait_is_caught() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = flawed(Flaw::HidesWishes, seed);
    assert!(found.early > 0 && catches(&found), "{found:?}");
}

#[test]
fn refusals_taken_for_success_are_caught() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let found = flawed(Flaw::TakesRefusalsForSuccess, seed);
    assert!(found.false_confirmations > 0, "{found:?}");
}
