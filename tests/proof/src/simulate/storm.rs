//! The life of a world: what people do, processes that come and go, and the calm in which everything must end.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::engine::{Ended, EngineError, Goal, Stop};
use rescind_core::id::OrderId;
use rescind_core::order::OrderState;
use rescind_core::store::{Store as _, StoreError};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::process::{Process, act};
use super::scenario::Act;
use super::world::World;

/// More processes than this do not begin before the calm.
const MOST_PROCESSES: u32 = 12;

/// How long one run may take when nothing fails any more: the longest pause of a provider and all backoffs fit in.
const CALM_RUN: Duration = Duration::from_secs(4 * 3_600);

/// Runs in the calm after which every job must have come to its end.
const CALM_RUNS: usize = 5;

/// How long a process may go on after it was told to stop.
const STOPS_WITHIN_MS: u64 = 20_000;

/// The process of a person who does something and goes.
const PERSON: u32 = 0;

type Task = (u32, Done);

enum Done {
    Ran(Goal, Result<Ended, EngineError>),
    Ordered(usize, Option<OrderId>),
}

struct Alive {
    process: Process,
    stop: Stop,
    task: AbortHandle,
    told_to_stop: Option<u64>,
    /// What it is there for; the one that orders does not work.
    works: bool,
}

/// Drives one world to its end.
pub(super) struct Storm {
    world: Arc<World>,
    tasks: JoinSet<Task>,
    alive: Vec<Alive>,
    /// The orders as they were accepted, by their place in the scenario.
    orders: Vec<Option<OrderId>>,
    started: u32,
    restart_at: Option<u64>,
    begun: Instant,
}

