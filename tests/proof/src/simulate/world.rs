//! What everything in one simulation shares: its time, its chance, its judge and its trace.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rescind_core::clock::{Clock, TimerClock};
use rescind_testkit::model_store::ModelStore;
use tokio::time::Instant;

use super::Breakage;
use super::books::ProcessId;
use super::dice::Dice;
use super::judge::Judge;
use super::scenario::Scenario;

/// More calls of store and providers than any scenario needs: beyond it somebody runs in circles.
const MOST_EVENTS: u64 = 400_000;

/// The whole world of one seed.
#[derive(Debug)]
pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) breakage: Breakage,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) model: Arc<ModelStore>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) judge: Judge,
    /// Faults are over.
    pub(super) calm: bool,
    /// Who holds the engine lock.
    pub(super) holder: Option<ProcessId>,
    events: u64,
    trace: Option<String>,
}

/// A process, as far as it is alive.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) id: ProcessId,
    dead: AtomicBool,
}

impl Life {
    pub(super) fn new(id: ProcessId) -> Arc<Self> {
        let dead = AtomicBool::new(false);
        Arc::new(Self { id, dead })
    }

    pub(super) fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Goes no further once the process is dead.
    pub(super) async fn goes_on(&self) {
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

impl World {
    /// The world of a seed, under a paused clock. `trace`: whether every event is written down.
    pub(super) fn new(seed: u64, breakage: Breakage, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let scenario = Scenario::of(&mut dice);
        let origin = jiff::Timestamp::constant(1_772_355_600, 0);
        let clock: Arc<dyn Clock> = Arc::new(TimerClock::starting_at(origin));
        let judge = Judge::new(scenario.vendors.len());
        let mut state = State {
            dice,
            judge,
            calm: false,
            holder: None,
            events: 0,
            trace: trace.then(String::new),
        };
        if let Some(trace) = &mut state.trace {
            let _ = writeln!(trace, "{scenario:#?}");
        }
        Self {
            model: Arc::new(ModelStore::new(Arc::clone(&clock))),
            scenario,
            breakage,
            clock,
            started: Instant::now(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Writes an event down where somebody wants to read it.
    pub(super) fn tell(&self, who: ProcessId, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(trace) = &mut self.state().trace {
            let _ = writeln!(trace, "{now:>8} ms  p{who:<3} {}", what());
        }
    }

    pub(super) fn take_trace(&self) -> String {
        self.state().trace.take().unwrap_or_default()
    }

    pub(super) fn events(&self) -> u64 {
        self.state().events
    }

    /// Lets others go first, as often as chance wants. Everything that a process does outside of itself begins so.
    pub(super) async fn breathe(&self, life: &Life) {
        let (yields, too_many) = {
            let state = &mut *self.state();
            state.events += 1;
            let yields = match state.dice.below(4) {
                0 => state.dice.between(1, 3),
                _ => 0,
            };
            if state.events == MOST_EVENTS {
                let now = self.now();
                state.judge.violate(now, "somebody runs in circles");
            }
            (yields, state.events >= MOST_EVENTS)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if too_many {
            std::future::pending::<()>().await;
        }
        life.goes_on().await;
    }

    pub(super) async fn sleep(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
}
