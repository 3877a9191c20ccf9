//! The connector for Entra against the conformance kit.

mod entra;

use entra::{CLIENT, Entra, GROUP_NAME, TENANT, id, upn};
use rescind_azure_graph::AzureGraph;
use rescind_core::connector::Connector;
use rescind_testkit::wiremock::matchers::any;
use rescind_testkit::wiremock::{Mock, Request, ResponseTemplate};
use rescind_testkit::{FakeVendor, Group, Person, VendorFixture, async_trait, canary};
use serde_json::json;

const PEOPLE: usize = 5;

struct Tenant;

#[async_trait]
impl VendorFixture for Tenant {
    fn connector(&self) -> Box<dyn Connector> {
        Box::new(AzureGraph)
    }

    fn settings(&self, vendor: &FakeVendor) -> String {
        let secret = vendor.secret_file("secret", canary::SECRET);
        format!(
            "tenant = '{TENANT}'\nclient_id = '{CLIENT}'\nclient_secret = {{ file = '{}' }}\n\
             graph_url = '{}'\nlogin_url = '{}'\n",
            secret.display(),
            vendor.api_url(),
            vendor.login_url()
        )
    }

    fn people(&self) -> Vec<Person> {
        (0..PEOPLE).map(|n| Person::new(id(n), upn(n))).collect()
    }

    fn nobody(&self) -> Person {
        Person::new(id(99), "nobody@contoso.com")
    }

    async fn well_behaved(&self, vendor: &FakeVendor) {
        Mock::given(any())
            .respond_with(Entra::with_people(PEOPLE))
            .mount(vendor.api())
            .await;
        let token =
            json!({"token_type": "Bearer", "expires_in": 3599, "access_token": canary::TOKEN});
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_json(token))
            .mount(vendor.login())
            .await;
    }

    fn error_answer(&self, status: u16) -> ResponseTemplate {
        let code = match status {
            401 => "InvalidAuthenticationToken",
            403 => "Authorization_RequestDenied",
            429 => "TooManyRequests",
            503 => "serviceNotAvailable",
            _ => "UnknownError",
        };
        entra::template(&entra::error(status, code))
    }

    fn refusals(&self) -> Vec<(&'static str, ResponseTemplate)> {
        vec![
            (
                "value: false",
                ResponseTemplate::new(200).set_body_json(json!({"value": false})),
            ),
            (
                "value as text",
                ResponseTemplate::new(200).set_body_json(json!({"value": "true"})),
            ),
            (
                "value: 1",
                ResponseTemplate::new(200).set_body_json(json!({"value": 1})),
            ),
            ("202", ResponseTemplate::new(202)),
            (
                "204 for a page",
                ResponseTemplate::new(201).set_body_json(json!({"value": true})),
            ),
        ]
    }

    fn changes_something(&self, request: &Request) -> bool {
        let body = String::from_utf8_lossy(&request.body);
        let batch_of_reads = request.url.path().ends_with("/$batch") && !body.contains("\"POST\"");
        request.method.as_str() == "POST" && !batch_of_reads
    }

    fn group(&self) -> Option<Group> {
        Some(Group::new(GROUP_NAME, (0..PEOPLE).map(id).collect()))
    }

    async fn group_that_leads_elsewhere(&self, vendor: &FakeVendor) -> Option<String> {
        let mut tenant = Entra::with_people(PEOPLE);
        tenant.next_root = Some(vendor.elsewhere_url());
        vendor.answer(any(), tenant).await;
        Some(GROUP_NAME.to_owned())
    }
}

rescind_testkit::conformance!(Tenant);
