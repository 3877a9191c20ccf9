//! The judge: keeps its own books and the providers' own ledgers, and states what must never happen.

use std::collections::BTreeMap;

use rescind_core::id::{JobKey, OrderId, OrderKey};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::report::OutcomeName;
use rescind_core::store::{Claim, Claimed, Next, Settlement};

use super::books::{Books, Moment, ProcessId};
use super::ledger::{Flight, Heard, Ledger, Pause, What};
use super::scenario::{Name, Quirk, Scenario};

/// How soon after a cancellation the last call must have left.
const CANCEL_MS: u64 = 1_000;

/// How long after a person's pause, or after being told to stop, a call may leave.
const HOLD_MS: u64 = 1_000;

/// How long a process may take to write down what a provider asked for.
const KEEP_MS: u64 = 1_500;

/// Everything the judge knows.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) books: Books,
    pub(super) ledgers: Vec<Ledger>,
    pub(super) violations: Vec<String>,
    /// When each process was told to stop.
    pub(super) draining: Vec<(ProcessId, u64)>,
    /// Since when each process knows what others have written down of their lanes.
    knows_since: BTreeMap<ProcessId, u64>,
    /// How often what has happened: a simulation in which nothing happens shows nothing.
    pub(super) seen: BTreeMap<&'static str, u64>,
    place: u64,
}

/// A revocation that has come in.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) now: u64,
    pub(super) vendor: usize,
    pub(super) account: Name,
    pub(super) order: Option<OrderId>,
    pub(super) items: Option<Vec<u64>>,
    pub(super) by: ProcessId,
    /// Whether the store really has the intent.
    pub(super) intent_is_written: bool,
}

impl Judge {
    pub(super) fn new(vendors: usize) -> Self {
        Self {
            books: Books::default(),
            ledgers: (0..vendors).map(|_| Ledger::default()).collect(),
            violations: Vec::new(),
            draining: Vec::new(),
            knows_since: BTreeMap::new(),
            seen: BTreeMap::new(),
            place: 0,
        }
    }

    pub(super) fn violate(&mut self, now: u64, what: impl std::fmt::Display) {
        self.violations.push(format!("{now} ms: {what}"));
    }

    pub(super) fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn moment(&mut self, now: u64) -> Moment {
        self.place += 1;
        Moment {
            at: now,
            place: self.place,
        }
    }

    /// A revocation comes in at a provider.
    pub(super) fn arrives(&mut self, scenario: &Scenario, arrival: &Arrival) {
        let &Arrival {
            now,
            vendor,
            account,
            by,
            ..
        } = arrival;
        let mut found = Vec::new();
        if scenario.is_protected(vendor, account, now) {
            found.push("a protected person is called".to_owned());
        }
        if self.ledgers[vendor]
            .flights
            .iter()
            .any(|flight| flight.account == account)
        {
            found.push("two attempts of one account are in flight".to_owned());
        }
        if !arrival.intent_is_written {
            found.push("a call leaves before its intent is written".to_owned());
        }
        if !self.books.is_running(vendor, account) {
            found.push("a call is made for no running job".to_owned());
        }
        if let Some(pause) = self.pause(now, vendor, by) {
            found.push(format!(
                "a revocation leaves {} ms before the end of a pause heard at {} ms",
                pause.until - now,
                pause.heard_at
            ));
        }
        if let Some(order) = arrival.order.and_then(|id| self.books.order_of(id)) {
            if order.cancelled_at.is_some_and(|at| now > at + CANCEL_MS) {
                found.push("a call leaves after its order was cancelled".to_owned());
            }
            if order.paused_at.is_some_and(|at| now > at + HOLD_MS) {
                found.push("a call leaves while its order is on hold".to_owned());
            }
        }
        if self
            .draining
            .iter()
            .any(|(who, at)| *who == by && now > at + HOLD_MS)
        {
            found.push("a call leaves although the process was told to stop".to_owned());
        }
        let heard = Heard {
            order: arrival.order,
            account,
            items: arrival.items.clone(),
            by,
        };
        // Two jobs for single items of one account each make their own call.
        if heard.items.is_none() && self.ledgers[vendor].successes.contains(&heard) {
            found.push("a call is repeated although its success was heard".to_owned());
        }
        for what in found {
            let who = account.text();
            self.violate(now, format!("{what} ({who} at idp{vendor}, process {by})"));
        }
        self.ledgers[vendor].calls += 1;
        self.ledgers[vendor].flights.push(Flight { account, by });
    }

