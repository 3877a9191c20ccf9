//! What the tasks of one lane share: the jobs in memory, and who waits for whom.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fleet::Member;
use super::gate::Gate;
use super::lane::{LaneFault, Role};
use super::queue::{Queue, Work};
use super::run::Run;
use crate::error::Error;
use crate::id::{JobKey, OrderKey};
use crate::report::{Detail, OutcomeName, Unsupported};
use crate::store::{EvidenceDue, Next};

/// The fewest jobs a lane keeps in memory: enough to fill a commit.
const LEAST_WINDOW: usize = 512;

/// The most.
const MOST_WINDOW: usize = 4_096;

/// For each job in a call, so many are on their way to one or from one: looked up, claimed, settled. A window as large as
/// the calls alone would let each stage wait for the others.
const STAGES: usize = 4;

/// A success this recent means that the provider serves others while it fails one.
const LATELY: Duration = Duration::from_secs(10);

/// So many subjects that fail one after the other are an outage, whatever is read meanwhile.
pub(super) const MANY_FAIL: usize = 5;

/// One lane of a run.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) run: Arc<Run>,
    pub(super) member: Arc<Member>,
    /// How many jobs of each class are taken into memory ahead of their calls.
    pub(super) window: usize,
    /// The last door before a call.
    pub(super) gate: Gate,
    /// Something to fetch or to look up.
    pub(super) feed: Notify,
    /// Something to dispatch.
    pub(super) dispatch: Notify,
    /// Something urgent to dispatch.
    pub(super) urgent: Notify,
    /// Some evidence to read.
    pub(super) evidence: Notify,
    /// The protected list is needed, or has come in.
    pub(super) protect: Notify,
    state: Mutex<State>,
}

/// The jobs in memory. Nobody waits while it is locked.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Every job in memory, wherever it is. Urgent ones count against a window of their own.
    known: [HashSet<JobKey>; 2],
    /// How many of them came back from waiting.
    woken: [usize; 2],
    /// Who is it?
    pub(super) to_resolve: Queue,
    /// Was it carried out?
    pub(super) to_check: Queue,
    /// To be called.
    pub(super) ready: Queue,
    /// Retries that the lane's retry budget did not allow: they are ready again in a moment.
    pub(super) resting: Queue,
    /// To be settled without a call.
    pub(super) errands: VecDeque<(Work, Errand)>,
    /// Accounts in flight, by id: from before the claim until the outcome is written.
    pub(super) in_flight: HashMap<String, JobKey>,
    /// Claimed or about to be, not settled.
    pub(super) running: HashSet<JobKey>,
    /// Jobs that wait for another job of the same account.
    pub(super) held: HashMap<JobKey, Vec<Work>>,
    /// Jobs that were refused a right before anybody was served.
    denied: HashSet<JobKey>,
    pub(super) cursors: HashMap<OrderKey, Cursor>,
    /// When a waiting job comes back next.
    pub(super) wake_at: Option<Timestamp>,
    /// When evidence is next due.
    pub(super) evidence_at: Option<Timestamp>,
    /// Evidence of jobs that were confirmed a moment ago, so that the store need not be asked for it.
    pub(super) to_prove: VecDeque<EvidenceDue>,
    /// Subjects whose calls were not carried out since anybody was served.
    failing: HashSet<u64>,
    last_revoked: Option<Instant>,
    last_answered: Option<Instant>,
}

/// How far an order has been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    pub(super) after: Option<JobKey>,
    pub(super) at_end: bool,
    /// What the orders looked like when it was begun.
    pub(super) generation: u64,
}

impl Cursor {
    pub(super) fn at_start(generation: u64) -> Self {
        Self {
            after: None,
            at_end: false,
            generation,
        }
    }
}

/// What is to be written for a job that needs no call.
#[derive(Debug)]
pub(super) enum Errand {
    /// Where it goes.
    Settle(Box<Fate>),
    /// It takes the result of another job's call.
    Share(JobKey),
}

/// Where a job goes, with its story.
#[derive(Debug)]
pub(super) struct Fate {
    pub(super) next: Next,
    pub(super) detail: Detail,
    pub(super) used_attempt: bool,
}

