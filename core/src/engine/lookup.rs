//! Looks people up before their call, and reads the evidence of those whose last answer was lost.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::desk::{Desk, Fate};
use super::evidence::is_past;
use super::feed::with_account;
use super::queue::{Queue, Work};
use super::reads::{is_away, is_down, is_strange};
use super::settle::{MAX_ATTEMPTS, MAX_UNRECOGNISED};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Retry};
use crate::job::{WaitReason, subject_of};
use crate::provider::{Proof, Resolution, ScopeKind};
use crate::report::{Detail, EvidenceState, OutcomeName, Unsupported};
use crate::store::{Next, StoreError};
use crate::subject::Subject;

/// A watermark this long after T is of a call after T, whatever the clocks' rounding.
const AFTER_T: SignedDuration = SignedDuration::from_secs(1);

/// Starts a task for each call's worth of people that wait for a look-up.
pub(super) fn start(desk: &Arc<Desk>, tasks: &mut JoinSet<Result<(), StoreError>>) {
    let size = desk.member.descriptor.subjects_per_read.max(1);
    while let Some(works) = next(desk, size, |desk| &mut desk.to_resolve) {
        tasks.spawn(resolve(Arc::clone(desk), works));
    }
    while let Some(works) = next(desk, size, |desk| &mut desk.to_check) {
        tasks.spawn(check(Arc::clone(desk), works));
    }
}

fn next(
    desk: &Desk,
    size: usize,
    queue: fn(&mut super::desk::State) -> &mut Queue,
) -> Option<Vec<Work>> {
    let works = queue(&mut desk.state()).pop_some(size);
    (!works.is_empty()).then_some(works)
}

/// Who are they?
async fn resolve(desk: Arc<Desk>, works: Vec<Work>) -> Result<(), StoreError> {
    let mut asked = Vec::with_capacity(works.len());
    let mut subjects = Vec::with_capacity(works.len());
    for work in works {
        match subject_of(&work.job.subject, work.job.alias.as_deref()) {
            Ok(subject) => {
                subjects.push(subject);
                asked.push(work);
            }
            Err(error) => {
                let why = Unsupported::new(error.to_string(), "correct the spelling");
                let fate = Fate::refused(OutcomeName::SubjectNotFound, why);
                desk.run_errand(work, fate);
            }
        }
    }
    let Some(priority) = asked.first().map(Work::priority) else {
        return Ok(());
    };
    match desk.member.resolve_chunk(&subjects, priority).await {
        Ok(answers) => {
            // Where all met an outage, a witness was answered.
            let mut failures = answers.iter().map(Resolution::failure);
            let has_witness = failures.all(|failure| failure.is_some_and(is_away));
            let answered = has_witness || answers.iter().any(|answer| answer.failure().is_none());
            if answered {
                desk.answered(false);
            }
            let mut missing = Vec::new();
            for ((mut work, subject), answer) in asked.into_iter().zip(subjects).zip(answers) {
                match answer {
                    Resolution::Found(account) => {
                        work.account = Some(Arc::new(account));
                        with_account(&desk, work);
                    }
                    Resolution::NotFound => missing.push((work, subject)),
                    Resolution::Ambiguous { count } => {
                        let fate = Fate::refused(OutcomeName::Ambiguous, ambiguous(count));
                        desk.run_errand(work, fate);
                    }
                    Resolution::Failed(error) => failed(&desk, work, &error, answered),
                }
            }
            not_found(&desk, missing).await
        }
        Err(error) => {
            whole_call_failed(&desk, asked, &error, |state| &mut state.to_resolve).await;
            Ok(())
        }
    }
}

fn ambiguous(count: usize) -> Unsupported {
    Unsupported::new(
        format!("{count} accounts answer to this identifier"),
        "name the account by its own id at this provider",
    )
}

/// A person who was there once has left; one we never saw is a typo until somebody says otherwise.
async fn not_found(desk: &Desk, missing: Vec<(Work, Subject)>) -> Result<(), StoreError> {
    if missing.is_empty() {
        return Ok(());
    }
    let spellings: Vec<String> = missing
        .iter()
        .map(|(_, subject)| subject.folded())
        .collect();
    let known = desk
        .run
        .store
        .was_resolved(&desk.member.name, &spellings)
        .await?;
    for ((work, _), known) in missing.into_iter().zip(known) {
        let fate = if known {
            Fate {
                next: Next::Gone,
                detail: Detail {
                    outcome: Some(OutcomeName::SubjectNotFound),
                    ..Detail::default()
                },
                used_attempt: false,
            }
        } else {
            Fate::refused(OutcomeName::SubjectNotFound, unknown_subject())
        };
        desk.run_errand(work, fate);
    }
    Ok(())
}

