//! The model store as a process sees it through its disk: slow, failing, and watched by the judge.
//!
//! A commit takes its time before it is done and again before its answer is heard, so a process may die on either side
//! of it. It may fail, or be done and say that it failed.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Counts, Order, OrderDraft};
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, NextDue, ReadyJob, Settlement,
    Spent, StagedJob, Store, StoreError,
};

use super::Breakage;
use super::broken::Broken;
use super::world::{Life, State, World};

/// The store of one process.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) world: Arc<World>,
    pub(super) life: Arc<Life>,
    pub(super) broken: Broken,
    /// The vendors behind the bindings of the order that is being staged.
    bindings: Mutex<Vec<usize>>,
}

impl Disk {
    pub(super) fn new(world: &Arc<World>, life: &Arc<Life>) -> Self {
        Self {
            world: Arc::clone(world),
            life: Arc::clone(life),
            broken: Broken::default(),
            bindings: Mutex::default(),
        }
    }

    /// Reads are of a moment, and may fail like anything else.
    async fn reads(&self) {
        self.world.breathe(&self.life).await;
    }

    /// Before a commit. Answers whether it will say that it failed although it is done.
    async fn commits(&self, what: &str) -> Result<bool, StoreError> {
        let world = &self.world;
        world.breathe(&self.life).await;
        let (ms, fails, lies) = {
            let state = &mut *world.state();
            let disk = world.scenario.disk;
            let storm = !state.calm;
            let dice = &mut state.dice;
            let ms = if storm {
                dice.between(0, disk.commit_ms)
            } else {
                0
            };
            let fails = storm && dice.permille(disk.fails);
            (ms, fails, storm && !fails && dice.permille(disk.lies))
        };
        world.sleep(ms).await;
        self.life.goes_on().await;
        if fails {
            world.state().judge.saw("commits that failed");
            world.tell(self.life.id, || format!("{what}: the disk fails"));
            return Err(StoreError::Io("simulated".to_owned()));
        }
        Ok(lies)
    }

    /// After a commit.
    async fn committed(&self, what: &str, lies: bool) -> Result<(), StoreError> {
        let world = &self.world;
        world.breathe(&self.life).await;
        let ms = {
            let state = &mut *world.state();
            let most = world.scenario.disk.commit_ms;
            if state.calm {
                0
            } else {
                state.dice.between(0, most / 4)
            }
        };
        world.sleep(ms).await;
        self.life.goes_on().await;
        if lies {
            world.state().judge.saw("commits that said they failed");
            world.tell(self.life.id, || {
                format!("{what}: done, and the disk says it failed")
            });
            return Err(StoreError::Io("simulated".to_owned()));
        }
        Ok(())
    }

    /// Tells the judge what is committed. Whoever does not hold the engine lock is another process to the one that does.
    fn judge(&self, what: impl FnOnce(&mut State, u64)) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        if state.holder != Some(self.life.id) {
            state.judge.books.touched_at = now;
            self.world.model.touched_by_others();
        }
        what(state, now);
    }

    /// What the engine was told must be what the store holds.
    fn compare(&self, jobs: impl Iterator<Item = JobKey>) {
        let now = self.world.now();
        for key in jobs {
            let real = self.world.model.state_of(key);
            let state = &mut *self.world.state();
            let told = state.judge.books.job(key).map(|job| job.state);
            if told != real {
                let what = format!("{key:?} is told to be {told:?} and is {real:?}");
                state.judge.violate(now, what);
            }
        }
    }
}

#[async_trait]
impl Store for Disk {
    async fn begin(&self, draft: OrderDraft) -> Result<OrderKey, StoreError> {
        let lies = self.commits("begin").await?;
        let id = draft.id;
        let vendors = draft.bindings.iter().map(|b| {
            let index = b.provider.as_str().strip_prefix("idp");
            index.and_then(|n| n.parse().ok()).unwrap_or(0)
        });
        *self.bindings.lock().unwrap_or_else(PoisonError::into_inner) = vendors.collect();
        let key = self.world.model.begin(draft).await?;
        self.judge(|state, _| state.judge.books.begin(key, id));
        self.committed("begin", lies).await?;
        Ok(key)
    }

    async fn stage(&self, order: OrderKey, jobs: Vec<StagedJob>) -> Result<(), StoreError> {
        let lies = self.commits("stage").await?;
        self.world.model.stage(order, jobs.clone()).await?;
        let vendors = self
            .bindings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.judge(|state, _| state.judge.books.stage(order, &jobs, &vendors));
        self.committed("stage", lies).await
    }

    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError> {
        let lies = self.commits("accept").await?;
        let at = self.world.model.accept(order, acceptance).await?;
        self.judge(|state, now| state.judge.accepted(now, order));
        self.world
            .tell(self.life.id, || format!("accepted {order:?}"));
        self.committed("accept", lies).await?;
        Ok(at)
    }

