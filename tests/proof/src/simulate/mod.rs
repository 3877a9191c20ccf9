//! Deterministic simulation: planner, engine, lanes and a model of the store under one seed.
//!
//! A seed decides everything: who is ordered where, how each provider answers each call, how slow and how false the
//! disk is, when processes die, and in which order whatever is ready goes on. The same seed gives the same events, so a
//! failing one can be replayed. The judge keeps its own books of what the store committed and its own ledgers of what
//! the providers really did, and never asks the product.

mod books;
mod broken;
mod crew;
mod dice;
mod disk;
mod judge;
mod ledger;
mod process;
mod scenario;
mod storm;
mod vendor;
mod verdict;
mod ways;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use crate::machine::Machine;
use crate::report::Verdict;
pub use crew::{Tally, many};
use storm::Storm;
use world::World;

/// How much to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Seeds, from `--seed` on.
    #[arg(long, default_value_t = 1_000_000)]
    pub seeds: u64,
    /// Simulates this one seed again, and prints every event.
    #[arg(long)]
    pub replay: Option<u64>,
}

/// The long form: many seeds, none of which may show a violation.
#[must_use]
pub fn run(options: &Options, first: u64) -> Verdict {
    let tally = many(first, options.seeds, Breakage::None, |line| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
    let machine = Machine::look(&std::env::temp_dir());
    let mut verdict = Verdict::new("simulate", Some(first), machine);
    let rate = tally.seeds as f64 / tally.took.as_secs_f64().max(f64::EPSILON);
    verdict.none("seeds with a violation", tally.failed);
    verdict.tell("seeds", tally.seeds);
    verdict.tell("seeds a second", format!("{rate:.0}"));
    verdict.tell("jobs accepted", tally.jobs);
    verdict.tell("revocations that came in", tally.calls);
    verdict.tell("calls of store and providers", tally.events);
    for (what, times) in &tally.seen {
        verdict.tell(*what, times);
    }
    for (seed, violations) in tally.failures.iter().take(10) {
        verdict.note(format!("seed {seed}: {}", violations.join("; ")));
        verdict.note(format!("  proof simulate --replay {seed}"));
    }
    verdict
}

/// Prints every event of one seed, and what was wrong with it.
#[must_use]
pub fn replay(seed: u64) -> ExitCode {
    let done = one(seed, Breakage::None, true);
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", done.trace);
    for violation in &done.violations {
        let _ = writeln!(out, "violation: {violation}");
    }
    ExitCode::from(u8::from(!done.violations.is_empty()))
}

/// A way in which the product, or what it stands on, is wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breakage {
    /// It is not.
    None,
    /// The store answers settlements before they are committed.
    SettlesBeforeCommit,
    /// The store answers claims before they are committed.
    ClaimsBeforeCommit,
    /// The store loses a commit now and then.
    LosesACommit,
    /// A provider says that it ended what it did not end.
    ConfirmsWithoutEffect,
    /// The first entry of the protected list is not read.
    ForgetsProtection,
    /// A new process does not know what the last one was asked to wait for.
    ForgetsPause,
}

/// What came of one seed.
#[derive(Debug)]
pub struct Simulated {
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// Calls of store and providers.
    pub events: u64,
    /// Jobs that were accepted.
    pub jobs: u64,
    /// Revocations that came in at providers.
    pub calls: u64,
    /// How often what has happened.
    pub seen: BTreeMap<&'static str, u64>,
    /// Every event, where somebody wants to read them.
    pub trace: String,
}

/// Simulates one seed. `trace`: whether its events are written down.
///
/// # Panics
/// When the system gives no thread-local runtime.
#[must_use]
pub fn one(seed: u64, breakage: Breakage, trace: bool) -> Simulated {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output");
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let world = Arc::new(World::new(seed, breakage, trace));
        Storm::new(&world).live().await;
        let events = world.events();
        let trace = world.take_trace();
        let judge = &mut world.state().judge;
        Simulated {
            violations: std::mem::take(&mut judge.violations),
            events,
            jobs: judge
                .books
                .orders
                .values()
                .map(|order| order.jobs.len() as u64)
                .sum(),
            calls: judge.ledgers.iter().map(|ledger| ledger.calls).sum(),
            seen: std::mem::take(&mut judge.seen),
            trace,
        }
    })
}
