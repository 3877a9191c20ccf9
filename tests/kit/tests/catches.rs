//! The kit passes a connector that is right, and catches every mistake with the case that is there for it.

mod model;

use std::time::Duration;

use model::{CAUGHT_BY, Flaw, ModelFixture};
use rescind_testkit::{CASES, Case, Kit, Stop};

/// It plays every role but that of refusing, so nothing else is left out.
#[tokio::test]
async fn a_right_connector_with_every_role_passes_every_case() {
    for case in CASES {
        let verdict = case.run(Kit::new(ModelFixture(Flaw::None))).await;
        let as_it_should = match case.name {
            "c14_refusal_sends_nothing" => matches!(verdict, Err(Stop::DoesNotApply(_))),
            _ => verdict.is_ok(),
        };
        assert!(as_it_should, "{}: {verdict:?}", case.name);
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