    async fn discard(&self, order: OrderKey) -> Result<(), StoreError> {
        let lies = self.commits("discard").await?;
        self.world.model.discard(order).await?;
        self.committed("discard", lies).await
    }

    async fn record_denied(&self, act: Act) -> Result<(), StoreError> {
        let lies = self.commits("record_denied").await?;
        self.world.model.record_denied(act).await?;
        self.committed("record_denied", lies).await
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        let lies = self.commits("recover").await?;
        let n = self.world.model.recover().await?;
        self.judge(|state, now| {
            let rescued = state.judge.books.rescue();
            if rescued > 0 {
                state.judge.saw("rescues");
            }
            if rescued != n {
                let what = format!("{n} jobs were rescued and {rescued} were running");
                state.judge.violate(now, what);
            }
        });
        self.world.tell(self.life.id, || format!("recovered {n}"));
        self.committed("recover", lies).await?;
        Ok(n)
    }

    async fn open_orders(&self) -> Result<Vec<Order>, StoreError> {
        self.reads().await;
        self.world.model.open_orders().await
    }

    async fn change_mark(&self) -> Result<u64, StoreError> {
        self.reads().await;
        self.world.model.change_mark().await
    }

    async fn peek(
        &self,
        order: OrderKey,
        provider: &ProviderName,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        self.reads().await;
        self.world.model.peek(order, provider, after, limit).await
    }

    async fn wake(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        let lies = self.commits("wake").await?;
        let woken = self.world.model.wake(provider, now, limit).await?;
        self.judge(|state, now| {
            for job in &woken {
                state.judge.step(now, job.key, JobState::Pending);
            }
        });
        self.committed("wake", lies).await?;
        Ok(woken)
    }

    async fn next_due(&self, provider: &ProviderName) -> Result<NextDue, StoreError> {
        self.reads().await;
        self.world.model.next_due(provider).await
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        let lies = self.commits("claim").await?;
        let answers = self
            .broken
            .claim(&self.world, &self.life, claims.clone())
            .await?;
        self.judge(|state, now| state.judge.claimed(now, &claims, &answers));
        self.world.tell(self.life.id, || {
            let each = claims.iter().zip(&answers);
            let each = each.map(|(c, a)| format!("{:?} {:?} {a:?}", c.job, c.calls));
            format!("claim {}", each.collect::<Vec<_>>().join(", "))
        });
        let running = claims.iter().zip(&answers);
        let running = running.filter(|(_, a)| matches!(a, Claimed::Running { .. }));
        self.compare(running.map(|(claim, _)| claim.job));
        self.committed("claim", lies).await?;
        Ok(answers)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let lies = self.commits("settle").await?;
        let held = self
            .broken
            .settle(&self.world, &self.life, settlements.clone())
            .await?;
        self.judge(|state, now| {
            state
                .judge
                .settled(now, &self.world.scenario, &settlements, &held);
        });
        self.world.tell(self.life.id, || {
            let each = settlements.iter().map(|s| {
                let error = s.detail.error.as_ref().map(|error| error.kind);
                format!("{:?} {:?} {:?} {error:?}", s.job, s.next, s.detail.outcome)
            });
            format!("settle {} {held:?}", each.collect::<Vec<_>>().join(", "))
        });
        self.compare(settlements.iter().map(|settlement| settlement.job));
        self.committed("settle", lies).await?;
        Ok(held)
    }

    async fn evidence_due(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
        in_flight: &[JobKey],
    ) -> Result<Vec<EvidenceDue>, StoreError> {
        self.reads().await;
        let model = &self.world.model;
        model.evidence_due(provider, now, limit, in_flight).await
    }

    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError> {
        let lies = self.commits("record_evidence").await?;
        self.world.model.record_evidence(readings).await?;
        self.committed("record_evidence", lies).await
    }

    async fn was_resolved(
        &self,
        provider: &ProviderName,
        spellings: &[String],
    ) -> Result<Vec<bool>, StoreError> {
        self.reads().await;
        self.world.model.was_resolved(provider, spellings).await
    }

    async fn spent(
        &self,
        provider: &ProviderName,
        since: Timestamp,
    ) -> Result<Vec<Spent>, StoreError> {
        self.reads().await;
        self.world.model.spent(provider, since).await
    }

