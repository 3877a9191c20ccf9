//! Who waits, and in which order they are served.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::budget::Cost;
use crate::context::Priority;
use crate::engine::pacer::{Kind, weight};

use super::Role;
use super::fault::CLASSES;

/// Somebody who waits to pay: for the first request of a call, with a place for its people, or for a later one.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) id: u64,
    pub(super) wish: Wish,
    pub(super) bell: Arc<Notify>,
    /// Where its line stands in what was served when its turn comes.
    turn: f64,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// The role whose in-flight places are needed; `None` for a later request of a call that has its place.
    pub(super) place: Option<(Role, u32)>,
    pub(super) cost: Cost,
    pub(super) priority: Priority,
    /// It belongs to a call that only reads.
    read: bool,
}

impl Wish {
    /// The first request of a call, and a place for its people.
    pub(super) fn of_call(role: Role, people: u32, cost: Cost, priority: Priority) -> Self {
        Self {
            place: Some((role, people)),
            cost,
            priority,
            read: role != Role::Revoke,
        }
    }

    /// A further request of a call that changes something.
    pub(super) fn of_later_write(cost: Cost, priority: Priority) -> Self {
        Self {
            place: None,
            cost,
            priority,
            read: false,
        }
    }

    /// A further request of a call that only reads: a page of a group.
    pub(super) fn of_later_read(cost: Cost, priority: Priority) -> Self {
        Self {
            read: true,
            ..Self::of_later_write(cost, priority)
        }
    }

    /// What the pacer has to know.
    pub(super) fn kind(&self) -> Kind {
        Kind {
            urgent: self.priority == Priority::Urgent,
            read: self.read,
        }
    }

    /// Whether the two wait in one line.
    pub(super) fn is_in_line_with(&self, other: &Self) -> bool {
        self.priority == other.priority && self.line() == other.line()
    }

    fn line(&self) -> usize {
        self.place
            .map_or(Role::COUNT + usize::from(self.read), |(role, _)| {
                role as usize
            })
    }
}

/// One line for each class and kind of wish, so that one role's full house does not stop another, nor later writes that
/// wait for their pace later reads that have none.
const KINDS: usize = Role::COUNT + 2;

/// The lines of a lane.
///
/// The lines of a class are served in turn, each as much as the others by what its wishes cost: thousands of people may
/// wait to be looked up before the first of them can be called, and a call must not wait for all of them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: [[Line; KINDS]; CLASSES.len()],
    /// How far each class has been served: who comes now waits for nobody who comes later, and has saved nothing up.
    served: [f64; CLASSES.len()],
    waiting: usize,
}

#[derive(Debug, Default)]
struct Line {
    waiters: VecDeque<Waiter>,
    /// Where it stands when everybody in it is served.
    end: f64,
}

impl Queue {
    pub(super) fn push(&mut self, id: u64, wish: Wish, bell: Arc<Notify>) {
        self.waiting += 1;
        let turn = self.next_turn(&wish);
        let line = self.line(&wish);
        line.end = turn + weight(&wish.cost);
        line.waiters.push_back(Waiter {
            id,
            wish,
            bell,
            turn,
        });
    }

    /// A wish was served that has not waited.
    pub(super) fn passed(&mut self, wish: &Wish) {
        let turn = self.next_turn(wish);
        self.line(wish).end = turn + weight(&wish.cost);
        self.served[wish.priority as usize] = turn;
    }

    fn next_turn(&mut self, wish: &Wish) -> f64 {
        let served = self.served[wish.priority as usize];
        self.line(wish).end.max(served)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The first of each line, in the order they are served: by class, then in turn.
    pub(super) fn heads(&self) -> Vec<&Waiter> {
        let mut heads = Vec::with_capacity(KINDS);
        for class in &self.lines {
            let from = heads.len();
            heads.extend(class.iter().filter_map(|line| line.waiters.front()));
            heads[from..].sort_unstable_by(|a: &&Waiter, b: &&Waiter| {
                a.turn.total_cmp(&b.turn).then(a.id.cmp(&b.id))
            });
        }
        heads
    }

    /// Takes out a waiter that is served.
    pub(super) fn take(&mut self, wish: &Wish, id: u64) -> Option<Waiter> {
        let waiter = self.remove(wish, id)?;
        let served = &mut self.served[wish.priority as usize];
        *served = served.max(waiter.turn);
        Some(waiter)
    }

    /// Takes out a waiter that gave up: its line loses nothing by it.
    pub(super) fn give_up(&mut self, wish: &Wish, id: u64) {
        if let Some(waiter) = self.remove(wish, id) {
            let back = weight(&wish.cost);
            let line = self.line(wish);
            line.end -= back;
            for behind in line.waiters.iter_mut().filter(|one| one.id > waiter.id) {
                behind.turn -= back;
            }
        }
    }

    fn remove(&mut self, wish: &Wish, id: u64) -> Option<Waiter> {
        let waiters = &mut self.line(wish).waiters;
        let at = waiters.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        let waiter = waiters.remove(at);
        self.waiting -= 1;
        waiter
    }

    /// Rings for one waiter; `false` when it is not here any more.
    pub(super) fn ring(&self, id: u64) -> bool {
        let mut all = self.lines.iter().flatten().map(|line| &line.waiters);
        let found =
            all.find_map(|line| Some(&line[line.binary_search_by_key(&id, |w| w.id).ok()?]));
        found.inspect(|waiter| waiter.bell.notify_one()).is_some()
    }

    /// Everybody, to be told that the lane has stopped.
    pub(super) fn ring_all(&self) {
        for waiter in self.lines.iter().flatten().flat_map(|line| &line.waiters) {
            waiter.bell.notify_one();
        }
    }

    fn line(&mut self, wish: &Wish) -> &mut Line {
        &mut self.lines[wish.priority as usize][wish.line()]
    }
}
