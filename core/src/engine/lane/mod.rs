//! The quota and health of one provider instance: pace, in-flight cap, pause, breaker.
//!
//! All workers of a provider share one [`Lane`]. Every call is admitted by it, every request is paid here, and what the
//! provider answers comes back as a [`Verdict`].

mod desk;
mod fault;
mod memory;
mod offset;
mod permit;
mod port;
mod queue;
mod retries;
mod settings;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::budget::Cost;
use crate::clock::{Clock, later};
use crate::context::Priority;
use crate::engine::pacer::{Pacer, PauseReason, Sent};
use crate::store::Spent;

pub use fault::LaneFault;
pub use permit::{Permit, Verdict};
pub use settings::{LaneSettings, Role};

use desk::{Desk, Turn};
use queue::Wish;

/// The lane of one provider. Clones share it.
#[derive(Clone)]
pub struct Lane {
    inner: Arc<Inner>,
}

struct Inner {
    settings: LaneSettings,
    clock: Arc<dyn Clock>,
    /// When the pacer's clock began.
    opened: Instant,
    desk: Mutex<Desk>,
    changed: Notify,
}

/// A lane at a glance.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LaneStatus {
    /// Requests the provider accepted a second, over the last ten seconds; without reads, until one of them was refused.
    pub rate_per_sec: Option<f64>,
    /// Until when nothing leaves; past while a probe is on its way.
    pub paused_until: Option<Timestamp>,
    /// Why nothing leaves.
    pub why: Option<PauseReason>,
    /// People in calls.
    pub in_flight: u32,
    /// What a person must mend first.
    pub fault: Option<LaneFault>,
}

impl Lane {
    /// Opens a lane where the last process left it: `memory` is what [`Lane::memory`] said last, `spent` what the store
    /// recorded over at least the longest budget's time. What is older counts as spent.
    pub fn open(
        settings: LaneSettings,
        clock: Arc<dyn Clock>,
        memory: Option<&str>,
        spent: &[Spent],
    ) -> Self {
        let budgets = if settings.unlimited {
            &[][..]
        } else {
            &settings.budgets
        };
        let pacer = Pacer::new(budgets, settings.seed);
        let desk = Desk::new(pacer, settings.max_in_flight, settings.claims_ahead);
        let lane = Self {
            inner: Arc::new(Inner {
                settings,
                clock,
                opened: Instant::now(),
                desk: Mutex::new(desk),
                changed: Notify::new(),
            }),
        };
        lane.take_over(memory, spent);
        lane
    }

    /// Adds what a working process that is gone has left: its pause where that is the longer one, its pace, and what
    /// it spent. Calls of this lane must not be under way.
    pub fn take_over(&self, memory: Option<&str>, spent: &[Spent]) {
        let now = self.now();
        let wall = self.inner.clock.now();
        let mut before: Vec<_> = spent
            .iter()
            .map(|row| {
                // A row stands for a whole second; all of it may have been spent at its end.
                let end = later(row.at, Duration::from_secs(1)).min(wall);
                let age = Duration::try_from(wall.duration_since(end)).unwrap_or_default();
                (age, row.budget.as_str(), f64::from(row.units))
            })
            .collect();
        before.sort_by_key(|row| std::cmp::Reverse(row.0));
        let learnt = memory.map(|text| memory::read(text, wall));
        let learnt = learnt.unwrap_or_default();
        self.desk().pacer.take_over(now, &before, &learnt);
    }

    /// What it was opened with.
    pub fn settings(&self) -> &LaneSettings {
        &self.inner.settings
    }

    /// Waits until a call may leave: no pause (or this call is the probe), a place for its `people`, and `cost` paid.
    /// Cancel-safe: a dropped wait spends nothing.
    ///
    /// # Errors
    /// When the lane is at fault.
    pub async fn admit(
        &self,
        role: Role,
        cost: &Cost,
        people: u32,
        priority: Priority,
    ) -> Result<Permit, LaneFault> {
        let wish = Wish::of_call(role, people, *cost, priority);
        let sent = self.serve(wish).await?;
        Ok(Permit::new(self.clone(), role, people, sent))
    }

    /// Admits a call if that takes no waiting and nobody who waits already would lose by it.
    pub fn try_admit(
        &self,
        role: Role,
        cost: &Cost,
        people: u32,
        priority: Priority,
    ) -> Option<Permit> {
        let wish = Wish::of_call(role, people, *cost, priority);
        let now = self.now();
        let sent = self.desk().try_serve(now, &wish)?;
        Some(Permit::new(self.clone(), role, people, sent))
    }

