//! Tampered exports are found, at the right place, by both verifiers.

use rescind_proof::audit::{ChainAlone, Ours, tampered};
use rescind_proof::seed;

#[test]
fn every_tampering_is_found_where_it_was_done() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let tally = tampered(&Ours, seed, 600, 20).expect("scratch files can be written");
    assert_eq!(
        (tally.missed(), tally.misplaced(), tally.falsely_broken()),
        (0, 0, 0),
        "seed {seed}: {:?}",
        tally.first_wrong()
    );
    let (compared, differ) = tally.compared();
    if compared == 0 {
        println!("no python3: the second verifier was not asked");
    }
    assert_eq!(differ, 0, "seed {seed}: {:?}", tally.first_wrong());
}

#[test]
fn a_verifier_that_skips_the_checkpoints_is_caught() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let tally = tampered(&ChainAlone, seed, 200, 0).expect("no file is written");
    let (missed, tried) = tally.missed_behind_checkpoints();
    assert!(
        tried > 40 && missed == tried,
        "seed {seed}: {missed} of {tried}"
    );
    assert!(tally.misplaced() + tally.missed() >= missed);
}
