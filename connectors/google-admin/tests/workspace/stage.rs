//! A connector built before two servers: the API and the token endpoint.

use std::path::PathBuf;
use std::sync::Arc;

use rescind_core::clock::SystemClock;
use rescind_core::config::{ConfigError, HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector, Roles};
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::ProviderName;
use rescind_core::provider::{
    Account, Directory, Evidence, RevocationProvider, RevokeRequest, SessionInventory,
};
use rescind_core::report::{Ended, ItemFailure, Outcome, Report, Step};
use rescind_core::subject::Subject;
use rescind_google_admin::GoogleAdmin;
use rescind_testkit::FreePort;
use tempfile::TempDir;
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockBuilder, MockServer, Request, ResponseTemplate};

use crate::wire::{ADMIN, key_file, token_answer};

/// The person most tests are about.
pub(crate) const ADA: &str = "1098";
const TOKEN: &str = "ya29.people";

/// The connector, and what it talks to.
pub(crate) struct Stage {
    pub(crate) api: MockServer,
    pub(crate) login: MockServer,
    folder: TempDir,
    pub(crate) roles: Roles,
}

impl Stage {
    /// All steps; the token endpoint hands out tokens, the API knows nothing yet.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// With further settings.
    pub(crate) async fn with(settings: &str) -> Self {
        let stage = Self::without_tokens(settings).await;
        Mock::given(any())
            .respond_with(token_answer(TOKEN))
            .mount(&stage.login)
            .await;
        stage
    }

    /// The token endpoint knows nothing yet.
    pub(crate) async fn without_tokens(settings: &str) -> Self {
        let api = MockServer::builder().start().await;
        let login = MockServer::builder().start().await;
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let key = secret_file(&folder, "sa.json", &key_file().to_string());
        let settings = format!(
            "service_account_key = {{ file = \"{}\" }}\nimpersonate = \"{ADMIN}\"\napi_url = \"{}\"\n\
             token_url = \"{}/token\"\n{settings}",
            key.display(),
            api.uri(),
            login.uri(),
        );
        let roles = build(&settings).expect("the settings are right");
        Self {
            api,
            login,
            folder,
            roles,
        }
    }

    pub(crate) fn revocation(&self) -> Arc<dyn RevocationProvider> {
        self.roles.revocation.clone().expect("it revokes")
    }

    pub(crate) fn directory(&self) -> Arc<dyn Directory> {
        self.roles.directory.clone().expect("it has a directory")
    }

    pub(crate) fn evidence(&self) -> Arc<dyn Evidence> {
        self.roles.evidence.clone().expect("it has evidence")
    }

    pub(crate) fn inventory(&self) -> Arc<dyn SessionInventory> {
        self.roles.inventory.clone().expect("it has an inventory")
    }

    /// Revokes for a resolved account.
    pub(crate) async fn revoke(&self) -> Result<Report, Error> {
        self.revocation().revoke(&cx(), &request(None)).await
    }

    /// Answers one request to the API, exactly `times` times; without it the API answers a bare 404.
    pub(crate) async fn on(&self, verb: &str, below: &str, times: u64, answer: ResponseTemplate) {
        given(verb, below)
            .respond_with(answer)
            .expect(times)
            .mount(&self.api)
            .await;
    }

    /// The same, the first time only.
    pub(crate) async fn once(&self, verb: &str, below: &str, answer: ResponseTemplate) {
        given(verb, below)
            .respond_with(answer)
            .up_to_n_times(1)
            .expect(1)
            .mount(&self.api)
            .await;
    }

    /// Every request the API has seen, as it was on the wire: method, path, query.
    pub(crate) async fn seen(&self) -> Vec<String> {
        let requests = self.requests().await;
        let told = |request: &Request| {
            let below = request.url.path().replace("/admin/directory/v1/", "");
            match request.url.query() {
                Some(query) => format!("{} {below}?{query}", request.method),
                None => format!("{} {below}", request.method),
            }
        };
        requests.iter().map(told).collect()
    }

    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.api.received_requests().await.expect("it records")
    }

    pub(crate) fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        secret_file(&self.folder, name, text)
    }
}

fn given(verb: &str, below: &str) -> MockBuilder {
    Mock::given(method(verb))
        .and(path(format!("/admin/directory/v1/{below}")))
        .and(header("authorization", format!("Bearer {TOKEN}").as_str()))
}

pub(crate) fn build(settings: &str) -> Result<Roles, ConfigError> {
    GoogleAdmin.build(&BuildContext::new(
        &ProviderName::parse("workspace").expect("a name"),
        &Settings::from_toml(settings),
        &HttpSettings::default(),
        Arc::new(SystemClock),
    ))
}

pub(crate) fn cx() -> Context {
    Context::new(Arc::new(FreePort))
}

/// What the engine asks for a person it has resolved, enabled or not.
pub(crate) fn request(enabled: Option<bool>) -> RevokeRequest {
    let mut account = Account::new(ADA, "ada@example.com");
    account.enabled = enabled;
    RevokeRequest::new(Subject::from_id(ADA).expect("an id")).for_account(account)
}

pub(crate) fn revoked(answer: Result<Report, Error>) -> Ended {
    match answer.map(|report| report.outcome) {
        Ok(Outcome::Revoked { ended }) => ended,
        other => panic!("expected Revoked, got {other:?}"),
    }
}

pub(crate) fn partial(answer: Result<Report, Error>) -> (Ended, Vec<ItemFailure>) {
    match answer.map(|report| report.outcome) {
        Ok(Outcome::Partial { ended, failed }) => (ended, failed),
        other => panic!("expected Partial, got {other:?}"),
    }
}

/// A step's counts in short: name, ended, already absent, failed, skipped.
pub(crate) fn counts(ended: &Ended) -> Vec<(&str, u64, u64, u64, u64)> {
    let counts = |step: &'_ Step| (step.ended, step.already_absent, step.failed, step.skipped);
    ended
        .steps
        .iter()
        .map(|step| {
            let (ended, absent, failed, skipped) = counts(step);
            (step.name.as_str(), ended, absent, failed, skipped)
        })
        .collect()
}

pub(crate) fn secret_file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("the temporary folder takes a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .expect("the owner may change the mode");
    }
    path
}
