//! One run: starts the lanes and what keeps them, and winds them down when it is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::dice::Dice;
use super::orders::Orders;
use super::progress::Board;
use super::reads::is_strange;
use super::settle::MAX_UNRECOGNISED;
use super::watch::Watch;
use super::{
    Ended, EngineError, EngineParts, Goal, Stop, dispatch, evidence, feed, protected, settle,
};
use crate::clock::Clock;
use crate::error::Retry;
use crate::order::{Actor, Binding, Order, OrderState};
use crate::store::{Act, Store, StoreError, check_bindings};

/// How often the store is asked whether another process has written.
pub(super) const POLL: Duration = Duration::from_millis(200);

/// How long calls in flight may take once the run is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// How long they may take after they were cancelled, before they are left alone.
const CANCELLED: Duration = Duration::from_secs(2);

/// What the tasks of a run share.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) actor: Actor,
    pub(super) orders: Orders,
    pub(super) dice: Dice,
    /// No more claims.
    pub(super) draining: CancellationToken,
    /// Calls in flight end now.
    pub(super) calls: CancellationToken,
    /// Something was settled or stopped: look whether this was all.
    pub(super) look: Notify,
    /// The orders have changed.
    pub(super) reload: Notify,
    protected: Vec<String>,
    canary: bool,
    bindings: Vec<Binding>,
}

impl Run {
    pub(super) async fn reload(&self) -> Result<(), StoreError> {
        let mut open = self.store.open_orders().await?;
        if open
            .iter()
            .any(|order| matches!(order.state, OrderState::Cancelling))
        {
            // Whoever called it off may have died before its jobs were written off.
            self.store.finish_cancels().await?;
            open = self.store.open_orders().await?;
        }
        open.retain(|order| self.is_ours(order).is_ok());
        self.orders.refresh(open, self.canary);
        Ok(())
    }

    /// Whether an order means the tenants we know. Another process may have accepted it under another configuration
    /// while we work: we must not touch it.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn is_ours(&self, order: &Order) -> Result<(), String> {
        check_bindings(std::slice::from_ref(order), &self.bindings)
    }
}

type Tasks = JoinSet<Result<(), StoreError>>;

/// Works until the goal is reached, only a person can go on, or `stop.drain` says so. `begun`: what the goal wants
/// released and tried again, is.
pub(super) async fn run(
    parts: &EngineParts,
    board: &Mutex<Board>,
    goal: Goal,
    begun: bool,
    stop: &Stop,
) -> Result<Ended, EngineError> {
    let store = &parts.store;
    check(parts).await?;
    let rescued = store.recover().await?;
    if rescued > 0 {
        tracing::info!(jobs = rescued, "taken over from a process that is gone");
    }
    if !begun {
        begin(parts, goal).await?;
    }

    let run = Arc::new(Run {
        store: Arc::clone(store),
        clock: Arc::clone(&parts.clock),
        actor: parts.actor.clone(),
        orders: Orders::default(),
        dice: Dice::new(parts.seed),
        draining: CancellationToken::new(),
        calls: CancellationToken::new(),
        look: Notify::new(),
        reload: Notify::new(),
        protected: parts.protected.clone(),
        canary: parts.canary,
        bindings: parts.fleet.bindings(),
    });
    let mark = store.change_mark().await?;
    run.reload().await?;
    let mut tasks = Tasks::new();
    // They go on while calls in flight end: what a provider asks for then binds the next process, too.
    let mut keepers = Tasks::new();
    let mut desks = Vec::new();
    for member in parts.fleet.members() {
        member.lane.clear_fault();
        let desk = Arc::new(Desk::new(Arc::clone(&run), Arc::clone(member)));
        let (outcomes, settled) = mpsc::unbounded_channel();
        tasks.spawn(feed::feed(Arc::clone(&desk)));
        tasks.spawn(dispatch::dispatch(Arc::clone(&desk), outcomes));
        tasks.spawn(settle::settle(Arc::clone(&desk), settled));
        tasks.spawn(evidence::read_back(Arc::clone(&desk)));
        tasks.spawn(protect(Arc::clone(&desk)));
        keepers.spawn(remember(Arc::clone(&desk)));
        desks.push(desk);
    }
    let mut watch = Watch::new(&run, &desks, board, goal, mark);
    let ended = tokio::select! {
        biased;
        () = stop.drain.cancelled() => Ended::Interrupted,
        error = broken(&mut tasks) => return Err(error),
        error = broken(&mut keepers) => return Err(error),
        ended = watch.until_over() => ended?,
    };
    tokio::select! {
        biased;
        wound_down = wind_down(&run, &mut tasks) => wound_down?,
        error = broken(&mut keepers) => return Err(error),
    }
    keepers.shutdown().await;
    // Asked for together, they share a sync.
    let lanes = desks.iter().map(|desk| {
        let member = &desk.member;
        store.save_lane(&member.name, member.lane.memory())
    });
    try_join(try_join_all(lanes), store.checkpoint()).await?;
    watch.tell_board().await?;
    Ok(ended)
}

