//! Standalone Sentry against the conformance kit: it has no vendor to fake.

use rescind_core::connector::Connector;
use rescind_standalone_sentry::StandaloneSentry;
use rescind_testkit::{FakeVendor, Person, VendorFixture, async_trait};

struct Sentry;

#[async_trait]
impl VendorFixture for Sentry {
    fn connector(&self) -> Box<dyn Connector> {
        Box::new(StandaloneSentry)
    }

    fn settings(&self, _vendor: &FakeVendor) -> String {
        String::new()
    }

    fn people(&self) -> Vec<Person> {
        Vec::new()
    }

    fn nobody(&self) -> Person {
        Person::new("nobody", "nobody@example.com")
    }

    async fn well_behaved(&self, _vendor: &FakeVendor) {}
}

rescind_testkit::conformance!(Sentry);
