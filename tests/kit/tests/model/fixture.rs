//! The model vendor's side of the wire.

use rescind_core::connector::Connector;
use rescind_testkit::wiremock::matchers::{any, method, path, path_regex, query_param};
use rescind_testkit::wiremock::{Mock, MockServer, Request, ResponseTemplate};
use rescind_testkit::{FakeVendor, Group, Person, VendorFixture, async_trait, canary};
use serde_json::{Value, json};

use super::connector::Model;
use super::flaw::Flaw;

/// The model connector with one flaw, before its vendor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelFixture(pub(crate) Flaw);

#[async_trait]
impl VendorFixture for ModelFixture {
    fn connector(&self) -> Box<dyn Connector> {
        Box::new(Model(self.0))
    }

    fn settings(&self, vendor: &FakeVendor) -> String {
        let secret = vendor.secret_file("model.key", canary::SECRET);
        format!(
            "realm = 'contoso'\napi_url = '{}'\nlogin_url = '{}'\nsecret = {{ file = '{}' }}\n",
            vendor.api_url(),
            vendor.login_url(),
            secret.display()
        )
    }

    fn people(&self) -> Vec<Person> {
        vec![
            Person::new("p-1", "ada@example.com"),
            Person::new("p-2", "grace@example.com"),
            Person::new("p-3", "joan@example.com"),
        ]
    }

    fn nobody(&self) -> Person {
        Person::new("p-404", "nobody@example.com")
    }

    async fn well_behaved(&self, vendor: &FakeVendor) {
        let token = json!({"access_token": canary::TOKEN});
        answer(vendor.login(), Mock::given(any()), 200, token).await;
        let api = vendor.api();
        answer(api, get("/me"), 200, json!({"rights": ["end"]})).await;
        for person in self.people() {
            let account = json!({"id": person.id, "address": person.address, "ended_before": "2026-11-21T20:00:00Z"});
            let by_address = get("/people").and(query_param("address", &person.address));
            answer(api, by_address, 200, json!({"people": [account]})).await;
            answer(api, get(&format!("/people/{}", person.id)), 200, account).await;
            let grants = format!("/people/{}/grants", person.id);
            answer(api, get(&grants), 200, json!({"grants": ["g-1", "g-2"]})).await;
            let one = Mock::given(method("DELETE")).and(path_regex(format!("^{grants}/[^/]+$")));
            answer(api, one, 200, json!({})).await;
            for step in self.steps() {
                let end = format!("/people/{}/{step}/end", person.id);
                let end = Mock::given(method("POST")).and(path(end));
                answer(api, end, 200, json!({"done": true, "ended": 2})).await;
            }
        }
        answer(api, get("/people"), 200, json!({"people": []})).await;
        let somebody = Mock::given(path_regex("^/people/[^/]+(/[a-z]+/end)?$"));
        let no_such = ResponseTemplate::new(404).set_body_json(json!({"code": "no_such_person"}));
        somebody
            .respond_with(no_such)
            .with_priority(200)
            .mount(api)
            .await;

        let second = get("/groups/leavers/members").and(query_param("page", "2"));
        answer(api, second, 200, json!({"members": [{"id": "p-3"}]})).await;
        let link = format!("{}/groups/leavers/members?page=2", vendor.api_url());
        let first = json!({"members": [{"id": "p-1"}, {"id": "p-2"}], "next": link});
        answer(api, get("/groups/leavers/members"), 200, first).await;
    }

    fn error_answer(&self, status: u16) -> ResponseTemplate {
        ResponseTemplate::new(status).set_body_json(json!({"code": "refused"}))
    }

    fn refusals(&self) -> Vec<(&'static str, ResponseTemplate)> {
        let refusal = ResponseTemplate::new(200).set_body_json(json!({"done": false, "ended": 0}));
        vec![("done: false", refusal)]
    }

    fn steps(&self) -> &'static [&'static str] {
        &["passwords", "sessions"]
    }

    fn step_of(&self, request: &Request) -> Option<&'static str> {
        let path = request.url.path();
        self.steps()
            .iter()
            .copied()
            .find(|step| path.ends_with(&format!("/{step}/end")))
    }

    fn group(&self) -> Option<Group> {
        let ids = ["p-1", "p-2", "p-3"].map(str::to_owned).to_vec();
        Some(Group::new("leavers", ids))
    }

    async fn group_that_leads_elsewhere(&self, vendor: &FakeVendor) -> Option<String> {
        let link = format!("{}/groups/strays/members?page=2", vendor.elsewhere_url());
        let first = json!({"members": [{"id": "p-1"}], "next": link});
        answer(vendor.api(), get("/groups/strays/members"), 200, first).await;
        Some("strays".to_owned())
    }
}

fn get(at: &str) -> rescind_testkit::wiremock::MockBuilder {
    Mock::given(method("GET")).and(path(at))
}

async fn answer(
    server: &MockServer,
    mock: rescind_testkit::wiremock::MockBuilder,
    status: u16,
    body: Value,
) {
    mock.respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(server)
        .await;
}
