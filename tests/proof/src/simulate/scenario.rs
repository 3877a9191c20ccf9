//! What a seed decides before anything happens: who, where, what is ordered, and what befalls it.

use super::dice::Dice;

/// Everything that happens in one simulation, as far as it is known beforehand.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) people: u64,
    pub(super) vendors: Vec<VendorPlan>,
    /// The people whose sessions must never end, and how the configuration spells them.
    pub(super) protected: Vec<Name>,
    pub(super) orders: Vec<OrderPlan>,
    /// What people and fate do, by millisecond.
    pub(super) acts: Vec<(u64, Act)>,
    pub(super) canary: bool,
    pub(super) disk: DiskPlan,
}

/// A person as somebody spells them: by id or by one of two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) person: u64,
    pub(super) spelling: u64,
}

impl Name {
    pub(super) fn text(self) -> String {
        let person = self.person;
        match self.spelling {
            0 => format!("u{person}"),
            1 => format!("u{person}@example.com"),
            _ => format!("u{person}@contoso.com"),
        }
    }

    pub(super) fn parse(text: &str) -> Self {
        let (local, domain) = text.split_once('@').unwrap_or((text, ""));
        let person = local.strip_prefix('u').and_then(|n| n.parse().ok());
        Self {
            person: person.unwrap_or(u64::MAX),
            spelling: match domain {
                "" => 0,
                "example.com" => 1,
                _ => 2,
            },
        }
    }
}

/// One provider.
#[derive(Debug)]
pub(super) struct VendorPlan {
    pub(super) directory: bool,
    pub(super) evidence: Proofs,
    /// How many steps a revocation has; 0: it is one.
    pub(super) steps: usize,
    pub(super) idempotent: bool,
    pub(super) max_in_flight: u32,
    pub(super) per_read: usize,
    /// Units in ten seconds, where it has a quota.
    pub(super) quota: Option<u32>,
    /// How far its clock is ahead of ours.
    pub(super) ahead_ms: i64,
    /// How long its watermark takes to show.
    pub(super) lag_ms: u64,
    pub(super) latency_ms: (u64, u64),
    pub(super) moods: Moods,
    pub(super) outages: Vec<Outage>,
    pub(super) quirks: Vec<Quirk>,
}

/// What a provider can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proofs {
    None,
    Watermark,
    /// What is left to end.
    Remaining,
}

/// How often out of a thousand a call ends in each way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moods {
    pub(super) throttled: u32,
    pub(super) unavailable: u32,
    /// Of unknown outcome: a 500, a reset, no answer at all.
    pub(super) lost: u32,
    pub(super) garbage: u32,
    pub(super) denied: u32,
    pub(super) partial: u32,
    /// Look-ups and reads that fail for single people.
    pub(super) single: u32,
    /// A list of the wrong length.
    pub(super) short: u32,
}

/// A while in which every call fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) what: Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Down {
    Everything,
    Directory,
    Evidence,
    /// The credentials have expired.
    Credentials,
}

/// What is special about a person at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quirk {
    Plain,
    Unknown,
    Guest,
    Ambiguous,
    /// Is deleted at this millisecond.
    Leaves(u64),
    /// May not be touched by us, until a person grants the right.
    Forbidden,
}

#[derive(Debug)]
pub(super) struct OrderPlan {
    pub(super) names: Vec<Name>,
    pub(super) vendors: Vec<usize>,
    pub(super) urgent: bool,
    pub(super) verify: bool,
    /// Items instead of everything.
    pub(super) items: Option<u64>,
    /// Whether the planner makes it; otherwise it is staged as it is.
    pub(super) planned: bool,
    /// Whether the people were resolved while planning.
    pub(super) resolved: bool,
}

/// What people and fate do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    Order(usize),
    Cancel(usize),
    Pause(usize),
    Release(usize),
    /// `run --order`: what is parked is tried again.
    Again(usize),
    Retry,
    /// A process dies at this instant.
    Kill,
    Drain,
    Abort,
    /// A second process joins.
    Join,
}

/// How the store behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct DiskPlan {
    pub(super) commit_ms: u64,
    /// Commits of a thousand that fail.
    pub(super) fails: u32,
    /// Commits of a thousand that succeed and say they failed.
    pub(super) lies: u32,
}

/// Orders to the same people may meet over so long a time.
const STORM_MS: u64 = 30_000;

impl Scenario {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let people = match dice.below(20) {
            0 => dice.between(15, 40),
            1..=5 => dice.between(6, 14),
            _ => dice.between(1, 5),
        };
        let vendors = match dice.below(10) {
            0 => dice.between(3, 4),
            1..=3 => 2,
            _ => 1,
        };
        let storm = match dice.below(4) {
            0 => STORM_MS,
            1 => 2_000,
            _ => 8_000,
        };
        let mut protected = Vec::new();
        for person in 0..people {
            if dice.percent(6) {
                let spelling = dice.below(3);
                protected.push(Name { person, spelling });
            }
        }
        let vendors: Vec<_> = (0..vendors)
            .map(|_| VendorPlan::of(dice, people, storm, &protected))
            .collect();
        let n = match dice.below(10) {
            0 => dice.between(4, 6),
            1..=5 => dice.between(2, 3),
            _ => 1,
        };
        let orders: Vec<_> = (0..n)
            .map(|_| OrderPlan::of(dice, people, &vendors))
            .collect();
        let acts = acts(dice, orders.len(), storm);
        let disk = DiskPlan {
            commit_ms: dice.pick(&[0, 0, 1, 5, 20, 200]),
            fails: dice.pick(&[0, 0, 0, 0, 5, 30]),
            lies: dice.pick(&[0, 0, 0, 0, 5, 30]),
        };
        Self {
            people,
            vendors,
            protected,
            orders,
            acts,
            canary: dice.percent(70),
            disk,
        }
    }
}

