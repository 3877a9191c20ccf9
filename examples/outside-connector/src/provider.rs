//! Acme's procedure: one request ends everything.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use rescind_core::budget::{Budget, Cost};
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Capabilities, Descriptor, Finding, FindingLevel, FirstCosts, ProbeReport, RevocationProvider,
    RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, Outcome, Report, Residual, Step, Unsupported};
use rescind_core::subject::{Identifier, IdentifierKind, Subject};
use rescind_http::{Answer, BaseUrl, HeaderName, HeaderValue, HttpClient, Request, StatusCode};

use crate::config::Checked;
use crate::wire::{Fault, Key, SessionsEnded};

/// Acme allows 600 requests a minute for each key, of any kind.
const CALLS: Budget = Budget::window("calls", 600, Duration::from_secs(60));
const ONE_CALL: Cost = Cost::of("calls", 1);
const RIGHT: &str = "sessions.end";

/// One workspace at Acme.
pub(crate) struct AcmeWorkspace {
    descriptor: Descriptor,
    http: HttpClient,
    api: BaseUrl,
    authorization: HeaderValue,
}

impl AcmeWorkspace {
    pub(crate) fn new(
        name: ProviderName,
        kind: ConnectorKind,
        http: HttpClient,
        checked: Checked,
    ) -> Self {
        let mut descriptor = Descriptor::new(name, kind, checked.workspace);
        descriptor.budgets = vec![CALLS];
        descriptor.first_cost = FirstCosts::new(Cost::NOTHING, ONE_CALL, Cost::NOTHING);
        descriptor.residual = vec![Residual::new(
            "access tokens already issued",
            Some(Duration::from_secs(15 * 60)),
        )];
        Self {
            descriptor,
            http,
            api: checked.api,
            authorization: checked.authorization,
        }
    }

    /// Pays for a request, signs it and sends it.
    async fn send(&self, cx: &Context, request: Request) -> Result<Answer, Error> {
        let authorization = HeaderName::from_static("authorization");
        let request = request.header(authorization, self.authorization.clone());
        self.http.send(cx, ONE_CALL, request).await
    }
}

#[async_trait]
impl RevocationProvider for AcmeWorkspace {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            vec![ScopeCapability::new(ScopeKind::Everything, true)],
            vec![IdentifierKind::UserPrincipalName, IdentifierKind::Email],
        )
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        let request = Request::get("key", self.api.at("/v1/key").build());
        let answer = self.send(cx, request).await?;
        if let Some(error) = answer.failure() {
            return Err(error);
        }
        let key: Key = answer.json()?;
        let finding = if key.rights.iter().any(|right| right == RIGHT) {
            Finding::new(FindingLevel::Good, "right sessions.end", "granted")
        } else {
            Finding::new(FindingLevel::Fault, "right sessions.end", "missing")
                .with_hint("add it to the key in Acme's console under Keys")
        };
        Ok(ProbeReport::new(vec![finding]))
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let Some(login) = login(&request.subject) else {
            let why = Unsupported::new(
                "Acme knows people by their sign-in name only",
                "name the person by the address they sign in with",
            );
            return Ok(Report::new(Outcome::Unsupported(why)));
        };
        let url = self.api.at("/v1/people").segment(login)?.path("/sessions");
        let request = Request::delete("sessions.end", url.build());
        let answer = self.send(cx, request).await?;
        if is_unknown_person(&answer) {
            return Ok(Report::new(Outcome::SubjectNotFound).at(answer.date));
        }
        if let Some(error) = answer.failure() {
            return Err(error);
        }
        // A 2xx without the number is not Acme's answer: perhaps done, never a success.
        let SessionsEnded { ended } = answer.json()?;
        let outcome = Outcome::Revoked {
            ended: Ended::by(Step::new("sessions", ended)),
        };
        Ok(Report::new(outcome)
            .at(answer.date)
            .with_residual(self.descriptor.residual.clone()))
    }
}

fn login(subject: &Subject) -> Option<&str> {
    subject.identifiers().iter().find_map(|identifier| {
        matches!(
            identifier,
            Identifier::UserPrincipalName { .. } | Identifier::Email { .. }
        )
        .then(|| identifier.value())
    })
}

/// Acme's own 404, not that of a proxy on the way or of a wrong `api_url`.
fn is_unknown_person(answer: &Answer) -> bool {
    answer.status == StatusCode::NOT_FOUND
        && answer
            .json::<Fault>()
            .is_ok_and(|fault| fault.code == "no_such_person")
}

impl fmt::Debug for AcmeWorkspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeWorkspace")
            .field("name", &self.descriptor.name)
            .field("api", &self.api)
            .finish_non_exhaustive()
    }
}
