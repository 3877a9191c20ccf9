//! The life of one plan: a process plans it, it is accepted, and it or another one works it to the end.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::config::Guards;
use rescind_core::engine::fleet::Fleet;
use rescind_core::engine::{Ended, Engine, EngineParts, Goal, Stop};
use rescind_core::id::OrderId;
use rescind_core::job::JobState;
use rescind_core::order::{Actor, Note};
use rescind_core::plan::{Given, PlanError, PlanRequest, Planner, PlannerParts};
use rescind_core::store::Store;
use tokio::time::{sleep, timeout};

use super::Flaw;
use super::input;
use super::judge::Process;
use super::scene::Second;
use super::vendor::{self, name_of};
use super::world::World;

/// Longer than any lane here pauses.
const A_DAY: Duration = Duration::from_secs(86_400);

/// A process of the product over the world's providers.
struct Running {
    world: Arc<World>,
    fleet: Arc<Fleet>,
    list: Vec<String>,
}

/// What is counted of a run that goes on for a day.
pub(super) const NO_END: &str = "runs without an end";

fn actor() -> Actor {
    Actor::new("maria", "test")
}

impl Running {
    async fn begin(world: &Arc<World>, list: &[String]) -> Self {
        let process = Arc::new(Process::new(list.to_vec(), world.now()));
        let providers = vendor::all(world, &process);
        let clock = Arc::clone(&world.clock);
        let seed = world.state().chance.bits();
        let fleet = Fleet::open_seeded(providers, world.store.as_ref(), clock, seed).await;
        let forgotten = usize::from(world.flaw == Flaw::ForgetsAnEntry);
        Self {
            world: Arc::clone(world),
            fleet: Arc::new(fleet.expect("the store is well")),
            list: list.iter().skip(forgotten).cloned().collect(),
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.world.store) as _
    }

    async fn order(&self) -> Result<OrderId, PlanError> {
        let scene = &self.world.scene;
        let planner = Planner::new(PlannerParts {
            store: self.store(),
            fleet: Arc::clone(&self.fleet),
            protected: self.list.clone(),
            guards: Guards::default(),
        });
        let note = Note::parse("a random plan", 1).expect("a note");
        let mut request = PlanRequest::new(note, actor());
        request.inputs = scene.inputs.iter().map(input::of).collect();
        request.providers = scene.named.iter().map(|index| name_of(*index)).collect();
        request.skip_bad_rows = true;
        request.verify = false;
        let plan = planner.plan(request, |_| {}).await?;
        let people = plan.summary.people;
        let accepted = planner.accept(plan, Given::Typed(people)).await?;
        Ok(accepted.order)
    }

    async fn work(&self, order: OrderId) -> Ended {
        let clock = Arc::clone(&self.world.clock);
        let seed = self.world.state().chance.bits();
        let parts = EngineParts::new(self.store(), Arc::clone(&self.fleet), clock, actor())
            .with_protected(self.list.clone())
            .with_canary(false)
            .with_seed(seed);
        let engine = Engine::new(parts);
        let ended = engine.run(Goal::Again(order), &Stop::new()).await;
        ended.expect("the store is well")
    }
}

/// Lives one plan.
pub(super) async fn live(world: &Arc<World>) {
    let scene = &world.scene;
    let first = Running::begin(world, &scene.lists[0]).await;
    let order = match first.order().await {
        Ok(order) => order,
        Err(PlanError::Store(error)) => panic!("the store is well: {error}"),
        Err(_) => {
            world.state().judge.saw("plans that were refused");
            return;
        }
    };
    world.state().judge.saw("plans accepted");
    sleep(Duration::from_millis(scene.gap)).await;
    let mut lists: Vec<&[String]> = vec![&scene.lists[0]];
    let ended = match scene.second {
        Second::None => timeout(A_DAY, first.work(order)).await.ok(),
        Second::AfterPlanning => {
            drop(first);
            lists.push(&scene.lists[1]);
            let second = Running::begin(world, &scene.lists[1]).await;
            timeout(A_DAY, second.work(order)).await.ok()
        }
        Second::AfterDeath(ms) => {
            let ended = timeout(Duration::from_millis(ms), first.work(order)).await;
            drop(first);
            if let Ok(ended) = ended {
                Some(ended)
            } else {
                world.state().judge.saw("processes killed at work");
                let second = Running::begin(world, &scene.lists[1]).await;
                timeout(A_DAY, second.work(order)).await.ok()
            }
        }
    };
    let state = &mut *world.state();
    state.judge.saw(match ended {
        Some(Ended::Finished) => "runs that finished",
        Some(_) => "runs that need a person",
        None => NO_END,
    });
    for job in world.store.all_jobs() {
        if job.state == JobState::Confirmed {
            let subject = job.subject.as_deref().unwrap_or_default();
            state.judge.finished(&lists, subject, job.alias.as_deref());
        }
    }
}
