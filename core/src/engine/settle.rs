//! Writes outcomes in groups. What was written is counted and told, never before.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;

use super::classify::{Ruling, add_still_enabled};
use super::desk::{Desk, Fate};
use super::lookup::unknown_subject;
use super::orders;
use super::queue::Work;
use crate::clock::later;
use crate::error::ErrorKind;
use crate::failpoint::{self, Point, Side};
use crate::id::Token;
use crate::job::WaitReason;
use crate::layer::Protection;
use crate::provider::ScopeKind;
use crate::report::{Detail, EvidenceState, OutcomeName};
use crate::store::{Act, EvidenceDue, Next, Settlement, StoreError};

/// Used attempts after which a person must look.
pub(super) const MAX_ATTEMPTS: u32 = 8;

/// The same, where the provider's answers were not recognised.
pub(super) const MAX_UNRECOGNISED: u32 = 3;

/// How long a throttle is where the provider does not say: the lane knows better, and holds the job back.
const THROTTLED: Duration = Duration::from_secs(1);

/// When a subject that was refused a right is asked about again, before anybody else was served.
const DENIED_AGAIN: Duration = Duration::from_secs(2);

/// The most settlements in one commit.
const MOST_SETTLEMENTS: usize = 512;

/// A running job whose attempt is over.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) work: Work,
    pub(super) token: Token,
    pub(super) fate: Box<Fate>,
    /// Whether it had a place in its order's canary stage.
    called: bool,
}

impl Done {
    /// A call came to its end.
    pub(super) fn of_call(work: Work, token: Token, fate: Fate) -> Self {
        Self {
            work,
            token,
            fate: Box::new(fate),
            called: true,
        }
    }

    /// There was nothing to call.
    pub(super) fn of_errand(work: Work, token: Token, fate: Box<Fate>) -> Self {
        Self {
            work,
            token,
            fate,
            called: false,
        }
    }
}

/// Whether the provider's own record can show what this job ended. It shows an account as a whole: of single items it
/// says nothing.
pub(super) fn reads_evidence(desk: &Desk, work: &Work) -> bool {
    work.order.verify
        && desk.member.roles.evidence.is_some()
        && work.job.scope.kind() == ScopeKind::Everything
}

/// What an answer makes of a job, given its history and the health of its lane.
pub(super) fn decide(desk: &Desk, work: &Work, ruling: Ruling, mut detail: Detail) -> Fate {
    let now = desk.now();
    let waiting = |after: Duration, why| Next::Waiting {
        until: later(now, after),
        why,
    };
    let unused = |next, detail| Fate {
        next,
        detail,
        used_attempt: false,
    };
    match ruling {
        Ruling::Confirmed => {
            if work.account.as_ref().and_then(|account| account.enabled) == Some(true) {
                add_still_enabled(&mut detail.residual);
            }
            let reads = reads_evidence(desk, work);
            Fate {
                next: Next::Confirmed {
                    effective_by: later(now, desk.member.descriptor.effective_within),
                    evidence_due: reads.then_some(now),
                    evidence: if reads {
                        EvidenceState::Pending
                    } else {
                        EvidenceState::None
                    },
                },
                detail,
                used_attempt: true,
            }
        }
        // A call is made only for an account that the directory has resolved, where there is a directory.
        Ruling::NotFound if desk.member.roles.directory.is_some() => Fate {
            next: Next::Gone,
            detail,
            used_attempt: true,
        },
        Ruling::NotFound => {
            detail.refusal = Some(unknown_subject());
            Fate {
                next: Next::Refused,
                detail,
                used_attempt: true,
            }
        }
        Ruling::Refused => {
            let protected = desk.member.protected();
            if work
                .account
                .as_ref()
                .is_some_and(|account| protected.covers_account(account))
                || protected.covers(&work.job.subject)
            {
                detail.outcome = Some(OutcomeName::Protected);
            }
            Fate {
                next: Next::Refused,
                detail,
                used_attempt: true,
            }
        }
        Ruling::Throttled(after) => {
            let after = after.unwrap_or(THROTTLED);
            unused(waiting(after, WaitReason::Throttled), detail)
        }
        Ruling::Lane => unused(waiting(Duration::ZERO, WaitReason::Lane), detail),
        Ruling::Stopped { sent: false } => {
            unused(waiting(Duration::ZERO, WaitReason::Lane), detail)
        }
        Ruling::Stopped { sent: true } => {
            unused(waiting(Duration::ZERO, WaitReason::Unknown), detail)
        }
        Ruling::Denied if desk.is_stopped() => {
            unused(waiting(Duration::ZERO, WaitReason::Lane), detail)
        }
        Ruling::Denied if desk.may_be_the_lanes(work.key()) => {
            // Five subjects tell.
            unused(waiting(DENIED_AGAIN, WaitReason::Lane), detail)
        }
        Ruling::Denied | Ruling::Permanent => Fate::parked(detail),
        Ruling::Transient(after) => failed(desk, work, detail, after, WaitReason::Transient, false),
        Ruling::Unfinished { after, served } => {
            failed(desk, work, detail, after, WaitReason::Transient, served)
        }
        Ruling::Unknown(after) => failed(desk, work, detail, after, WaitReason::Unknown, false),
    }
}

