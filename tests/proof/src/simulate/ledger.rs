//! What one simulated provider has really done, and what it has asked for.

use rescind_core::id::OrderId;

use super::books::{Moment, ProcessId};
use super::scenario::Name;

/// What was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Whole,
    Step(u64),
    Item(u64),
}

/// Something that a provider did to an account, or will have done: a request that has come in is carried out whether
/// or not anybody still waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    /// When, on our clock.
    pub(super) at: u64,
    /// Its place among the events of that millisecond.
    pub(super) place: u64,
    pub(super) account: Name,
    pub(super) what: What,
}

/// A while in which the provider wants no calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) heard_at: u64,
    pub(super) until: u64,
    pub(super) by: ProcessId,
    /// When it was written down, or should have been.
    pub(super) kept_at: Option<u64>,
}

/// A revocation on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flight {
    pub(super) account: Name,
    pub(super) by: ProcessId,
}

/// A success that a process has heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) order: Option<OrderId>,
    pub(super) account: Name,
    pub(super) items: Option<Vec<u64>>,
    pub(super) by: ProcessId,
}

/// The ledger of one provider.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) effects: Vec<Effect>,
    pub(super) pauses: Vec<Pause>,
    pub(super) flights: Vec<Flight>,
    pub(super) successes: Vec<Heard>,
    pub(super) calls: u64,
}

impl Ledger {
    /// Whether something was ended for an account after an instant, and by now.
    pub(super) fn ended_since(&self, account: Name, what: What, since: Moment, now: u64) -> bool {
        self.effects.iter().any(|effect| {
            let after =
                effect.at > since.at || (effect.at == since.at && effect.place > since.place);
            effect.account == account && effect.what == what && effect.at <= now && after
        })
    }

    /// When everything was last ended for an account, as far as it shows `lag` later.
    pub(super) fn watermark(&self, account: Name, now: u64, lag: u64) -> Option<u64> {
        self.effects
            .iter()
            .filter(|e| e.account == account && e.what == What::Whole && e.at + lag <= now)
            .map(|e| e.at)
            .max()
    }

    /// How many of an account's steps were never done.
    pub(super) fn remaining(&self, account: Name, steps: usize, now: u64) -> u64 {
        let done = |step| {
            let effects = self.effects.iter();
            effects
                .filter(|e| e.account == account && e.at <= now)
                .any(|e| e.what == What::Step(step) || e.what == What::Whole)
        };
        (0..steps as u64).filter(|step| !done(*step)).count() as u64
    }

    /// The pause that binds a process now, if there is one: what it heard itself, and what was written down before it
    /// read what its lanes must know.
    pub(super) fn pause(&self, now: u64, by: ProcessId, knows_since: u64) -> Option<Pause> {
        let binds = |pause: &&Pause| {
            pause.by == by || pause.kept_at.is_some_and(|kept_at| kept_at < knows_since)
        };
        let mut pauses = self.pauses.iter().filter(binds);
        pauses
            .find(|pause| pause.heard_at < now && now < pause.until)
            .copied()
    }
}
