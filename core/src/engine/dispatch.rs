//! Admits, claims, calls.
//!
//! The intent is synced before the first byte leaves: a call is made only for a claim that the store has answered.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::classify::{self, Judged, Ruling};
use super::desk::{Desk, Errand, Fate};
use super::feed::steps_done;
use super::lane::{Permit, Role, Verdict};
use super::queue::Work;
use super::settle::{self, Done, reads_evidence};
use crate::clock::later;
use crate::context::Paid;
use crate::error::{Error, ErrorKind, Retry};
use crate::id::{JobKey, Token};
use crate::job::{WaitReason, subject_of};
use crate::layer::Protection;
use crate::provider::{RevokeRequest, Scope};
use crate::report::{Detail, EvidenceState, OutcomeName, Report};
use crate::store::{Claim, Claimed, Next, StoreError};
use crate::subject::Subject;

/// The most claims in one commit.
const MOST_CLAIMS: usize = 256;

/// The most settlements that may wait for their commit before calls wait for them.
const MOST_UNSETTLED: usize = 8_192;

/// How often a lane with work looks whether it may go on, when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a retry waits when the lane's retry budget is used up.
const RETRY_LATER: Duration = Duration::from_secs(1);

/// Calls that do not end although they were cancelled are left alone after this long.
const CALLS_END_WITHIN: Duration = Duration::from_secs(1);

/// Works through what is ready in one lane until it is told to claim no more, then waits for the calls in flight.
pub(super) async fn dispatch(
    desk: Arc<Desk>,
    outcomes: UnboundedSender<Done>,
) -> Result<(), StoreError> {
    let mut calls = JoinSet::new();
    while !desk.run.draining.is_cancelled() {
        while calls.try_join_next().is_some() {}
        let mut progress = errands(&desk, &outcomes).await?;
        progress |= batch(&desk, &outcomes, &mut calls).await?;
        if !progress {
            tokio::select! {
                biased;
                () = desk.run.draining.cancelled() => {}
                () = desk.dispatch.notified() => {}
                // Another lane may have given a canary's place back.
                () = sleep(LOOK_EVERY), if desk.state().ready.len() > 0 => {}
            }
        }
    }
    let all_over = async { while calls.join_next().await.is_some() {} };
    tokio::pin!(all_over);
    tokio::select! {
        biased;
        () = &mut all_over => return Ok(()),
        () = desk.run.calls.cancelled() => {}
    }
    // A call that ignores its cancellation is dropped; its job waits as unknown.
    let _ = timeout(CALLS_END_WITHIN, all_over).await;
    Ok(())
}

/// Settles what needs no call.
async fn errands(desk: &Arc<Desk>, outcomes: &UnboundedSender<Done>) -> Result<bool, StoreError> {
    let works: Vec<(Work, Errand)> = {
        let mut state = desk.state();
        let n = state.errands.len().min(MOST_CLAIMS);
        state.errands.drain(..n).collect()
    };
    if works.is_empty() {
        return Ok(false);
    }
    let mut ready = Vec::with_capacity(works.len());
    for (work, errand) in works {
        let fate = match errand {
            Errand::Settle(fate) => *fate,
            Errand::Share(with) => {
                let Some(fate) = shared(desk, &work, with).await? else {
                    // The job it would share with is not to be found: it makes its own call.
                    desk.make_ready(work);
                    continue;
                };
                fate
            }
        };
        ready.push((work, fate));
    }
    let claims = ready
        .iter()
        .map(|(work, _)| {
            Claim::new(work.key(), desk.member.name.clone(), work.resolved()).without_call()
        })
        .collect();
    let answers = desk.run.store.claim(claims).await?;
    for ((work, fate), claimed) in ready.into_iter().zip(answers) {
        match claimed {
            Claimed::Running { token, .. } => {
                desk.state().running.insert(work.key());
                let _ = outcomes.send(Done::of_errand(work, token, fate));
            }
            Claimed::InFlight { by } => hold(desk, work, by),
            Claimed::Shared { .. } | Claimed::Lost => desk.forget(&work),
        }
    }
    Ok(true)
}

