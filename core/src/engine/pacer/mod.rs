//! How fast the requests of one lane may leave: pure arithmetic, told what time it is.
//!
//! Three things say no, and each of them is enough: a documented budget that is used up, the pace that earlier answers
//! have taught, and a pause.

mod bracket;
mod climb;
mod dice;
mod gate;
mod gauge;
mod meter;
mod noise;
mod pace;
mod paces;

use std::time::Duration;

use crate::budget::{Budget, Cost};

pub(super) use dice::Dice;
pub use gate::PauseReason;

use gate::{Change, Gate, Way};
use gauge::Gauge;
use paces::Paces;

/// A vendor's count of its limit is news when it is higher than ours by this part of the limit.
const FOREIGN: f64 = 0.1;

/// A documented budget of which less than this part is used cannot be what a refusal is about.
const PLENTY: f64 = 0.5;

/// What other processes have spent: age, budget and units, oldest first.
pub(super) type SpentBefore<'a> = (Duration, &'a str, f64);

/// Pays one lane's requests. Time is given as the time since the lane was opened.
#[derive(Debug, Clone)]
pub(super) struct Pacer {
    gauges: Vec<Gauge>,
    gate: Gate,
    paces: Paces,
    dice: Dice,
    changed: bool,
    /// When the gate shut last, or was kept shut.
    shut_at: Option<Duration>,
}

/// Whether a request may leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leave {
    /// It may.
    Now {
        /// It goes alone, to see whether the pause is over.
        as_probe: bool,
    },
    /// Not before this instant.
    At(Duration),
}

/// What a request is, beside its cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// It may take what is reserved.
    pub(super) urgent: bool,
    /// It belongs to a call that only reads.
    pub(super) read: bool,
}

/// Tells what left, so that its answer can be told from others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sent {
    pub(super) weight: f64,
    pub(super) read: bool,
    pub(super) epoch: u64,
    pub(super) probe: bool,
    pub(super) at: Duration,
}

/// What outlives the process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Learnt {
    /// The pause, as time from now.
    pub(super) pause: Option<(Duration, PauseReason)>,
    /// Refused probes in a row.
    pub(super) in_a_row: u32,
    /// The pace, in requests a second.
    pub(super) rate: Option<f64>,
    /// Whether reads count in it.
    pub(super) reads_count: bool,
}

impl Pacer {
    /// A pacer that has spent nothing and knows nothing but the documents.
    pub(super) fn new(budgets: &[Budget], seed: u64) -> Self {
        Self {
            gauges: budgets.iter().map(Gauge::full).collect(),
            gate: Gate::open(),
            paces: Paces::unlimited(),
            dice: Dice::new(seed),
            changed: false,
            shut_at: None,
        }
    }

