//! One process: the fleet, the planner and the engine of the product over a simulated disk and simulated providers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rescind_core::config::Guards;
use rescind_core::engine::fleet::Fleet;
use rescind_core::engine::follow::EngineLock;
use rescind_core::engine::{Ended, Engine, EngineError, EngineParts, Goal, Stop};
use rescind_core::id::OrderId;
use rescind_core::job::Resolved;
use rescind_core::order::{Actor, Binding, Note, OrderDraft};
use rescind_core::plan::{Given, Input, PlanRequest, Planner, PlannerParts};
use rescind_core::provider::{ItemId, Scope};
use rescind_core::store::{Acceptance, Act as StoreAct, StagedJob, Store, StoreError};

use super::Breakage;
use super::disk::Disk;
use super::scenario::{Name, OrderPlan, Quirk};
use super::vendor::{self, name_of};
use super::world::{Life, World};

/// One process, alive until its [`Life`] ends.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) world: Arc<World>,
    pub(super) life: Arc<Life>,
    pub(super) disk: Arc<Disk>,
}

/// The engine lock of a process: the system takes it back when the process is gone.
#[derive(Debug)]
struct Lock {
    world: Arc<World>,
    life: Arc<Life>,
    has_followed: AtomicBool,
}

impl EngineLock for Lock {
    fn try_take(&self) -> Result<bool, StoreError> {
        let state = &mut *self.world.state();
        let free = state.holder.is_none();
        let has_followed = self.has_followed.swap(true, Ordering::Relaxed);
        if free && has_followed {
            state.judge.reads_lanes(self.world.now(), self.life.id);
        }
        if free {
            state.holder = Some(self.life.id);
            state.judge.saw("processes that worked");
        }
        Ok(free)
    }
}

pub(super) fn actor() -> Actor {
    Actor::new("maria", "simulation")
}

pub(super) fn act(action: &'static str) -> StoreAct {
    StoreAct::new(actor(), action).because("simulated")
}

fn note() -> Note {
    Note::parse("simulated", 1).expect("a note")
}

impl Process {
    pub(super) fn new(world: &Arc<World>, id: u32) -> Self {
        let life = Life::new(id);
        world.state().judge.reads_lanes(world.now(), id);
        Self {
            world: Arc::clone(world),
            disk: Arc::new(Disk::new(world, &life)),
            life,
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.disk) as _
    }

    async fn fleet(&self) -> Result<Arc<Fleet>, StoreError> {
        let seed = self.world.state().dice.roll();
        let providers = vendor::all(&self.world, &self.life);
        let clock = Arc::clone(&self.world.clock);
        let fleet = Fleet::open_seeded(providers, self.disk.as_ref(), clock, seed).await?;
        Ok(Arc::new(fleet))
    }

    /// The protected list as this process reads it.
    fn protected(&self) -> Vec<String> {
        let list = self.world.scenario.protected.iter();
        let forgotten = usize::from(self.world.breakage == Breakage::ForgetsProtection);
        list.skip(forgotten).map(|name| name.text()).collect()
    }

    /// Works, or follows whoever works, until the goal is reached.
    pub(super) async fn run(self, goal: Goal, stop: Stop) -> Result<Ended, EngineError> {
        let lock = Lock {
            world: Arc::clone(&self.world),
            life: Arc::clone(&self.life),
            has_followed: AtomicBool::new(false),
        };
        let fleet = self.fleet().await?;
        let seed = self.world.state().dice.roll();
        let clock = Arc::clone(&self.world.clock);
        let parts = EngineParts::new(self.store(), fleet, clock, actor())
            .with_protected(self.protected())
            .with_canary(self.world.scenario.canary)
            .with_seed(seed);
        Engine::new(parts).run_or_follow(goal, &lock, &stop).await
    }

    /// Orders through the planner, as somebody at a terminal.
    async fn plan(&self, plan: &OrderPlan) -> Option<OrderId> {
        let parts = PlannerParts {
            store: self.store(),
            fleet: self.fleet().await.ok()?,
            protected: self.protected(),
            guards: Guards::default(),
        };
        let planner = Planner::new(parts);
        let mut request = PlanRequest::new(note(), actor());
        let names = plan.names.iter().map(|name| name.text()).collect();
        request.inputs = vec![Input::Arguments(names)];
        request.providers = plan.vendors.iter().map(|i| name_of(*i)).collect();
        request.urgent = plan.urgent;
        request.verify = plan.verify;
        let made = planner.plan(request, |_| {}).await.ok()?;
        let people = made.summary.people;
        let given = Given::Typed(people);
        planner
            .accept(made, given)
            .await
            .ok()
            .map(|made| made.order)
    }

    /// Orders without looking anybody up first.
    async fn stage(&self, plan: &OrderPlan) -> Result<OrderId, StoreError> {
        let mut draft = OrderDraft::new(note(), actor());
        draft.urgent = plan.urgent;
        draft.verify = plan.verify;
        draft.bindings = plan
            .vendors
            .iter()
            .map(|vendor| Binding {
                provider: name_of(*vendor),
                kind: "simulated".to_owned(),
                vendor_tenant: "a-tenant".to_owned(),
            })
            .collect();
        let id = draft.id;
        let key = self.disk.begin(draft).await?;
        let mut jobs = Vec::new();
        for name in &plan.names {
            for (binding, vendor) in plan.vendors.iter().enumerate() {
                let mut job = StagedJob::new(name.text(), binding as u16);
                if let Some(item) = plan.items {
                    let items = (0..=item).map(|item| ItemId(format!("item{item}")));
                    job.scope = Scope::Items(items.collect());
                }
                if plan.resolved {
                    job.resolved = self.resolved(*vendor, *name);
                }
                jobs.push(job);
            }
        }
        let count = jobs.len() as u64;
        self.disk.stage(key, jobs).await?;
        let acceptance = Acceptance::new("hash", count, plan.names.len() as u64);
        self.disk.accept(key, acceptance).await?;
        Ok(id)
    }

    /// The account, where a plan could have resolved it.
    fn resolved(&self, vendor: usize, name: Name) -> Option<Resolved> {
        let scenario = &self.world.scenario;
        let plain = match scenario.quirk(vendor, name) {
            Quirk::Plain | Quirk::Forbidden => true,
            Quirk::Leaves(at) => at > self.world.now(),
            _ => false,
        };
        let known = plain && scenario.vendors[vendor].directory;
        known.then(|| Resolved {
            id: Name {
                spelling: 0,
                ..name
            }
            .text(),
            name: Name {
                spelling: 1,
                ..name
            }
            .text(),
        })
    }

    /// Gives an order. `None` when it was not accepted, or nobody can tell.
    pub(super) async fn order(self, index: usize) -> Option<OrderId> {
        let world = Arc::clone(&self.world);
        let plan = &world.scenario.orders[index];
        if plan.planned {
            self.plan(plan).await
        } else {
            self.stage(plan).await.ok()
        }
    }
}