impl Fate {
    pub(super) fn refused(outcome: OutcomeName, why: Unsupported) -> Self {
        Self {
            next: Next::Refused,
            detail: Detail {
                outcome: Some(outcome),
                refusal: Some(why),
                ..Detail::default()
            },
            used_attempt: false,
        }
    }

    pub(super) fn parked(detail: Detail) -> Self {
        Self {
            next: Next::Parked,
            detail,
            used_attempt: true,
        }
    }
}

impl From<Fate> for Errand {
    fn from(fate: Fate) -> Self {
        Self::Settle(Box::new(fate))
    }
}

impl Desk {
    pub(super) fn new(run: Arc<Run>, member: Arc<Member>) -> Self {
        let window = (STAGES * member.max_in_flight as usize).clamp(LEAST_WINDOW, MOST_WINDOW);
        Self {
            run,
            gate: Gate::new(member.max_in_flight),
            member,
            window,
            feed: Notify::new(),
            dispatch: Notify::new(),
            urgent: Notify::new(),
            evidence: Notify::new(),
            protect: Notify::new(),
            state: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.run.clock.now()
    }

    /// Queues a job for its call.
    pub(super) fn make_ready(&self, work: Work) {
        let urgent = work.order.urgent;
        self.state().ready.push(work);
        self.dispatch.notify_one();
        if urgent {
            self.urgent.notify_one();
        }
    }

    /// Queues a job to be settled without a call.
    pub(super) fn run_errand(&self, work: Work, errand: impl Into<Errand>) {
        self.state().errands.push_back((work, errand.into()));
        self.dispatch.notify_one();
    }

    /// Lets go of a job that is pending in the store and may stay so.
    pub(super) fn forget(&self, work: &Work) {
        self.state().forget(work);
    }

    /// Lets go of every job that is not claimed: the lane has stopped, and they are pending in the store.
    pub(super) fn forget_unclaimed(&self) {
        self.remove(|_| true);
    }

    /// Lets go of what must not be claimed any more.
    pub(super) fn forget_on_hold(&self) {
        self.remove(super::orders::OpenOrder::is_on_hold);
    }

    fn remove(&self, leaves: impl Fn(&super::orders::OpenOrder) -> bool) {
        let state = &mut *self.state();
        let mut gone = Vec::new();
        for queue in [
            &mut state.to_resolve,
            &mut state.to_check,
            &mut state.ready,
            &mut state.resting,
        ] {
            gone.extend(queue.remove(&leaves));
        }
        for work in &gone {
            state.forget(work);
        }
    }

    /// Whether the protected list is young enough for calls to leave; if not, whoever reads it is told, and its coming
    /// rings.
    pub(super) fn has_fresh_list(&self) -> bool {
        let is_fresh = self.member.protected().is_fresh();
        if !is_fresh {
            self.protect.notify_one();
        }
        is_fresh
    }

    /// Stops the lane: every further subject would meet the same.
    pub(super) fn stop(&self, error: &Error) {
        tracing::error!(
            provider.name = %self.member.name,
            error.kind = ?error.kind(),
            %error,
            "the lane has stopped until a person acts"
        );
        self.member.lane.stop(LaneFault::new(error.to_record()));
        self.run.look.notify_one();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.member.lane.fault().is_some()
    }

    /// Something came back from the provider: it is there.
    pub(super) fn answered(&self, revoke: bool) {
        let now = Instant::now();
        let mut state = self.state();
        state.last_answered = Some(now);
        if revoke {
            state.last_revoked = Some(now);
            state.failing.clear();
        }
    }

    /// Whether the provider served others while it failed this one: only then does the failure use an attempt.
    /// After a refused connection or a 503 only another revocation proves it; for a lost answer any read does.
    pub(super) fn serves_others(&self, not_carried_out: bool) -> bool {
        let state = self.state();
        let last = if not_carried_out {
            state.last_revoked
        } else {
            state.last_answered
        };
        last.is_some_and(|last| last.elapsed() <= LATELY)
    }

    /// Whether a call that was not carried out is this subject's own affair although nobody is left to show it: others
    /// were served in this run, reads are answered, and too few fail for an outage.
    pub(super) fn fails_alone(&self, subject: u64) -> bool {
        let has_served = self.member.lane.has_served(Role::Revoke);
        let state = &mut *self.state();
        state.failing.insert(subject);
        let is_answered = state
            .last_answered
            .is_some_and(|last| last.elapsed() <= LATELY);
        has_served && is_answered && state.failing.len() < MANY_FAIL
    }

    /// A person must look at this subject: its failures say nothing about the others any more.
    pub(super) fn give_up(&self, subject: u64) {
        self.state().failing.remove(&subject);
    }

    /// Whether a right that is missing for one job may yet turn out to be missing for the whole lane: nobody was
    /// served, and not everybody else was refused it.
    pub(super) fn may_be_the_lanes(&self, denied: JobKey) -> bool {
        if self.member.lane.has_served(Role::Revoke) {
            return false;
        }
        let state = &mut *self.state();
        let is_news = state.denied.insert(denied);
        let untried = |job| !state.denied.contains(job);
        is_news || state.known.iter().flatten().any(untried)
    }
}

impl State {
    /// Takes a job into memory, unless it is there already.
    pub(super) fn learn(&mut self, work: &Work) -> bool {
        let class = usize::from(work.order.urgent);
        let is_new = self.known[class].insert(work.key());
        self.woken[class] += usize::from(is_new && work.woken);
        is_new
    }