/// Why a subject nobody knows is refused.
pub(super) fn unknown_subject() -> Unsupported {
    Unsupported::new(
        "the provider does not know this subject",
        "correct the spelling, or leave the person out at this provider",
    )
}

/// The directory could not say for one person. `answered`: the same call did say for others.
fn failed(desk: &Desk, work: Work, error: &Error, answered: bool) {
    if error.is_lane_fault() || error.kind() == ErrorKind::PermissionDenied {
        // Without the right to read people nobody can tell a guest or a protected account.
        desk.stop(error);
        desk.forget(&work);
        return;
    }
    let mut detail = work.job.detail.clone();
    detail.error = Some(error.to_record());
    let (after, repeat) = match error.retry() {
        Retry::Safe { after } => (after, true),
        Retry::OutcomeUnknown => (None, true),
        Retry::Never => (None, false),
    };
    let used_attempt = match error.kind() {
        ErrorKind::RateLimited | ErrorKind::Cancelled => false,
        // An answer, however strange: it must come to an end.
        ErrorKind::InvalidResponse | ErrorKind::Unexpected => true,
        _ => answered,
    };
    let tries = work.job.attempts + u32::from(used_attempt);
    let was_strange = work
        .job
        .detail
        .error
        .as_ref()
        .is_some_and(|last| last.kind == error.kind());
    let most = if is_strange(error) && was_strange {
        MAX_UNRECOGNISED
    } else {
        MAX_ATTEMPTS
    };
    let fate = if repeat && tries < most {
        let wait = desk
            .run
            .dice
            .backoff(tries + 1)
            .max(after.unwrap_or_default());
        // What waited for its evidence still does.
        let why = match work.job.waited {
            Some(WaitReason::Unknown) => WaitReason::Unknown,
            _ => WaitReason::Transient,
        };
        Fate {
            next: Next::Waiting {
                until: later(desk.now(), wait),
                why,
            },
            detail,
            used_attempt,
        }
    } else {
        Fate::parked(detail)
    };
    desk.run_errand(work, fate);
}

/// Nothing could be asked: that is the lane's affair, and everybody comes again.
async fn whole_call_failed(
    desk: &Arc<Desk>,
    works: Vec<Work>,
    error: &Error,
    queue: fn(&mut super::desk::State) -> &mut Queue,
) {
    if desk.is_stopped() {
        for work in &works {
            desk.forget(work);
        }
        desk.run.look.notify_one();
        return;
    }
    let after = match error.retry() {
        Retry::Never => {
            desk.stop(error);
            for work in &works {
                desk.forget(work);
            }
            return;
        }
        Retry::Safe { after } => after,
        Retry::OutcomeUnknown => None,
    };
    // The lane has paused by itself where the provider asked for it; this only keeps a strange answer from spinning.
    let tries = works.first().map_or(0, |work| work.lookups);
    let wait = desk.run.dice.backoff(tries + 1).max(Duration::from_secs(1));
    tokio::select! {
        biased;
        () = desk.run.draining.cancelled() => {}
        () = sleep(wait.max(after.unwrap_or_default())) => {}
    }
    for mut work in works {
        work.lookups += 1;
        work.strange += u32::from(is_strange(error));
        if work.strange >= MAX_UNRECOGNISED {
            let mut detail = work.job.detail.clone();
            detail.error = Some(error.to_record());
            desk.run_errand(work, Fate::parked(detail));
        } else {
            queue(&mut desk.state()).push(work);
        }
    }
    desk.feed.notify_one();
}

