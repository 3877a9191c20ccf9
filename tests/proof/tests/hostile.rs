//! Hostile bytes and texts, few of them; and readers and printers that are broken on purpose are caught.

use rescind::shown::Through;
use rescind_proof::hostile::{Careless, TARGETS, all, attempt, corpus, printed};
use rescind_proof::seed;

#[test]
fn no_hostile_input_breaks_a_promise() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    for target in all() {
        let corpus = corpus(&target).expect("examples");
        let tried = attempt(target.body, &corpus, seed, 250);
        if let Some((input, why)) = tried.first {
            let input = String::from_utf8_lossy(&input);
            let input: String = input.chars().take(1_000).collect();
            panic!("{}, seed {seed}: {why}\n{input}", target.name);
        }
    }
}

#[test]
fn a_reader_that_breaks_a_promise_is_caught() {
    for target in TARGETS {
        let Some(control) = target.control else {
            continue;
        };
        let corpus = corpus(&target).expect("examples");
        // A fixed seed: whether few inputs find it is no matter of chance here.
        let tried = attempt(control, &corpus, 1, 2_000);
        assert!(tried.broken > 0, "{}: nothing was noticed", target.name);
    }
}

#[test]
fn no_hostile_text_gets_through_a_printer() {
    let seed = seed::or_fresh(None);
    println!("seed {seed}");
    let (marks, first) = printed(&Through::default(), seed, 400).expect("memory takes all");
    let broken = marks.terminal + marks.cells + marks.log_lines + marks.json;
    assert_eq!(broken, 0, "seed {seed}: {first:?}");
    let (careless, _) = printed(&Careless, seed, 400).expect("memory takes all");
    for caught in [
        careless.terminal,
        careless.cells,
        careless.log_lines,
        careless.json,
    ] {
        assert!(caught > 0, "{careless:?}");
    }
}
