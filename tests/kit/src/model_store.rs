//! A store in memory that does exactly what [`Store`] documents, for tests of the engine and for simulations.
//!
//! Nothing outlives the process. Dropping an engine over it and starting another one is what a crash is to a real store:
//! everything a method has answered is there, everything else is not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::clock::Clock;
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName, Token};
use rescind_core::job::{Job, JobState, WaitReason};
use rescind_core::order::{Counts, Order, OrderDraft, OrderState};
use rescind_core::provider::ScopeKind;
use rescind_core::report::EvidenceState;
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, EvidenceDue, EvidenceReading, Next, NextDue, ReadyJob,
    Settlement, Spent, StagedJob, Store, StoreError,
};
use rescind_core::subject::fold;

/// A store in memory.
#[derive(Debug)]
pub struct ModelStore {
    clock: Arc<dyn Clock>,
    commit_latency: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    orders: BTreeMap<OrderKey, OrderRow>,
    /// Counts everything that happens, so that "after" is exact even when the clock stands still.
    moment: u64,
    pending: HashMap<(OrderKey, ProviderName), BTreeSet<JobKey>>,
    waiting: HashMap<ProviderName, BTreeSet<(Timestamp, JobKey)>>,
    evidence: HashMap<ProviderName, BTreeSet<(Timestamp, JobKey)>>,
    in_flight: HashMap<(ProviderName, String), JobKey>,
    /// The moment the last successful attempt of an account started.
    succeeded: HashMap<(ProviderName, String), (u64, JobKey)>,
    resolved: HashSet<(ProviderName, String)>,
    spent: HashMap<ProviderName, Vec<Spent>>,
    lanes: HashMap<ProviderName, String>,
    audit: Vec<Logged>,
    checkpoints: Vec<Checkpoint>,
    changed_by_others: u64,
    writes: u64,
    fail_at: Option<u64>,
}

/// An audit entry, made readable only when it is asked for.
#[derive(Debug)]
struct Logged {
    at: Timestamp,
    action: &'static str,
    order: Option<OrderId>,
    jobs: Vec<u64>,
    outcome: Option<JobState>,
}

impl Logged {
    fn entry(&self, seq: u64) -> Option<AuditEntry> {
        let entry = serde_json::json!({
            "seq": seq, "at": self.at, "action": self.action,
            "order": self.order.map(|id| id.to_string()), "jobs": self.jobs,
            "outcome": self.outcome, "previous": "", "hash": "",
        });
        serde_json::from_value(entry).ok()
    }
}

#[derive(Debug)]
struct OrderRow {
    order: Order,
    live: bool,
    cancelled: bool,
    begun_at: Timestamp,
    accepted_moment: u64,
    jobs: Vec<JobRow>,
    /// The counts of each provider, kept as the jobs move: who asks asks often, and of many jobs.
    counts: BTreeMap<ProviderName, Counts>,
}

#[derive(Debug)]
struct JobRow {
    job: Job,
    token: u64,
    /// Why it waited, kept while it is pending again.
    waited: Option<WaitReason>,
    used_attempts: u32,
    attempt_moment: u64,
    calls: bool,
    evidence_due: Option<Timestamp>,
    reads: u32,
}