/// Was it carried out, although no answer came?
async fn check(desk: Arc<Desk>, works: Vec<Work>) -> Result<(), StoreError> {
    if desk.member.roles.evidence.is_none() {
        for work in works {
            undecided(&desk, work);
        }
        return Ok(());
    }
    let ids: Vec<String> = works
        .iter()
        .filter_map(|work| work.account.as_ref().map(|account| account.id.clone()))
        .collect();
    let priority = works
        .first()
        .map_or(crate::context::Priority::Normal, Work::priority);
    let read = desk.member.prove(&ids, priority).await;
    match read {
        Ok(proofs) => {
            let mut failures = proofs.iter().map(Proof::failure);
            let has_witness = failures.all(|failure| failure.is_some_and(is_away));
            let answered = has_witness || proofs.iter().any(|proof| proof.failure().is_none());
            if answered {
                desk.answered(false);
            }
            for (work, proof) in works.into_iter().zip(proofs) {
                judge(&desk, work, proof, answered);
            }
        }
        // No right to read evidence: a repeat does no harm where the scope says so.
        Err(error) if error.retry() == Retry::Never && !desk.is_stopped() => {
            for work in works {
                undecided(&desk, work);
            }
        }
        // An answer, however strange: it must come to an end.
        Err(error) if is_strange(&error) => {
            for work in works {
                judge(&desk, work, Proof::Failed(error.for_another_call()), false);
            }
        }
        Err(error) => whole_call_failed(&desk, works, &error, |state| &mut state.to_check).await,
    }
    Ok(())
}

/// `answered`: others were, or a witness.
fn judge(desk: &Desk, mut work: Work, proof: Proof, answered: bool) {
    let tries = work.job.attempts + u32::from(answered);
    let asked_at = desk.member.lane.to_provider_time(work.order.accepted_at);
    match proof {
        // The mark is of the account as a whole: of single items it says nothing.
        Proof::Watermark { at: Some(at) }
            if work.job.scope.kind() == ScopeKind::Everything
                && at.duration_since(asked_at) >= AFTER_T
                && is_past(at, desk.member.lane.provider_now()) =>
        {
            let detail = Detail {
                outcome: Some(OutcomeName::ConfirmedByEvidence),
                residual: desk.member.descriptor.residual.clone(),
                provider_time: Some(at),
                ..Detail::default()
            };
            let fate = Fate {
                next: Next::Confirmed {
                    effective_by: later(desk.now(), desk.member.descriptor.effective_within),
                    evidence_due: None,
                    evidence: EvidenceState::Verified,
                },
                detail,
                used_attempt: false,
            };
            desk.run_errand(work, fate);
        }
        Proof::SubjectMissing => {
            let fate = if desk.member.roles.directory.is_some() {
                Fate {
                    next: Next::Gone,
                    detail: Detail {
                        outcome: Some(OutcomeName::SubjectNotFound),
                        ..Detail::default()
                    },
                    used_attempt: false,
                }
            } else {
                // Nobody has ever seen it: a typo is no success.
                Fate::refused(OutcomeName::SubjectNotFound, unknown_subject())
            };
            desk.run_errand(work, fate);
        }
        Proof::Failed(error) if is_down(&error) && tries < MAX_ATTEMPTS => {
            // What may have been carried out is not repeated while somebody may yet say whether it was.
            let wait = desk.run.dice.backoff(work.job.attempts + 1);
            let fate = Fate {
                next: Next::Waiting {
                    until: later(desk.now(), wait),
                    why: WaitReason::Unknown,
                },
                detail: work.job.detail.clone(),
                used_attempt: answered,
            };
            desk.run_errand(work, fate);
        }
        Proof::Failed(error)
            if error.retry() != Retry::Never && work.strange + 1 < MAX_UNRECOGNISED =>
        {
            work.strange += 1;
            desk.state().to_check.push(work);
            desk.feed.notify_one();
        }
        Proof::Watermark { .. } | Proof::Remaining { .. } | Proof::Failed(_) => {
            undecided(desk, work);
        }
    }
}

/// The evidence does not show it: called again where a repeat does no harm, otherwise a person decides.
fn undecided(desk: &Desk, mut work: Work) {
    if desk.member.is_idempotent(work.job.scope.kind()) {
        work.checked = true;
        with_account(desk, work);
    } else {
        let mut detail = work.job.detail.clone();
        // Where its process died, nobody has said why yet.
        detail.error.get_or_insert_with(|| in_doubt().to_record());
        desk.run_errand(work, Fate::parked(detail));
    }
}

/// Why a job is parked that nobody may repeat.
fn in_doubt() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        Retry::OutcomeUnknown,
        "revoke",
        "the call may have been carried out, the provider's own record does not show it, and a repeat may do harm",
    )
    .with_hint("look in the provider's own console whether it was done")
}
