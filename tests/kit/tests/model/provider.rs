//! The model's procedure: two steps, a directory, evidence.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use rescind_core::budget::{Budget, Cost};
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Capabilities, Descriptor, Finding, FindingLevel, FirstCosts, ProbeReport, RevocationProvider,
    RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, ItemFailure, Outcome, Report, Residual, Step, Unsupported};
use rescind_core::subject::{Identifier, IdentifierKind};

use super::flaw::Flaw;
use super::wire::{CALL, Wire};

const STEPS: [&str; 2] = ["passwords", "sessions"];

/// One realm at the model vendor.
#[derive(Debug)]
pub(crate) struct ModelProvider {
    pub(crate) flaw: Flaw,
    descriptor: Descriptor,
    pub(crate) wire: Wire,
    revoked: Mutex<Vec<String>>,
}

impl ModelProvider {
    pub(crate) fn new(
        flaw: Flaw,
        name: ProviderName,
        kind: ConnectorKind,
        realm: String,
        wire: Wire,
    ) -> Self {
        let tenant = match flaw {
            Flaw::NamesTenantByUrl => wire.api.clone(),
            _ => realm,
        };
        let mut descriptor = Descriptor::new(name, kind, tenant);
        descriptor.budgets = vec![Budget::window("calls", 600, Duration::from_secs(60))];
        let revoke = match flaw {
            Flaw::PromisesAnotherCost => CALL.times(5),
            _ => CALL,
        };
        descriptor.first_cost = FirstCosts::new(CALL, revoke, CALL);
        descriptor.residual = vec![Residual::new("access tokens", None)];
        Self {
            flaw,
            descriptor,
            wire,
            revoked: Mutex::default(),
        }
    }

    pub(crate) fn person_url(&self, id: &str) -> Result<String, Error> {
        let unusable = id.is_empty() || matches!(id, "." | "..");
        if unusable && !matches!(self.flaw, Flaw::SendsEmptyIds | Flaw::RawIds) {
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "address",
                "this is no id",
            ));
        }
        let id = match self.flaw {
            Flaw::RawIds => id.to_owned(),
            _ => encoded(id),
        };
        Ok(format!("{}/people/{id}", self.wire.api))
    }

    async fn step(&self, cx: &Context, id: &str, step: &str, n: usize) -> Result<Done, Error> {
        let url = format!("{}/{step}/end", self.person_url(id)?);
        let cost = (n == 0 || self.flaw != Flaw::PaysOnceForAll).then_some(CALL);
        let reply = self.wire.call(cx, Method::POST, &url, cost).await?;
        if reply.is_nobody(self.flaw) {
            return Ok(Done::Nobody);
        }
        if let Some(error) = self.wire.failure(&reply) {
            return Err(error);
        }
        let told = match (reply.json(), self.flaw) {
            (Ok(told), _) => told,
            (Err(_), Flaw::Any2xxIsASuccess) => return Ok(Done::Ended(1, reply.date)),
            (Err(error), _) => return Err(error),
        };
        match (told["done"].as_bool(), told["ended"].as_u64()) {
            (Some(true), Some(ended)) => Ok(Done::Ended(ended, reply.date)),
            (Some(false), _) if self.flaw == Flaw::RoundsFalseUp => Ok(Done::Ended(0, reply.date)),
            _ => Err(reply.odd("the answer does not say what was done")),
        }
    }

    fn id_of(&self, request: &RevokeRequest) -> Option<String> {
        if let Some(account) = &request.account {
            return Some(account.id.clone());
        }
        request
            .subject
            .identifiers()
            .iter()
            .find_map(|identifier| match identifier {
                Identifier::ObjectId { id } => Some(id.clone()),
                Identifier::IssSub { sub, .. } if self.flaw == Flaw::TakesAnyIdentifier => {
                    Some(sub.clone())
                }
                _ => None,
            })
    }

    /// Whether this is the second time for somebody, as one flaw has it.
    fn refuses_now(&self, id: &str) -> bool {
        let mut revoked = self.revoked.lock().expect("no panic under the lock");
        let before = revoked.iter().any(|other| other == id);
        revoked.push(id.to_owned());
        before && self.flaw == Flaw::RefusesTheSecondTime
    }
}