/// Whether every open order still means the tenants that are configured now.
pub(super) async fn check(parts: &EngineParts) -> Result<(), EngineError> {
    let open = parts.store.open_orders().await?;
    check_bindings(&open, &parts.fleet.bindings()).map_err(EngineError::Bindings)
}

/// What a person wants released and tried again before the work begins: acts like any other, whoever works.
pub(super) async fn begin(parts: &EngineParts, goal: Goal) -> Result<(), StoreError> {
    let store = &parts.store;
    match goal {
        Goal::Everything => {
            let act = Act::new(parts.actor.clone(), "jobs_unparked");
            store.unpark(None, act).await?;
        }
        Goal::Order(id) => {
            // An order that does not exist is an error before anything is started.
            store.order(id).await?;
        }
        Goal::Again(id) => {
            let order = store.order(id).await?;
            if matches!(order.state, OrderState::Paused { .. }) {
                let act = Act::new(parts.actor.clone(), "order_released").about(id);
                store.release(order.key, act).await?;
            }
            let act = Act::new(parts.actor.clone(), "jobs_unparked").about(id);
            store.unpark(Some(order.key), act).await?;
        }
    }
    Ok(())
}

/// Resolves when a task fails; tasks that end well are not missed.
async fn broken(tasks: &mut Tasks) -> EngineError {
    loop {
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => return error.into(),
            Some(Err(error)) => return broke(&error),
            None => std::future::pending().await,
        }
    }
}

/// A task that ended by itself. Its panic has said where it happened; what else it said may hold a secret, and stays there.
fn broke(error: &tokio::task::JoinError) -> EngineError {
    let how = if error.is_panic() {
        "it panicked"
    } else {
        "it was cut short"
    };
    EngineError::Broken(how.to_owned())
}

/// No more claims; calls in flight may end; outcomes are written.
async fn wind_down(run: &Run, tasks: &mut Tasks) -> Result<(), EngineError> {
    run.draining.cancel();
    for grace in [DRAIN, CANCELLED] {
        let all_over = async {
            while let Some(ended) = tasks.join_next().await {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(EngineError::from(error)),
                    Err(error) => return Err(broke(&error)),
                }
            }
            Ok(())
        };
        match timeout(grace, all_over).await {
            Ok(result) => return result,
            Err(_) => run.calls.cancel(),
        }
    }
    // Whatever is still there is left running: the next start rescues it.
    Ok(())
}

/// How long a protected list must be answered strangely before its lane stops: a page that says that the provider is being
/// worked on is gone by then.
const STRANGE_FOR: Duration = Duration::from_secs(60);

/// What to do about a protected list that is answered so that nobody understands it.
const UNREADABLE: &str = "look the entries of `protected` up in the provider's own console, and write an account's own id \
    instead of an address that is answered strangely";

/// Keeps the protected list of a lane young while the lane has work.
async fn protect(desk: Arc<Desk>) -> Result<(), StoreError> {
    let list = desk.member.protected();
    let mut failures = 0;
    let mut strange = 0;
    let mut strange_since = Instant::now();
    loop {
        let age = list.age();
        let wait = match age {
            Some(age) if failures == 0 => protected::READ_AGAIN.saturating_sub(age),
            Some(_) | None => desk.run.dice.backoff(failures + 1).min(POLL * 50),
        };
        tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => return Ok(()),
            () = asked_for(&desk, age.is_some()), if failures == 0 => {}
            () = sleep(wait), if age.is_some() || failures > 0 => {}
        }
        if desk.is_stopped() {
            failures += 1;
            continue;
        }
        let looked_up = tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => return Ok(()),
            looked_up = list.look_up(&desk.member, &desk.run.protected) => looked_up,
        };
        match looked_up {
            Ok(()) => {
                (failures, strange) = (0, 0);
                desk.dispatch.notify_one();
            }
            Err(error) => {
                failures += 1;
                if is_strange(&error) {
                    if strange == 0 {
                        strange_since = Instant::now();
                    }
                    strange += 1;
                }
                let is_lasting =
                    strange >= MAX_UNRECOGNISED && strange_since.elapsed() >= STRANGE_FOR;
                if is_lasting && !list.is_fresh() {
                    // It does not pass by itself, and nobody can say who is protected.
                    strange = 0;
                    desk.stop(&error.for_another_call().with_hint(UNREADABLE));
                } else if error.retry() == Retry::Never {
                    desk.stop(&error);
                } else {
                    tracing::warn!(
                        provider.name = %desk.member.name,
                        %error,
                        "the protected list could not be looked up; no revocation leaves before it is"
                    );
                }
            }
        }
    }
}

/// Resolves when somebody needs the protected list and finds it unread, or too old; or read by somebody else, when it was
/// not known before: then there is a time to read it again.
async fn asked_for(desk: &Desk, was_known: bool) {
    loop {
        desk.protect.notified().await;
        if !was_known || !desk.member.protected().is_fresh() {
            return;
        }
    }
}

/// Keeps what the lane has learnt, until it is dropped.
async fn remember(desk: Arc<Desk>) -> Result<(), StoreError> {
    let lane = &desk.member.lane;
    loop {
        lane.memory_changed().await;
        desk.run
            .store
            .save_lane(&desk.member.name, lane.memory())
            .await?;
    }
}
