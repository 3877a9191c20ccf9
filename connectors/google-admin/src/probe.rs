//! Credentials and rights, checked without changing anything.

use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind};
use rescind_core::provider::{Finding, FindingLevel, ProbeReport};

use crate::classify::Refusal;
use crate::provider::Workspace;
use crate::revoke::stops;
use crate::scope::ScopeSet;
use crate::step::Step;

impl Workspace {
    pub(crate) async fn probe_rights(&self, cx: &Context) -> Result<ProbeReport, Error> {
        let mut findings = Vec::new();
        let token = self.api.token(cx, ScopeSet::People).await;
        let may_go_on = token.is_ok();
        findings.push(finding(
            "token",
            FindingLevel::Fault,
            "Google issues access tokens for reading users and ending their sessions",
            token,
        )?);
        if may_go_on {
            let users = self.api.users(cx, 1, None).await;
            findings.push(finding(
                "right Users > Read",
                FindingLevel::Fault,
                "users can be read",
                users.map(drop).map_err(Refusal::into_error),
            )?);
            // Only a warning: some administrators may not list what is their own.
            let own = self.api.grants(cx, &self.impersonate).await;
            findings.push(finding(
                "right User Security Management",
                FindingLevel::Warning,
                "grants can be listed",
                own.map(drop).map_err(Refusal::into_error),
            )?);
            let groups = self.api.token(cx, ScopeSet::Groups).await;
            findings.push(finding(
                "token for groups",
                FindingLevel::Warning,
                "the members of groups may be read",
                groups,
            )?);
        }
        if !self.steps.contains(&Step::SignOut) {
            findings.push(
                Finding::new(
                    FindingLevel::Warning,
                    "steps",
                    "web and device sessions stay alive: the step sign-out is not configured",
                )
                .with_hint("add sign-out to `steps`"),
            );
        }
        Ok(ProbeReport::new(findings))
    }
}

/// A check as a finding. What says nothing about rights (we were stopped, Google is down) is no finding.
fn finding(
    what: &str,
    level: FindingLevel,
    good: &str,
    checked: Result<(), Error>,
) -> Result<Finding, Error> {
    let error = match checked {
        Ok(()) => return Ok(Finding::new(FindingLevel::Good, what, good)),
        Err(error) => error,
    };
    let says_nothing = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout => !error.is_lane_fault(),
        ErrorKind::RateLimited | ErrorKind::Cancelled => true,
        _ => false,
    };
    if says_nothing {
        return Err(error);
    }
    // A refusal of the whole application is a fault wherever it is met, except of the token that only groups need.
    let level = if stops(&error) && error.kind() != ErrorKind::Unauthenticated {
        FindingLevel::Fault
    } else {
        level
    };
    let finding = Finding::new(level, what, error.message());
    Ok(match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    })
}
