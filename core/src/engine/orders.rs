//! The open orders, as all lanes of a run see them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use crate::id::{OrderId, OrderKey, ProviderName};
use crate::order::{Counts, Order, OrderState};

/// An order with this many jobs or fewer has no canary stage: it is over before one could tell.
const BULK_ABOVE: u64 = 50;

/// How many finished jobs of a bulk order the canary looks at.
const CANARY_JOBS: u64 = 100;

/// More parked jobs than this among them, and the order pauses.
const CANARY_PARKED: u64 = 5;

/// What the lanes need to know about one open order.
#[derive(Debug)]
pub(super) struct OpenOrder {
    pub(super) key: OrderKey,
    pub(super) id: OrderId,
    pub(super) urgent: bool,
    pub(super) verify: bool,
    /// The instant T, on our clock.
    pub(super) accepted_at: Timestamp,
    providers: Vec<ProviderName>,
    /// Nothing more of it is claimed.
    on_hold: AtomicBool,
    /// Its canary has died, and the store has not said yet that it is paused.
    dead: AtomicBool,
    canary: Option<Mutex<Canary>>,
}

#[derive(Debug)]
struct Canary {
    finished: u64,
    parked: u64,
    running: u64,
}

impl OpenOrder {
    fn new(order: Order, canary: bool) -> Self {
        let canary = (canary && order.counts.accepted > BULK_ABOVE).then(|| {
            Mutex::new(Canary {
                finished: finished(&order.counts),
                parked: order.counts.parked,
                running: 0,
            })
        });
        Self {
            key: order.key,
            id: order.id,
            urgent: order.urgent,
            verify: order.verify,
            accepted_at: order.accepted_at,
            providers: order.bindings.into_iter().map(|b| b.provider).collect(),
            on_hold: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            canary,
        }
    }

    pub(super) fn is_for(&self, provider: &ProviderName) -> bool {
        self.providers.contains(provider)
    }

    pub(super) fn is_on_hold(&self) -> bool {
        self.on_hold.load(Ordering::Relaxed)
    }

    /// Whether one more of its jobs may be called: in the canary stage only as many at once as the canary looks at.
    pub(super) fn may_call(&self) -> bool {
        !self.is_on_hold() && self.canary().is_none_or(|canary| canary.has_room())
    }

    /// Takes a place for a call, if there is one.
    pub(super) fn begin_call(&self) -> bool {
        if self.is_on_hold() {
            return false;
        }
        let Some(mut canary) = self.canary() else {
            return true;
        };
        let may = canary.has_room();
        canary.running += u64::from(may);
        may
    }

    /// Gives the place of a call back that was not made.
    pub(super) fn end_call(&self) {
        if let Some(mut canary) = self.canary() {
            canary.running -= 1;
        }
    }

    /// Counts what became of a job, and gives the place of its call back if it had one: not before, or the canary would
    /// let more calls out than it looks at. Answers whether the canary died of it: the order is to be paused, and is on
    /// hold from now on.
    pub(super) fn count(&self, fate: Fate, called: bool) -> bool {
        let Some(mut canary) = self.canary() else {
            return false;
        };
        canary.running -= u64::from(called);
        let in_stage = canary.finished < CANARY_JOBS;
        match fate {
            Fate::Open => return false,
            Fate::Finished => canary.finished += 1,
            Fate::Parked => {
                canary.finished += 1;
                canary.parked += 1;
            }
        }
        let dies = in_stage && canary.parked > CANARY_PARKED;
        if !dies || self.on_hold.load(Ordering::SeqCst) {
            return false;
        }
        self.dead.store(true, Ordering::SeqCst);
        let is_first = !self.on_hold.swap(true, Ordering::SeqCst);
        if !is_first {
            // A person has paused it in this very instant.
            self.dead.store(false, Ordering::SeqCst);
        }
        is_first
    }

    fn canary(&self) -> Option<MutexGuard<'_, Canary>> {
        let canary = self.canary.as_ref()?;
        Some(canary.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Canary {
    fn has_room(&self) -> bool {
        self.finished >= CANARY_JOBS || self.running < CANARY_JOBS - self.finished
    }
}

/// Refusals do not count: a file of typos is not a provider that fails.
fn finished(counts: &Counts) -> u64 {
    counts.confirmed + counts.gone + counts.parked
}

/// What became of a job, as the canary counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It comes back, or it was refused.
    Open,
    /// Confirmed or gone.
    Finished,
    /// A person must look.
    Parked,
}

/// The open orders of a run.
#[derive(Debug, Default)]
pub(super) struct Orders {
    book: RwLock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    orders: HashMap<OrderKey, Arc<OpenOrder>>,
    /// Those that may be worked on, urgent ones first, then by acceptance.
    active: Arc<[Arc<OpenOrder>]>,
    generation: u64,
}

impl Orders {
    /// Takes in what the store says is open.
    pub(super) fn refresh(&self, open: Vec<Order>, canary: bool) {
        let mut book = self.book.write().unwrap_or_else(PoisonError::into_inner);
        let mut orders = HashMap::with_capacity(open.len());
        let mut active = Vec::new();
        for order in open {
            let key = order.key;
            let known = book.orders.remove(&key);
            let is_held = known
                .as_ref()
                .is_some_and(|known| known.on_hold.load(Ordering::SeqCst));
            // Between the death of a canary and its pause in the store, the order still reads as open.
            let is_dying = known
                .as_ref()
                .is_some_and(|known| known.dead.load(Ordering::SeqCst));
            let is_open = order.state == OrderState::Open && !is_dying;
            let is_seen_paused = order.state != OrderState::Open;
            let order = known
                // A released order starts with a fresh canary: somebody has looked.
                .filter(|_| !(is_open && is_held))
                .unwrap_or_else(|| Arc::new(OpenOrder::new(order, canary)));
            if is_seen_paused {
                order.dead.store(false, Ordering::SeqCst);
            }
            order.on_hold.store(!is_open, Ordering::SeqCst);
            if order.dead.load(Ordering::SeqCst) {
                order.on_hold.store(true, Ordering::SeqCst);
            }
            if is_open {
                active.push(Arc::clone(&order));
            }
            orders.insert(key, order);
        }
        for closed in book.orders.values() {
            closed.on_hold.store(true, Ordering::Relaxed);
        }
        book.orders = orders;
        book.active = active.into();
        book.generation += 1;
    }

    /// Those that may be worked on, and a number that changes with each refresh.
    pub(super) fn active(&self) -> (Arc<[Arc<OpenOrder>]>, u64) {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&book.active), book.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(state: OrderState) -> Order {
        let mut order = Order::new(OrderKey(1), OrderId::default(), Timestamp::UNIX_EPOCH);
        order.counts.accepted = 1_000;
        order.state = state;
        order
    }

    #[test]
    fn a_dead_canary_stays_dead_until_a_person_releases_the_order() {
        let orders = Orders::default();
        orders.refresh(vec![bulk(OrderState::Open)], true);
        let order = Arc::clone(&orders.active().0[0]);
        let deaths = (0..8).filter(|_| order.count(Fate::Parked, false)).count();
        assert_eq!(deaths, 1);

        // Something else makes the orders be read again before the pause is written.
        orders.refresh(vec![bulk(OrderState::Open)], true);
        assert!(orders.active().0.is_empty());
        assert!(!order.begin_call());

        let why = String::from("its canary died");
        orders.refresh(vec![bulk(OrderState::Paused { why })], true);
        assert!(orders.active().0.is_empty());
        orders.refresh(vec![bulk(OrderState::Open)], true);
        assert!(orders.active().0[0].begin_call());
    }
}
