//! The whole engine against simulated providers that throttle as vendors do, under a paused clock: days in minutes.
//!
//! The judge is the provider's own ledger: what came in, when, what was refused, what was told to wait.

mod claims;
mod experiment;
mod rates;
mod vendor;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crate::machine::Machine;
use crate::report::Verdict;

pub use claims::{
    Bulk, Outage, Restarts, bulk, dead_lane, outage, restarts_at_the_quota, restarts_in_a_pause,
};
pub use rates::{Rated, flawed};
pub use vendor::Flaw;

use experiment::{Experiment, Never};

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// People of the large order.
    #[arg(long, default_value_t = 100_000)]
    pub people: usize,
    /// Hours of the outage.
    #[arg(long, default_value_t = 24)]
    pub outage_hours: u64,
    /// Only the experiments whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Experiments at once; as many as there are cores if it is not said.
    #[arg(long)]
    pub at_once: Option<usize>,
}

/// The long form: each experiment on a paused runtime of its own, as many at once as are asked for.
#[must_use]
pub fn run(options: &Options, seed: u64) -> Verdict {
    let machine = Machine::look(&std::env::temp_dir());
    let experiments = Experiment::all(options);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let done = spread(
        &experiments,
        options.at_once.unwrap_or(cores),
        |experiment| {
            let begun = Instant::now();
            let mut part = Verdict::new("throttle", Some(seed), machine.clone());
            let never = experiment.run(seed, &mut part);
            let took = begun.elapsed().as_secs_f64();
            progress(&format!(
                "{}, {took:.0} s\n{}",
                experiment.name(),
                part.figures()
            ));
            (part, never)
        },
    );
    let mut verdict = Verdict::new("throttle", Some(seed), machine);
    let mut sum = Never::default();
    for (part, never) in done {
        verdict.join(part);
        sum.early += never.early;
        sum.false_confirmations += never.false_confirmations;
    }
    verdict.none("calls inside a pause", sum.early);
    verdict.none("confirmed, but not ended", sum.false_confirmations);
    verdict.note(
        "Refused: without what was on its way when the first refusal was answered, from the first second on.",
    );
    verdict
}

/// Does all of them, some at once, and answers in their order.
fn spread<I: Sync, O: Send>(items: &[I], at_once: usize, each: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let n = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(item) = items.get(n)
                {
                    let one = each(item);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.insert(n, one);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

/// Whether this verdict of a flawed provider shows the flaw.
#[must_use]
pub fn catches(found: &Rated) -> bool {
    found.early > 0 || found.false_confirmations > 0 || found.refused > 0.01
}

fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