impl ModelStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            commit_latency: Duration::ZERO,
            state: Mutex::default(),
        }
    }

    /// Lets every write take this long, on the runtime's clock.
    #[must_use]
    pub fn with_commit_latency(mut self, latency: Duration) -> Self {
        self.commit_latency = latency;
        self
    }

    /// Fails the `n`-th write from now, counted from 1, and every one after it: a full disk.
    pub fn fail_write(&self, n: u64) {
        let mut state = self.state();
        state.fail_at = Some(state.writes + n);
    }

    /// Writes again.
    pub fn repair(&self) {
        self.state().fail_at = None;
    }

    /// Says that another process has written.
    pub fn touched_by_others(&self) {
        self.state().changed_by_others += 1;
    }

    /// Whether the counters of every order are what its jobs say, and balance.
    pub fn books_balance(&self) -> bool {
        self.state().orders.values().all(|row| {
            let counted = count(&row.jobs);
            !row.live
                || (counted == row.order.counts
                    && counted.balances()
                    && row.counts == count_each(&row.jobs))
        })
    }

    /// Every job, for a look from outside.
    pub fn all_jobs(&self) -> Vec<Job> {
        let state = self.state();
        let rows = state.orders.values().filter(|row| row.live);
        rows.flat_map(|row| row.jobs.iter().map(|job| job.job.clone()))
            .collect()
    }

    /// The state of a job, for a look from outside.
    pub fn state_of(&self, key: JobKey) -> Option<JobState> {
        self.state().row(key).map(|row| row.job.state)
    }

    /// Whether the intent to call an account is written, and the job is not settled yet.
    pub fn is_in_flight(&self, provider: &ProviderName, account: &str) -> bool {
        let account = (provider.clone(), account.to_owned());
        self.state().in_flight.contains_key(&account)
    }

    /// Where the record says that jobs went, one after the other.
    pub fn recorded_outcomes(&self) -> Vec<(JobKey, JobState)> {
        let state = self.state();
        let settled = state.audit.iter().filter_map(|logged| {
            let job = JobKey::from_u64(*logged.jobs.first()?);
            Some((job, logged.outcome?))
        });
        settled.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write: takes its time, and fails when it is told to.
    async fn write(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if !self.commit_latency.is_zero() {
            tokio::time::sleep(self.commit_latency).await;
        }
        let mut state = self.state();
        state.writes += 1;
        if state.fail_at.is_some_and(|at| state.writes >= at) {
            return Err(StoreError::Full);
        }
        state.moment += 1;
        Ok(state)
    }
}

fn count(jobs: &[JobRow]) -> Counts {
    let mut counts = Counts::default();
    for row in jobs {
        counts.accepted += 1;
        *cell(&mut counts, row.job.state) += 1;
    }
    counts
}

fn count_each(jobs: &[JobRow]) -> BTreeMap<ProviderName, Counts> {
    let mut each: BTreeMap<ProviderName, Counts> = BTreeMap::new();
    for row in jobs {
        let counts = each.entry(row.job.provider.clone()).or_default();
        counts.accepted += 1;
        *cell(counts, row.job.state) += 1;
    }
    each
}

fn cell(counts: &mut Counts, state: JobState) -> &mut u64 {
    match state {
        JobState::Pending | JobState::Running | JobState::Waiting => &mut counts.open,
        JobState::Parked => &mut counts.parked,
        JobState::Confirmed => &mut counts.confirmed,
        JobState::Gone => &mut counts.gone,
        JobState::Refused => &mut counts.refused,
        JobState::Cancelled => &mut counts.cancelled,
    }
}

impl State {
    fn row(&mut self, key: JobKey) -> Option<&mut JobRow> {
        self.orders
            .get_mut(&key.order())
            .filter(|row| row.live)
            .and_then(|row| row.jobs.get_mut(key.seq() as usize))
    }

    fn order_of(&self, id: OrderId) -> Result<&OrderRow, StoreError> {
        self.orders
            .values()
            .find(|row| row.live && row.order.id == id)
            .ok_or(StoreError::NoSuchOrder(id))
    }

