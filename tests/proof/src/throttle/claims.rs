//! What must hold besides the rate: no early call, no lost person, no slow restart.

use std::time::Duration;

use rescind_core::engine::Ended;
use rescind_core::job::JobState;
use rescind_testkit::limiter::Limiter;

use super::rates::{google, graph};
use super::vendor::{Nature, WRITES};
use super::world::{World, paused, people};
use rescind_core::budget::Budget;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A large order at the documented quota, with one urgent person in the midst of it.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    /// How many times the arithmetic minimum it took.
    pub of_minimum: f64,
    /// How long the urgent person waited for their call.
    pub urgent_after: Duration,
    /// Requests that were refused.
    pub refused: u32,
    /// People whose sessions were not ended.
    pub left_out: usize,
}

/// Ends everybody's sessions at Graph's documented quota; half-way an urgent order for one person comes.
#[must_use]
pub fn bulk(n: usize, seed: u64) -> Bulk {
    paused(async {
        let world = World::one(graph(), seed);
        world.order(&people(n), false).await;
        let minimum = minimum(n + 1);
        let urgent = async {
            tokio::time::sleep(minimum / 2).await;
            let ordered = world.now();
            let person = "urgent@example.com".to_owned();
            world.order(&[person], true).await;
            ordered
        };
        let (ended, ordered) = tokio::join!(world.work(minimum * 2), urgent);
        let took = world.now();
        world.vendor().ledger(|ledger| Bulk {
            of_minimum: if ended == Some(Ended::Finished) {
                took.as_secs_f64() / minimum.as_secs_f64()
            } else {
                f64::INFINITY
            },
            urgent_after: ledger
                .ended
                .get("id-urgent@example.com")
                .map_or(Duration::MAX, |at| at.saturating_sub(ordered)),
            refused: ledger.refused,
            left_out: n + 1 - ledger.ended.len(),
        })
    })
}

/// What Graph's documented quota of writes asks for: 3,000 at once, then 20 a second.
fn minimum(people: usize) -> Duration {
    Duration::from_secs_f64((people as f64 - 3_000.0).max(0.0) / 20.0)
}

/// How much longer seven providers take when an eighth is dead, as a part: 1.0 is no longer.
#[must_use]
pub fn dead_lane(n: usize, seed: u64) -> f64 {
    let took = |dead: bool| {
        paused(async {
            let nature =
                Nature::of(Limiter::bucket(50.0, 50.0)).told(Budget::bucket(WRITES, 50, secs(1)));
            let world = World::new(vec![nature; 8], seed);
            world.vendors[0].goes_down(dead);
            world.order(&people(n), false).await;
            world.work(secs(n as u64 / 50 * 2 + 20)).await;
            let last = |vendor: &super::vendor::Vendor| {
                vendor.ledger(|ledger| {
                    let all = ledger.ended.len() == n;
                    all.then(|| ledger.ended.values().max().copied()).flatten()
                })
            };
            world.vendors[1..]
                .iter()
                .map(|vendor| last(vendor).unwrap_or(Duration::MAX))
                .max()
                .unwrap_or(Duration::MAX)
        })
    };
    took(true).as_secs_f64() / took(false).as_secs_f64()
}

/// A day without the provider.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    /// Jobs that were parked.
    pub parked: usize,
    /// The shortest time between two requests, the first minute left out.
    pub least_between: Duration,
    /// When everybody's sessions were ended, counted from its end; `None`: not within a quarter of an hour. A person
    /// whose calls failed meanwhile waits for ten minutes at most.
    pub all_after: Option<Duration>,
}

/// The provider is down for so long; then it is back.
#[must_use]
pub fn outage(hours: u64, seed: u64) -> Outage {
    const PEOPLE: usize = 200;
    paused(async {
        let nature = Nature {
            directory: true,
            ..Nature::of(Limiter::bucket(50.0, 50.0))
        };
        let world = World::one(nature, seed);
        world.vendor().goes_down(true);
        world.order(&people(PEOPLE), false).await;
        let lasts = secs(hours * 3_600);
        let parked_then = async {
            tokio::time::sleep(lasts).await;
            world.vendor().goes_down(false);
            let jobs = world.store.all_jobs();
            let parked = jobs.iter().filter(|job| job.state == JobState::Parked);
            parked.count()
        };
        let (ended, parked) = tokio::join!(world.work(lasts + secs(900)), parked_then);
        world.vendor().ledger(|ledger| {
            let knocks = ledger.knocks.iter().filter(|at| **at > secs(60));
            let knocks: Vec<_> = knocks.collect();
            Outage {
                parked,
                least_between: knocks
                    .windows(2)
                    .map(|pair| pair[1].saturating_sub(*pair[0]))
                    .min()
                    .unwrap_or(lasts),
                all_after: (ended == Some(Ended::Finished) && ledger.ended.len() == PEOPLE)
                    .then(|| world.now().saturating_sub(lasts)),
            }
        })
    })
}

/// Processes that die one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    /// Requests that came in while the provider had asked to be left alone.
    pub early: u32,
    /// Requests that were refused.
    pub refused: u32,
    /// How many times the arithmetic minimum it took.
    pub of_minimum: f64,
}

/// A hundred processes die inside one pause of ten minutes.
#[must_use]
pub fn restarts_in_a_pause(seed: u64) -> Restarts {
    paused(async {
        let world = World::one(Nature::of(Limiter::fixed(20, secs(600))), seed);
        world.order(&people(30), false).await;
        world.work(secs(10)).await;
        for _ in 0..100 {
            world.work(secs(5)).await;
        }
        let ended = world.work(secs(900)).await;
        let finished = ended == Some(Ended::Finished);
        world.vendor().ledger(|ledger| Restarts {
            early: ledger.early,
            refused: ledger.refused,
            of_minimum: if finished { 1.0 } else { f64::INFINITY },
        })
    })
}

/// The process dies every minute at Graph's documented quota, kept to the letter by the provider.
#[must_use]
pub fn restarts_at_the_quota(n: usize, seed: u64) -> Restarts {
    restarts(graph(), n, minimum(n), seed)
}

/// The same at Google's documented quota, whose windows end in the midst of a process.
#[must_use]
pub(super) fn restarts_in_windows(n: usize, seed: u64) -> Restarts {
    let full_windows = (n - 1) / 2_400;
    // Eight at once, less the place for an urgent one, and 60 ms for each call.
    let rest = (n - full_windows * 2_400) as f64 * 0.06 / 7.0;
    let minimum = secs(full_windows as u64 * 60) + Duration::from_secs_f64(rest);
    restarts(google(), n, minimum, seed)
}

fn restarts(nature: Nature, n: usize, minimum: Duration, seed: u64) -> Restarts {
    paused(async {
        let world = World::one(nature, seed);
        world.order(&people(n), false).await;
        while world.now() < minimum * 2 {
            if world.work(secs(60)).await.is_some() {
                break;
            }
        }
        let took = world.now().as_secs_f64() / minimum.as_secs_f64();
        world.vendor().ledger(|ledger| Restarts {
            early: ledger.early,
            refused: ledger.refused,
            of_minimum: if ledger.ended.len() == n {
                took
            } else {
                f64::INFINITY
            },
        })
    })
}
