//! A store, an engine and simulated providers under a paused clock.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rescind_core::clock::{Clock, TimerClock};
use rescind_core::engine::fleet::Fleet;
use rescind_core::engine::{Ended, Engine, EngineParts, Goal, Stop};
use rescind_core::id::OrderId;
use rescind_core::order::{Actor, Note, OrderDraft};
use rescind_core::store::{Acceptance, StagedJob, Store};
use rescind_testkit::model_store::ModelStore;
use tokio::time::{Instant, timeout};

use super::vendor::{Nature, Vendor};

/// People staged in one write.
const CHUNK: usize = 5_000;

/// Everything an experiment needs.
#[derive(Debug)]
pub(super) struct World {
    pub(super) vendors: Vec<Vendor>,
    pub(super) store: Arc<ModelStore>,
    clock: Arc<dyn Clock>,
    started: Instant,
    seed: u64,
}

impl World {
    pub(super) fn new(natures: Vec<Nature>, seed: u64) -> Self {
        let origin = jiff::Timestamp::constant(1_772_355_600, 0);
        let clock: Arc<dyn Clock> = Arc::new(TimerClock::starting_at(origin));
        let vendor = |(i, nature)| Vendor::new(&format!("p{i}"), nature, seed ^ (i as u64 + 1));
        Self {
            vendors: natures.into_iter().enumerate().map(vendor).collect(),
            store: Arc::new(ModelStore::new(Arc::clone(&clock))),
            clock,
            started: Instant::now(),
            seed,
        }
    }

    pub(super) fn one(nature: Nature, seed: u64) -> Self {
        Self::new(vec![nature], seed)
    }

    /// The only provider, or the first.
    pub(super) fn vendor(&self) -> &Vendor {
        &self.vendors[0]
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Accepts an order for these people at every provider.
    pub(super) async fn order(&self, people: &[String], urgent: bool) -> OrderId {
        let fleet = self.fleet().await;
        let note = Note::parse("an experiment", 1).expect("a note");
        let mut draft = OrderDraft::new(note, actor());
        draft.bindings = fleet.bindings();
        draft.urgent = urgent;
        draft.verify = false;
        let id = draft.id;
        let bindings = draft.bindings.len() as u16;
        let key = self.store.begin(draft).await.expect("begins");
        for chunk in people.chunks(CHUNK) {
            let jobs = chunk
                .iter()
                .flat_map(|person| (0..bindings).map(move |b| StagedJob::new(person.clone(), b)));
            self.store.stage(key, jobs.collect()).await.expect("stages");
        }
        let jobs = people.len() as u64 * u64::from(bindings);
        let acceptance = Acceptance::new("hash", jobs, people.len() as u64);
        self.store.accept(key, acceptance).await.expect("accepts");
        // Orders come from other processes.
        self.store.touched_by_others();
        id
    }

    /// A new process works on everything open for so long at most; then it is killed. How it ended, if it did.
    pub(super) async fn work(&self, most: Duration) -> Option<Ended> {
        let store: Arc<dyn Store> = Arc::clone(&self.store) as _;
        let fleet = Arc::new(self.fleet().await);
        let parts = EngineParts::new(store, fleet, Arc::clone(&self.clock), actor())
            .with_canary(false)
            .with_seed(self.seed);
        let engine = Engine::new(parts);
        let ended = timeout(most, engine.run(Goal::Everything, &Stop::new())).await;
        ended.ok().map(|ended| ended.expect("the store is well"))
    }

    async fn fleet(&self) -> Fleet {
        let providers = self.vendors.iter().map(Vendor::configured).collect();
        let clock = Arc::clone(&self.clock);
        Fleet::open_seeded(providers, self.store.as_ref(), clock, self.seed)
            .await
            .expect("the fleet opens")
    }

    /// Confirmed jobs, by our own books.
    pub(super) fn confirmed(&self) -> usize {
        let jobs = self.store.all_jobs();
        let confirmed = jobs
            .iter()
            .filter(|job| job.state == rescind_core::job::JobState::Confirmed);
        confirmed.count()
    }
}

fn actor() -> Actor {
    Actor::new("maria", "test")
}

pub(super) fn people(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("user{i}@example.com")).collect()
}

/// Runs an experiment on a paused runtime of its own.
pub(super) fn paused<T>(experiment: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output");
    runtime.block_on(experiment)
}
