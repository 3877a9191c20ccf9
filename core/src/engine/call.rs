//! One person's call: what is asked, and what its answer makes of the job.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc::UnboundedSender;

use super::classify::{self, Judged, Ruling};
use super::desk::Desk;
use super::feed::steps_done;
use super::gate::Place;
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
        let desk = Arc::clone(&self.desk);
        let Some((work, _, permit)) = &self.open else {
            return;
        };
        let (place, answer) = match desk.place(work, permit).await {
            Ok(place) => (place, ask(&desk, work, permit.paid()).await),
            Err(error) => (None, Err(error)),
        };
        // The lane hears of a refusal before anybody takes the place.
        self.end(answer);
        drop(place);
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

/// Makes several calls at once, each to its own end: one that panics takes none of the others with it. The panic is ours;
/// a connector's ends no later than its call.
pub(super) async fn make_all(calls: Vec<Call>) {
    let mut calls: FuturesUnordered<_> = calls
        .into_iter()
        .map(|call| AssertUnwindSafe(call.make()).catch_unwind())
        .collect();
    while let Some(ended) = calls.next().await {
        if ended.is_err() {
            tracing::error!("a call panicked; whether it was carried out is unknown");
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // One that panics each time must come to an end, as an answer that nobody understands.
        let error = if std::thread::panicking() {
            Error::panicked("revoke", Retry::OutcomeUnknown)
        } else {
            let dropped = "the call was dropped before its answer came";
            let retry = Retry::OutcomeUnknown;
            Error::new(ErrorKind::Cancelled, retry, "revoke", dropped)
        };
        self.end(Err(error));
    }
}

impl Desk {
    /// Waits for a place, and says whether the call may still be made then. Nobody waits between this and the call: what
    /// holds now holds for it.
    async fn place(&self, work: &Work, permit: &Permit) -> Result<Option<Place<'_>>, Error> {
        // Those who hold the places may be waiting for the probe.
        let place = if permit.is_probe() {
            None
        } else {
            tokio::select! {
                biased;
                () = self.run.draining.cancelled() => return Err(too_late("the run has ended")),
                place = self.gate.enter(work.priority()) => Some(place),
            }
        };
        if work.order.is_on_hold() {
            return Err(too_late("the order was put on hold"));
        }
        if !permit.is_good() {
            return Err(too_late("the lane has paused"));
        }
        // The guard below refuses what leaves on a list that is too old; here the list is asked for.
        self.has_fresh_list();
        Ok(place)
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

/// Something has happened while the claim was written, or while there was no place: it holds for this call, too.
fn too_late(what: &str) -> Error {
    Error::new(
        ErrorKind::Cancelled,
        Retry::Safe { after: None },
        "revoke",
        format!("{what} since the call was admitted"),
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
