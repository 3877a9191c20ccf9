//! Cuts the power under the real engine and the real store, at any write, and looks what is left.
//!
//! Each world has a batch of people, a provider with a ledger of its own, and a machine whose disk keeps apart what is
//! durable and what was only written. Orders are accepted and worked on; at some operation of the disk everything
//! stops. What a machine finds afterwards (durable content and any of the rest, whole or torn) is opened by the product,
//! judged, and worked to the end; the power may fail again on the way.
//!
//! The clock is the runtime's, paused: pauses and retries take no time. The seed settles people, answers, the operation
//! of the cut and what is lost; how the store's threads come to interleave is the machine's own.

mod flaw;
mod hourglass;
mod judge;
mod passing;
mod people;
mod witness;
mod world;

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::flaw::Flaw;
pub use self::judge::{Kind, Violation};
use self::world::Terms;
use crate::chance::Chance;
use crate::machine::Machine;
use crate::report::Verdict;

/// How often the long form says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// So many violations are written out.
const SHOWN: usize = 10;

/// How much to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Power cuts.
    #[arg(long, default_value_t = 10_000)]
    pub cuts: u64,
    /// Worlds at once [default: one for each core].
    #[arg(long)]
    pub threads: Option<usize>,
}

/// What is asked of one run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Asked {
    /// How many cuts.
    pub cuts: u64,
    /// Where chance starts from.
    pub seed: u64,
    /// What is broken on purpose.
    pub flaw: Flaw,
    /// How many worlds at once.
    pub threads: usize,
    /// Whether the first violation of this kind is enough.
    pub until: Option<Kind>,
    /// Whether it says on standard error how far it is.
    pub progress: bool,
}

impl Asked {
    /// The product as it is, one world at a time, without a word.
    #[must_use]
    pub fn new(cuts: u64, seed: u64) -> Self {
        Self {
            cuts,
            seed,
            flaw: Flaw::None,
            threads: 1,
            until: None,
            progress: false,
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Seen {
    /// Power cuts.
    pub cuts: u64,
    /// Worlds that were worked to their end.
    pub worlds: u64,
    /// Jobs of accepted orders in them.
    pub jobs: u64,
    /// Revocation calls that the provider received.
    pub calls: u64,
    /// Calls that were in flight at a cut.
    pub in_flight: u64,
    /// Calls that were made again because of that.
    pub repeated: u64,
    /// Broken promises, with the seed of their world.
    pub violations: Vec<(u64, Violation)>,
    /// How long it took.
    pub took: Duration,
}

impl Seen {
    /// How many promises of a kind were broken.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        let of_kind = |(_, violation): &&(u64, Violation)| violation.kind == kind;
        self.violations.iter().filter(of_kind).count() as u64
    }

    fn take(&mut self, seed: u64, world: world::Outcome) {
        self.worlds += 1;
        self.cuts += world.cuts;
        self.jobs += world.jobs;
        self.calls += world.calls;
        self.in_flight += world.in_flight;
        self.repeated += world.repeated;
        let violations = world.violations.into_iter();
        self.violations.extend(violations.map(|one| (seed, one)));
    }
}

/// Cuts the power so many times.
///
/// # Errors
/// When not even a fresh database can be made.
pub fn run(options: &Asked) -> io::Result<Seen> {
    let folder = folder()?;
    let folder = folder.path();
    let fresh = Arc::new(world::fresh().map_err(io::Error::other)?);
    let began = Instant::now();
    let seen = Mutex::new(Seen::default());
    let (next, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    // How many operations a world has shows in the first ones, which are cut when all is done.
    let operations = AtomicUsize::new(0);
    let told = Mutex::new(began);
    let work = |thread: usize| {
        let folder = folder.join(format!("worlds-{thread}"));
        while !enough.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let _ = std::fs::remove_dir_all(&folder);
            let made = std::fs::create_dir_all(&folder);
            let seed = Chance::seeded(options.seed.wrapping_add(number)).bits();
            let terms = Terms {
                seed,
                flaw: options.flaw,
                operations: if made.is_err() || number < 3 {
                    0
                } else {
                    operations.load(Ordering::Relaxed)
                },
                fresh: Arc::clone(&fresh),
                folder: folder.clone(),
            };
            let world = world::play(&terms);
            operations.fetch_max(world.operations as usize, Ordering::Relaxed);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.take(terms.seed, world);
            let found = options.until.is_some_and(|kind| seen.count(kind) > 0);
            if seen.cuts >= options.cuts || found {
                enough.store(true, Ordering::Relaxed);
            }
            if options.progress {
                tell(&seen, options.cuts, &told);
            }
        }
        let _ = std::fs::remove_dir_all(&folder);
    };
    thread::scope(|scope| {
        for number in 0..options.threads.max(1) {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    seen.took = began.elapsed();
    Ok(seen)
}

fn tell(seen: &Seen, cuts: u64, told: &Mutex<Instant>) {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    if told.elapsed() >= TELL_EVERY {
        *told = Instant::now();
        let _ = writeln!(
            io::stderr(),
            "{} of {cuts} cuts, {} violations",
            seen.cuts,
            seen.violations.len()
        );
    }
}

/// A place for the few small files of a world: in memory, where there is such a place.
fn folder() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    match TempDir::new_in(memory) {
        Ok(folder) => Ok(folder),
        Err(_) => TempDir::new(),
    }
}

/// The instrument's long form.
///
/// # Errors
/// As [`run`].
pub fn prove(options: &Options, seed: u64) -> io::Result<Verdict> {
    let mut asked = Asked::new(options.cuts, seed);
    asked.progress = true;
    asked.threads = options
        .threads
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let seen = run(&asked)?;
    let machine = Machine::look(&std::env::temp_dir());
    let mut verdict = Verdict::new("power-cut", Some(seed), machine);
    verdict.at_least("power cuts", seen.cuts as f64, options.cuts as f64, "");
    verdict.tell("worlds", seen.worlds);
    verdict.tell("jobs", seen.jobs);
    verdict.tell("revocation calls received", seen.calls);
    verdict.tell("calls in flight at a cut", seen.in_flight);
    verdict.tell("of those made again", seen.repeated);
    for (kind, what) in Kind::ALL {
        verdict.none(what, seen.count(kind));
    }
    let per_cut = seen.took.as_secs_f64() * 1e3 / seen.cuts.max(1) as f64;
    verdict.tell("milliseconds a cut", format!("{per_cut:.1}"));
    for (seed, violation) in seen.violations.iter().take(SHOWN) {
        verdict.note(format!("world {seed}: {violation}"));
    }
    Ok(verdict)
}