enum Done {
    Ended(u64, Option<jiff::Timestamp>),
    Nobody,
}

#[async_trait]
impl RevocationProvider for ModelProvider {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        if self.flaw == Flaw::RefusesButCalls {
            return Capabilities::refusing(Unsupported::new("it cannot", "do it by hand"));
        }
        let scopes = [ScopeKind::Everything, ScopeKind::Items]
            .map(|scope| ScopeCapability::new(scope, true))
            .to_vec();
        let identifiers = vec![
            IdentifierKind::Email,
            IdentifierKind::UserPrincipalName,
            IdentifierKind::ObjectId,
        ];
        Capabilities::new(scopes, identifiers)
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        let method = match self.flaw {
            Flaw::ProbeWrites => Method::PUT,
            _ => Method::GET,
        };
        let url = format!("{}/me", self.wire.api);
        let reply = self.wire.call(cx, method, &url, Some(CALL)).await;
        let good = Finding::new(FindingLevel::Good, "token", "accepted");
        match (reply, self.flaw) {
            (_, Flaw::ProbeIsAlwaysWell | Flaw::ProbeWrites) => Ok(ProbeReport::new(vec![good])),
            (Err(error), _) => Err(error),
            (Ok(reply), _) => match self.wire.failure(&reply) {
                Some(error) => Err(error),
                None => reply.json().map(|_| ProbeReport::new(vec![good])),
            },
        }
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let Some(id) = self.id_of(request) else {
            let why = Unsupported::new("only ids are understood", "resolve first");
            return Ok(Report::new(Outcome::Unsupported(why)));
        };
        if self.flaw == Flaw::RefusesButCalls {
            let _ = self.step(cx, &id, STEPS[0], 0).await;
            let why = Unsupported::new("it cannot", "do it by hand");
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        if self.flaw == Flaw::AddressInLogs {
            tracing::debug!(
                who = request.account.as_ref().map(|who| who.name.as_str()),
                "revoking"
            );
        }
        if self.flaw == Flaw::ClaimsWithoutCalling {
            let ended = Ended::steps(STEPS.map(|step| Step::new(step, 1)).to_vec());
            return Ok(Report::new(Outcome::Revoked { ended }));
        }
        if self.refuses_now(&id) {
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "revoke",
                "was revoked before",
            ));
        }
        let (mut ended, mut failed, mut date) = (Vec::new(), Vec::new(), None);
        for (n, step) in STEPS.into_iter().enumerate() {
            let done = request.done_steps.iter().any(|done| done == step);
            if done && self.flaw != Flaw::RepeatsDoneSteps {
                continue;
            }
            match self.step(cx, &id, step, n).await {
                Ok(Done::Ended(count, at)) => {
                    ended.push(Step::new(step, count));
                    date = at;
                }
                Ok(Done::Nobody) if self.flaw == Flaw::NobodyIsASuccess => {
                    return Ok(Report::new(Outcome::NothingToRevoke));
                }
                Ok(Done::Nobody) => return Ok(Report::new(Outcome::SubjectNotFound)),
                Err(error) => {
                    failed.push(ItemFailure::new(step, None, error));
                    if self.flaw == Flaw::StopsAtTheFirstFailure {
                        break;
                    }
                }
            }
        }
        if self.flaw == Flaw::ForgetsAStep {
            ended.truncate(1);
        }
        let ended = Ended::steps(ended);
        let outcome = if failed.is_empty() {
            Outcome::Revoked { ended }
        } else {
            Outcome::Partial { ended, failed }
        };
        let date = date.filter(|_| self.flaw != Flaw::ForgetsTheProvidersTime);
        Ok(Report::new(outcome).at(date))
    }
}

/// Keeps the unreserved characters of RFC 3986 and encodes the rest.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// What a read costs.
pub(crate) const READ: Option<Cost> = Some(CALL);
