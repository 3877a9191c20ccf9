//! Many seeds, spread over the cores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Breakage, one};

/// A seed that takes this long in real time spins without letting simulated time pass.
const STUCK: Duration = Duration::from_secs(60);

/// How many failing seeds are kept with their violations.
const KEPT: usize = 100;

/// What came of many seeds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Seeds simulated.
    pub seeds: u64,
    /// Seeds with a violation.
    pub failed: u64,
    /// The first of them, with what was found.
    pub failures: Vec<(u64, Vec<String>)>,
    /// Jobs accepted in all of them.
    pub jobs: u64,
    /// Revocations that came in at providers.
    pub calls: u64,
    /// Calls of store and providers.
    pub events: u64,
    /// How often what has happened.
    pub seen: BTreeMap<&'static str, u64>,
    /// How long it took.
    pub took: Duration,
}

/// Simulates `count` seeds from `first` on. `say` hears of each failing seed as it is found, and of progress.
pub fn many(first: u64, count: u64, breakage: Breakage, say: impl Fn(&str) + Sync) -> Tally {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return;
                    }
                    let seed = first.wrapping_add(n);
                    let started = Instant::now();
                    let done = one(seed, breakage, false);
                    if started.elapsed() > STUCK {
                        say(&format!("seed {seed} took {:?}", started.elapsed()));
                    }
                    for violation in &done.violations {
                        say(&format!("seed {seed}: {violation}"));
                    }
                    let tally = &mut *tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.seeds += 1;
                    tally.jobs += done.jobs;
                    tally.calls += done.calls;
                    tally.events += done.events;
                    for (what, times) in done.seen {
                        *tally.seen.entry(what).or_default() += times;
                    }
                    if !done.violations.is_empty() {
                        tally.failed += 1;
                        if tally.failures.len() < KEPT {
                            tally.failures.push((seed, done.violations));
                        }
                    }
                    if tally.seeds % 50_000 == 0 {
                        let rate = tally.seeds as f64 / begun.elapsed().as_secs_f64();
                        say(&format!("{} seeds, {rate:.0} a second", tally.seeds));
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.took = begun.elapsed();
    tally.failures.sort_unstable();
    tally
}
