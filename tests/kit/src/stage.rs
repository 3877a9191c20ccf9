//! A connector, built, before a fake vendor.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rescind_core::budget::Cost;
use rescind_core::clock::SystemClock;
use rescind_core::config::{ConfigError, HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Roles};
use rescind_core::context::Context;
use rescind_core::id::ProviderName;
use rescind_core::provider::{
    Account, Directory, Evidence, RevocationProvider, RevokeRequest, SessionInventory,
};
use rescind_core::subject::{IdentifierKind, Subject};
use tokio_util::sync::CancellationToken;
use wiremock::Request;

use crate::answer::Answer;
use crate::canary;
use crate::fixture::{Person, VendorFixture};
use crate::port::PaidPort;
use crate::vendor::FakeVendor;
use crate::verdict::{Stop, Verdict, ensure};

/// No call of a connector takes this long on loopback, unless it never returns.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a case is given: the connector's fixture.
#[derive(Clone)]
pub struct Kit {
    pub(crate) fixture: Arc<dyn VendorFixture>,
    patience: Duration,
}

impl Kit {
    /// A kit for a connector.
    pub fn new(fixture: impl VendorFixture) -> Self {
        Self {
            fixture: Arc::new(fixture),
            patience: PATIENCE,
        }
    }

    /// Waits this long for a call before it says that the call never returns; 20 s unless told.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A well-behaved vendor, not yet pointed at.
    pub(crate) async fn vendor(&self) -> FakeVendor {
        let vendor = FakeVendor::start().await;
        self.fixture.well_behaved(&vendor).await;
        vendor
    }

    /// The connector built before a well-behaved vendor, with a purse that never runs dry.
    pub(crate) async fn stage(&self) -> Result<Stage, Stop> {
        let vendor = self.vendor().await;
        self.stage_before(vendor)
    }

    pub(crate) fn stage_before(&self, vendor: FakeVendor) -> Result<Stage, Stop> {
        let roles = self
            .build(&self.fixture.settings(&vendor))
            .map_err(|error| {
                Stop::broken(format!("the fixture's settings are refused: {error}"))
            })?;
        let Some(revocation) = roles.revocation.clone() else {
            return Err(Stop::broken("a connector without the revocation role"));
        };
        Ok(Stage {
            kit: self.clone(),
            vendor,
            roles,
            revocation,
            port: Arc::new(PaidPort::unlimited()),
        })
    }

    pub(crate) fn build(&self, settings: &str) -> Result<Roles, ConfigError> {
        let name = provider_name();
        self.fixture.connector().build(&BuildContext::new(
            &name,
            &Settings::from_toml(settings),
            &HttpSettings::default(),
            Arc::new(SystemClock),
        ))
    }

    /// A stage for a case about revoking; a connector that refuses everything has none.
    pub(crate) async fn revoking(&self) -> Result<Stage, Stop> {
        self.stage().await?.that_revokes()
    }
}

pub(crate) fn provider_name() -> ProviderName {
    ProviderName::parse(canary::PROVIDER).expect("the kit's own name is a name")
}

/// A connector, built, before a fake vendor.
pub(crate) struct Stage {
    pub(crate) kit: Kit,
    pub(crate) vendor: FakeVendor,
    pub(crate) roles: Roles,
    pub(crate) revocation: Arc<dyn RevocationProvider>,
    pub(crate) port: Arc<PaidPort>,
}

impl Stage {
    pub(crate) fn that_revokes(self) -> Result<Self, Stop> {
        if self.revocation.capabilities().refuses.is_some() {
            return Err(Stop::does_not_apply("the connector refuses everything"));
        }
        ensure!(
            self.kit.fixture.people().len() >= 3,
            "the fixture names fewer than three people"
        );
        Ok(self)
    }

    /// The same stage with a purse that is held shut after some payments.
    pub(crate) fn allowing(mut self, payments: usize) -> Self {
        self.port = Arc::new(PaidPort::allowing(payments));
        self
    }

    /// The same stage before a lane that shuts between a payment and its request.
    pub(crate) fn shutting_after_the_first_payment(mut self) -> Self {
        self.port = Arc::new(PaidPort::shutting_after(1));
        self
    }

    pub(crate) fn fixture(&self) -> &dyn VendorFixture {
        self.kit.fixture.as_ref()
    }

    pub(crate) fn person(&self, n: usize) -> Person {
        let people = self.fixture().people();
        people[n % people.len()].clone()
    }

