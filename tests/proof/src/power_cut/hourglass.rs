//! Time that passes only while the store has nothing to do.
//!
//! Under a paused runtime the clock jumps to the next timer whenever every task waits, also when they wait for the
//! store, which works in threads of its own that the runtime does not see. Here the clock is held, and moved on by
//! small steps when nobody has asked the store anything.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use jiff::Timestamp;
use rescind_core::clock::Clock;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, yield_now};

const FIRST_STEP: Duration = Duration::from_millis(1);
const LONGEST_STEP: Duration = Duration::from_millis(50);

/// Tasks that were woken get so many turns before time passes.
const TURNS: usize = 8;

/// The wall clock of a world, the same in every thread: it moves with the runtime's timer.
#[derive(Debug)]
pub(super) struct Hands(AtomicI64);

impl Hands {
    /// A clock that shows this instant until an [`Hourglass`] moves it.
    pub(super) fn at(instant: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(instant.as_microsecond())))
    }

    async fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
        tokio::time::advance(time).await;
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let micros = self.0.load(Ordering::Relaxed);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
    }
}

#[derive(Debug, Default)]
struct Asked {
    waiting: AtomicUsize,
    answered: AtomicU64,
    idle: Notify,
}

/// The clock of a world. Dropping it holds the clock for good.
#[derive(Debug)]
pub(super) struct Hourglass {
    hands: Arc<Hands>,
    asked: Arc<Asked>,
    running: JoinHandle<()>,
    /// While a blocking task lives, the runtime does not move the clock by itself.
    _held: Sender<()>,
}

impl Hourglass {
    /// Must be called on a paused runtime of one thread.
    pub(super) fn turn(hands: Arc<Hands>) -> Self {
        let (held, dropped) = channel::<()>();
        tokio::task::spawn_blocking(move || dropped.recv());
        let asked: Arc<Asked> = Arc::default();
        let running = tokio::spawn(run(Arc::clone(&asked), Arc::clone(&hands)));
        Self {
            hands,
            asked,
            running,
            _held: held,
        }
    }

    /// Lets this much time pass at once.
    pub(super) async fn pass(&self, time: Duration) {
        self.hands.pass(time).await;
    }

    /// What the store is asked through.
    pub(super) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.asked))
    }
}

impl Drop for Hourglass {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run(asked: Arc<Asked>, hands: Arc<Hands>) {
    let mut step = FIRST_STEP;
    let mut answered = 0;
    loop {
        let mut turns = 0;
        while turns < TURNS {
            if asked.waiting.load(Ordering::Relaxed) > 0 {
                asked.idle.notified().await;
                turns = 0;
            }
            yield_now().await;
            turns += 1;
        }
        let now = asked.answered.load(Ordering::Relaxed);
        step = if now == answered {
            (step * 2).min(LONGEST_STEP)
        } else {
            FIRST_STEP
        };
        answered = now;
        hands.pass(step).await;
    }
}

/// Holds the clock while somebody waits for an answer.
#[derive(Debug, Clone)]
pub(super) struct Watch(Arc<Asked>);

impl Watch {
    pub(super) async fn hold<A: Future>(&self, answer: A) -> A::Output {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.0);
        answer.await
    }
}

struct Waits<'a>(&'a Asked);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        if self.0.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.idle.notify_one();
        }
    }
}
