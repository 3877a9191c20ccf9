//! A store, some providers, an engine, and orders for them.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::clock::{Clock, TimerClock};
use rescind_core::engine::fleet::Fleet;
use rescind_core::engine::{Ended, Engine, EngineError, EngineParts, Goal, Stop};
use rescind_core::id::{OrderId, ProviderName};
use rescind_core::job::{Job, JobState, Resolved};
use rescind_core::order::{Actor, Note, OrderDraft};
use rescind_core::provider::Scope;
use rescind_core::store::{Acceptance, Act, StagedJob, Store};
use rescind_testkit::model_store::ModelStore;
use rescind_testkit::scripted::{Scripted, ScriptedBuilder};

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<ModelStore>,
    pub(crate) providers: Vec<Scripted>,
    pub(crate) protected: Vec<String>,
    pub(crate) canary: bool,
    pub(crate) seed: u64,
}

/// A clock that runs with the runtime's timer.
pub(crate) fn clock() -> Arc<dyn Clock> {
    let origin = "2026-03-01T09:00:00Z".parse().expect("a time");
    Arc::new(TimerClock::starting_at(origin))
}

pub(crate) fn actor() -> Actor {
    Actor::new("maria", "test")
}

pub(crate) fn act(action: &'static str) -> Act {
    Act::new(actor(), action)
}

impl World {
    /// One provider, `idp`, as `shape` wants it.
    pub(crate) fn new(shape: impl FnOnce(ScriptedBuilder) -> ScriptedBuilder) -> Self {
        let clock = clock();
        let builder = Scripted::builder("idp", Arc::clone(&clock)).expect("a name");
        Self {
            store: Arc::new(ModelStore::new(Arc::clone(&clock))),
            providers: vec![shape(builder).build()],
            clock,
            protected: Vec::new(),
            canary: true,
            seed: 1,
        }
    }

    pub(crate) fn plain() -> Self {
        Self::new(|builder| builder)
    }

    /// A store whose every write takes this long.
    pub(crate) fn with_commit_latency(mut self, latency: Duration) -> Self {
        let store = ModelStore::new(Arc::clone(&self.clock));
        self.store = Arc::new(store.with_commit_latency(latency));
        self
    }

    /// A further provider.
    pub(crate) fn and(
        mut self,
        name: &str,
        shape: impl FnOnce(ScriptedBuilder) -> ScriptedBuilder,
    ) -> Self {
        let builder = Scripted::builder(name, Arc::clone(&self.clock)).expect("a name");
        self.providers.push(shape(builder).build());
        self
    }

    pub(crate) fn idp(&self) -> &Scripted {
        &self.providers[0]
    }

    /// An engine as a new process would make it.
    pub(crate) async fn engine(&self) -> Engine {
        self.fleet_and_engine().await.1
    }

    /// The same with the providers that it works with.
    pub(crate) async fn fleet_and_engine(&self) -> (Arc<Fleet>, Engine) {
        let providers = self.providers.iter().map(Scripted::configured).collect();
        let (store, clock) = (self.store.as_ref(), Arc::clone(&self.clock));
        let fleet = Fleet::open_seeded(providers, store, clock, self.seed)
            .await
            .expect("the fleet opens");
        let fleet = Arc::new(fleet);
        let store: Arc<dyn Store> = Arc::clone(&self.store) as _;
        let (fleet_of_engine, clock) = (Arc::clone(&fleet), Arc::clone(&self.clock));
        let parts = EngineParts::new(store, fleet_of_engine, clock, actor())
            .with_protected(self.protected.clone())
            .with_canary(self.canary)
            .with_seed(self.seed);
        (fleet, Engine::new(parts))
    }

    /// Runs a goal in a new process, to its end.
    pub(crate) async fn run(&self, goal: Goal) -> Ended {
        let ended = self.try_run(goal).await.expect("the run ends well");
        assert!(self.store.books_balance());
        ended
    }

    pub(crate) async fn try_run(&self, goal: Goal) -> Result<Ended, EngineError> {
        self.engine().await.run(goal, &Stop::new()).await
    }

    /// An accepted order for these people at every provider.
    pub(crate) async fn order(&self, subjects: &[&str]) -> OrderId {
        let jobs = subjects.iter().map(|s| Wish::new(s)).collect();
        self.accept(jobs, |_| {}).await
    }

    /// An accepted order for people that the plan has resolved.
    pub(crate) async fn accept_resolved(&self, subjects: &[&str]) -> OrderId {
        let wish = |subject: &&str| {
            let id = subject.split('@').next().unwrap_or(subject).to_owned();
            Wish::new(subject).resolved(&id)
        };
        self.accept(subjects.iter().map(wish).collect(), |_| {})
            .await
    }

    pub(crate) async fn accept(
        &self,
        wishes: Vec<Wish>,
        shape: impl FnOnce(&mut OrderDraft),
    ) -> OrderId {
        let note = Note::parse("a test", 1).expect("a note");
        let mut draft = OrderDraft::new(note, actor());
        let engine_bindings = self.bindings();
        draft.bindings = engine_bindings;
        shape(&mut draft);
        let id = draft.id;
        let bindings = draft.bindings.len() as u16;
        let key = self.store.begin(draft).await.expect("begins");
        let mut jobs = Vec::new();
        for wish in &wishes {
            for binding in 0..bindings {
                let mut job = StagedJob::new(wish.subject.clone(), binding);
                job.resolved.clone_from(&wish.resolved);
                job.scope.clone_from(&wish.scope);
                jobs.push(job);
            }
        }
        let count = jobs.len() as u64;
        self.store.stage(key, jobs).await.expect("stages");
        self.store
            .accept(key, Acceptance::new("hash", count, wishes.len() as u64))
            .await
            .expect("accepts");
        id
    }

    fn bindings(&self) -> Vec<rescind_core::order::Binding> {
        self.providers
            .iter()
            .map(|provider| rescind_core::order::Binding {
                provider: provider.configured().name,
                kind: "scripted".to_owned(),
                vendor_tenant: "scripted-tenant".to_owned(),
            })
            .collect()
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.store.all_jobs()
    }

    /// The only job of a test with one.
    pub(crate) fn job(&self) -> Job {
        let mut jobs = self.jobs();
        assert_eq!(jobs.len(), 1, "one job");
        jobs.remove(0)
    }

    pub(crate) fn states(&self) -> Vec<JobState> {
        self.jobs().iter().map(|job| job.state).collect()
    }

    pub(crate) async fn order_row(&self, id: OrderId) -> rescind_core::order::Order {
        self.store.order(id).await.expect("there")
    }
}

/// A job to be.
pub(crate) struct Wish {
    pub(crate) subject: String,
    pub(crate) resolved: Option<Resolved>,
    pub(crate) scope: Scope,
}

impl Wish {
    pub(crate) fn new(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            resolved: None,
            scope: Scope::Everything,
        }
    }

    /// Known since the plan.
    pub(crate) fn resolved(mut self, id: &str) -> Self {
        self.resolved = Some(Resolved {
            id: id.to_owned(),
            name: self.subject.clone(),
        });
        self
    }
}

/// An order for so many people.
pub(crate) async fn bulk(world: &World, n: usize) -> OrderId {
    let people = people(n);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    world.order(&people).await
}

pub(crate) fn people(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("user{i}@example.com")).collect()
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).expect("a name")
}
