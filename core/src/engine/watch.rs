//! Watches a run: for orders of other processes, for what the board shows, and for the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::desk::Desk;
use super::progress::Board;
use super::run::{POLL, Run};
use super::{Ended, EngineError, Goal, Remedy};
use crate::id::{OrderKey, ProviderName};
use crate::order::{Counts, Order, OrderState};
use crate::store::StoreError;

/// How often the counts are read when nothing was settled here.
const LOOK: Duration = Duration::from_secs(1);

/// With fewer jobs than this the end of the run is soon enough.
const WORTH_A_REST: u64 = 1_000;

/// Watches for orders of other processes, and for the end of a run.
pub(super) struct Watch<'a> {
    run: &'a Run,
    desks: &'a [Arc<Desk>],
    board: &'a Mutex<Board>,
    goal: Goal,
    /// What the store's change mark was at the last look.
    mark: u64,
    /// The counts of every order of the goal that was open at some time of this run.
    counts: BTreeMap<OrderKey, Vec<(ProviderName, Counts)>>,
    /// Those that were open at the last look.
    open: BTreeSet<OrderKey>,
    /// Whether the store has come to rest since the last call has ended.
    has_rested: bool,
}

impl<'a> Watch<'a> {
    /// Watches a run that has read the orders no later than `mark`.
    pub(super) fn new(
        run: &'a Run,
        desks: &'a [Arc<Desk>],
        board: &'a Mutex<Board>,
        goal: Goal,
        mark: u64,
    ) -> Self {
        Self {
            run,
            desks,
            board,
            goal,
            mark,
            counts: BTreeMap::new(),
            open: BTreeSet::new(),
            has_rested: false,
        }
    }

    pub(super) async fn until_over(&mut self) -> Result<Ended, EngineError> {
        loop {
            self.tell_board().await?;
            if let Some(ended) = self.over().await? {
                return Ok(ended);
            }
            self.rest_once_called().await?;
            let looked = Instant::now();
            let mut stale = false;
            while !stale && looked.elapsed() < LOOK {
                tokio::select! {
                    biased;
                    () = self.run.reload.notified() => {
                        self.reload().await?;
                        stale = true;
                    }
                    () = self.run.look.notified() => {
                        // While calls are under way nothing can be over; the counts are fresh enough.
                        let _ = timeout(POLL / 4, self.quiet()).await;
                        stale = true;
                    }
                    () = sleep(POLL) => {}
                }
                let mark = self.run.store.change_mark().await?;
                if mark != self.mark {
                    self.mark = mark;
                    self.reload().await?;
                    stale = true;
                }
            }
        }
    }

    async fn reload(&self) -> Result<(), StoreError> {
        self.run.reload().await?;
        for desk in self.desks {
            desk.feed.notify_one();
        }
        Ok(())
    }

    /// Waits until no lane has anything in memory that could still change.
    async fn quiet(&self) {
        while !self.desks.iter().all(|desk| desk.state().is_idle()) {
            self.run.look.notified().await;
        }
    }

    /// Lets the store come to rest once the last call has ended, while the last evidence is on its way: little is left to
    /// sign and to fold when that has come.
    async fn rest_once_called(&mut self) -> Result<(), StoreError> {
        let counts = || self.counts.values().flatten().map(|(_, counts)| counts);
        let has_called = counts().all(|counts| counts.open == 0)
            && counts().map(|counts| counts.accepted).sum::<u64>() >= WORTH_A_REST;
        if has_called && !self.has_rested {
            self.run.store.checkpoint().await?;
        }
        self.has_rested = has_called;
        Ok(())
    }

    async fn goal_orders(&self) -> Result<Vec<Order>, StoreError> {
        match self.goal {
            Goal::Everything => self.run.store.open_orders().await,
            Goal::Order(id) | Goal::Again(id) => Ok(vec![self.run.store.order(id).await?]),
        }
    }

    /// Whether nothing is left that this run could do.
    async fn over(&self) -> Result<Option<Ended>, StoreError> {
        let orders = self.goal_orders().await?;
        let mut remedies = Vec::new();
        for order in &orders {
            if order.counts.open == 0 {
                continue;
            }
            if let Err(message) = self.run.is_ours(order) {
                remedies.push(Remedy {
                    provider: None,
                    order: Some(order.id),
                    message,
                    hint: None,
                });
                continue;
            }
            if let OrderState::Paused { why } = &order.state {
                if self.is_running(order) {
                    return Ok(None);
                }
                remedies.push(Remedy::on_hold(order.id, why));
                continue;
            }
            for (provider, counts) in self.run.store.counts(order.key).await? {
                if counts.open == 0 {
                    continue;
                }
                let desk = self.desks.iter().find(|desk| desk.member.name == provider);
                let fault = desk.and_then(|desk| desk.member.lane.fault());
                let (Some(fault), false) = (fault, self.is_running(order)) else {
                    return Ok(None);
                };
                if remedies
                    .iter()
                    .all(|known: &Remedy| known.provider.as_ref() != Some(&provider))
                {
                    remedies.push(Remedy {
                        provider: Some(provider),
                        order: None,
                        message: fault.error.message,
                        hint: fault.error.hint,
                    });
                }
            }
        }
        if self.has_evidence_to_read(&orders).await? {
            return Ok(None);
        }
        Ok(Some(if remedies.is_empty() {
            Ended::Finished
        } else {
            Ended::NeedsPerson(remedies)
        }))
    }

    fn is_running(&self, order: &Order) -> bool {
        self.desks.iter().any(|desk| {
            desk.state()
                .running
                .iter()
                .any(|job| job.order() == order.key)
        })
    }

    /// Whether evidence of the goal is still to be read. What stands behind a stopped lane is read when the lane is free
    /// again.
    async fn has_evidence_to_read(&self, orders: &[Order]) -> Result<bool, StoreError> {
        for desk in self.desks.iter().filter(|desk| !desk.is_stopped()) {
            let name = &desk.member.name;
            let pending = match self.goal {
                // Of finished orders, too.
                Goal::Everything => {
                    let due = self.run.store.next_due(name).await?;
                    due.evidence.is_some()
                }
                Goal::Order(_) | Goal::Again(_) => {
                    orders.iter().any(|o| o.evidence_at.contains_key(name))
                }
            };
            if pending {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn tell_board(&mut self) -> Result<(), StoreError> {
        let mut stale: Vec<OrderKey> = self.goal_orders().await?.iter().map(|o| o.key).collect();
        // An order that has finished since is read a last time.
        let open: BTreeSet<OrderKey> = stale.iter().copied().collect();
        stale.extend(self.open.difference(&open));
        self.open = open;
        for key in stale {
            let counts = self.run.store.counts(key).await?;
            self.counts.insert(key, counts);
        }
        let counts = self.counts.values().flatten().cloned();
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.show(counts, self.run.clock.now());
        Ok(())
    }
}
