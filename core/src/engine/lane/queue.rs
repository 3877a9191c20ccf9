//! Who waits, and in which order they are served.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::budget::Cost;
use crate::context::Priority;
use crate::engine::pacer::Kind;

use super::Role;
use super::fault::CLASSES;

/// Somebody who waits to pay: for the first request of a call, with a place for its people, or for a later one.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) id: u64,
    pub(super) wish: Wish,
    pub(super) bell: Arc<Notify>,
}

/// What somebody wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// The role whose in-flight places are needed; `None` for a later request of a call that has its place.
    pub(super) place: Option<(Role, u32)>,
    pub(super) cost: Cost,
    pub(super) priority: Priority,
}

impl Wish {
    /// What the pacer has to know. A later request of a call may be a write of its procedure, and is taken for one: pages of
    /// a group are, too.
    pub(super) fn kind(&self) -> Kind {
        Kind {
            urgent: self.priority == Priority::Urgent,
            read: self.place.is_some_and(|(role, _)| role != Role::Revoke),
        }
    }
}

/// One line for each class and kind of wish, so that one role's full house does not stop another.
const KINDS: usize = Role::COUNT + 1;

/// The lines of a lane.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: [[VecDeque<Waiter>; KINDS]; CLASSES.len()],
    waiting: usize,
}

impl Queue {
    pub(super) fn push(&mut self, waiter: Waiter) {
        self.waiting += 1;
        self.line(&waiter.wish).push_back(waiter);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// The first of each line, in the order they are served: by class, then by arrival.
    pub(super) fn heads(&self) -> Vec<&Waiter> {
        let mut heads = Vec::with_capacity(KINDS);
        for class in &self.lines {
            let from = heads.len();
            heads.extend(class.iter().filter_map(VecDeque::front));
            heads[from..].sort_unstable_by_key(|waiter: &&Waiter| waiter.id);
        }
        heads
    }

    /// Takes out a waiter that was served or gave up.
    pub(super) fn remove(&mut self, wish: &Wish, id: u64) -> Option<Waiter> {
        let line = self.line(wish);
        let at = line.binary_search_by_key(&id, |waiter| waiter.id).ok()?;
        let waiter = line.remove(at);
        self.waiting -= 1;
        waiter
    }

    /// Rings for one waiter; `false` when it is not here any more.
    pub(super) fn ring(&self, id: u64) -> bool {
        let mut all = self.lines.iter().flatten();
        let found =
            all.find_map(|line| Some(&line[line.binary_search_by_key(&id, |w| w.id).ok()?]));
        found.inspect(|waiter| waiter.bell.notify_one()).is_some()
    }

    /// Everybody, to be told that the lane has stopped.
    pub(super) fn ring_all(&self) {
        for waiter in self.lines.iter().flatten().flatten() {
            waiter.bell.notify_one();
        }
    }

    fn line(&mut self, wish: &Wish) -> &mut VecDeque<Waiter> {
        let kind = wish.place.map_or(Role::COUNT, |(role, _)| role as usize);
        &mut self.lines[wish.priority as usize][kind]
    }
}