impl VendorPlan {
    fn of(dice: &mut Dice, people: u64, storm: u64, protected: &[Name]) -> Self {
        let calm = dice.percent(15);
        let moods = if calm {
            Moods::default()
        } else {
            Moods::of(dice)
        };
        let quick = dice.below(50);
        let outages = if calm { 0 } else { dice.below(3) };
        let steps = dice.pick(&[0, 0, 0, 2, 3]);
        Self {
            directory: dice.percent(85),
            evidence: match (steps, dice.below(5)) {
                (_, 0) => Proofs::None,
                (0, _) => Proofs::Watermark,
                _ => Proofs::Remaining,
            },
            steps,
            idempotent: dice.percent(85),
            max_in_flight: dice.pick(&[1, 2, 3, 8, 64]),
            per_read: dice.pick(&[1, 2, 5, 20]),
            quota: dice.percent(25).then(|| dice.between(2, 30) as u32),
            ahead_ms: dice.pick(&[0, 0, 437, -812, 90_500, -3_600_250]),
            lag_ms: dice.pick(&[0, 0, 0, 800, 4_000, 40_000]),
            latency_ms: dice.pick(&[(0, 0), (1, 20), (quick, quick + 300), (500, 4_000)]),
            moods,
            outages: (0..outages).map(|_| Outage::of(dice, storm)).collect(),
            quirks: (0..people)
                .map(|person| {
                    let quirk = Quirk::of(dice, storm);
                    let is_protected = protected.iter().any(|name| name.person == person);
                    // An ambiguous entry of the protected list stops its lane for good, as it must.
                    if is_protected && quirk == Quirk::Ambiguous {
                        Quirk::Plain
                    } else {
                        quirk
                    }
                })
                .collect(),
        }
    }
}

impl Moods {
    fn of(dice: &mut Dice) -> Self {
        let mut rate = || dice.pick(&[0, 0, 20, 100, 350]);
        Self {
            throttled: rate(),
            unavailable: rate(),
            lost: rate(),
            garbage: rate() / 2,
            denied: rate() / 4,
            partial: rate(),
            single: rate(),
            short: rate() / 8,
        }
    }
}

impl Outage {
    fn of(dice: &mut Dice, storm: u64) -> Self {
        let from_ms = dice.below(storm);
        Self {
            from_ms,
            to_ms: from_ms + dice.between(200, 6_000),
            what: dice.pick(&[
                Down::Everything,
                Down::Everything,
                Down::Directory,
                Down::Evidence,
                Down::Credentials,
            ]),
        }
    }
}

impl Quirk {
    fn of(dice: &mut Dice, storm: u64) -> Self {
        match dice.below(60) {
            0 => Self::Unknown,
            1 => Self::Guest,
            2 => Self::Ambiguous,
            3 => Self::Forbidden,
            4 | 5 => Self::Leaves(dice.below(storm)),
            _ => Self::Plain,
        }
    }
}

impl OrderPlan {
    fn of(dice: &mut Dice, people: u64, vendors: &[VendorPlan]) -> Self {
        let all = dice.percent(50);
        let mut names = Vec::new();
        for person in 0..people {
            if !all && dice.percent(40) {
                continue;
            }
            let twice = u64::from(dice.percent(8));
            for _ in 0..=twice {
                let spelling = dice.below(3);
                names.push(Name { person, spelling });
            }
        }
        names.dedup();
        if names.is_empty() {
            let (person, spelling) = (0, 1);
            names.push(Name { person, spelling });
        }
        let items = dice.percent(15).then(|| dice.below(3));
        let mut chosen: Vec<usize> = (0..vendors.len())
            .filter(|_| all || dice.percent(70))
            .collect();
        if chosen.is_empty() {
            chosen.push(0);
        }
        Self {
            names,
            vendors: chosen,
            urgent: dice.percent(25),
            verify: dice.percent(70),
            items,
            planned: items.is_none() && dice.percent(25),
            resolved: dice.percent(30),
        }
    }
}

fn acts(dice: &mut Dice, orders: usize, storm: u64) -> Vec<(u64, Act)> {
    let mut acts = Vec::new();
    for order in 0..orders {
        let at = if order == 0 { 0 } else { dice.below(storm) };
        acts.push((at, Act::Order(order)));
        if dice.percent(12) {
            acts.push((at + dice.below(storm), Act::Cancel(order)));
        }
        if dice.percent(10) {
            let paused = at + dice.below(storm);
            acts.push((paused, Act::Pause(order)));
            acts.push((paused + dice.below(storm), Act::Release(order)));
        }
        if dice.percent(8) {
            acts.push((at + dice.below(storm), Act::Again(order)));
        }
    }
    let deaths = match dice.below(4) {
        0 => 0,
        1 | 2 => 1,
        _ => dice.between(2, 4),
    };
    for _ in 0..deaths {
        acts.push((dice.below(storm), Act::Kill));
    }
    for (act, percent) in [
        (Act::Drain, 12),
        (Act::Abort, 8),
        (Act::Join, 20),
        (Act::Retry, 8),
    ] {
        if dice.percent(percent) {
            acts.push((dice.below(storm), act));
        }
    }
    // Equal instants keep the order in which they were thought of.
    acts.sort_by_key(|(at, _)| *at);
    acts
}
