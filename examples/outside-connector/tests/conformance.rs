//! Acme against the conformance kit: how its API speaks, and one macro call.

use acme_rescind::Acme;
use rescind_core::connector::Connector;
use rescind_testkit::wiremock::matchers::{method, path, path_regex};
use rescind_testkit::wiremock::{Mock, ResponseTemplate};
use rescind_testkit::{FakeVendor, Person, VendorFixture, async_trait, canary};
use serde_json::json;

struct AcmeFixture;

#[async_trait]
impl VendorFixture for AcmeFixture {
    fn connector(&self) -> Box<dyn Connector> {
        Box::new(Acme)
    }

    fn settings(&self, vendor: &FakeVendor) -> String {
        let key = vendor.secret_file("acme.key", canary::SECRET);
        format!(
            "workspace = 'contoso'\napi_url = '{}'\napi_key = {{ file = '{}' }}\n",
            vendor.api_url(),
            key.display()
        )
    }

    fn people(&self) -> Vec<Person> {
        ["ada@example.com", "grace@example.com", "joan@example.com"]
            .map(|login| Person::new(login, login))
            .to_vec()
    }

    fn nobody(&self) -> Person {
        Person::new("nobody@example.com", "nobody@example.com")
    }

    async fn well_behaved(&self, vendor: &FakeVendor) {
        for person in self.people() {
            let sessions = format!("/v1/people/{}/sessions", person.id.replace('@', "%40"));
            Mock::given(method("DELETE"))
                .and(path(sessions))
                .respond_with(ResponseTemplate::new(200).set_body_json(json!({"ended": 3})))
                .mount(vendor.api())
                .await;
        }
        Mock::given(method("DELETE"))
            .and(path_regex("^/v1/people/[^/]+/sessions$"))
            .respond_with(self.fault(404, "no_such_person"))
            .with_priority(200)
            .mount(vendor.api())
            .await;
        Mock::given(method("GET"))
            .and(path("/v1/key"))
            .respond_with(
                ResponseTemplate::new(200).set_body_json(json!({"rights": ["sessions.end"]})),
            )
            .mount(vendor.api())
            .await;
    }

    fn error_answer(&self, status: u16) -> ResponseTemplate {
        self.fault(status, "refused")
    }
}

impl AcmeFixture {
    fn fault(&self, status: u16, code: &str) -> ResponseTemplate {
        ResponseTemplate::new(status).set_body_json(json!({"code": code}))
    }
}

rescind_testkit::conformance!(AcmeFixture);