    /// Moves a job along one of its edges, and keeps counters and indexes.
    ///
    /// # Panics
    /// On an edge that does not exist: the caller's bug, and the test must fail.
    fn step(&mut self, key: JobKey, next: JobState) {
        let Some(order) = self.orders.get_mut(&key.order()) else {
            return;
        };
        let Some(row) = order.jobs.get_mut(key.seq() as usize) else {
            return;
        };
        let before = row.job.state;
        assert!(
            before.may_become(next),
            "job {key:?} must not move from {before:?} to {next:?}"
        );
        row.job.state = next;
        let provider = row.job.provider.clone();
        let of_provider = order.counts.entry(provider.clone()).or_default();
        for counts in [&mut order.order.counts, of_provider] {
            *cell(counts, before) -= 1;
            *cell(counts, next) += 1;
        }
        let pending = self
            .pending
            .entry((key.order(), provider.clone()))
            .or_default();
        match before {
            JobState::Pending => {
                pending.remove(&key);
            }
            JobState::Waiting => {
                if let Some(due) = row.job.due.take() {
                    self.waiting
                        .entry(provider.clone())
                        .or_default()
                        .remove(&(due, key));
                }
                row.waited = row.job.waiting.take();
            }
            JobState::Running => {
                if let Some(resolved) = &row.job.resolved {
                    let account = (provider, resolved.id.clone());
                    if self.in_flight.get(&account) == Some(&key) {
                        self.in_flight.remove(&account);
                    }
                }
            }
            _ => {}
        }
        if next == JobState::Pending {
            pending.insert(key);
        }
        let order = &mut order.order;
        if order.counts.open == 0
            && matches!(order.state, OrderState::Open | OrderState::Cancelling)
        {
            order.state = OrderState::Finished;
        }
    }

    fn wait(&mut self, key: JobKey, until: Timestamp, why: WaitReason) {
        self.step(key, JobState::Waiting);
        if let Some(row) = self.row(key) {
            row.job.due = Some(until);
            row.job.waiting = Some(why);
            let provider = row.job.provider.clone();
            self.waiting
                .entry(provider)
                .or_default()
                .insert((until, key));
        }
    }

    fn log(&mut self, at: Timestamp, action: &'static str, order: Option<OrderId>, jobs: &[u64]) {
        self.audit.push(Logged {
            at,
            action,
            order,
            jobs: jobs.to_vec(),
            outcome: None,
        });
    }

    fn ready(row: &JobRow) -> ReadyJob {
        let mut ready = ReadyJob::new(row.job.key, row.job.subject.clone().unwrap_or_default());
        ready.alias = row.job.alias.as_deref().map(Into::into);
        ready.scope = row.job.scope.clone();
        ready.resolved.clone_from(&row.job.resolved);
        ready.attempts = row.used_attempts;
        ready.waited = row.waited;
        ready.started_at = row.job.started_at;
        ready.detail = row.job.detail.clone();
        ready
    }

    /// Where an order is called off, what comes back from a call is called off too.
    fn write_off(&mut self, key: JobKey) {
        let cancelled = self
            .orders
            .get(&key.order())
            .is_some_and(|row| row.cancelled);
        let open = self
            .row(key)
            .is_some_and(|row| matches!(row.job.state, JobState::Waiting | JobState::Parked));
        if cancelled && open {
            self.step(key, JobState::Cancelled);
        }
    }