    /// Goes on where another process stopped as well: of two pauses the longer one holds, and both have spent.
    pub(super) fn take_over(&mut self, now: Duration, spent: &[SpentBefore<'_>], learnt: &Learnt) {
        for gauge in &mut self.gauges {
            let of_it: Vec<_> = spent
                .iter()
                .filter(|(_, name, _)| *name == gauge.name())
                .map(|&(age, _, units)| (age, units))
                .collect();
            gauge.was_spent(now, &of_it);
        }
        if let Some((rest, why)) = learnt.pause
            && self.pause().is_none_or(|(until, _)| until < now + rest)
        {
            self.gate = Gate::shut(now + rest, why, learnt.in_a_row);
            if rest > Duration::ZERO {
                // What was paid before it may no longer leave.
                self.shut_at = Some(now);
            }
        }
        if learnt.reads_count {
            self.paces.reads_are_refused();
        }
        if let Some(rate) = learnt.rate {
            self.paces.was_learnt(now, rate);
        }
    }

    /// What the next process should know.
    pub(super) fn learnt(&self, now: Duration) -> Learnt {
        Learnt {
            pause: self
                .gate
                .pause()
                .map(|(until, why)| (until.saturating_sub(now), why)),
            in_a_row: self.gate.in_a_row(),
            rate: self.paces.main().target(),
            reads_count: self.paces.reads_count(),
        }
    }

    /// Whether something changed that the next process should know; asking clears it.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether a request of this cost may leave, leaving `kept` for those who came before.
    pub(super) fn ask(&self, now: Duration, cost: &Cost, kept: &Kept, kind: Kind) -> Leave {
        let as_probe = match self.gate.way(now) {
            Way::Blocked(until) => return Leave::At(until),
            Way::AsProbe => true,
            Way::Free => false,
        };
        let mut when = if as_probe {
            now
        } else {
            let before = kept.weights[usize::from(self.paces.is_apart(kind.read))];
            self.paces
                .of(kind.read)
                .ready_at(now, weight(cost) + before)
        };
        for (i, gauge) in self.gauges.iter().enumerate() {
            let units = f64::from(cost.units_of(gauge.name()));
            if units > 0.0 {
                when = when.max(gauge.ready_at(now, units, kept.of(i), kind.urgent));
            }
        }
        if when <= now {
            Leave::Now { as_probe }
        } else {
            Leave::At(when)
        }
    }

    /// Somebody waits for this: those behind leave it alone.
    pub(super) fn keep(&self, kept: &mut Kept, cost: &Cost, kind: Kind) {
        kept.weights[usize::from(self.paces.is_apart(kind.read))] += weight(cost);
        kept.units.resize(self.gauges.len(), 0.0);
        for (gauge, units) in self.gauges.iter().zip(&mut kept.units) {
            *units += f64::from(cost.units_of(gauge.name()));
        }
    }

    /// A request leaves.
    pub(super) fn take(&mut self, now: Duration, cost: &Cost, kind: Kind) -> Sent {
        let probe = self.gate.way(now) == Way::AsProbe;
        if probe {
            self.gate.probe_left(now);
        }
        for gauge in &mut self.gauges {
            let units = f64::from(cost.units_of(gauge.name()));
            if units > 0.0 {
                gauge.take(now, units, kind.urgent);
            }
        }
        let weight = weight(cost);
        self.paces.of_mut(kind.read).take(now, weight);
        Sent {
            weight,
            read: kind.read,
            epoch: self.gate.epoch(),
            at: now,
            probe,
        }
    }

    /// A request did not leave after all.
    pub(super) fn give_back(&mut self, now: Duration, cost: &Cost, sent: &Sent) {
        for gauge in &mut self.gauges {
            let units = f64::from(cost.units_of(gauge.name()));
            if units > 0.0 {
                gauge.give_back(now, units);
            }
        }
        self.paces.of_mut(sent.read).give_back(sent.weight);
        if sent.probe {
            self.gate.probe_said_nothing(now);
        }
    }

    /// A request left that reports no answer of its own.
    pub(super) fn sent_unreported(&mut self, now: Duration, sent: &Sent) {
        self.paces.of_mut(sent.read).accepted(now, sent, false);
    }

    /// A call was answered and not refused.
    pub(super) fn answered(&mut self, now: Duration, sent: &Sent) {
        let old = sent.epoch < self.gate.epoch();
        self.paces.of_mut(sent.read).accepted(now, sent, old);
        let change = self.gate.answered(now, sent.probe);
        self.apply(now, change);
    }

    /// A request was throttled.
    pub(super) fn throttled(
        &mut self,
        now: Duration,
        sent: Option<&Sent>,
        after: Option<Duration>,
    ) {
        // A call of many requests outlives a pause; long after it, its news is news.
        let late = self.gate.open_for(now) < Duration::from_secs(5);
        let old = sent.is_some_and(|sent| !sent.probe && sent.epoch < self.gate.epoch() && late);
        let brief = self.paces.main().is_noisy();
        let change = self.gate.throttled(now, after, old, brief, &mut self.dice);
        match (change, sent) {
            (Change::Shut(_), _) => {
                let plenty = self.has_plenty(now);
                self.paces.main_mut().throttled(now, plenty);
            }
            (_, Some(sent)) if !sent.probe => self.paces.main_mut().throttled_late(sent.weight),
            _ => {}
        }
        if sent.is_some_and(|sent| sent.read) {
            self.paces.reads_are_refused();
        }
        self.apply(now, change);
    }

    /// A call found nobody, or nobody in time.
    pub(super) fn unavailable(&mut self, now: Duration, sent: &Sent, after: Option<Duration>) {
        let old = sent.epoch < self.gate.epoch();
        let change = self.gate.unavailable(now, after, sent, old, &mut self.dice);
        self.apply(now, change);
    }

    /// A call says nothing about the provider.
    pub(super) fn said_nothing(&mut self, now: Duration, sent: &Sent) {
        if sent.probe && self.gate.is_probing() {
            self.gate.probe_said_nothing(now);
        }
    }

    /// Some request was answered; whose is not known.
    pub(super) fn heard(&mut self, now: Duration) {
        self.gate.heard(now);
    }

    /// How much of a limit is used, by the vendor's own count.
    pub(super) fn load(&mut self, now: Duration, used: f64) {
        // A pace that is no number would let nothing leave, or everything.
        if !used.is_finite() {
            return;
        }
        // Our own spending is known already; news is what others spend.
        let ours = self.gauges.iter().map(|gauge| gauge.used(now));
        if self.gauges.is_empty() || used > ours.fold(0.0, f64::max) + FOREIGN {
            self.paces.loaded(now, used);
        }
    }

    /// A budget is larger or smaller than thought.
    pub(super) fn budget_is(&mut self, now: Duration, budget: &str, units: u32) {
        for gauge in &mut self.gauges {
            if gauge.name() == budget {
                gauge.resize(units, now);
            }
        }
    }

    /// Lets what only time decides happen.
    pub(super) fn tick(&mut self, now: Duration) {
        let change = self.gate.tick(now);
        self.apply(now, change);
    }

    /// When [`Pacer::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        self.gate.due()
    }

