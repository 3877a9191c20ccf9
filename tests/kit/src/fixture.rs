//! What a connector brings to its conformance tests: itself, its settings, and the vendor's side of the wire.

use async_trait::async_trait;
use rescind_core::connector::Connector;
use wiremock::{Request, ResponseTemplate};

use crate::vendor::FakeVendor;

/// A connector under test, and how its vendor speaks.
///
/// Five things are required; what follows them describes habits that not every vendor has.
#[async_trait]
pub trait VendorFixture: Send + Sync + 'static {
    /// The connector.
    fn connector(&self) -> Box<dyn Connector>;

    /// Complete settings, as TOML, that point at [`FakeVendor::api_url`] and [`FakeVendor::login_url`].
    ///
    /// Secrets are [`canary::SECRET`](crate::canary::SECRET), or any text, written with [`FakeVendor::secret_file`]: the
    /// kit looks for them wherever they must not be.
    fn settings(&self, vendor: &FakeVendor) -> String;

    /// Three or more people whom the vendor knows. A connector that refuses everything needs none.
    fn people(&self) -> Vec<Person>;

    /// Somebody whom the vendor does not know, written as the vendor would write it.
    fn nobody(&self) -> Person;

    /// Mounts the vendor as documented: the token endpoint (which hands out
    /// [`canary::TOKEN`](crate::canary::TOKEN)), everything a revocation, a look-up, a read-back or a probe asks for,
    /// for each of [`people`](Self::people) and as often as asked; and the vendor's own "no such person" for
    /// everybody else.
    async fn well_behaved(&self, vendor: &FakeVendor);

    /// How the vendor words an error status.
    fn error_answer(&self, status: u16) -> ResponseTemplate {
        ResponseTemplate::new(status).set_body_json(serde_json::json!({}))
    }

    /// Answers with a 2xx status that say "not done", each with a name.
    fn refusals(&self) -> Vec<(&'static str, ResponseTemplate)> {
        Vec::new()
    }

    /// Whether the vendor documents this odd body as a success.
    fn documents_as_success(&self, _body: OddBody) -> bool {
        false
    }

    /// Whether a 404 with a body that nobody recognises is how the vendor says "no such person". Where it is not, such
    /// an answer means a wrong base URL.
    fn any_404_means_nobody(&self) -> bool {
        false
    }

    /// Whether a request to the API can change something there.
    fn changes_something(&self, request: &Request) -> bool {
        !matches!(request.method.as_str(), "GET" | "HEAD")
    }

    /// The steps of a revocation that has several, by name, in order, as the settings of
    /// [`settings`](Self::settings) switch them on.
    fn steps(&self) -> &'static [&'static str] {
        &[]
    }

    /// The step that a request to the API belongs to.
    fn step_of(&self, _request: &Request) -> Option<&'static str> {
        None
    }

    /// A group that the well-behaved vendor lists in two or more pages.
    fn group(&self) -> Option<Group> {
        None
    }

    /// Mounts a group whose first page links to [`FakeVendor::elsewhere_url`] for the next one, and names it. `None`
    /// for a vendor whose pages are not linked by URL.
    async fn group_that_leads_elsewhere(&self, _vendor: &FakeVendor) -> Option<String> {
        None
    }
}

/// Somebody at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Person {
    /// The vendor's own id of the account.
    pub id: String,
    /// The address under which an administrator would name them.
    pub address: String,
}

impl Person {
    /// A person with the vendor's id and an address.
    pub fn new(id: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            address: address.into(),
        }
    }
}

/// A group at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// What an administrator would call it.
    pub name: String,
    /// The ids of all its members.
    pub member_ids: Vec<String>,
}

impl Group {
    /// A group and its members.
    pub fn new(name: impl Into<String>, member_ids: Vec<String>) -> Self {
        Self {
            name: name.into(),
            member_ids,
        }
    }
}

/// Bodies of a 200 that prove nothing, unless the vendor's documents say that they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OddBody {
    /// A page for people: a captive portal, a login page, a proxy's apology.
    Html,
    /// Nothing at all.
    Empty,
    /// `{}`
    EmptyObject,
    /// JSON that ends in the middle.
    CutJson,
    /// `[]` where nothing of the kind is promised.
    Array,
    /// More than any answer needs: JSON of 4 MiB.
    Huge,
}

impl OddBody {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Html,
        Self::Empty,
        Self::EmptyObject,
        Self::CutJson,
        Self::Array,
        Self::Huge,
    ];

    pub(crate) fn answer(self) -> ResponseTemplate {
        let answer = ResponseTemplate::new(200);
        match self {
            Self::Html => answer.set_body_raw(
                "<!doctype html><title>Sign in</title><p>value: true</p>",
                "text/html",
            ),
            Self::Empty => answer,
            Self::EmptyObject => answer.set_body_raw("{}", "application/json"),
            Self::CutJson => answer.set_body_raw("{\"value\": tr", "application/json"),
            Self::Array => answer.set_body_raw("[]", "application/json"),
            Self::Huge => {
                let padding = "x".repeat(4 << 20);
                answer.set_body_raw(
                    format!("{{\"padding\":\"{padding}\",\"value\":true}}"),
                    "application/json",
                )
            }
        }
    }
}