    fn claim(&mut self, now: Timestamp, claim: &Claim) -> Claimed {
        let key = claim.job;
        let moment = self.moment;
        let Some(order) = self.orders.get(&key.order()) else {
            return Claimed::Lost;
        };
        let accepted_moment = order.accepted_moment;
        let is_open = order.order.state == OrderState::Open;
        let Some(row) = self.row(key) else {
            return Claimed::Lost;
        };
        if !is_open || row.job.state != JobState::Pending {
            return Claimed::Lost;
        }
        let whole = row.job.scope.kind() == ScopeKind::Everything;
        let given = [row.job.subject.clone(), row.job.alias.clone()];
        if let Some(resolved) = &claim.resolved {
            let account = (claim.provider.clone(), resolved.id.clone());
            if claim.calls {
                if let Some(by) = self.in_flight.get(&account) {
                    return Claimed::InFlight { by: *by };
                }
                match self.succeeded.get(&account) {
                    Some((started, with)) if whole && *started > accepted_moment => {
                        return Claimed::Shared { with: *with };
                    }
                    _ => {}
                }
                self.in_flight.insert(account, key);
            }
            let names = given.into_iter().flatten();
            for name in names.chain([resolved.id.clone(), resolved.name.clone()]) {
                self.resolved.insert((claim.provider.clone(), fold(&name)));
            }
        }
        for (budget, units) in claim.spend.iter().filter(|_| claim.calls) {
            self.spent
                .entry(claim.provider.clone())
                .or_default()
                .push(Spent {
                    at: now,
                    budget: (*budget).to_owned(),
                    units: *units,
                });
        }
        self.step(key, JobState::Running);
        let Some(row) = self.row(key) else {
            return Claimed::Lost;
        };
        row.token += 1;
        row.job.attempts += u32::from(claim.calls);
        row.calls = claim.calls;
        if claim.calls && !(claim.carries_steps && row.job.started_at.is_some()) {
            row.attempt_moment = moment;
            row.job.started_at = Some(now);
        }
        if claim.resolved.is_some() {
            row.job.resolved.clone_from(&claim.resolved);
        }
        Claimed::Running {
            token: Token(row.token),
            attempt: row.job.attempts,
            started_at: now,
        }
    }

    fn settle(&mut self, now: Timestamp, settlement: Settlement) -> bool {
        let key = settlement.job;
        let Some(row) = self.row(key) else {
            return false;
        };
        if row.job.state != JobState::Running || Token(row.token) != settlement.token {
            return false;
        }
        row.job.detail = settlement.detail;
        row.used_attempts += u32::from(settlement.used_attempt);
        if matches!(settlement.next, Next::Parked) {
            row.waited = settlement.unknown.then_some(WaitReason::Unknown);
        }
        let provider = row.job.provider.clone();
        let success = row.calls && matches!(settlement.next, Next::Confirmed { .. });
        let whole = row.job.scope.kind() == ScopeKind::Everything;
        if let (true, true, Some(resolved)) = (success, whole, &row.job.resolved) {
            let attempt = (row.attempt_moment, key);
            let account = (provider.clone(), resolved.id.clone());
            self.succeeded.insert(account, attempt);
        }
        match settlement.next {
            Next::Waiting { until, why } => self.wait(key, until, why),
            next => {
                self.step(key, next.state());
                let Some(row) = self.row(key) else {
                    return true;
                };
                if next.state().is_terminal() {
                    row.job.done_at = Some(now);
                }
                if let Next::Confirmed {
                    effective_by,
                    evidence_due,
                    evidence,
                } = next
                {
                    row.job.effective_by = Some(effective_by);
                    row.job.evidence = evidence;
                    row.evidence_due = evidence_due;
                    if let Some(due) = evidence_due {
                        self.evidence
                            .entry(provider.clone())
                            .or_default()
                            .insert((due, key));
                    }
                    if evidence == EvidenceState::Pending
                        && let Some(order) = self.orders.get_mut(&key.order())
                    {
                        order.order.evidence_pending += 1;
                        *order.order.evidence_at.entry(provider).or_default() += 1;
                    }
                }
            }
        }
        self.write_off(key);
        true
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn begin(&self, draft: OrderDraft) -> Result<OrderKey, StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        let next = state.orders.keys().next_back().map_or(1, |key| key.0 + 1);
        let key = OrderKey(next);
        let mut order = Order::new(key, draft.id, now);
        order.note = Some(draft.note.into());
        order.reference = draft.reference;
        order.actor = Some(draft.actor);
        order.urgent = draft.urgent;
        order.verify = draft.verify;
        order.retry_of = draft.retry_of;
        order.bindings = draft.bindings;
        state.orders.insert(
            key,
            OrderRow {
                order,
                live: false,
                cancelled: false,
                begun_at: now,
                accepted_moment: 0,
                jobs: Vec::new(),
                counts: BTreeMap::new(),
            },
        );
        Ok(key)
    }