/// The result of another job's call, as this job's own.
async fn shared(desk: &Desk, work: &Work, with: JobKey) -> Result<Option<Fate>, StoreError> {
    let before = with.as_u64().checked_sub(1).map(JobKey::from_u64);
    // The first job of an order has no predecessor in it, and none is asked for.
    let before = before.filter(|before| before.order() == with.order());
    let jobs = desk.run.store.jobs(with.order(), &[], before, 1).await?;
    let Some(other) = jobs.into_iter().find(|job| job.key == with) else {
        return Ok(None);
    };
    let now = desk.now();
    let evidence = match other.evidence {
        EvidenceState::Verified => EvidenceState::Verified,
        _ if reads_evidence(desk, work) => EvidenceState::Pending,
        _ => EvidenceState::None,
    };
    let detail = Detail {
        shared_with: Some(with.as_u64()),
        error: None,
        refusal: None,
        ..other.detail
    };
    Ok(Some(Fate {
        next: Next::Confirmed {
            effective_by: other
                .effective_by
                .unwrap_or_else(|| later(now, desk.member.descriptor.effective_within)),
            evidence_due: (evidence == EvidenceState::Pending).then_some(now),
            evidence,
        },
        detail,
        used_attempt: false,
    }))
}

/// Makes one batch of calls: as many as the lane admits at once, in one claim.
async fn batch(
    desk: &Arc<Desk>,
    outcomes: &UnboundedSender<Done>,
    calls: &mut JoinSet<()>,
) -> Result<bool, StoreError> {
    if !desk.member.protected().is_fresh() {
        // Its coming rings.
        return Ok(false);
    }
    let Some(first) = take(desk) else {
        return Ok(false);
    };
    let cost = desk.member.descriptor.first_cost.revoke;
    let lane = &desk.member.lane;
    let permit = tokio::select! {
        biased;
        permit = lane.admit(Role::Revoke, &cost, 1, first.priority()) => permit,
        () = desk.run.draining.cancelled() => {
            put_back(desk, first);
            return Ok(false);
        }
        () = overtaken(desk, &first) => {
            put_back(desk, first);
            return Ok(true);
        }
        () = first_errand(desk) => {
            put_back(desk, first);
            return Ok(true);
        }
    };
    let Ok(permit) = permit else {
        // The lane has stopped. What is not claimed is pending in the store.
        first.order.end_call();
        desk.forget(&first);
        desk.forget_unclaimed();
        desk.run.look.notify_one();
        return Ok(true);
    };
    if !desk.member.protected().is_fresh() {
        // It grew old while the lane was paused.
        put_back(desk, first);
        return Ok(false);
    }
    let mut admitted = vec![(first, permit)];
    while admitted.len() < MOST_CLAIMS && outcomes_waiting(desk) < MOST_UNSETTLED {
        let Some(next) = take(desk) else { break };
        let Some(permit) = lane.try_admit(Role::Revoke, &cost, 1, next.priority()) else {
            put_back(desk, next);
            break;
        };
        admitted.push((next, permit));
    }
    claim(desk, admitted, outcomes, calls).await?;
    Ok(true)
}

fn outcomes_waiting(desk: &Desk) -> usize {
    desk.state().running.len()
}

/// Resolves when something urgent came while a bulk job waits to be admitted.
async fn overtaken(desk: &Desk, first: &Work) {
    if first.order.urgent {
        std::future::pending::<()>().await;
    }
    loop {
        desk.urgent.notified().await;
        if desk.state().ready.has_urgent() {
            return;
        }
    }
}

/// Resolves when something came that needs no place in the lane.
async fn first_errand(desk: &Desk) {
    loop {
        desk.dispatch.notified().await;
        if !desk.state().errands.is_empty() {
            return;
        }
    }
}

