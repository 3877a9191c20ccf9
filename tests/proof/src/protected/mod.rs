//! Protected accounts under random plans: whatever an order calls them, nobody calls them.
//!
//! A seed makes up a plan: who is there and what they are called, now and later, who is protected, what the rows say,
//! how the providers are. The real planner plans it and the real engine works it, over a model of the store and in
//! simulated time. The providers' own ledger judges each call by what the directory was like at that instant.

mod aims;
mod input;
mod judge;
mod life;
mod names;
mod reading;
mod scene;
mod tenant;
mod vendor;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::Machine;
use crate::report::Verdict;
use world::World;

/// How much to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Random plans, each from a seed of its own, from `--seed` on.
    #[arg(long, default_value_t = 100_000)]
    pub plans: u64,
}

/// A way in which the product, or what it stands on, is wrong on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// It is not.
    #[default]
    None,
    /// The first entry of the protected list is not read.
    ForgetsAnEntry,
    /// The list is compared with spellings alone: its look-up finds nobody.
    ComparesSpellingsOnly,
}

/// What came of many plans.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Plans made up.
    pub plans: u64,
    /// Calls for protected people.
    pub protected: u64,
    /// Some of them: the plan's seed, and what was wrong.
    pub failures: Vec<(u64, String)>,
    /// Calls for others.
    pub ordinary: u64,
    /// Others who were meant by a row.
    pub meant: u64,
    /// Of those, who was called.
    pub called: u64,
    /// How often what has happened.
    pub seen: BTreeMap<&'static str, u64>,
}

/// How many failures are kept.
const KEPT: usize = 50;

/// The long form: many plans, and no call for anybody who is protected.
#[must_use]
pub fn run(options: &Options, first: u64) -> Verdict {
    let begun = Instant::now();
    let tally = many(first, options.plans, Flaw::None, |line| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
    let machine = Machine::look(&std::env::temp_dir());
    let mut verdict = Verdict::new("protected", Some(first), machine);
    verdict.none("calls for protected people", tally.protected);
    let unended = tally.seen.get(life::NO_END).copied();
    verdict.none(life::NO_END, unended.unwrap_or(0));
    verdict.at_least("calls for others, a plan", tally.called_a_plan(), 1.0, "");
    for what in ways() {
        let seen = tally.seen.get(what).copied().unwrap_or(0);
        verdict.at_least(what, seen as f64, 1.0, "");
    }
    verdict.tell("plans", tally.plans);
    let rate = tally.plans as f64 / begun.elapsed().as_secs_f64().max(f64::EPSILON);
    verdict.tell("plans a second", format!("{rate:.0}"));
    verdict.tell("others meant", tally.meant);
    verdict.tell("others meant, and called", tally.called);
    for (what, times) in &tally.seen {
        if *what != life::NO_END && !ways().any(|way| way == *what) {
            verdict.tell(*what, times);
        }
    }
    for (seed, wrong) in tally.failures.iter().take(10) {
        verdict.note(format!("seed {seed}: {wrong}"));
        verdict.note(format!("  proof protected --plans 1 --seed {seed}"));
    }
    verdict
}

/// The ways in which protected people are aimed at: a run in which one never happens proves nothing.
pub fn ways() -> impl Iterator<Item = &'static str> {
    aims::By::ALL.into_iter().map(aims::By::label)
}

impl Tally {
    /// Calls for others, a plan.
    #[must_use]
    pub fn called_a_plan(&self) -> f64 {
        self.ordinary as f64 / (self.plans as f64).max(1.0)
    }

    fn add(&mut self, seed: u64, world: &World) {
        let scene = &world.scene;
        let state = &mut *world.state();
        let judge = &mut state.judge;
        for aim in &scene.aims {
            if scene.is_protected(aim.tenant, aim.person) {
                judge.saw(aim.by.label());
                continue;
            }
            self.meant += 1;
            self.called += u64::from(judge.called.contains(&(aim.tenant, aim.person)));
        }
        for what in &scene.told {
            judge.saw(what);
        }
        self.plans += 1;
        self.ordinary += judge.ordinary;
        self.protected += judge.violations.len() as u64;
        for (what, times) in &judge.seen {
            *self.seen.entry(what).or_default() += times;
        }
        let no_end = judge
            .seen
            .get(life::NO_END)
            .map(|_| life::NO_END.to_owned());
        for wrong in judge.violations.drain(..).chain(no_end) {
            if self.failures.len() < KEPT {
                self.failures.push((seed, wrong));
            }
        }
    }
}

/// Lives `count` plans of the seeds from `first` on, on every core. `say` hears of each violation, and of progress.
pub fn many(first: u64, count: u64, flaw: Flaw, say: impl Fn(&str) + Sync) -> Tally {
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
                    let begun = Instant::now();
                    let world = one(seed, flaw);
                    if begun.elapsed() > Duration::from_secs(20) {
                        say(&format!("seed {seed} took {:?}", begun.elapsed()));
                    }
                    for violation in &world.state().judge.violations {
                        say(&format!("seed {seed}: {violation}"));
                    }
                    let tally = &mut *tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.add(seed, &world);
                    if tally.plans % 10_000 == 0 {
                        say(&format!("{} plans", tally.plans));
                    }
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.failures.sort_unstable();
    tally
}

fn one(seed: u64, flaw: Flaw) -> Arc<World> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let world = Arc::new(World::new(seed, flaw));
        life::live(&world).await;
        world
    })
}