impl Storm {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self {
            orders: vec![None; world.scenario.orders.len()],
            world: Arc::clone(world),
            tasks: JoinSet::new(),
            alive: Vec::new(),
            started: PERSON,
            restart_at: None,
            begun: Instant::now(),
        }
    }

    /// Everything that happens, and the judge's last look.
    pub(super) async fn live(mut self) {
        let world = Arc::clone(&self.world);
        for (at, act) in &world.scenario.acts {
            self.pass_until(*at).await;
            world.tell(PERSON, || format!("{act:?}"));
            self.act(*act).await;
        }
        self.pass_until(world.now() + world.scenario.people * 100)
            .await;
        let everybody: Vec<u32> = self.alive.iter().map(|a| a.process.life.id).collect();
        for id in everybody {
            self.kill(id);
        }
        while self.tasks.join_next().await.is_some() {}
        self.calm().await;
        super::verdict::last_look(&world);
    }

    fn instant(&self, ms: u64) -> Instant {
        self.begun + Duration::from_millis(ms)
    }

    /// Lets time pass, and processes end and begin.
    async fn pass_until(&mut self, at: u64) {
        loop {
            let works = self.alive.iter().any(|alive| alive.works);
            let restart = self
                .restart_at
                .filter(|_| !works && self.started < MOST_PROCESSES);
            let next = restart.map_or(at, |restart| restart.min(at));
            let until = self.instant(next);
            let ended = tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next() => Some(ended),
                () = sleep_until(until) => None,
            };
            match ended {
                Some(ended) => self.ended(ended),
                None if restart.is_some_and(|restart| restart <= at && restart == next) => {
                    self.restart_at = None;
                    self.begin(None);
                }
                None => return,
            }
        }
    }

    /// Starts a process that works, or follows whoever works.
    fn begin(&mut self, goal: Option<Goal>) {
        self.started += 1;
        let process = Process::new(&self.world, self.started);
        let goal = goal.unwrap_or_else(|| self.some_goal());
        let stop = Stop::new();
        let id = self.started;
        self.world.tell(id, || format!("begins: {}", shown(goal)));
        let run = process.clone().run(goal, stop.clone());
        let task = self.tasks.spawn(async move {
            let ended = run.await;
            (id, Done::Ran(goal, ended))
        });
        self.alive.push(Alive {
            process,
            stop,
            task,
            told_to_stop: None,
            works: true,
        });
    }

    fn some_goal(&self) -> Goal {
        let dice = &mut self.world.state().dice;
        let known: Vec<OrderId> = self.orders.iter().flatten().copied().collect();
        if known.is_empty() || dice.percent(60) {
            return Goal::Everything;
        }
        let id = dice.pick(&known);
        if dice.percent(70) {
            Goal::Order(id)
        } else {
            Goal::Again(id)
        }
    }

    /// A process has come to its own end.
    fn ended(&mut self, ended: Result<Task, JoinError>) {
        let (id, done) = match ended {
            Ok(done) => done,
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                let now = self.world.now();
                let what = format!("a process panicked: {error}");
                self.world.state().judge.violate(now, what);
                return;
            }
        };
        let now = self.world.now();
        let stopped = self
            .alive
            .iter()
            .find(|alive| alive.process.life.id == id)
            .and_then(|alive| alive.told_to_stop);
        match done {
            Done::Ordered(index, order) => {
                self.orders[index] = order;
                self.restart_at.get_or_insert(now);
            }
            Done::Ran(goal, result) => {
                self.world
                    .tell(id, || format!("ends: {}", outcome(&result)));
                self.judge_end(id, goal, &result, stopped);
                let pause = {
                    let dice = &mut self.world.state().dice;
                    dice.between(0, 3_000)
                };
                if !matches!(result, Ok(Ended::Finished)) {
                    self.restart_at.get_or_insert(now + pause);
                }
            }
        }
        self.gone(id);
    }

    fn judge_end(
        &self,
        id: u32,
        goal: Goal,
        result: &Result<Ended, EngineError>,
        stopped: Option<u64>,
    ) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        if stopped.is_some_and(|at| now > at + STOPS_WITHIN_MS) {
            state
                .judge
                .violate(now, format!("process {id} took too long to stop"));
        }
        match result {
            Ok(Ended::Finished) => super::verdict::told_finished(&mut state.judge, now, goal),
            Ok(Ended::NeedsPerson(remedies)) if remedies.is_empty() => {
                state
                    .judge
                    .violate(now, "a person is needed, and nobody says for what");
            }
            Ok(Ended::Interrupted) if stopped.is_none() => {
                state
                    .judge
                    .violate(now, "a process says it was interrupted, and it was not");
            }
            Ok(_) | Err(EngineError::Store(StoreError::Io(_))) => {}
            Err(error) => state
                .judge
                .violate(now, format!("a process broke: {error}")),
        }
    }

    /// A process is gone: the system takes its lock back.
    fn gone(&mut self, id: u32) {
        self.alive.retain(|alive| {
            if alive.process.life.id == id {
                alive.process.life.end();
            }
            alive.process.life.id != id
        });
        let now = self.world.now();
        let state = &mut *self.world.state();
        let worked = state.holder == Some(id);
        if worked {
            state.holder = None;
        }
        state.judge.dies(now, id, worked);
    }

    /// A process dies at this instant, wherever it is.
    fn kill(&mut self, id: u32) {
        self.world.tell(id, || "is killed".to_owned());
        self.world.state().judge.saw("processes killed");
        if let Some(alive) = self.alive.iter().find(|a| a.process.life.id == id) {
            alive.process.life.end();
            alive.task.abort();
        }
        self.gone(id);
        let now = self.world.now();
        let pause = self.world.state().dice.between(0, 2_000);
        self.restart_at.get_or_insert(now + pause);
    }

    fn somebody(&self) -> Option<u32> {
        let ids: Vec<u32> = self.alive.iter().map(|a| a.process.life.id).collect();
        (!ids.is_empty()).then(|| self.world.state().dice.pick(&ids))
    }

    fn stop(&mut self, how: impl Fn(&Stop)) {
        let Some(id) = self.somebody() else { return };
        let now = self.world.now();
        for alive in &mut self.alive {
            if alive.process.life.id == id && alive.works {
                how(&alive.stop);
                alive.told_to_stop.get_or_insert(now);
                self.world.state().judge.draining.push((id, now));
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Order(index) => {
                self.started += 1;
                let id = self.started;
                let process = Process::new(&self.world, id);
                let ordering = process.clone().order(index);
                let task = self.tasks.spawn_local(async move {
                    let order = ordering.await;
                    (id, Done::Ordered(index, order))
                });
                self.alive.push(Alive {
                    process,
                    stop: Stop::new(),
                    task,
                    told_to_stop: None,
                    works: false,
                });
            }
            Act::Kill => {
                if let Some(id) = self.somebody() {
                    self.kill(id);
                }
            }
            Act::Drain => self.stop(|stop| stop.drain.cancel()),
            Act::Abort => self.stop(|stop| stop.abort.cancel()),
            Act::Join => self.begin(None),
            Act::Retry => self.begin(Some(Goal::Everything)),
            Act::Cancel(index) | Act::Pause(index) | Act::Release(index) | Act::Again(index) => {
                if let Some(id) = self.orders[index] {
                    self.about(act, id).await;
                }
            }
        }
    }

    /// What a person does about an order, in a process of their own.
    async fn about(&mut self, what: Act, id: OrderId) {
        let disk = Process::new(&self.world, PERSON).disk;
        let Ok(order) = disk.order(id).await else {
            return;
        };
        let done = match what {
            Act::Cancel(_) => disk
                .cancel(order.key, act("order_cancelled"))
                .await
                .map(drop),
            Act::Pause(_) => {
                let why = "a person wants to look".to_owned();
                disk.pause(order.key, why, act("order_paused")).await
            }
            Act::Release(_) => disk.release(order.key, act("order_released")).await,
            _ => {
                self.begin(Some(Goal::Again(id)));
                return;
            }
        };
        let _ = done;
        let now = self.world.now();
        self.restart_at.get_or_insert(now + 100);
    }

    /// Nothing fails any more, and people release what is on hold.
    async fn calm(&mut self) {
        let world = Arc::clone(&self.world);
        world.state().calm = true;
        world.tell(PERSON, || "calm".to_owned());
        for _ in 0..CALM_RUNS {
            self.release_all().await;
            self.started += 1;
            let id = self.started;
            world.tell(id, || "begins: everything".to_owned());
            let process = Process::new(&world, id);
            let run = tokio::spawn(process.clone().run(Goal::Everything, Stop::new()));
            let ended = timeout(CALM_RUN, run).await;
            let now = world.now();
            match ended {
                Ok(Ok(result)) => {
                    world.tell(id, || format!("ends: {}", outcome(&result)));
                    self.judge_end(id, Goal::Everything, &result, None);
                }
                Ok(Err(error)) => {
                    let what = format!("a process panicked: {error}");
                    world.state().judge.violate(now, what);
                }
                Err(_) => {
                    process.life.end();
                    let what = "a run without faults does not come to its end";
                    world.state().judge.violate(now, what);
                    return;
                }
            }
            self.gone(id);
            if world
                .model
                .all_jobs()
                .iter()
                .all(|job| job.state.is_terminal())
            {
                return;
            }
        }
    }

    async fn release_all(&self) {
        let disk = Process::new(&self.world, PERSON).disk;
        let Ok(open) = disk.open_orders().await else {
            return;
        };
        for order in open {
            if matches!(order.state, OrderState::Paused { .. }) {
                let _ = disk.release(order.key, act("order_released")).await;
            }
        }
    }
}

/// How a run ended, without the ids of orders: they are the only thing that differs each time.
fn outcome(result: &Result<Ended, EngineError>) -> String {
    match result {
        Ok(Ended::NeedsPerson(remedies)) => {
            let each = remedies.iter().map(|remedy| match &remedy.provider {
                Some(provider) => format!("{provider}: {}", remedy.message),
                None => "an order is on hold".to_owned(),
            });
            format!("needs a person: {}", each.collect::<Vec<_>>().join("; "))
        }
        other => format!("{other:?}"),
    }
}

fn shown(goal: Goal) -> &'static str {
    match goal {
        Goal::Everything => "everything",
        Goal::Order(_) => "one order",
        Goal::Again(_) => "one order again",
    }
}
