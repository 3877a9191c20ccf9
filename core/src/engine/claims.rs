//! From pending to running: a group of claims, synced together, and what comes of it.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::call::Call;
use super::desk::{Desk, Errand, Fate};
use super::feed::steps_done;
use super::lane::Permit;
use super::queue::Work;
use super::settle::{Done, reads_evidence};
use crate::clock::later;
use crate::failpoint::{self, Point, Side};
use crate::id::JobKey;
use crate::report::{Detail, EvidenceState};
use crate::store::{Claim, Claimed, Next, StoreError};

/// Claims jobs that a lane has admitted. Answers the calls that may now be made; the others go where they belong.
pub(super) async fn calls(
    desk: &Arc<Desk>,
    admitted: Vec<(Work, Permit)>,
    outcomes: &UnboundedSender<Done>,
) -> Result<Vec<Call>, StoreError> {
    // Reads leave no trace of their own in the store: those of a job count with its call.
    let spend = desk.member.descriptor.first_cost.of_a_job();
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
    failpoint::pass(Side::Before, Point::Sending)?;
    let mut calls = Vec::with_capacity(admitted.len());
    for ((work, permit), claimed) in admitted.into_iter().zip(answers) {
        if let Claimed::Running { token, .. } = claimed {
            calls.push(Call::new(
                Arc::clone(desk),
                outcomes.clone(),
                work,
                token,
                permit,
            ));
            continue;
        }
        work.order.end_call();
        desk.state().end(&work);
        match claimed {
            Claimed::InFlight { by } => hold(desk, work, by),
            Claimed::Shared { with } => desk.run_errand(work, Errand::Share(with)),
            Claimed::Running { .. } | Claimed::Lost => desk.forget(&work),
        }
    }
    Ok(calls)
}

/// Claims jobs that need no call, and sends what becomes of them to be written.
pub(super) async fn errands(
    desk: &Arc<Desk>,
    works: Vec<(Work, Errand)>,
    outcomes: &UnboundedSender<Done>,
) -> Result<(), StoreError> {
    let mut ready = Vec::with_capacity(works.len());
    for (work, errand) in works {
        let fate = match errand {
            Errand::Settle(fate) => fate,
            Errand::Share(with) => {
                let Some(fate) = shared(desk, &work, with).await?.map(Box::new) else {
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
    Ok(())
}

/// Lets a job wait for the one that is in flight for its account.
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
