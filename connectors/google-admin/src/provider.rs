//! One configured Workspace account, and how it ends a person's sessions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rescind_core::budget::Budget;
use rescind_core::clock::Clock;
use rescind_core::config::ConfigError;
use rescind_core::connector::BuildContext;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::ConnectorKind;
use rescind_core::provider::{
    Capabilities, Descriptor, FirstCosts, ProbeReport, RevocationProvider, RevokeRequest,
    ScopeCapability, ScopeKind,
};
use rescind_core::report::{Outcome, Report, Residual};
use rescind_core::subject::IdentifierKind;
use rescind_http::{Authorized, HttpClient};

use crate::api::{Api, BUDGET, ONE_CALL};
use crate::config::Checked;
use crate::directory::Lookup;
use crate::revoke::{Gone, Procedure};
use crate::scope::ScopeSet;
use crate::step::Step;
use crate::token::Delegation;

/// Google allows this many requests a minute to each administrator and project.
///
/// <https://developers.google.com/workspace/admin/directory/v1/limits>
const QUOTA: Budget = Budget::window(BUDGET, 2_400, Duration::from_secs(60));
/// Access tokens that Google has issued live this long at most; it is also how long a sign-out may take to be felt.
const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);
/// Above this many people at once Google answers 403 `quotaExceeded` for too many concurrent operations.
const MAX_IN_FLIGHT: u32 = 8;
/// One person takes about five requests and one for each grant and app password, one after the other.
const TIMEOUT: Duration = Duration::from_secs(180);

/// One configured Workspace account in all its roles.
#[derive(Debug)]
pub(crate) struct Workspace {
    descriptor: Descriptor,
    pub(crate) api: Api,
    pub(crate) steps: Vec<Step>,
    pub(crate) impersonate: String,
}

impl Workspace {
    pub(crate) fn new(
        kind: ConnectorKind,
        checked: Checked,
        cx: &BuildContext<'_>,
    ) -> Result<Self, ConfigError> {
        let http = HttpClient::new(cx.http)?;
        let vendor_tenant = checked.vendor_tenant();
        let account = Arc::new(checked.account);
        // Google counts its quota by project, and a service account's address ends in its own.
        let project = account
            .email
            .rsplit_once('@')
            .map(|(_, project)| project.to_owned());
        let authorized = |scopes| {
            let source = Delegation {
                account: Arc::clone(&account),
                impersonate: checked.impersonate.clone(),
                scopes,
                token_url: checked.token_url.clone(),
                audience: checked.audience.clone(),
                clock: Arc::<dyn Clock>::clone(&cx.clock),
            };
            Authorized::new(http.clone(), source)
        };
        let api = Api {
            base: checked.api_url,
            customer: checked.customer,
            people: authorized(ScopeSet::People),
            groups: authorized(ScopeSet::Groups),
        };
        let mut descriptor = Descriptor::new(cx.name.clone(), kind, vendor_tenant);
        descriptor.application = project;
        descriptor.budgets = vec![QUOTA];
        descriptor.first_cost = FirstCosts::new(ONE_CALL, ONE_CALL, ONE_CALL);
        descriptor.max_in_flight = MAX_IN_FLIGHT;
        descriptor.timeout = TIMEOUT;
        descriptor.residual = residual(&checked.steps);
        descriptor.effective_within = ACCESS_TOKEN_LIFE;
        Ok(Self {
            descriptor,
            api,
            steps: checked.steps,
            impersonate: checked.impersonate,
        })
    }

    /// What a success leaves alive for a person.
    pub(crate) fn residual_of(&self, enabled: Option<bool>) -> Vec<Residual> {
        let mut residual = self.descriptor.residual.clone();
        if enabled == Some(true) {
            residual.push(Residual::new(
                "the account is still enabled: the person may sign in again",
                None,
            ));
        }
        residual
    }
}

fn residual(steps: &[Step]) -> Vec<Residual> {
    let mut residual = vec![
        Residual::new("access tokens already issued", Some(ACCESS_TOKEN_LIFE)),
        Residual::new(
            "a session at a third-party identity provider (SAML), which lets the person straight back in",
            None,
        ),
    ];
    let left_out = Step::ALL.iter().filter(|step| !steps.contains(step));
    residual.extend(left_out.map(|step| Residual::new(step.leaves(), None)));
    residual
}

#[async_trait]
impl RevocationProvider for Workspace {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        let scopes = [ScopeKind::Everything, ScopeKind::Items];
        Capabilities::new(
            // Every step may be repeated: what is gone already is reported as such.
            scopes.map(|scope| ScopeCapability::new(scope, true)).into(),
            vec![
                IdentifierKind::Email,
                IdentifierKind::UserPrincipalName,
                IdentifierKind::ObjectId,
            ],
        )
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        self.probe_rights(cx).await
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let account = match &request.account {
            Some(account) => Arc::clone(account),
            None => match self.look_up(cx, &request.subject).await? {
                Lookup::Found(account) => Arc::new(account),
                Lookup::Nobody => return Ok(Report::new(Outcome::SubjectNotFound)),
            },
        };
        let suspended = account.enabled == Some(false);
        let mut procedure = Procedure::new(&self.api, cx, &account.id, suspended);
        let left = self
            .steps
            .iter()
            .filter(|step| !request.done_steps.iter().any(|done| done == step.name()));
        for step in left {
            if let Err(Gone) = procedure.run(*step).await {
                return Ok(Report::new(Outcome::SubjectNotFound));
            }
        }
        let report = procedure.finish()?;
        Ok(report.with_residual(self.residual_of(account.enabled)))
    }
}
