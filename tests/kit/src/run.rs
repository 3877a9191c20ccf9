//! Runs one case as a test.

use crate::cases::Case;
use crate::fixture::VendorFixture;
use crate::stage::Kit;
use crate::verdict::Stop;

/// Runs the case of this name against a connector; what [`conformance!`](crate::conformance!) calls.
///
/// A case that does not apply says so on stdout and passes.
///
/// # Panics
/// When the connector breaks the rule: that is how a test fails.
#[expect(
    clippy::print_stdout,
    reason = "a test speaks through stdout, which its runner captures"
)]
pub fn run(name: &str, fixture: impl VendorFixture) {
    let case = Case::named(name).unwrap_or_else(|| panic!("no case is called {name}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    match runtime.block_on(case.run(Kit::new(fixture))) {
        Ok(()) => {}
        Err(stop @ Stop::DoesNotApply(_)) => println!("{name} {stop}"),
        Err(Stop::Broken(what)) => panic!(
            "rule {} of docs/provider-contract.md is broken: {what}",
            case.rule()
        ),
    }
}
