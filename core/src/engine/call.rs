//! One person's call: what is asked, and what its answer makes of the job.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::classify::{self, Judged, Ruling};
use super::desk::Desk;
use super::feed::steps_done;
use super::lane::{Permit, Verdict};
use super::queue::Work;
use super::settle::{self, Done};
use crate::context::Paid;
use crate::error::{Error, ErrorKind, Retry};
use crate::id::Token;
use crate::job::{WaitReason, subject_of};
use crate::provider::{RevokeRequest, Scope};
use crate::report::Report;
use crate::subject::Subject;

/// A call that may be made: its job is claimed, and the claim is synced. However it ends, even by a panic or by being
/// dropped, its job gets an outcome.
pub(super) struct Call {
    desk: Arc<Desk>,
    outcomes: UnboundedSender<Done>,
    open: Option<(Work, Token, Permit)>,
}

impl Call {
    pub(super) fn new(
        desk: Arc<Desk>,
        outcomes: UnboundedSender<Done>,
        work: Work,
        token: Token,
        permit: Permit,
    ) -> Self {
        Self {
            desk,
            outcomes,
            open: Some((work, token, permit)),
        }
    }

    pub(super) async fn make(mut self) {
        // The guard below refuses what leaves on a list that is too old; here the list is asked for.
        self.desk.has_fresh_list();
        let answer = match &self.open {
            Some((.., permit)) if !permit.is_good() => Err(too_late()),
            Some((work, _, permit)) => ask(&self.desk, work, permit.paid()).await,
            None => return,
        };
        self.end(answer);
    }

    fn end(&mut self, answer: Result<Report, Error>) {
        let Some((mut work, token, permit)) = self.open.take() else {
            return;
        };
        let Judged {
            ruling,
            detail,
            verdict,
        } = classify::judge(answer, &work.job.detail, work.subject());
        if matches!(verdict, Verdict::Served | Verdict::Heard) {
            self.desk.answered(ruling.is_success());
        }
        if work.is_retry() && ruling.is_success() {
            self.desk.member.lane.retry_went_well();
        }
        permit.done(&verdict);
        let fate = settle::decide(&self.desk, &work, ruling, detail);
        if matches!(ruling, Ruling::Unknown(_)) {
            // Even parked it stays so: evidence is read before the next call.
            work.job.waited = Some(WaitReason::Unknown);
            work.checked = false;
        }
        let _ = self.outcomes.send(Done::of_call(work, token, fate));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Err(Error::new(
            ErrorKind::Cancelled,
            Retry::OutcomeUnknown,
            "revoke",
            "the call was dropped before its answer came",
        )));
    }
}

async fn ask(desk: &Desk, work: &Work, paid: Paid) -> Result<Report, Error> {
    let member = &desk.member;
    let cx = member
        .context_until(work.priority(), desk.run.calls.clone())
        .for_order(work.order.id)
        .prepaid(member.descriptor.first_cost.revoke, paid);
    match &work.job.scope {
        Scope::Everything => {
            let Some(revocation) = &member.roles.revocation else {
                return Err(missing_role());
            };
            revocation.revoke(&cx, &request(desk, work)?).await
        }
        Scope::Items(items) => match (&member.roles.inventory, &work.account) {
            (Some(inventory), Some(account)) => inventory.end(&cx, &account.id, items).await,
            _ => Err(missing_role()),
        },
    }
}

fn request(desk: &Desk, work: &Work) -> Result<RevokeRequest, Error> {
    let subject = match &work.account {
        Some(account) if desk.member.roles.directory.is_some() => Subject::from_id(&account.id),
        _ => subject_of(&work.job.subject, work.job.alias.as_deref()),
    };
    let subject = subject.map_err(|error| {
        Error::new(
            ErrorKind::Unexpected,
            Retry::Never,
            "revoke",
            error.to_string(),
        )
    })?;
    let mut request = RevokeRequest::new(subject);
    if desk.member.roles.directory.is_some() {
        request.account.clone_from(&work.account);
    }
    request.done_steps = steps_done(work);
    Ok(request)
}

/// The lane has paused or stopped while the claim was written: what it asked for holds for this call, too.
fn too_late() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        Retry::Safe { after: None },
        "revoke",
        "the lane has paused since the call was admitted",
    )
}

fn missing_role() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        Retry::Never,
        "revoke",
        "the provider does not play the role that this needs",
    )
}