    /// Draws on the retry budget: at most a tenth of a lane's calls are repeats.
    pub fn may_retry(&self) -> bool {
        let now = self.now();
        self.desk().retries.draw(now)
    }

    /// A repeat that [`Lane::may_retry`] allowed went well: the provider is back.
    pub fn retry_went_well(&self) {
        self.desk().retries.went_well();
    }

    /// Stops the lane until [`Lane::clear_fault`]; everybody who waits is told.
    pub fn stop(&self, fault: LaneFault) {
        self.desk().stop(fault);
    }

    /// What a person must mend first.
    pub fn fault(&self) -> Option<LaneFault> {
        self.desk().fault.clone()
    }

    /// Whether the provider has served a call of this role since the lane was last cleared of a fault: then a missing
    /// right is one subject's affair, not the lane's.
    pub fn has_served(&self, role: Role) -> bool {
        self.desk().rights.are_proved(role)
    }

    /// A person says that it is mended.
    pub fn clear_fault(&self) {
        let now = self.now();
        let mut desk = self.desk();
        desk.fault = None;
        desk.rights.forget();
        desk.refresh(now);
    }

    /// The lane at a glance.
    pub fn status(&self) -> LaneStatus {
        let now = self.now();
        let wall = self.inner.clock.now();
        let desk = self.desk();
        let pause = desk.pacer.pause();
        LaneStatus {
            rate_per_sec: desk.pacer.accepted_per_sec(now),
            paused_until: pause.map(|(until, _)| later(wall, until.saturating_sub(now))),
            why: pause.map(|(_, why)| why),
            in_flight: desk.in_flight.iter().sum(),
            fault: desk.fault.clone(),
        }
    }

    /// What the next process should know: the pause and the pace, as JSON. Faults are not kept: a new process finds out.
    pub fn memory(&self) -> String {
        let now = self.now();
        let learnt = self.desk().pacer.learnt(now);
        memory::write(&learnt, self.inner.clock.now())
    }

    /// Waits until [`Lane::memory`] has something new that must be kept. Cancel-safe.
    pub async fn memory_changed(&self) {
        self.inner.changed.notified().await;
    }

    /// The provider's clock, as far as its answers show.
    pub fn provider_now(&self) -> Timestamp {
        self.to_provider_time(self.inner.clock.now())
    }

    /// An instant of ours on the provider's clock.
    pub fn to_provider_time(&self, ours: Timestamp) -> Timestamp {
        let offset = self.desk().offset.get();
        ours.checked_add(offset).unwrap_or(ours)
    }

    fn lets_go(&self, sent: &Sent) -> bool {
        let desk = self.desk();
        let is_open = desk.pacer.pause().is_none() || (sent.probe && desk.pacer.is_probing());
        desk.fault.is_none() && is_open
    }

    fn finish(&self, permit: &Permit, verdict: &Verdict) {
        let now = self.now();
        let mut desk = self.desk();
        desk.done(now, permit, verdict);
        self.tell(desk);
    }

    async fn serve(&self, wish: Wish) -> Result<Sent, LaneFault> {
        let bell = Arc::new(Notify::new());
        let ticket = {
            let now = self.now();
            let mut desk = self.desk();
            if let Some(fault) = &desk.fault {
                return Err(fault.clone());
            }
            if let Some(sent) = desk.try_serve(now, &wish) {
                return Ok(sent);
            }
            let id = desk.enqueue(wish, bell.clone());
            Ticket {
                lane: self,
                id,
                wish,
            }
        };
        loop {
            let turn = {
                let now = self.now();
                let mut desk = self.desk();
                let turn = desk.turn(now, ticket.id);
                self.tell(desk);
                turn
            };
            match turn {
                Turn::Granted(sent) => return Ok(sent),
                Turn::Stopped(fault) => return Err(fault),
                Turn::Wait(None) => bell.notified().await,
                Turn::Wait(Some(until)) => {
                    tokio::select! {
                        biased;
                        () = bell.notified() => {}
                        () = tokio::time::sleep_until(self.inner.opened + until) => {}
                    }
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.inner.opened.elapsed()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.inner
            .desk
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut desk: MutexGuard<'_, Desk>) {
        let changed = desk.pacer.take_changed();
        drop(desk);
        if changed {
            self.inner.changed.notify_one();
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("provider", &self.inner.settings.provider)
            .finish_non_exhaustive()
    }
}

/// A place in the queue, given up when the wait ends, however it ends.
struct Ticket<'a> {
    lane: &'a Lane,
    id: u64,
    wish: Wish,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = self.lane.now();
        self.lane.desk().leave(now, self.id, &self.wish);
    }
}

#[cfg(test)]
mod lab;
#[cfg(test)]
mod tests;
