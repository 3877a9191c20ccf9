//! The engine: lanes, dispatch, settling, evidence, progress.
//!
//! An [`Engine`] works the accepted orders of a store through the lanes of a [`Fleet`]. It neither knows
//! nor cares who ordered. Each lane has its own tasks, so one dead provider holds nobody else up:
//!
//! ```text
//! feed      takes pending jobs a window ahead, looks people up, reads the evidence of unknown outcomes
//! dispatch  admits, claims (the intent is synced before the first byte leaves), and makes the calls
//! settle    writes outcomes in groups; what was written is counted and told, never before
//! evidence  reads the provider's own proof back
//! ```
//!
//! Every `select!` is biased: what ends the work comes first, and the same seed gives the same run.

mod asking;
mod call;
mod claims;
mod classify;
mod desk;
mod dice;
mod dispatch;
mod evidence;
mod feed;
pub mod fleet;
pub mod follow;
mod gate;
pub mod lane;
mod lookup;
mod member;
mod orders;
pub mod pacer;
mod progress;
pub mod protected;
mod queue;
mod reads;
mod run;
mod settle;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::id::{OrderId, ProviderName};
use crate::order::Actor;
use crate::store::{Store, StoreError};

use fleet::Fleet;
pub use progress::{Board, LaneBoard};

/// What an engine works with.
#[derive(Debug)]
#[non_exhaustive]
pub struct EngineParts {
    /// Where orders and jobs live.
    pub store: Arc<dyn Store>,
    /// The providers.
    pub fleet: Arc<Fleet>,
    /// Who must never be revoked, as the configuration spells it.
    pub protected: Vec<String>,
    /// Whether a bulk order pauses when more than 5 % of its first 100 finished jobs are parked.
    pub canary: bool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// In whose name the engine acts.
    pub actor: Actor,
    /// Where the jitter of repeats starts from.
    pub seed: u64,
}

impl EngineParts {
    /// Parts with a canary, nobody protected and a random seed.
    pub fn new(
        store: Arc<dyn Store>,
        fleet: Arc<Fleet>,
        clock: Arc<dyn Clock>,
        actor: Actor,
    ) -> Self {
        Self {
            store,
            fleet,
            protected: Vec::new(),
            canary: true,
            clock,
            actor,
            seed: getrandom::u64().unwrap_or_default(),
        }
    }

    /// With the protected list.
    #[must_use]
    pub fn with_protected(mut self, protected: Vec<String>) -> Self {
        self.protected = protected;
        self
    }

    /// With the canary or without.
    #[must_use]
    pub fn with_canary(mut self, canary: bool) -> Self {
        self.canary = canary;
        self
    }

    /// With a seed that makes a run repeat itself.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// What a run is for. Every open order is worked on meanwhile; the goal says when the run is over, and what is tried
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Everything open. All parked jobs are tried once.
    Everything,
    /// One order, as it was accepted: nothing is released, nothing parked is tried again.
    Order(OrderId),
    /// One order that a person wants to go on: it is released if it was paused, and its parked jobs are tried once.
    Again(OrderId),
}

impl Goal {
    /// The order it is about, if it is about one.
    pub fn order(self) -> Option<OrderId> {
        match self {
            Self::Everything => None,
            Self::Order(id) | Self::Again(id) => Some(id),
        }
    }
}

/// How a run is stopped from outside.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// No more claims; calls in flight may end, for ten seconds at most.
    pub drain: CancellationToken,
    /// Leave now. As safe as losing power, and as rude.
    pub abort: CancellationToken,
}

impl Stop {
    /// Not stopped.
    pub fn new() -> Self {
        Self::default()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Nothing of the goal is open, and its evidence is in or used up.
    Finished,
    /// All that is open stands behind lanes or orders that only a person can free.
    NeedsPerson(Vec<Remedy>),
    /// It was stopped.
    Interrupted,
}

/// What a person has to do before the rest can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remedy {
    /// The provider whose lane has stopped.
    pub provider: Option<ProviderName>,
    /// The order that is on hold.
    pub order: Option<OrderId>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Remedy {
    /// An order that waits for a person to release it.
    fn on_hold(order: OrderId, why: &str) -> Self {
        Self {
            provider: None,
            order: Some(order),
            message: format!("order {order} is on hold: {why}"),
            hint: Some(format!("`rescind run --order {order}` releases it")),
        }
    }
}

/// Why a run could not go on. Nothing was reported that was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store gave up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An open order was accepted for another tenant than the one configured now. Nothing was started.
    #[error("{0}")]
    Bindings(String),
    /// A task of the engine itself broke.
    #[error("a part of the engine broke: {0}")]
    Broken(String),
}

/// Works accepted orders.
#[derive(Debug)]
pub struct Engine {
    parts: EngineParts,
    board: Arc<Mutex<Board>>,
}

impl Engine {
    /// An engine that has not run yet.
    pub fn new(parts: EngineParts) -> Self {
        Self {
            parts,
            board: Arc::default(),
        }
    }

    /// Where the goal of the current run stands. Cheap: nothing is asked of the store.
    pub fn board(&self) -> Board {
        let mut board = self
            .board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        board.look_at_lanes(&self.parts.fleet);
        board
    }

    /// Works until the goal is reached, only a person can go on, or `stop` says so. One run at a time on a store: the
    /// caller holds the engine lock. Dropping the future is as safe as losing power.
    ///
    /// # Errors
    /// When the store fails, or an open order belongs to another tenant.
    pub async fn run(&self, goal: Goal, stop: &Stop) -> Result<Ended, EngineError> {
        self.work(goal, false, stop).await
    }

    async fn work(&self, goal: Goal, begun: bool, stop: &Stop) -> Result<Ended, EngineError> {
        tokio::select! {
            biased;
            () = stop.abort.cancelled() => Ok(Ended::Interrupted),
            ended = run::run(&self.parts, &self.board, goal, begun, stop) => ended,
        }
    }
}