    pub(crate) fn directory(&self) -> Result<Arc<dyn Directory>, Stop> {
        self.roles
            .directory
            .clone()
            .ok_or_else(|| Stop::does_not_apply("the connector has no directory role"))
    }

    pub(crate) fn evidence(&self) -> Result<Arc<dyn Evidence>, Stop> {
        self.roles
            .evidence
            .clone()
            .ok_or_else(|| Stop::does_not_apply("the connector has no evidence role"))
    }

    pub(crate) fn inventory(&self) -> Result<Arc<dyn SessionInventory>, Stop> {
        self.roles
            .inventory
            .clone()
            .ok_or_else(|| Stop::does_not_apply("the connector has no inventory role"))
    }

    pub(crate) fn cx(&self) -> Context {
        Context::new(self.port.clone())
    }

    pub(crate) fn cx_until(&self, cancel: &CancellationToken) -> Context {
        self.cx().with_cancel(cancel.clone())
    }

    /// The request as the engine would make it: by the vendor's id where the connector can resolve, as given where not.
    pub(crate) fn request(&self, person: &Person) -> RevokeRequest {
        if self.roles.directory.is_none() {
            let identifiers = self.revocation.capabilities().identifiers;
            let by_id = identifiers == [IdentifierKind::ObjectId];
            let name = if by_id { &person.id } else { &person.address };
            return RevokeRequest::new(subject(name));
        }
        let account = Account::new(&person.id, &person.address);
        match Subject::from_id(&person.id) {
            Ok(by_id) => RevokeRequest::new(by_id).for_account(account),
            // An id that is no identifier can only come from a vendor: the account carries it.
            Err(_) => RevokeRequest::new(subject(&person.address)).for_account(account),
        }
    }

    pub(crate) async fn revoke(&self, person: &Person) -> Result<Answer, Stop> {
        self.revoke_with(&self.cx(), &self.request(person)).await
    }

    pub(crate) async fn revoke_with(
        &self,
        cx: &Context,
        request: &RevokeRequest,
    ) -> Result<Answer, Stop> {
        self.in_time("revoke", self.revocation.revoke(cx, request))
            .await
            .map(Answer)
    }

    /// Waits for a call, but not for ever.
    pub(crate) async fn in_time<T>(
        &self,
        what: &str,
        call: impl Future<Output = T>,
    ) -> Result<T, Stop> {
        let patience = self.kit.patience;
        tokio::time::timeout(patience, call)
            .await
            .map_err(|_| Stop::broken(format!("{what} did not return within {patience:?}")))
    }

    /// Requests to the API since the first `seen`.
    pub(crate) async fn api_requests_after(&self, seen: usize) -> Vec<Request> {
        self.vendor.api_requests().await.split_off(seen)
    }

    pub(crate) async fn nothing_was_sent(&self, when: &str) -> Verdict {
        let sent = self.vendor.api_requests().await;
        ensure!(
            sent.is_empty(),
            "{when}: no request may reach the API, but these did: {}",
            told(&sent)
        );
        Ok(())
    }

    pub(crate) fn writes<'a>(&self, requests: &'a [Request]) -> Vec<&'a Request> {
        requests
            .iter()
            .filter(|request| self.fixture().changes_something(request))
            .collect()
    }

    /// Whether the connector's calls draw on any budget at all.
    pub(crate) fn has_budgets(&self) -> Verdict {
        if self.revocation.descriptor().budgets.is_empty() {
            return Err(Stop::does_not_apply("the connector declares no budget"));
        }
        Ok(())
    }
}

pub(crate) fn subject(text: &str) -> Subject {
    Subject::parse(text).expect("the fixture's people have readable addresses")
}

/// Method and path of each request, for a person to read.
pub(crate) fn told(requests: &[Request]) -> String {
    let lines: Vec<_> = requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.url.path()))
        .collect();
    lines.join(", ")
}

/// The budgets that payments drew on.
pub(crate) fn budgets_of(payments: &[Cost]) -> Vec<&'static str> {
    payments
        .iter()
        .flat_map(|cost| cost.parts().map(|(budget, _)| budget).collect::<Vec<_>>())
        .collect()
}

/// Matches the requests that can change something at this vendor.
pub(crate) fn changes(kit: &Kit) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let fixture = kit.fixture.clone();
    move |request| fixture.changes_something(request)
}