    /// The pause, while there is one.
    pub(super) fn pause(&self) -> Option<(Duration, PauseReason)> {
        self.gate.pause()
    }

    /// When it last shut, or was kept shut: what was taken before that must not leave any more.
    pub(super) fn shut_at(&self) -> Option<Duration> {
        self.shut_at
    }

    /// Whether what leaves next goes alone, to see whether the pause is over.
    pub(super) fn wants_probe(&self, now: Duration) -> bool {
        self.gate.way(now) == Way::AsProbe
    }

    /// Whether the lane waits for its probe.
    pub(super) fn is_probing(&self) -> bool {
        self.gate.is_probing()
    }

    /// How many people may be in the calls of one role, where answers have taught less than is configured.
    pub(super) fn window(&self, kind: Kind) -> Option<u32> {
        self.paces.of(kind.read).window()
    }

    /// Requests accepted a second, of late.
    pub(super) fn accepted_per_sec(&self, now: Duration) -> Option<f64> {
        let rate = self.paces.main().accepted_per_sec(now);
        (rate > 0.0).then_some(rate)
    }

    /// Whether no documented budget is nearly used up.
    fn has_plenty(&self, now: Duration) -> bool {
        let mut used = self.gauges.iter().map(|gauge| gauge.used(now));
        !self.gauges.is_empty() && used.all(|used| used < PLENTY)
    }

    fn apply(&mut self, now: Duration, change: Change) {
        self.changed |= change != Change::None;
        if matches!(change, Change::Shut(_) | Change::Longer) {
            self.shut_at = Some(now);
        }
        if change == Change::Opened {
            self.paces.resume(now, self.gate.refused_at());
        }
    }
}

/// What those who came before wait for.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Of those that share a pace, and of reads that have one apart.
    weights: [f64; 2],
    units: Vec<f64>,
}

impl Kept {
    fn of(&self, gauge: usize) -> f64 {
        self.units.get(gauge).copied().unwrap_or_default()
    }
}

/// How many requests a cost stands for: its largest part, since a vendor's throttle may be about any of them.
pub(super) fn weight(cost: &Cost) -> f64 {
    f64::from(cost.parts().map(|(_, units)| units).max().unwrap_or(1))
}
