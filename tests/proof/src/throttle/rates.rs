//! How much of a provider's limit the engine uses, and how often it is refused.

use std::time::Duration;

use rescind_core::budget::Budget;
use rescind_testkit::limiter::Limiter;

use super::vendor::{Flaw, Nature, UNITS, WRITES};
use super::world::{World, paused, people};

/// One provider to be worked at for some time.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    pub(super) name: &'static str,
    pub(super) nature: Nature,
    pub(super) lasts: Duration,
    /// The part of the ideal that must be reached.
    pub(super) least: f64,
    /// The part of the requests that may be refused.
    pub(super) most_refused: f64,
}

/// What the provider's ledger says.
#[derive(Debug, Clone)]
pub struct Rated {
    /// Accepted, as a part of what a caller that knows everything would get accepted.
    pub of_ideal: f64,
    /// Refused, as a part of all that came, without what was on its way when the first refusal was answered.
    pub refused: f64,
    /// Came in while the provider had asked to be left alone.
    pub early: u32,
    /// Confirmed in our books beyond what the provider ended.
    pub false_confirmations: usize,
}

impl Rate {
    fn new(name: &'static str, nature: Nature, secs: u64) -> Self {
        Self {
            name,
            nature,
            lasts: Duration::from_secs(secs),
            least: 0.97,
            most_refused: 0.01,
        }
    }

    /// Works at it and lets the ledger say what came of it.
    pub(super) fn run(&self, seed: u64) -> Rated {
        paused(async {
            let world = World::one(self.nature.clone(), seed);
            let ideal = world.vendor().ideal(self.lasts);
            let crowd = people((ideal * 1.1) as usize + 1_000);
            world.order(&crowd, false).await;
            world.work(self.lasts).await;
            let confirmed = world.confirmed();
            world.vendor().ledger(|ledger| Rated {
                of_ideal: f64::from(ledger.accepted) / ideal,
                refused: f64::from(ledger.refused_late)
                    / f64::from(ledger.accepted + ledger.refused).max(1.0),
                early: ledger.early,
                false_confirmations: confirmed.saturating_sub(ledger.ended.len()),
            })
        })
    }
}

/// A quota as Microsoft documents it for Graph: writes for an application in a tenant, and resource units.
pub(super) fn graph() -> Nature {
    let secs = Duration::from_secs;
    Nature {
        units: Some(Limiter::bucket(800.0, 8_000.0)),
        budgets: vec![
            Budget::bucket(WRITES, 3_000, secs(150)),
            Budget::bucket(UNITS, 8_000, secs(10)),
        ],
        directory: true,
        ..Nature::of(Limiter::bucket(20.0, 3_000.0))
    }
}

/// A quota as Google documents it for the Directory API, eight people at once.
pub(super) fn google() -> Nature {
    Nature {
        max_in_flight: 8,
        ..Nature::of(Limiter::fixed(2_400, Duration::from_secs(60))).told(Budget::window(
            WRITES,
            2_400,
            Duration::from_secs(60),
        ))
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn untold(nature: Nature) -> Nature {
    Nature {
        budgets: Vec::new(),
        ..nature
    }
}

/// Look-ups and revocations draw on one limit, and on one documented budget if there is one.
fn with_look_ups(nature: Nature, all: Limiter) -> Nature {
    let of_all = |mut budget: Budget| {
        budget.name = UNITS;
        budget
    };
    Nature {
        writes: Limiter::bucket(1e6, 1e6),
        units: Some(all),
        budgets: nature.budgets.into_iter().map(of_all).collect(),
        directory: true,
        ..nature
    }
}

fn looking_up(nature: Nature) -> Nature {
    Nature {
        directory: true,
        ..nature
    }
}

/// Every shape of limit; with what the documents say, and without.
pub(super) fn all() -> Vec<Rate> {
    let bucket = || Limiter::bucket(100.0, 100.0);
    let sliding = || Limiter::sliding(2_400, secs(60));
    let second = || Limiter::bucket(1.0, 2.0);
    let per_sec = |units| Budget::bucket(WRITES, units, secs(1));
    let minute = || Budget::window(WRITES, 2_400, secs(60));
    let noisy = |one_in: usize, least: f64, nature: Nature| {
        let name = match one_in {
            100 => "Google's quota, 1 % refused at random",
            _ => "Google's quota, 2 % refused at random",
        };
        Rate {
            least,
            most_refused: 1.2 / one_in as f64,
            ..Rate::new(
                name,
                Nature {
                    noise: one_in,
                    ..nature
                },
                600,
            )
        }
    };
    vec![
        Rate::new("Graph's quota, told", graph(), 900),
        Rate::new("Graph's quota, not told", untold(graph()), 900),
        Rate::new("Google's quota, told", google(), 900),
        Rate::new("Google's quota, not told", untold(google()), 900),
        Rate::new(
            "Google's quota, look-ups counted, told",
            with_look_ups(google(), Limiter::fixed(2_400, secs(60))),
            900,
        ),
        noisy(100, 0.85, google()),
        noisy(50, 0.75, google()),
        Rate::new("bucket, told", Nature::of(bucket()).told(per_sec(100)), 900),
        Rate::new("bucket, not told", Nature::of(bucket()), 900),
        Rate::new(
            "bucket of writes, look-ups free, not told",
            looking_up(Nature::of(bucket())),
            900,
        ),
        Rate::new(
            "bucket of all requests, look-ups too, not told",
            with_look_ups(Nature::of(bucket()), bucket()),
            900,
        ),
        Rate::new(
            "bucket that says no wait",
            Nature::of(bucket().silent()),
            900,
        ),
        Rate::new(
            "sliding window, told",
            Nature::of(sliding()).told(minute()),
            900,
        ),
        Rate::new("sliding window, not told", Nature::of(sliding()), 900),
        Rate::new(
            "refused requests count, told",
            Nature::of(Limiter::penalty(2_400, secs(60))).told(minute()),
            900,
        ),
        Rate::new(
            "refused requests count, not told",
            Nature::of(Limiter::penalty(2_400, secs(60))),
            900,
        ),
        Rate::new(
            "one a second, told",
            Nature::of(second()).told(per_sec(1)),
            1_800,
        ),
        Rate::new("one a second, not told", Nature::of(second()), 1_800),
        Rate::new(
            "limit that halves, told",
            Nature::of(bucket().changing(secs(200), 0.5)).told(per_sec(100)),
            900,
        ),
        Rate::new(
            "limit that halves, not told",
            Nature::of(bucket().changing(secs(200), 0.5)),
            900,
        ),
        Rate::new(
            "limit that doubles, not told",
            Nature::of(Limiter::bucket(25.0, 25.0).changing(secs(200), 2.0)),
            1_800,
        ),
        Rate::new(
            "half of what the documents say",
            Nature::of(Limiter::bucket(50.0, 50.0)).told(per_sec(100)),
            900,
        ),
    ]
}

/// A minute and a half at a provider that is not what it says, or whose connector is wrong.
#[must_use]
pub fn flawed(flaw: Flaw, seed: u64) -> Rated {
    let nature = Nature {
        flaw,
        ..Nature::of(Limiter::fixed(600, secs(30)))
    };
    Rate::new("flawed", nature, 90).run(seed)
}
