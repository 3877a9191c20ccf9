//! Where payments and places are granted: everything of a lane that needs one mind at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::context::Priority;
use crate::engine::pacer::{Kept, Leave, Pacer, Sent};

use super::fault::{LaneFault, Rights};
use super::offset::Offset;
use super::queue::{Queue, Wish};
use super::retries::Retries;
use super::{Permit, Role, Verdict};

/// The state of a lane, behind its lock. No call here waits.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) pacer: Pacer,
    pub(super) fault: Option<LaneFault>,
    pub(super) rights: Rights,
    pub(super) retries: Retries,
    pub(super) offset: Offset,
    /// People in the calls of each role.
    pub(super) in_flight: [u32; Role::COUNT],
    calls: u32,
    max_in_flight: u32,
    claims_ahead: u32,
    queue: Queue,
    granted: HashMap<u64, Sent>,
    next_id: u64,
    /// Who sleeps for all, and until when.
    keeper: Option<(u64, Option<Duration>)>,
}

/// What a look at the desk tells a waiter.
pub(super) enum Turn {
    Granted(Sent),
    Stopped(LaneFault),
    /// Wait for the bell, and until this instant if it is this one who sleeps for all.
    Wait(Option<Duration>),
}

impl Desk {
    pub(super) fn new(pacer: Pacer, max_in_flight: u32, claims_ahead: u32) -> Self {
        Self {
            pacer,
            fault: None,
            rights: Rights::default(),
            retries: Retries::new(),
            offset: Offset::default(),
            in_flight: [0; Role::COUNT],
            calls: 0,
            max_in_flight: max_in_flight.max(1),
            claims_ahead,
            queue: Queue::default(),
            granted: HashMap::new(),
            next_id: 0,
            keeper: None,
        }
    }

    /// Serves the wish if nobody who came before would lose by it.
    pub(super) fn try_serve(&mut self, now: Duration, wish: &Wish) -> Option<Sent> {
        self.pacer.tick(now);
        let mut kept = Kept::default();
        if !self.queue.is_empty() {
            self.serve(now);
            for waiter in self.queue.heads() {
                if waiter.wish.priority <= wish.priority && self.has_place(&waiter.wish) {
                    self.pacer
                        .keep(&mut kept, &waiter.wish.cost, waiter.wish.kind());
                }
                if waiter.wish.priority <= wish.priority && waiter.wish.is_in_line_with(wish) {
                    return None;
                }
            }
        }
        let sent = self.grant(now, wish, &kept).ok()?;
        self.queue.passed(wish);
        Some(sent)
    }