    async fn stage(&self, order: OrderKey, jobs: Vec<StagedJob>) -> Result<(), StoreError> {
        let mut state = self.write().await?;
        let Some(row) = state.orders.get_mut(&order).filter(|row| !row.live) else {
            return Err(StoreError::Corrupt("no such staged order".to_owned()));
        };
        for staged in jobs {
            let key = JobKey::new(order, row.jobs.len() as u32);
            let Some(binding) = row.order.bindings.get(usize::from(staged.binding)) else {
                return Err(StoreError::Corrupt("no such binding".to_owned()));
            };
            let mut job = Job::new(key, row.order.id, binding.provider.clone());
            job.subject = Some(staged.subject);
            job.alias = staged.alias;
            job.scope = staged.scope;
            job.resolved = staged.resolved;
            if let Some(detail) = staged.refused {
                job.state = JobState::Refused;
                job.detail = detail;
            }
            row.jobs.push(JobRow {
                job,
                token: 0,
                waited: None,
                used_attempts: 0,
                attempt_moment: 0,
                calls: false,
                evidence_due: None,
                reads: 0,
            });
        }
        Ok(())
    }

    async fn accept(
        &self,
        order: OrderKey,
        acceptance: Acceptance,
    ) -> Result<Timestamp, StoreError> {
        let now = self.clock.now();
        let mut guard = self.write().await?;
        let state = &mut *guard;
        let moment = state.moment;
        let Some(row) = state.orders.get_mut(&order).filter(|row| !row.live) else {
            return Err(StoreError::Corrupt("no such staged order".to_owned()));
        };
        if row.jobs.len() as u64 != acceptance.jobs {
            return Err(StoreError::Corrupt(
                "the plan and what was staged differ".to_owned(),
            ));
        }
        row.live = true;
        row.accepted_moment = moment;
        row.order.accepted_at = now;
        row.order.plan_hash = acceptance.plan_hash;
        row.order.counts = count(&row.jobs);
        row.counts = count_each(&row.jobs);
        if row.order.counts.open == 0 {
            row.order.state = OrderState::Finished;
        }
        for row in &mut row.jobs {
            let provider = &row.job.provider;
            if row.job.state == JobState::Pending {
                state
                    .pending
                    .entry((order, provider.clone()))
                    .or_default()
                    .insert(row.job.key);
            } else {
                row.job.done_at = Some(now);
            }
            if let Some(resolved) = &row.job.resolved {
                for name in [&resolved.id, &resolved.name]
                    .into_iter()
                    .chain(&row.job.subject)
                    .chain(&row.job.alias)
                {
                    state.resolved.insert((provider.clone(), fold(name)));
                }
            }
        }
        let id = row.order.id;
        state.log(now, "order_accepted", Some(id), &[]);
        Ok(now)
    }

    async fn discard(&self, order: OrderKey) -> Result<(), StoreError> {
        let mut state = self.write().await?;
        if state.orders.get(&order).is_some_and(|row| !row.live) {
            state.orders.remove(&order);
        }
        Ok(())
    }