    async fn load_lane(&self, provider: &ProviderName) -> Result<Option<String>, StoreError> {
        self.reads().await;
        if self.world.breakage == Breakage::ForgetsPause {
            return Ok(None);
        }
        self.world.model.load_lane(provider).await
    }

    async fn save_lane(&self, provider: &ProviderName, memory: String) -> Result<(), StoreError> {
        let asked_at = self.world.now();
        let lies = self.commits("save_lane").await?;
        self.world.model.save_lane(provider, memory).await?;
        let index = provider
            .as_str()
            .strip_prefix("idp")
            .and_then(|n| n.parse().ok());
        self.judge(|state, now| {
            let (vendor, by) = (index.unwrap_or(0), self.life.id);
            state.judge.keeps_lane(now, vendor, by, asked_at);
        });
        self.committed("save_lane", lies).await
    }

    async fn pause(&self, order: OrderKey, why: String, act: Act) -> Result<(), StoreError> {
        let lies = self.commits("pause").await?;
        self.world.model.pause(order, why, act).await?;
        self.judge(|state, now| {
            let order = state.judge.books.orders.get_mut(&order);
            // What has nothing open, or is called off, cannot be put on hold.
            if let Some(order) = order.filter(|o| o.open() > 0 && o.cancelled_at.is_none()) {
                order.paused_at.get_or_insert(now);
            }
        });
        self.world
            .tell(self.life.id, || format!("paused {order:?}"));
        self.committed("pause", lies).await
    }

    async fn release(&self, order: OrderKey, act: Act) -> Result<(), StoreError> {
        let lies = self.commits("release").await?;
        self.world.model.release(order, act).await?;
        self.judge(|state, _| {
            if let Some(order) = state.judge.books.orders.get_mut(&order) {
                order.paused_at = None;
            }
        });
        self.world
            .tell(self.life.id, || format!("released {order:?}"));
        self.committed("release", lies).await
    }

    async fn unpark(&self, order: Option<OrderKey>, act: Act) -> Result<u64, StoreError> {
        let lies = self.commits("unpark").await?;
        let n = self.world.model.unpark(order, act).await?;
        self.judge(|state, now| {
            let of = |book: &super::books::OrderBook| order.is_none_or(|key| key == book.key);
            let books = &mut state.judge.books;
            let freed = books.move_all(of, &[JobState::Parked], JobState::Pending);
            if freed != n {
                let what = format!("{n} jobs were freed and {freed} were parked");
                state.judge.violate(now, what);
            }
        });
        self.committed("unpark", lies).await?;
        Ok(n)
    }

    async fn cancel(&self, order: OrderKey, act: Act) -> Result<u64, StoreError> {
        let lies = self.commits("cancel").await?;
        let n = self.world.model.cancel(order, act).await?;
        self.judge(|state, now| {
            let from = [JobState::Pending, JobState::Waiting, JobState::Parked];
            let books = &mut state.judge.books;
            let off = books.move_all(|book| book.key == order, &from, JobState::Cancelled);
            if off != n {
                let what = format!("{n} jobs were cancelled and {off} could be");
                state.judge.violate(now, what);
            }
            if let Some(order) = state.judge.books.orders.get_mut(&order) {
                order.cancelled_at.get_or_insert(now);
            }
        });
        self.world
            .tell(self.life.id, || format!("cancelled {order:?}: {n}"));
        self.committed("cancel", lies).await?;
        Ok(n)
    }

    async fn finish_cancels(&self) -> Result<u64, StoreError> {
        self.world.model.finish_cancels().await
    }

    async fn order(&self, id: OrderId) -> Result<Order, StoreError> {
        self.reads().await;
        self.world.model.order(id).await
    }

    async fn orders(
        &self,
        before: Option<OrderKey>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        self.reads().await;
        self.world.model.orders(before, limit).await
    }

    async fn jobs(
        &self,
        order: OrderKey,
        states: &[JobState],
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        self.reads().await;
        self.world.model.jobs(order, states, after, limit).await
    }

    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
        self.reads().await;
        self.world.model.counts(order).await
    }

    async fn recount(&self, order: OrderKey) -> Result<Counts, StoreError> {
        self.reads().await;
        self.world.model.recount(order).await
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        self.reads().await;
        self.world.model.audit(after, limit).await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        self.reads().await;
        self.world.model.checkpoints().await
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        let lies = self.commits("checkpoint").await?;
        self.world.model.checkpoint().await?;
        self.committed("checkpoint", lies).await
    }
}