/// A failure that may be repeated: it uses an attempt only if the provider serves others meanwhile.
fn failed(
    desk: &Desk,
    work: &Work,
    detail: Detail,
    after: Option<Duration>,
    why: WaitReason,
    answered: bool,
) -> Fate {
    let unrecognised = detail
        .error
        .as_ref()
        .is_some_and(|error| error.kind == ErrorKind::InvalidResponse);
    let not_carried_out = why == WaitReason::Transient;
    let is_alone = not_carried_out && desk.fails_alone(work.subject());
    let used_attempt = answered || unrecognised || is_alone || desk.serves_others(not_carried_out);
    let tries = work.job.attempts + u32::from(used_attempt);
    let most = if unrecognised {
        MAX_UNRECOGNISED
    } else {
        MAX_ATTEMPTS
    };
    if used_attempt && tries >= most {
        desk.give_up(work.subject());
        return Fate::parked(detail);
    }
    let wait = desk.run.dice.backoff(tries.max(1));
    Fate {
        next: Next::Waiting {
            until: later(desk.now(), wait.max(after.unwrap_or_default())),
            why,
        },
        detail,
        used_attempt,
    }
}

/// Writes what comes in until nobody can send any more.
pub(super) async fn settle(
    desk: Arc<Desk>,
    mut outcomes: UnboundedReceiver<Done>,
) -> Result<(), StoreError> {
    let mut batch = Vec::with_capacity(MOST_SETTLEMENTS);
    while outcomes.recv_many(&mut batch, MOST_SETTLEMENTS).await > 0 {
        let mut works = Vec::with_capacity(batch.len());
        let mut settlements = Vec::with_capacity(batch.len());
        for done in batch.drain(..) {
            let Done {
                work,
                token,
                fate,
                called,
            } = done;
            let fate = *fate;
            let mut written = Written::of(&fate.next, called);
            written.revoked_at = fate.detail.provider_time;
            let mut settlement = Settlement::new(work.key(), token, fate.next, fate.detail);
            let unknown = work.is_unknown();
            works.push((work, written));
            settlement.used_attempt = fate.used_attempt;
            settlement.unknown = unknown;
            settlements.push(settlement);
        }
        {
            // Until this is written nobody can fetch them again; from then on, somebody who is quick may.
            let mut state = desk.state();
            for (work, _) in &works {
                state.forget(work);
            }
        }
        failpoint::pass(Side::Before, Point::Answered)?;
        let held = desk.run.store.settle(settlements).await?;
        let now = desk.now();
        let mut dead = Vec::new();
        {
            let state = &mut *desk.state();
            for ((work, written), held) in works.into_iter().zip(held) {
                if !held {
                    tracing::warn!(
                        job = work.key().as_u64(),
                        "somebody else settled this job; our result is dropped"
                    );
                }
                if let Some(at) = written.wake_at {
                    state.wake_by(at);
                }
                match (written.evidence_at, written.revoked_at, &work.account) {
                    (Some(at), Some(revoked_at), Some(account)) if held => {
                        let due = EvidenceDue::new(work.key(), &account.id, revoked_at, now);
                        state.prove(due, at);
                    }
                    (Some(at), ..) => state.evidence_by(at),
                    (None, ..) => {}
                }
                state.end(&work);
                if work.order.count(written.fate, written.called) {
                    dead.push(Arc::clone(&work.order));
                }
            }
        }
        desk.feed.notify_one();
        desk.dispatch.notify_one();
        desk.evidence.notify_one();
        desk.run.look.notify_one();
        for order in dead {
            tracing::error!(order.id = %order.id, "the order is paused: too many of its first jobs failed");
            let act = Act::new(desk.run.actor.clone(), "order_paused")
                .because(CANARY_DIED)
                .about(order.id);
            desk.run
                .store
                .pause(order.key, CANARY_DIED.to_owned(), act)
                .await?;
            desk.run.reload.notify_one();
        }
    }
    Ok(())
}

/// Why an order pauses by itself.
const CANARY_DIED: &str = "more than 5 % of its first 100 finished jobs are parked";

/// What is remembered of a settlement once it is written.
struct Written {
    wake_at: Option<Timestamp>,
    evidence_at: Option<Timestamp>,
    /// When the provider answered, by its own clock.
    revoked_at: Option<Timestamp>,
    fate: orders::Fate,
    called: bool,
}

impl Written {
    fn of(next: &Next, called: bool) -> Self {
        let (mut wake_at, mut evidence_at) = (None, None);
        let fate = match next {
            Next::Waiting { until, .. } => {
                wake_at = Some(*until);
                orders::Fate::Open
            }
            Next::Confirmed { evidence_due, .. } => {
                evidence_at = *evidence_due;
                orders::Fate::Finished
            }
            Next::Gone => orders::Fate::Finished,
            Next::Refused => orders::Fate::Open,
            Next::Parked => orders::Fate::Parked,
        };
        Self {
            wake_at,
            evidence_at,
            revoked_at: None,
            fate,
            called,
        }
    }
}