    pub(super) fn forget(&mut self, work: &Work) {
        let class = usize::from(work.order.urgent);
        let was_known = self.known[class].remove(&work.key());
        self.woken[class] -= usize::from(was_known && work.woken);
    }

    /// How many waiting jobs may be taken into a window: while there are fresh ones, a quarter of it. Those that fail
    /// again and again would otherwise fill it, and nobody else would ever be called.
    pub(super) fn room_for_woken(&self, window: usize, has_fresh: bool) -> usize {
        let woken = self.woken[0].max(self.woken[1]);
        if has_fresh {
            return (window / 4).saturating_sub(woken);
        }
        window.saturating_sub(self.count(true).max(self.count(false)))
    }

    /// How many fresh jobs of a class may be taken into a window: whatever came back from waiting while there were
    /// none, three quarters are theirs.
    pub(super) fn room_for_fresh(&self, window: usize, urgent: bool) -> usize {
        let all = self.count(urgent);
        let fresh = all - self.woken[usize::from(urgent)];
        let share = (window - window / 4).saturating_sub(fresh);
        window.saturating_sub(all).max(share)
    }

    /// A job is about to be claimed: until [`State::end`] no other is for its account.
    pub(super) fn begin(&mut self, work: &Work) {
        self.running.insert(work.key());
        if let Some(account) = &work.account {
            self.in_flight.insert(account.id.clone(), work.key());
        }
    }

    /// A job is not claimed any more, or was not after all: who waited for it may go.
    pub(super) fn end(&mut self, work: &Work) {
        self.running.remove(&work.key());
        if let Some(account) = &work.account
            && self.in_flight.get(&account.id) == Some(&work.key())
        {
            self.in_flight.remove(&account.id);
        }
        for waiting in self.held.remove(&work.key()).into_iter().flatten() {
            self.ready.push_front(waiting);
        }
    }

    /// How many jobs are claimed, or about to be, and not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.running.len()
    }

    /// How many jobs of a class are in memory.
    pub(super) fn count(&self, urgent: bool) -> usize {
        self.known[usize::from(urgent)].len()
    }

    /// Whether nothing of this lane is in memory.
    pub(super) fn is_idle(&self) -> bool {
        self.known.iter().all(HashSet::is_empty)
    }

    pub(super) fn wake_by(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
    }

    /// Evidence of a confirmed job is due: read from here, or found in the store once there is room.
    pub(super) fn prove(&mut self, due: EvidenceDue, at: Timestamp) {
        if at <= due.confirmed_at && self.to_prove.len() < MOST_WINDOW {
            self.to_prove.push_back(due);
        } else {
            self.evidence_by(at);
        }
    }

    pub(super) fn evidence_by(&mut self, at: Timestamp) {
        self.evidence_at = Some(self.evidence_at.map_or(at, |known| known.min(at)));
    }
}
