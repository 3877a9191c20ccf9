//! Ends a person's sessions: `revokeSignInSessions`.
//!
//! After <https://learn.microsoft.com/graph/api/user-revokesigninsessions>.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::provider::{
    Capabilities, Descriptor, Directory, ProbeReport, Resolution, RevocationProvider,
    RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, Outcome, Report, Residual, Step, Unsupported};
use rescind_core::subject::{Identifier, IdentifierKind, Subject};
use rescind_http::{Effect, StatusCode};

use crate::address;
use crate::answer::{GraphAnswer, Verdict};
use crate::batch::Batcher;
use crate::directory::EntraDirectory;
use crate::graph::Graph;
use crate::limits;
use crate::probe::probe;
use crate::wire::Boolean;

pub(crate) const OPERATION: &str = "revokeSignInSessions";
/// The application permission that suffices.
pub(crate) const RIGHT: &str = "User.RevokeSessions.All";

/// How long the documents give until applications with continuous access evaluation have noticed.
pub(crate) const EFFECTIVE_WITHIN: Duration = Duration::from_secs(15 * 60);
/// How long an access token lives at most by default (60 to 90 minutes).
const TOKEN_LIFE: Duration = Duration::from_secs(90 * 60);

/// Ends sessions in one Entra tenant.
#[derive(Debug)]
pub(crate) struct EntraRevocation {
    descriptor: Descriptor,
    graph: Graph,
    writes: Batcher,
    directory: Arc<EntraDirectory>,
}

impl EntraRevocation {
    pub(crate) fn new(
        descriptor: Descriptor,
        graph: Graph,
        directory: Arc<EntraDirectory>,
    ) -> Self {
        Self {
            descriptor,
            writes: Batcher::new(graph.clone(), Effect::Write, limits::revoke()),
            graph,
            directory,
        }
    }

    async fn revoke_key(&self, cx: &Context, key: &str) -> Result<Report, Error> {
        let path = address::user(key, "/revokeSignInSessions")?;
        let answer = self.writes.call(cx, OPERATION, path).await?;
        let (date, request_id) = (answer.date, answer.request_id.clone());
        Ok(Report::new(outcome(answer)?)
            .at(date)
            .with_vendor_request_ids(request_id.into_iter().collect()))
    }

    /// An address that is only known as mail has to be looked up: Graph does not address users by it.
    async fn look_up(&self, cx: &Context, subject: &Subject) -> Result<Found, Error> {
        let answers = self
            .directory
            .resolve(cx, std::slice::from_ref(subject))
            .await?;
        Ok(match answers.into_iter().next() {
            Some(Resolution::Found(account)) => match account.not_covered {
                None => Found::Key(account.id),
                Some(why) => Found::Answer(Outcome::Unsupported(why)),
            },
            Some(Resolution::Failed(error)) => return Err(error),
            Some(Resolution::Ambiguous { .. }) => {
                Found::Answer(Outcome::Unsupported(Unsupported::new(
                    "more than one account answers to this address",
                    "name the person by sign-in name or object id",
                )))
            }
            _ => Found::Answer(Outcome::SubjectNotFound),
        })
    }
}

enum Found {
    Key(String),
    Answer(Outcome),
}

#[async_trait]
impl RevocationProvider for EntraRevocation {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            vec![ScopeCapability::new(ScopeKind::Everything, true)],
            vec![
                IdentifierKind::ObjectId,
                IdentifierKind::UserPrincipalName,
                IdentifierKind::Email,
            ],
        )
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        probe(&self.graph, &self.descriptor.vendor_tenant, cx).await
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        if let Some(why) = request.account.as_ref().and_then(|a| a.not_covered.clone()) {
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        let key = match (&request.account, key_of(&request.subject)) {
            (Some(account), _) => account.id.clone(),
            (None, Some(key)) if is_guest_name(key) => {
                return Ok(Report::new(Outcome::Unsupported(guest())));
            }
            (None, Some(key)) => key.to_owned(),
            // Boxed: the engine looks up before, so hardly any call comes here.
            (None, None) => match Box::pin(self.look_up(cx, &request.subject)).await? {
                Found::Key(id) => id,
                Found::Answer(outcome) => return Ok(Report::new(outcome)),
            },
        };
        let enabled = request.account.as_ref().and_then(|account| account.enabled);
        let mut report = self.revoke_key(cx, &key).await?;
        if matches!(report.outcome, Outcome::Accepted { .. }) {
            report.residual = residual(enabled);
        }
        Ok(report)
    }
}

/// The identifier Graph takes in a URL.
fn key_of(subject: &Subject) -> Option<&str> {
    subject
        .identifiers()
        .iter()
        .find_map(|identifier| match identifier {
            Identifier::ObjectId { id } => Some(id.as_str()),
            Identifier::UserPrincipalName { upn } => Some(upn.as_str()),
            _ => None,
        })
}

/// What an answer to the call means for the person.
pub(crate) fn outcome(answer: GraphAnswer) -> Result<Outcome, Error> {
    match answer.verdict(RIGHT)? {
        Verdict::Missing => Ok(Outcome::SubjectNotFound),
        Verdict::Answered(answer) => accepted(&answer),
    }
}

/// The two documented forms of success: `200` with `value: true`, and the older `204` without a body. Everything else
/// that looks like one, `false` and an `error` beside `true` included, is left to the read-back.
fn accepted(answer: &GraphAnswer) -> Result<Outcome, Error> {
    let done = match answer.status {
        StatusCode::OK => {
            let told = answer.json::<Boolean>()?;
            told.value && told.error.is_none()
        }
        StatusCode::NO_CONTENT => answer.body.is_empty(),
        _ => false,
    };
    if !done {
        return Err(answer.unrecognised("the answer does not say that the sessions were revoked"));
    }
    Ok(Outcome::Accepted {
        ended: Ended::by(Step::new("sign-in-sessions", 1)),
    })
}

/// Whether a sign-in name is a guest's.
pub(crate) fn is_guest_name(name: &str) -> bool {
    name.to_ascii_uppercase().contains("#EXT#")
}

/// Why guests are never called: the call would answer 2xx and end nothing.
pub(crate) fn guest() -> Unsupported {
    Unsupported::new(
        "a guest: they sign in at their home organisation, whose sessions this tenant cannot end",
        "ask the home organisation to revoke, and block or remove the guest here",
    )
}

/// What a success leaves alive
/// (<https://learn.microsoft.com/entra/identity/users/users-revoke-access>).
pub(crate) fn residual(enabled: Option<bool>) -> Vec<Residual> {
    let mut residual = vec![
        Residual::new(
            "Exchange, SharePoint, Teams and other applications with continuous access evaluation",
            Some(EFFECTIVE_WITHIN),
        ),
        Residual::new(
            "access tokens already issued, in applications without continuous access evaluation",
            Some(TOKEN_LIFE),
        ),
        Residual::new(
            "sessions that an application keeps by a cookie of its own",
            None,
        ),
        Residual::new("on-premises Active Directory and Kerberos logons", None),
    ];
    if enabled == Some(true) {
        residual.push(Residual::new(
            "the account is still enabled: the person may sign in again",
            None,
        ));
    }
    residual
}
