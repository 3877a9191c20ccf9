//! The contract every connector keeps, with Google's side of the wire.

use crate::wire::{
    ADMIN, asps, done, error, key_file, list, no_such_user, ok, private_pem, token_answer, tokens,
    user,
};
use rescind_core::connector::Connector;
use rescind_google_admin::GoogleAdmin;
use rescind_testkit::wiremock::matchers::any;
use rescind_testkit::wiremock::{Mock, Request, ResponseTemplate};
use rescind_testkit::{FakeVendor, Group, Person, VendorFixture, async_trait, canary};
use serde_json::{Value, json};

struct Workspace;

const PEOPLE: [(&str, &str); 3] = [
    ("109800000000000000001", "ada@example.com"),
    ("109800000000000000002", "grace@example.com"),
    ("109800000000000000003", "o'neil+test@example.com"),
];

#[async_trait]
impl VendorFixture for Workspace {
    fn connector(&self) -> Box<dyn Connector> {
        Box::new(GoogleAdmin)
    }

    fn settings(&self, vendor: &FakeVendor) -> String {
        let key = vendor.secret_file("sa.json", &key_file().to_string());
        vendor.remember_secret(&private_pem());
        format!(
            "service_account_key = {{ file = \"{}\" }}\nimpersonate = \"{ADMIN}\"\napi_url = \"{}\"\n\
             token_url = \"{}/token\"\n",
            key.display(),
            vendor.api_url(),
            vendor.login_url()
        )
    }

    fn people(&self) -> Vec<Person> {
        PEOPLE
            .iter()
            .map(|(id, address)| Person::new(*id, *address))
            .collect()
    }

    fn nobody(&self) -> Person {
        Person::new("109899999999999999999", "nobody@example.com")
    }

    async fn well_behaved(&self, vendor: &FakeVendor) {
        Mock::given(any())
            .respond_with(token_answer(canary::TOKEN))
            .mount(vendor.login())
            .await;
        Mock::given(any())
            .respond_with(answer)
            .mount(vendor.api())
            .await;
    }

    fn error_answer(&self, status: u16) -> ResponseTemplate {
        let reason = match status {
            401 => "authError",
            403 => "forbidden",
            404 => "notFound",
            429 => "rateLimitExceeded",
            500.. => "backendError",
            _ => "badRequest",
        };
        error(status, reason, "Google's own words")
    }

    fn refusals(&self) -> Vec<(&'static str, ResponseTemplate)> {
        vec![
            ("an error in a 200", ok(json!({"error": {"code": 403}}))),
            ("an object with something in it", ok(json!({"done": false}))),
        ]
    }

    fn documents_as_success(&self, body: rescind_testkit::OddBody) -> bool {
        use rescind_testkit::OddBody;
        matches!(body, OddBody::Empty | OddBody::EmptyObject)
    }

    fn steps(&self) -> &'static [&'static str] {
        &["app-passwords", "backup-codes", "grants", "sign-out"]
    }

    fn step_of(&self, request: &Request) -> Option<&'static str> {
        let path = request.url.path();
        [
            ("/asps", "app-passwords"),
            ("/verificationCodes/", "backup-codes"),
            ("/tokens", "grants"),
            ("/signOut", "sign-out"),
        ]
        .into_iter()
        .find_map(|(part, step)| path.contains(part).then_some(step))
    }

    fn group(&self) -> Option<Group> {
        Some(Group::new(
            "staff@example.com",
            PEOPLE.map(|(id, _)| id.to_owned()).into(),
        ))
    }
}

/// The Directory API, as documented, for three people and a group of two pages.
fn answer(request: &Request) -> ResponseTemplate {
    let path = request
        .url
        .path()
        .strip_prefix("/admin/directory/v1/")
        .unwrap_or_default()
        .replace("%40", "@")
        .replace("%27", "'")
        .replace("%2B", "+");
    let parts = path.split('/').collect::<Vec<_>>();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["users"]) => ok(list("admin#directory#users", "users", all_users())),
        ("GET", ["groups", "staff@example.com", "members"]) => group_page(request),
        (method, ["users", key, rest @ ..]) => {
            // The probe looks at the administrator's own grants.
            let Some((id, address)) = PEOPLE
                .into_iter()
                .chain([("1", ADMIN)])
                .find(|(id, address)| key == id || key == address)
            else {
                return no_such_user();
            };
            match (method, rest) {
                ("GET", []) => ok(user(id, address)),
                ("GET", ["asps"]) => ok(asps(&[7])),
                ("GET", ["tokens"]) => ok(tokens(&["1234-abc.apps.googleusercontent.com", "5678"])),
                ("DELETE", ["asps" | "tokens", _])
                | ("POST", ["verificationCodes", "invalidate"] | ["signOut"]) => done(),
                _ => error(404, "notFound", "no such method"),
            }
        }
        _ => error(404, "notFound", "no such method"),
    }
}

fn all_users() -> Vec<Value> {
    PEOPLE
        .iter()
        .map(|(id, address)| user(id, address))
        .collect()
}

fn group_page(request: &Request) -> ResponseTemplate {
    let later = request.url.query_pairs().any(|(name, value)| {
        assert!(name != "pageToken" || value == "next/page", "{value}");
        name == "pageToken"
    });
    let member = |(id, address): (&str, &str)| {
        json!({"kind": "admin#directory#member", "id": id, "email": address, "role": "MEMBER",
            "type": "USER", "status": "ACTIVE"})
    };
    let members = |people: &[(&str, &str)]| {
        list(
            "admin#directory#members",
            "members",
            people.iter().copied().map(member).collect(),
        )
    };
    if later {
        return ok(members(&PEOPLE[2..]));
    }
    let mut first = members(&PEOPLE[..2]);
    first["nextPageToken"] = "next/page".into();
    ok(first)
}

rescind_testkit::conformance!(Workspace);
