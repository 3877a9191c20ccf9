//! What everything in one plan shares: its scene, its time, its chance and its judge.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rescind_core::clock::{Clock, TimerClock};
use rescind_testkit::model_store::ModelStore;
use tokio::time::Instant;

use super::Flaw;
use super::judge::Judge;
use super::scene::Scene;
use crate::chance::Chance;

#[derive(Debug)]
pub(super) struct World {
    pub(super) scene: Scene,
    pub(super) flaw: Flaw,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<ModelStore>,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) chance: Chance,
    pub(super) judge: Judge,
    /// For each provider, how long its next refused calls shall wait, in milliseconds, the next last.
    pub(super) pauses: Vec<Vec<u64>>,
}

impl World {
    /// The world of a seed, under a paused clock.
    pub(super) fn new(seed: u64, flaw: Flaw) -> Self {
        let mut chance = Chance::seeded(seed);
        let scene = Scene::of(&mut chance);
        let origin = jiff::Timestamp::constant(1_772_355_600, 0);
        let clock: Arc<dyn Clock> = Arc::new(TimerClock::starting_at(origin));
        let pauses = scene.natures.iter().map(|nature| nature.pauses.clone());
        Self {
            state: Mutex::new(State {
                chance,
                judge: Judge::default(),
                pauses: pauses.collect(),
            }),
            store: Arc::new(ModelStore::new(Arc::clone(&clock))),
            scene,
            flaw,
            clock,
            started: Instant::now(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub(super) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}