    /// A look-up or an evidence read comes in.
    pub(super) fn reads(&mut self, now: u64, vendor: usize, by: ProcessId, what: &str) {
        if let Some(pause) = self.pause(now, vendor, by) {
            let early = pause.until - now;
            self.violate(
                now,
                format!("{what} leaves {early} ms before the end of a pause at idp{vendor}"),
            );
        }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn lands(&mut self, vendor: usize, account: Name, by: ProcessId) {
        let flights = &mut self.ledgers[vendor].flights;
        let place = flights
            .iter()
            .position(|flight| flight.account == account && flight.by == by);
        if let Some(place) = place {
            flights.swap_remove(place);
        }
    }

    /// A process hears that a provider wants no calls for a while.
    pub(super) fn hears_pause(&mut self, now: u64, vendor: usize, by: ProcessId, after: u64) {
        self.saw("pauses heard");
        self.ledgers[vendor].pauses.push(Pause {
            heard_at: now,
            until: now + after,
            by,
            kept_at: None,
        });
    }

    /// A process has written down what its lane knows.
    pub(super) fn keeps_lane(&mut self, now: u64, vendor: usize, by: ProcessId, asked_at: u64) {
        for pause in &mut self.ledgers[vendor].pauses {
            if pause.by == by && pause.heard_at < asked_at {
                pause.kept_at.get_or_insert(now);
            }
        }
    }

    /// A process begins, or takes over: it reads what its lanes must know.
    pub(super) fn reads_lanes(&mut self, now: u64, by: ProcessId) {
        self.knows_since.insert(by, now);
    }

    fn pause(&self, now: u64, vendor: usize, by: ProcessId) -> Option<Pause> {
        let knows_since = self.knows_since.get(&by).copied().unwrap_or_default();
        self.ledgers[vendor].pause(now, by, knows_since)
    }

    /// A process is gone: nothing of it is in flight, and what it had time to write down binds the next. Only one that
    /// `worked` writes down what its lanes know.
    pub(super) fn dies(&mut self, now: u64, by: ProcessId, worked: bool) {
        for ledger in &mut self.ledgers {
            ledger.flights.retain(|flight| flight.by != by);
            for pause in &mut ledger.pauses {
                let due = pause.heard_at + KEEP_MS;
                if worked && pause.by == by && due < now {
                    pause.kept_at.get_or_insert(due);
                }
            }
        }
    }

    pub(super) fn accepted(&mut self, now: u64, key: OrderKey) {
        let moment = self.moment(now);
        if let Some(order) = self.books.orders.get_mut(&key) {
            order.accepted = Some(moment);
        }
        self.books.touched_at = now;
    }

    /// Claims were committed.
    pub(super) fn claimed(&mut self, now: u64, claims: &[Claim], answers: &[Claimed]) {
        for (claim, answer) in claims.iter().zip(answers) {
            if !matches!(answer, Claimed::Running { .. }) {
                continue;
            }
            self.step(now, claim.job, JobState::Running);
            if let Some(job) = self.books.job(claim.job) {
                job.calls = claim.calls;
                if let Some(resolved) = &claim.resolved {
                    job.account = Some(Name::parse(&resolved.id));
                }
            }
        }
    }

    /// Settlements were committed.
    pub(super) fn settled(
        &mut self,
        now: u64,
        scenario: &Scenario,
        settlements: &[Settlement],
        held: &[bool],
    ) {
        for (settlement, held) in settlements.iter().zip(held) {
            if !held {
                self.violate(
                    now,
                    "a settlement was refused although only one process works",
                );
                continue;
            }
            self.step(now, settlement.job, settlement.next.state());
            self.fits(now, scenario, settlement);
            self.saw(named(settlement));
            let off = self
                .books
                .orders
                .get(&settlement.job.order())
                .is_some_and(|order| order.cancelled_at.is_some());
            if off && matches!(settlement.next, Next::Waiting { .. } | Next::Parked) {
                self.step(now, settlement.job, JobState::Cancelled);
            }
        }
    }

    /// Moves a job along an edge that exists.
    pub(super) fn step(&mut self, now: u64, key: JobKey, to: JobState) {
        let Some(job) = self.books.job(key) else {
            self.violate(now, format!("{key:?} is no job of an order"));
            return;
        };
        let from = job.state;
        job.state = to;
        if !from.may_become(to) {
            self.violate(now, format!("{key:?} moves from {from:?} to {to:?}"));
        }
    }

    /// Whether what was written is what the provider did.
    fn fits(&mut self, now: u64, scenario: &Scenario, settlement: &Settlement) {
        let Some(order) = self.books.orders.get(&settlement.job.order()) else {
            return;
        };
        let Some(job) = order.jobs.get(settlement.job.seq() as usize) else {
            return;
        };
        let Some(since) = order.accepted else { return };
        let ledger = &self.ledgers[job.vendor];
        let plan = &scenario.vendors[job.vendor];
        let person = job.account.unwrap_or(job.given);
        let quirk = scenario.quirk(job.vendor, person);
        let wrong = match &settlement.next {
            Next::Confirmed { .. } => {
                let whats: Vec<What> = match &job.items {
                    Some(items) => items.iter().map(|item| What::Item(*item)).collect(),
                    None if plan.steps == 0 => vec![What::Whole],
                    None => (0..plan.steps as u64).map(What::Step).collect(),
                };
                let ended = |what: &What| ledger.ended_since(person, *what, since, now);
                (!whats.iter().all(ended)).then_some("confirmed without an effect after its order")
            }
            Next::Gone => match quirk {
                Quirk::Leaves(at) if at <= now => None,
                _ => Some("gone although it is there"),
            },
            Next::Refused => {
                let reason = match quirk {
                    Quirk::Unknown | Quirk::Guest | Quirk::Ambiguous => true,
                    Quirk::Leaves(at) => at <= now,
                    Quirk::Plain | Quirk::Forbidden => false,
                };
                let protected = scenario.protected.iter().any(|p| p.person == person.person);
                (!reason && !protected).then_some("refused without a reason")
            }
            Next::Parked => {
                let detail = &settlement.detail;
                let silent = detail.error.is_none() && detail.refusal.is_none();
                silent.then_some("parked without a reason")
            }
            Next::Waiting { .. } => None,
        };
        if let Some(wrong) = wrong {
            let who = format!("{} at idp{}", person.text(), job.vendor);
            self.violate(now, format!("{:?} is {wrong} ({who})", settlement.job));
        }
    }
}

/// What became of a job, in words.
fn named(settlement: &Settlement) -> &'static str {
    let detail = &settlement.detail;
    match &settlement.next {
        Next::Confirmed { .. } if detail.shared_with.is_some() => "confirmed by another job's call",
        Next::Confirmed { .. } if detail.outcome == Some(OutcomeName::ConfirmedByEvidence) => {
            "confirmed by evidence"
        }
        Next::Confirmed { .. } => "confirmed",
        Next::Gone => "gone",
        Next::Refused => "refused",
        Next::Parked => "parked",
        Next::Waiting { why, .. } => match why {
            WaitReason::Throttled => "waiting: throttled",
            WaitReason::Transient => "waiting: transient",
            WaitReason::Unknown => "waiting: unknown",
            WaitReason::Lane => "waiting: lane",
        },
    }
}

impl Scenario {
    pub(super) fn quirk(&self, vendor: usize, name: Name) -> Quirk {
        let quirks = &self.vendors[vendor].quirks;
        quirks
            .get(name.person as usize)
            .copied()
            .unwrap_or(Quirk::Unknown)
    }

    /// Whether an account must never be touched. Without a directory only the spelling can tell; an account that no
    /// longer exists cannot be found on the list.
    fn is_protected(&self, vendor: usize, account: Name, now: u64) -> bool {
        match self.quirk(vendor, account) {
            Quirk::Unknown => return false,
            Quirk::Leaves(at) if at <= now => return false,
            _ => {}
        }
        let directory = self.vendors[vendor].directory;
        self.protected.iter().any(|entry| {
            entry.person == account.person && (directory || entry.spelling == account.spelling)
        })
    }
}
