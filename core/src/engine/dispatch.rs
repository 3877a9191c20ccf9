//! Admits jobs to their calls, and keeps several groups of claims on their way to the store at once: a claim waits for
//! a sync, and the pace of a lane must not wait with it.
//!
//! The intent is synced before the first byte leaves: a call is made only for a claim that the store has answered.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::call::{self, Call};
use super::claims;
use super::desk::{Desk, Fate};
use super::lane::{Permit, Role};
use super::orders::OpenOrder;
use super::queue::Work;
use super::settle::Done;
use crate::layer::Protection as _;
use crate::report::OutcomeName;
use crate::store::StoreError;

/// The most claims in one commit: a multiple of the calls that share a task, or each group ends with a batch that is not
/// full.
const MOST_CLAIMS: usize = 12 * CALLS_OF_A_TASK;

/// So many groups of claims wait for the store at once. At a slow pace each group is a single person, and a few of them
/// outlast a sync; at full speed the groups grow while these are under way.
const MOST_GROUPS: usize = 8;

/// The most settlements that may wait for their commit before calls wait for them.
const MOST_UNSETTLED: usize = 8_192;

/// So many calls share a task: as many as the largest native batch that is known joins.
const CALLS_OF_A_TASK: usize = 20;

/// How often a lane with work looks whether it may go on, when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a retry rests when the lane's retry budget is used up.
const RETRY_LATER: Duration = Duration::from_secs(1);

/// Calls that do not end although they were cancelled are left alone after this long.
const CALLS_END_WITHIN: Duration = Duration::from_secs(1);

/// Works through what is ready in one lane until it is told to claim no more, then waits for the calls in flight.
pub(super) async fn dispatch(
    desk: Arc<Desk>,
    outcomes: UnboundedSender<Done>,
) -> Result<(), StoreError> {
    let mut flow = Flow {
        desk,
        outcomes,
        claims: FuturesUnordered::new(),
        calls: JoinSet::new(),
    };
    while !flow.desk.run.draining.is_cancelled() {
        while flow.calls.try_join_next().is_some() {}
        let mut progress = flow.errands().await?;
        progress |= flow.batch().await?;
        if !progress {
            flow.rest().await?;
        }
    }
    flow.wind_down().await
}

/// What of a lane is under way.
struct Flow {
    desk: Arc<Desk>,
    outcomes: UnboundedSender<Done>,
    /// Groups that wait for the store, each with the calls that come of it.
    claims: FuturesUnordered<BoxFuture<'static, Result<Vec<Call>, StoreError>>>,
    calls: JoinSet<()>,
}

impl Flow {
    /// Claims what needs no call. Answers whether there was anything.
    async fn errands(&mut self) -> Result<bool, StoreError> {
        if self.desk.state().errands.is_empty() {
            return Ok(false);
        }
        self.make_room().await?;
        let works = {
            let mut state = self.desk.state();
            let n = state.errands.len().min(MOST_CLAIMS);
            state.errands.drain(..n).collect()
        };
        let (desk, outcomes) = (Arc::clone(&self.desk), self.outcomes.clone());
        self.claims.push(Box::pin(async move {
            claims::errands(&desk, works, &outcomes).await?;
            Ok(Vec::new())
        }));
        Ok(true)
    }

    /// Claims one batch of calls: as many as the lane admits at once. Answers whether something has moved.
    async fn batch(&mut self) -> Result<bool, StoreError> {
        let desk = Arc::clone(&self.desk);
        if !desk.has_fresh_list() {
            return Ok(false);
        }
        self.make_room().await?;
        let Some(first) = take(&desk) else {
            return Ok(false);
        };
        let cost = desk.member.descriptor.first_cost.revoke;
        let lane = &desk.member.lane;
        let permit = {
            let mut admission = pin!(lane.admit(Role::Revoke, &cost, 1, first.priority()));
            loop {
                tokio::select! {
                    biased;
                    () = desk.run.draining.cancelled() => {
                        put_back(&desk, first);
                        return Ok(false);
                    }
                    Some(claimed) = self.claims.next() => self.call(claimed?),
                    permit = &mut admission => break permit,
                    () = overtaken(&desk, &first) => {
                        put_back(&desk, first);
                        return Ok(true);
                    }
                    () = first_errand(&desk) => {
                        put_back(&desk, first);
                        return Ok(true);
                    }
                }
            }
        };
        let Ok(permit) = permit else {
            // The lane has stopped. What is not claimed is pending in the store.
            first.order.end_call();
            {
                let mut state = desk.state();
                state.end(&first);
                state.forget(&first);
            }
            desk.forget_unclaimed();
            desk.run.look.notify_one();
            return Ok(true);
        };
        if !desk.has_fresh_list() {
            // It grew old while the lane was paused.
            put_back(&desk, first);
            return Ok(false);
        }
        let mut admitted = vec![(first, permit)];
        while admitted.len() < MOST_CLAIMS && desk.state().unsettled() < MOST_UNSETTLED {
            let Some(next) = take(&desk) else { break };
            let Some(permit) = lane.try_admit(Role::Revoke, &cost, 1, next.priority()) else {
                put_back(&desk, next);
                break;
            };
            admitted.push((next, permit));
        }
        self.claim(admitted);
        Ok(true)
    }

