//! The connector, built before a small tenant.

use std::sync::Arc;

use rescind_azure_graph::AzureGraph;
use rescind_core::clock::SystemClock;
use rescind_core::config::{ConfigError, HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector, Roles};
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::{OrderId, ProviderName};
use rescind_core::provider::{Account, Directory, Evidence, RevocationProvider, RevokeRequest};
use rescind_core::report::Report;
use rescind_core::subject::Subject;
use rescind_testkit::{FakeVendor, PaidPort, canary};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, Request, Respond, ResponseTemplate};

use super::{CLIENT, Entra, TENANT, id, upn};

pub(crate) struct Scene {
    pub(crate) vendor: FakeVendor,
    pub(crate) port: Arc<PaidPort>,
    roles: Roles,
}

impl Scene {
    /// Before a tenant that answers as it should, or as it was told to.
    pub(crate) async fn before(entra: Entra) -> Self {
        Self::answering(entra, token_answer(canary::TOKEN)).await
    }

    /// Before an API and a token endpoint of one's own.
    pub(crate) async fn answering(
        api: impl Respond + 'static,
        login: impl Respond + 'static,
    ) -> Self {
        let vendor = FakeVendor::start().await;
        Mock::given(any())
            .respond_with(api)
            .mount(vendor.api())
            .await;
        Mock::given(any())
            .respond_with(login)
            .mount(vendor.login())
            .await;
        let secret = vendor.secret_file("secret", canary::SECRET);
        let proof = format!("client_secret = {{ file = '{}' }}", secret.display());
        let roles = build(&vendor, &proof).expect("settings as documented");
        Self {
            vendor,
            port: Arc::new(PaidPort::unlimited()),
            roles,
        }
    }

    /// The same before this lane.
    pub(crate) fn paying(mut self, port: Arc<PaidPort>) -> Self {
        self.port = port;
        self
    }

    /// The same before a lane that shuts when so many payments were made.
    pub(crate) fn shutting_after(mut self, payments: usize) -> Self {
        self.port = Arc::new(PaidPort::shutting_after(payments));
        self
    }

    pub(crate) fn cx(&self) -> Context {
        Context::new(self.port.clone())
    }

    pub(crate) fn revocation(&self) -> Arc<dyn RevocationProvider> {
        self.roles.revocation.clone().expect("a role")
    }

    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        self.roles.directory.clone().expect("a role")
    }

    pub(crate) fn evidence(&self) -> Arc<dyn Evidence> {
        self.roles.evidence.clone().expect("a role")
    }

    /// Revokes the `n`-th person, resolved.
    pub(crate) async fn revoke(&self, n: usize) -> Result<Report, Error> {
        let mut account = Account::new(id(n), upn(n));
        account.enabled = Some(true);
        self.revoke_as(&RevokeRequest::new(subject(&id(n))).for_account(account))
            .await
    }

    /// In the name of an order of its own, as the engine does.
    pub(crate) async fn revoke_as(&self, request: &RevokeRequest) -> Result<Report, Error> {
        let cx = self.cx().for_order(OrderId::new());
        self.revocation().revoke(&cx, request).await
    }

    /// The first `n` people at once.
    pub(crate) async fn revoke_together(&self, n: usize) -> Vec<Result<Report, Error>> {
        futures_util::future::join_all((0..n).map(|n| self.revoke(n))).await
    }

    /// Paths of the API's requests so far, as on the wire.
    pub(crate) async fn sent(&self) -> Vec<String> {
        let requests = self.vendor.api_requests().await;
        requests
            .iter()
            .map(|request| request.url.path().to_owned())
            .collect()
    }
}

/// Builds with these further settings.
pub(crate) fn build(vendor: &FakeVendor, more: &str) -> Result<Roles, ConfigError> {
    build_at(vendor, more, Arc::new(SystemClock))
}

pub(crate) fn build_at(
    vendor: &FakeVendor,
    more: &str,
    clock: Arc<dyn rescind_core::clock::Clock>,
) -> Result<Roles, ConfigError> {
    let settings = format!(
        "tenant = '{TENANT}'\nclient_id = '{CLIENT}'\ngraph_url = '{}'\nlogin_url = '{}'\n{more}\n",
        vendor.api_url(),
        vendor.login_url()
    );
    build_from(&settings, clock)
}

pub(crate) fn build_from(
    settings: &str,
    clock: Arc<dyn rescind_core::clock::Clock>,
) -> Result<Roles, ConfigError> {
    let name = ProviderName::parse("entra").expect("a name");
    AzureGraph.build(&BuildContext::new(
        &name,
        &Settings::from_toml(settings),
        &HttpSettings::default(),
        clock,
    ))
}

pub(crate) fn subject(text: &str) -> Subject {
    Subject::parse(text).expect("readable")
}

pub(crate) fn token_answer(token: &str) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}))
}

/// The items of a batch, as they were sent.
pub(crate) fn items(request: &Request) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    body["requests"].as_array().expect("requests").clone()
}
