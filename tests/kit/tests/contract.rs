//! The documents and the code say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rescind_testkit::CASES;

const CONTRACT: &str = "docs/provider-contract.md";
const GUIDE: &str = "docs/writing-a-connector.md";

struct Rule {
    number: String,
    cases: Vec<String>,
    says_why_not: bool,
}

#[test]
fn every_rule_has_a_case_or_says_why_not() {
    for rule in rules() {
        assert!(
            rule.cases.is_empty() == rule.says_why_not,
            "{} names {} cases and {} why there is none",
            rule.number,
            rule.cases.len(),
            if rule.says_why_not {
                "says"
            } else {
                "does not say"
            }
        );
    }
}

#[test]
fn every_case_is_named_by_its_rule() {
    let named: BTreeSet<(String, String)> = rules()
        .into_iter()
        .flat_map(|rule| {
            let number = rule.number;
            rule.cases
                .into_iter()
                .map(move |case| (number.clone(), case))
        })
        .collect();
    let cases: BTreeSet<(String, String)> = CASES
        .iter()
        .map(|case| (case.rule(), case.name.to_owned()))
        .collect();
    let only_named: Vec<_> = named.difference(&cases).collect();
    let only_coded: Vec<_> = cases.difference(&named).collect();
    assert!(
        only_named.is_empty() && only_coded.is_empty(),
        "only in {CONTRACT}: {only_named:?}; only in the kit: {only_coded:?}"
    );
}

#[test]
fn rules_are_in_order_and_numbered_once() {
    let numbers: Vec<String> = rules().into_iter().map(|rule| rule.number).collect();
    let mut sorted = numbers.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(numbers, sorted);
}

#[test]
fn the_guide_quotes_the_example_to_the_letter() {
    let guide = read(GUIDE);
    let mut quotes = 0;
    for piece in guide.split("<!-- from ").skip(1) {
        let (file, rest) = piece.split_once(" -->").expect("the comment ends");
        let block = rest
            .split_once("```rust\n")
            .and_then(|(_, rest)| rest.split_once("```"))
            .map(|(block, _)| block)
            .expect("a block of Rust follows");
        assert!(
            read(file).contains(block),
            "{GUIDE} quotes from {file} what is not there:\n{block}"
        );
        quotes += 1;
    }
    assert!(quotes > 0, "the guide quotes nothing");
}

#[test]
fn files_that_the_documents_name_exist() {
    for document in [CONTRACT, GUIDE] {
        for named in read(document).split('`').skip(1).step_by(2) {
            let top = named.split('/').next().unwrap_or_default();
            let is_path = ["core", "connectors", "tests", "docs", "examples", "cli"].contains(&top)
                && named.contains('/')
                && !named.contains(char::is_whitespace);
            assert!(
                !is_path || root().join(named).exists(),
                "{document} names {named}, which does not exist"
            );
        }
    }
}

fn rules() -> Vec<Rule> {
    let text = read(CONTRACT);
    let rules: Vec<_> = text
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let number = section.split(' ').next().unwrap_or_default().to_owned();
            let proved = section
                .split_once("Proved by:")
                .map_or("", |(_, cases)| cases);
            let proved = proved.split("\n\n").next().unwrap_or_default();
            Rule {
                number,
                cases: proved
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(str::to_owned)
                    .collect(),
                says_why_not: section.contains("\nNo case: "),
            }
        })
        .collect();
    assert!(!rules.is_empty(), "{CONTRACT} has no rules");
    rules
}

fn read(file: &str) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