/// The next job that may be called now. Those that may not, go where they belong.
fn take(desk: &Arc<Desk>) -> Option<Work> {
    loop {
        let work = {
            let state = &mut *desk.state();
            let work = state.ready.pop(super::orders::OpenOrder::may_call)?;
            let id = work.account.as_ref().map(|account| account.id.as_str());
            if let Some(by) = id.and_then(|id| state.in_flight.get(id)).copied() {
                state.held.entry(by).or_default().push(work);
                continue;
            }
            work
        };
        if is_protected(desk, &work) {
            let why = crate::layer::protected_account();
            let fate = Fate::refused(OutcomeName::Protected, why);
            desk.run_errand(work, fate);
            continue;
        }
        if work.is_retry() && !desk.member.lane.may_retry() {
            come_back(desk, work);
            continue;
        }
        if !work.order.begin_call() {
            desk.state().ready.push_front(work);
            return None;
        }
        return Some(work);
    }
}

fn put_back(desk: &Desk, work: Work) {
    work.order.end_call();
    desk.state().ready.push_front(work);
}

fn is_protected(desk: &Desk, work: &Work) -> bool {
    let protected = desk.member.protected();
    let given = work.job.alias.as_deref().unwrap_or(&work.job.subject);
    protected.covers(given)
        || protected.covers(&work.job.subject)
        || work
            .account
            .as_ref()
            .is_some_and(|account| protected.covers_account(account))
}

/// A retry that the lane's budget does not allow now: it stays in memory and tries again.
fn come_back(desk: &Arc<Desk>, work: Work) {
    let desk = Arc::clone(desk);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => {}
            () = sleep(RETRY_LATER) => {}
        }
        desk.make_ready(work);
    });
}

fn hold(desk: &Desk, work: Work, by: JobKey) {
    let state = &mut *desk.state();
    if state.running.contains(&by) {
        state.held.entry(by).or_default().push(work);
    } else {
        // It was settled meanwhile.
        state.ready.push(work);
        desk.dispatch.notify_one();
    }
}

async fn claim(
    desk: &Arc<Desk>,
    admitted: Vec<(Work, Permit)>,
    outcomes: &UnboundedSender<Done>,
    calls: &mut JoinSet<()>,
) -> Result<(), StoreError> {
    let cost = desk.member.descriptor.first_cost.revoke;
    let spend: Vec<_> = cost.parts().collect();
    let claims = admitted
        .iter()
        .map(|(work, _)| {
            let mut claim = Claim::new(work.key(), desk.member.name.clone(), work.resolved());
            claim.spend.clone_from(&spend);
            claim.carries_steps = !steps_done(work).is_empty();
            claim
        })
        .collect();
    let answers = desk.run.store.claim(claims).await?;
    for ((work, permit), claimed) in admitted.into_iter().zip(answers) {
        match claimed {
            Claimed::Running { token, .. } => {
                {
                    let state = &mut *desk.state();
                    state.running.insert(work.key());
                    if let Some(account) = &work.account {
                        state.in_flight.insert(account.id.clone(), work.key());
                    }
                }
                let call = Call {
                    desk: Arc::clone(desk),
                    outcomes: outcomes.clone(),
                    open: Some((work, token, permit)),
                };
                calls.spawn(call.make());
            }
            Claimed::InFlight { by } => {
                work.order.end_call();
                hold(desk, work, by);
            }
            Claimed::Shared { with } => {
                work.order.end_call();
                desk.run_errand(work, Errand::Share(with));
            }
            Claimed::Lost => {
                work.order.end_call();
                desk.forget(&work);
            }
        }
    }
    Ok(())
}

/// One person's call. However it ends, even by a panic or by being dropped, its job gets an outcome.
struct Call {
    desk: Arc<Desk>,
    outcomes: UnboundedSender<Done>,
    open: Option<(Work, Token, Permit)>,
}

impl Call {
    async fn make(mut self) {
        let answer = match &self.open {
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
        .context(work.priority())
        .for_order(work.order.id)
        .with_cancel(desk.run.calls.clone())
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

fn missing_role() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        Retry::Never,
        "revoke",
        "the provider does not play the role that this needs",
    )
}