    async fn record_denied(&self, act: Act) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        state.log(now, act.action, act.order, &[]);
        Ok(())
    }

    async fn recover(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        let day_ago = now
            .checked_sub(SignedDuration::from_hours(24))
            .unwrap_or(now);
        state
            .orders
            .retain(|_, row| row.live || row.begun_at > day_ago);
        let running: Vec<JobKey> = state
            .orders
            .values()
            .flat_map(|row| &row.jobs)
            .filter(|row| row.job.state == JobState::Running)
            .map(|row| row.job.key)
            .collect();
        for key in &running {
            state.wait(*key, now, WaitReason::Unknown);
            if let Some(row) = state.row(*key) {
                row.token += 1;
                if !row.calls {
                    // It was only to be written down: nothing was sent.
                    row.job.waiting = Some(row.waited.unwrap_or(WaitReason::Lane));
                }
            }
            state.write_off(*key);
        }
        Ok(running.len() as u64)
    }

    async fn open_orders(&self) -> Result<Vec<Order>, StoreError> {
        let state = self.state();
        let mut open: Vec<Order> = state
            .orders
            .values()
            .filter(|row| row.live && row.order.state != OrderState::Finished)
            .map(|row| row.order.clone())
            .collect();
        open.sort_by_key(|order| (!order.urgent, order.accepted_at, order.key));
        Ok(open)
    }

    async fn change_mark(&self) -> Result<u64, StoreError> {
        Ok(self.state().changed_by_others)
    }

    async fn peek(
        &self,
        order: OrderKey,
        provider: &ProviderName,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let keys: Vec<JobKey> = state
            .pending
            .get(&(order, provider.clone()))
            .into_iter()
            .flat_map(|keys| keys.range((after.map_or(Unbounded, Excluded), Unbounded)))
            .copied()
            .take(limit)
            .collect();
        Ok(keys
            .into_iter()
            .filter_map(|key| state.row(key).map(|row| State::ready(row)))
            .collect())
    }

    async fn wake(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<ReadyJob>, StoreError> {
        let mut guard = self.write().await?;
        let state = &mut *guard;
        let due: Vec<JobKey> = state
            .waiting
            .get(provider)
            .into_iter()
            .flatten()
            .take_while(|(due, _)| *due <= now)
            .map(|(_, key)| *key)
            .filter(|key| {
                state
                    .orders
                    .get(&key.order())
                    .is_some_and(|row| row.order.state == OrderState::Open)
            })
            .take(limit)
            .collect();
        let mut woken = Vec::with_capacity(due.len());
        for key in due {
            state.step(key, JobState::Pending);
            woken.extend(state.row(key).map(|row| State::ready(row)));
        }
        Ok(woken)
    }

    async fn next_due(&self, provider: &ProviderName) -> Result<NextDue, StoreError> {
        let state = self.state();
        let first = |index: &HashMap<ProviderName, BTreeSet<(Timestamp, JobKey)>>| {
            index
                .get(provider)
                .and_then(|due| due.first())
                .map(|(at, _)| *at)
        };
        Ok(NextDue {
            job: first(&state.waiting),
            evidence: first(&state.evidence),
        })
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        let answers: Vec<Claimed> = claims.iter().map(|claim| state.claim(now, claim)).collect();
        let started: Vec<u64> = claims
            .iter()
            .zip(&answers)
            .filter(|(claim, answer)| claim.calls && matches!(answer, Claimed::Running { .. }))
            .map(|(claim, _)| claim.job.as_u64())
            .collect();
        if !started.is_empty() {
            state.log(now, "attempts_started", None, &started);
        }
        Ok(answers)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<bool>, StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        let mut held = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            let key = settlement.job;
            let settled = state.settle(now, settlement);
            if settled {
                let outcome = state.row(key).map(|row| row.job.state);
                state.audit.push(Logged {
                    at: now,
                    action: "job_settled",
                    order: None,
                    jobs: vec![key.as_u64()],
                    outcome,
                });
            }
            held.push(settled);
        }
        Ok(held)
    }

    async fn evidence_due(
        &self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
        in_flight: &[JobKey],
    ) -> Result<Vec<EvidenceDue>, StoreError> {
        let mut guard = self.state();
        let state = &mut *guard;
        let in_flight: HashSet<JobKey> = in_flight.iter().copied().collect();
        let due: Vec<JobKey> = state
            .evidence
            .get(provider)
            .into_iter()
            .flatten()
            .take_while(|(due, _)| *due <= now)
            .map(|(_, key)| *key)
            .filter(|key| !in_flight.contains(key))
            .take(limit)
            .collect();
        let mut found = Vec::with_capacity(due.len());
        for key in due {
            let Some(row) = state.row(key) else { continue };
            let confirmed_at = row.job.done_at.unwrap_or(now);
            let revoked_at = row
                .job
                .detail
                .provider_time
                .or(row.job.started_at)
                .unwrap_or(confirmed_at);
            let account = row
                .job
                .resolved
                .as_ref()
                .map(|resolved| resolved.id.clone());
            let mut due =
                EvidenceDue::new(key, account.unwrap_or_default(), revoked_at, confirmed_at);
            due.reads = row.reads;
            found.push(due);
        }
        Ok(found)
    }

    async fn record_evidence(&self, readings: Vec<EvidenceReading>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut guard = self.write().await?;
        let state = &mut *guard;
        for reading in readings {
            let Some(row) = state.row(reading.job) else {
                continue;
            };
            let before = row.evidence_due.take();
            let provider = row.job.provider.clone();
            row.reads += 1;
            let settled = row.job.evidence == EvidenceState::Pending
                && reading.state != EvidenceState::Pending;
            row.job.evidence = reading.state;
            row.evidence_due = reading.due;
            let index = state.evidence.entry(provider.clone()).or_default();
            if let Some(before) = before {
                index.remove(&(before, reading.job));
            }
            if let Some(due) = reading.due {
                index.insert((due, reading.job));
            }
            if settled && let Some(order) = state.orders.get_mut(&reading.job.order()) {
                let order = &mut order.order;
                order.evidence_pending -= 1;
                if let Some(pending) = order.evidence_at.get_mut(&provider) {
                    *pending -= 1;
                }
                order.evidence_at.retain(|_, pending| *pending > 0);
            }
            state.log(now, "evidence_read", None, &[reading.job.as_u64()]);
        }
        Ok(())
    }

    async fn was_resolved(
        &self,
        provider: &ProviderName,
        spellings: &[String],
    ) -> Result<Vec<bool>, StoreError> {
        let state = self.state();
        Ok(spellings
            .iter()
            .map(|text| state.resolved.contains(&(provider.clone(), fold(text))))
            .collect())
    }

    async fn spent(
        &self,
        provider: &ProviderName,
        since: Timestamp,
    ) -> Result<Vec<Spent>, StoreError> {
        let state = self.state();
        let spent = state.spent.get(provider).into_iter().flatten();
        Ok(spent.filter(|spent| spent.at >= since).cloned().collect())
    }

    async fn load_lane(&self, provider: &ProviderName) -> Result<Option<String>, StoreError> {
        Ok(self.state().lanes.get(provider).cloned())
    }

    async fn save_lane(&self, provider: &ProviderName, memory: String) -> Result<(), StoreError> {
        let mut state = self.write().await?;
        state.lanes.insert(provider.clone(), memory);
        Ok(())
    }

    async fn pause(&self, order: OrderKey, why: String, act: Act) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        if let Some(row) = state.orders.get_mut(&order)
            && row.order.state == OrderState::Open
        {
            row.order.state = OrderState::Paused { why };
        }
        state.log(now, act.action, act.order, &[]);
        Ok(())
    }

    async fn release(&self, order: OrderKey, act: Act) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        if let Some(row) = state.orders.get_mut(&order)
            && matches!(row.order.state, OrderState::Paused { .. })
        {
            row.order.state = OrderState::Open;
        }
        state.log(now, act.action, act.order, &[]);
        Ok(())
    }

    async fn unpark(&self, order: Option<OrderKey>, act: Act) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut state = self.write().await?;
        let parked: Vec<JobKey> = state
            .orders
            .values()
            .filter(|row| row.live && !row.cancelled)
            .filter(|row| order.is_none_or(|key| key == row.order.key))
            .flat_map(|row| &row.jobs)
            .filter(|row| row.job.state == JobState::Parked)
            .map(|row| row.job.key)
            .collect();
        for key in &parked {
            if let Some(row) = state.orders.get_mut(&key.order())
                && row.order.state == OrderState::Finished
            {
                row.order.state = OrderState::Open;
            }
            state.step(*key, JobState::Pending);
            if let Some(row) = state.row(*key) {
                row.used_attempts = 0;
            }
        }
        if !parked.is_empty() {
            let jobs: Vec<u64> = parked.iter().map(|key| key.as_u64()).collect();
            state.log(now, act.action, act.order, &jobs);
        }
        Ok(parked.len() as u64)
    }

    async fn cancel(&self, order: OrderKey, act: Act) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut guard = self.write().await?;
        let state = &mut *guard;
        let Some(row) = state.orders.get_mut(&order).filter(|row| row.live) else {
            return Ok(0);
        };
        row.cancelled = true;
        if row.order.state != OrderState::Finished || row.order.counts.parked > 0 {
            row.order.state = OrderState::Cancelling;
        }
        let open: Vec<JobKey> = row
            .jobs
            .iter()
            .filter(|row| {
                matches!(
                    row.job.state,
                    JobState::Pending | JobState::Waiting | JobState::Parked
                )
            })
            .map(|row| row.job.key)
            .collect();
        for key in &open {
            state.step(*key, JobState::Cancelled);
            if let Some(row) = state.row(*key) {
                row.job.done_at = Some(now);
            }
        }
        if let Some(row) = state.orders.get_mut(&order)
            && row.order.counts.open == 0
        {
            row.order.state = OrderState::Finished;
        }
        state.log(now, act.action, act.order, &[]);
        Ok(open.len() as u64)
    }

    async fn finish_cancels(&self) -> Result<u64, StoreError> {
        // A cancellation is one step here: it is whole or was not begun.
        Ok(0)
    }

    async fn order(&self, id: OrderId) -> Result<Order, StoreError> {
        Ok(self.state().order_of(id)?.order.clone())
    }

    async fn orders(
        &self,
        before: Option<OrderKey>,
        limit: usize,
    ) -> Result<Vec<Order>, StoreError> {
        let state = self.state();
        let newest_first = state.orders.values().rev();
        Ok(newest_first
            .filter(|row| row.live && before.is_none_or(|before| row.order.key < before))
            .take(limit)
            .map(|row| row.order.clone())
            .collect())
    }

    async fn jobs(
        &self,
        order: OrderKey,
        states: &[JobState],
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Job>, StoreError> {
        let state = self.state();
        let jobs = state.orders.get(&order).filter(|row| row.live);
        Ok(jobs
            .into_iter()
            .flat_map(|row| &row.jobs)
            .map(|row| &row.job)
            .filter(|job| after.is_none_or(|after| job.key > after))
            .filter(|job| states.is_empty() || states.contains(&job.state))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn counts(&self, order: OrderKey) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
        let state = self.state();
        let counts = state.orders.get(&order).map(|row| row.counts.clone());
        Ok(counts.into_iter().flatten().collect())
    }

    async fn recount(&self, order: OrderKey) -> Result<Counts, StoreError> {
        let state = self.state();
        Ok(state
            .orders
            .get(&order)
            .map(|row| count(&row.jobs))
            .unwrap_or_default())
    }

    async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.state();
        let numbered = (1..).zip(&state.audit).skip(after as usize).take(limit);
        Ok(numbered
            .filter_map(|(seq, logged)| logged.entry(seq))
            .collect())
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        Ok(self.state().checkpoints.clone())
    }

    async fn checkpoint(&self) -> Result<(), StoreError> {
        let mut state = self.write().await?;
        let size = state.audit.len() as u64;
        if state.checkpoints.last().is_none_or(|last| last.size < size) {
            state.checkpoints.push(Checkpoint {
                size,
                note: String::new(),
            });
        }
        Ok(())
    }
}