    fn claim(&mut self, admitted: Vec<(Work, Permit)>) {
        let (desk, outcomes) = (Arc::clone(&self.desk), self.outcomes.clone());
        self.claims.push(Box::pin(async move {
            claims::calls(&desk, admitted, &outcomes).await
        }));
    }

    /// Waits until one more group may go to the store.
    async fn make_room(&mut self) -> Result<(), StoreError> {
        while self.claims.len() >= MOST_GROUPS
            && let Some(claimed) = self.claims.next().await
        {
            self.call(claimed?);
        }
        Ok(())
    }

    /// Makes the calls of a group whose intent is synced. Some share a task: one for each person costs an
    /// allocation and a wake-up of its own.
    fn call(&mut self, claimed: Vec<Call>) {
        let mut claimed = claimed.into_iter().peekable();
        while claimed.peek().is_some() {
            let together: Vec<Call> = claimed.by_ref().take(CALLS_OF_A_TASK).collect();
            self.calls.spawn(call::make_all(together));
        }
    }

    /// Waits until there may be something to do.
    async fn rest(&mut self) -> Result<(), StoreError> {
        let desk = Arc::clone(&self.desk);
        let has_ready = desk.state().ready.len() > 0;
        tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => {}
            Some(claimed) = self.claims.next() => self.call(claimed?),
            () = desk.dispatch.notified() => {}
            // Another lane may have given a canary's place back.
            () = sleep(LOOK_EVERY), if has_ready => {}
        }
        Ok(())
    }

    /// What is claimed is called, and the calls in flight may end.
    async fn wind_down(mut self) -> Result<(), StoreError> {
        while let Some(claimed) = self.claims.next().await {
            self.call(claimed?);
        }
        let Self { desk, calls, .. } = &mut self;
        let all_over = async { while calls.join_next().await.is_some() {} };
        let mut all_over = pin!(all_over);
        tokio::select! {
            biased;
            () = &mut all_over => return Ok(()),
            () = desk.run.calls.cancelled() => {}
        }
        // A call that ignores its cancellation is dropped; its job waits as unknown.
        let _ = timeout(CALLS_END_WITHIN, all_over).await;
        Ok(())
    }
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

/// The next job that may be called now, its account taken. Those that may not, go where they belong.
fn take(desk: &Arc<Desk>) -> Option<Work> {
    loop {
        let mut work = {
            let state = &mut *desk.state();
            let work = state.ready.pop(OpenOrder::may_call)?;
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
        if !work.order.begin_call() {
            desk.state().ready.push_front(work);
            return None;
        }
        if work.is_retry() && !work.paid_retry {
            if !desk.member.lane.may_retry() {
                work.order.end_call();
                come_back(desk, work);
                continue;
            }
            work.paid_retry = true;
        }
        desk.state().begin(&work);
        return Some(work);
    }
}

fn put_back(desk: &Desk, work: Work) {
    work.order.end_call();
    let state = &mut *desk.state();
    state.end(&work);
    state.ready.push_front(work);
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

/// A retry that the lane's budget does not allow now: it stays in memory and tries again, with all that rest by then.
fn come_back(desk: &Arc<Desk>, work: Work) {
    let is_first = {
        let state = &mut *desk.state();
        state.resting.push(work);
        state.resting.len() == 1
    };
    if !is_first {
        return;
    }
    let desk = Arc::clone(desk);
    tokio::spawn(async move {
        tokio::select! {
            () = desk.run.draining.cancelled() => {}
            () = sleep(RETRY_LATER) => {}
        }
        let state = &mut *desk.state();
        while let Some(work) = state.resting.pop(|_| true) {
            state.ready.push(work);
        }
        desk.dispatch.notify_one();
    });
}