    /// Puts somebody in line.
    pub(super) fn enqueue(&mut self, wish: Wish, bell: Arc<Notify>) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        self.queue.push(id, wish, bell);
        id
    }

    /// Serves whoever can be served, and tells one waiter where it stands.
    pub(super) fn turn(&mut self, now: Duration, id: u64) -> Turn {
        if let Some(fault) = &self.fault {
            return Turn::Stopped(fault.clone());
        }
        let due = self.serve(now);
        if let Some(sent) = self.granted.remove(&id) {
            self.hand_over(id);
            return Turn::Granted(sent);
        }
        match &mut self.keeper {
            Some((keeper, until)) if *keeper == id => *until = due,
            Some(_) => return Turn::Wait(None),
            None => self.keeper = Some((id, due)),
        }
        Turn::Wait(due)
    }

    /// A waiter is gone: what it may have been granted is given back.
    pub(super) fn leave(&mut self, now: Duration, id: u64, wish: &Wish) {
        self.queue.give_up(wish, id);
        if let Some(sent) = self.granted.remove(&id) {
            if let Some((role, people)) = wish.place {
                self.in_flight[role as usize] -= people;
                self.calls -= 1;
            }
            self.pacer.give_back(now, &wish.cost, &sent);
        }
        self.hand_over(id);
        self.refresh(now);
    }

    /// Something changed: serves whoever can now be served, and wakes the one who sleeps for all if it should wake at
    /// another time.
    pub(super) fn refresh(&mut self, now: Duration) {
        if self.queue.is_empty() {
            self.pacer.tick(now);
            return;
        }
        let due = self.serve(now);
        match self.keeper {
            Some((id, until)) if until != due => {
                self.ring(id);
            }
            Some(_) => {}
            None => self.ring_first(),
        }
    }

    /// A call is over.
    pub(super) fn done(&mut self, now: Duration, permit: &Permit, verdict: &Verdict) {
        let sent = &permit.sent;
        self.in_flight[permit.role as usize] -= permit.people;
        self.calls -= 1;
        match verdict {
            Verdict::Served => {
                self.rights.granted(permit.role);
                self.pacer.answered(now, sent);
            }
            Verdict::Heard => self.pacer.answered(now, sent),
            Verdict::Throttled { after } => self.pacer.throttled(now, Some(sent), *after),
            Verdict::Unavailable { after } => self.pacer.unavailable(now, sent, *after),
            Verdict::PermissionDenied { subject, error } => {
                self.pacer.answered(now, sent);
                if let Some(fault) = self.rights.denied(permit.role, *subject, error.clone()) {
                    self.stop(fault);
                }
            }
            Verdict::Fault(fault) => {
                self.pacer.said_nothing(now, sent);
                self.stop(fault.clone());
            }
            Verdict::Neutral => self.pacer.said_nothing(now, sent),
        }
        self.refresh(now);
    }

    /// Stops the lane; the first fault is the one that is shown.
    pub(super) fn stop(&mut self, fault: LaneFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.queue.ring_all();
        }
    }

    /// Grants what can be granted. Answers when there is more to do, if only time stands in the way.
    fn serve(&mut self, now: Duration) -> Option<Duration> {
        self.pacer.tick(now);
        loop {
            let mut kept = Kept::default();
            let mut due = self.pacer.due();
            let mut served = None;
            let mut heads = self.queue.heads();
            if self.pacer.wants_probe(now) {
                // A later request of a call reports no answer of its own: it is a poor probe.
                heads.sort_by_key(|waiter| waiter.wish.place.is_none());
            }
            for waiter in heads {
                let wish = waiter.wish;
                if !self.has_place(&wish) {
                    continue;
                }
                match self.ask(now, &wish, &kept) {
                    Leave::Now { .. } => {
                        served = Some((waiter.id, wish));
                        break;
                    }
                    Leave::At(when) => {
                        due = Some(due.map_or(when, |at| at.min(when)));
                        self.pacer.keep(&mut kept, &wish.cost, wish.kind());
                    }
                }
            }
            let Some((id, wish)) = served else {
                return due;
            };
            let sent = self.take(now, &wish);
            if let Some(waiter) = self.queue.take(&wish, id) {
                waiter.bell.notify_one();
            }
            self.granted.insert(id, sent);
        }
    }

    fn grant(&mut self, now: Duration, wish: &Wish, kept: &Kept) -> Result<Sent, Duration> {
        if self.fault.is_some() || !self.has_place(wish) {
            return Err(now);
        }
        match self.ask(now, wish, kept) {
            Leave::Now { .. } => Ok(self.take(now, wish)),
            Leave::At(when) => Err(when),
        }
    }

    fn ask(&self, now: Duration, wish: &Wish, kept: &Kept) -> Leave {
        // While the probe is alone on its way, a further request can only be its own.
        if wish.place.is_none() && self.pacer.is_probing() && self.calls == 1 {
            return Leave::Now { as_probe: true };
        }
        self.pacer.ask(now, &wish.cost, kept, wish.kind())
    }

    fn take(&mut self, now: Duration, wish: &Wish) -> Sent {
        let sent = self.pacer.take(now, &wish.cost, wish.kind());
        match wish.place {
            Some((role, people)) => {
                self.in_flight[role as usize] += people;
                self.calls += 1;
                self.retries.called();
            }
            None => self.pacer.sent_unreported(now, &sent),
        }
        sent
    }

    fn has_place(&self, wish: &Wish) -> bool {
        let Some((role, people)) = wish.place else {
            return true;
        };
        let most = match role {
            Role::Revoke => self.max_in_flight + self.claims_ahead,
            Role::Resolve | Role::Evidence | Role::Other => self.max_in_flight,
        };
        let cap = self
            .pacer
            .window(wish.kind())
            .map_or(most, |window| window.min(most));
        // A tenth is kept for urgent work, as long as something is left for the rest.
        let cap = match wish.priority {
            Priority::Urgent => cap,
            Priority::Normal | Priority::Evidence => (cap - cap.div_ceil(10)).max(1),
        };
        let taken = self.in_flight[role as usize];
        taken == 0 || taken + people <= cap
    }

    fn hand_over(&mut self, id: u64) {
        if self.keeper.is_some_and(|(keeper, _)| keeper == id) {
            self.keeper = None;
            self.ring_first();
        }
    }

    fn ring_first(&self) {
        if let Some(first) = self.queue.heads().first() {
            first.bell.notify_one();
        }
    }

    fn ring(&self, id: u64) {
        // The one who sleeps for all is in some line, not always at its head.
        if !self.queue.ring(id) {
            self.ring_first();
        }
    }
}
