//! The kit passes a connector that is right, and catches every mistake with the case that is there for it.

mod model;

use std::time::Duration;

use model::{CAUGHT_BY, Flaw, ModelFixture};
use rescind_testkit::{CASES, Case, Kit, Stop};

/// The right connector, as its own crate would be tested.
mod a_right_connector_passes {
    use super::model::{Flaw, ModelFixture};

    rescind_testkit::conformance!(ModelFixture(Flaw::None));
}

/// What a right connector with every role leaves out: it does not refuse.
#[tokio::test]
async fn every_case_but_one_applies_to_a_connector_with_every_role() {
    for case in CASES {
        let verdict = case.run(Kit::new(ModelFixture(Flaw::None))).await;
        let left_out = matches!(verdict, Err(Stop::DoesNotApply(_)));
        assert_eq!(
            left_out,
            case.name == "c14_refusal_sends_nothing",
            "{}: {verdict:?}",
            case.name
        );
    }
}

#[tokio::test]
async fn every_mistake_is_caught_by_its_case() {
    let mut missed = Vec::new();
    for (flaw, name) in CAUGHT_BY {
        let case = Case::named(name).unwrap_or_else(|| panic!("no case is called {name}"));
        let kit = Kit::new(ModelFixture(*flaw)).with_patience(Duration::from_secs(2));
        let verdict = case.run(kit).await;
        if !matches!(verdict, Err(Stop::Broken(_))) {
            missed.push(format!("{flaw:?} by {name}: {verdict:?}"));
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

#[test]
fn every_case_can_fail() {
    let harmless: Vec<_> = CASES
        .iter()
        .filter(|case| !CAUGHT_BY.iter().any(|(_, name)| *name == case.name))
        .map(|case| case.name)
        .collect();
    assert!(
        harmless.is_empty(),
        "no mistake is known that these would catch: {harmless:?}"
    );
}
