//! A provider that lies: every way in which an answer can fail to be the documented yes, told to both connectors, with
//! and without the deed behind it.
//!
//! The liar stands before the sandbox and passes on what it does not lie about, so the ledger knows what was done. A
//! false confirmation is a job that is confirmed although the ledger holds no deed. Where the deed was done and the
//! answer leaves doubt, the watermark has to settle it without a second call.

mod case;
mod liar;
mod shapes;
mod wire;

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use rescind_sandbox::{Person, Quota, Sandbox, SandboxOptions};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::machine::Machine;
use crate::report::Verdict;
use shapes::{Lie, Vendor};

/// The most memory the whole run may take: a flood or a bomb that is read to its end takes more than that.
const MOST_MIB: f64 = 400.0;

/// How many lies are told at once.
const AT_ONCE: usize = 64;

/// How many shapes there are, counted once for each connector that they are told to.
#[must_use]
pub fn shapes() -> usize {
    shapes::all().len()
}

/// How much is told.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// Tells only the lies whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,

    /// Leaves out the lies that only a time-out ends.
    #[arg(long)]
    pub quick: bool,
}

/// As [`run`], in a runtime and a folder of its own, with its progress on standard error.
///
/// # Errors
/// When there is no runtime or no folder to be had.
pub fn run_alone(options: Options) -> io::Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let runtime = Runtime::new()?;
    let progress = |done: usize, of: usize| {
        if done.is_multiple_of(25) || done == of {
            let _ = writeln!(io::stderr(), "{done} of {of} cases");
        }
    };
    Ok(runtime.block_on(run(options, folder.path(), progress)))
}

/// Tells every lie and judges what was made of it.
///
/// # Panics
/// When the sandbox cannot be started or `folder` cannot be written.
pub async fn run(options: Options, folder: &Path, progress: impl Fn(usize, usize)) -> Verdict {
    let lies: Vec<Lie> = shapes::all()
        .into_iter()
        .filter(|lie| !(options.quick && lie.slow))
        .filter(|lie| {
            options
                .only
                .as_deref()
                .is_none_or(|text| lie.name.contains(text))
        })
        .collect();
    let cases: Vec<(Lie, bool)> = lies
        .into_iter()
        .flat_map(|lie| [(lie, false), (lie, true)])
        .filter(|(lie, effect)| !effect || lie.with_effect())
        .collect();
    told_in(cases, folder, progress).await
}

/// The negative control: a clean yes without the deed, which the product has to believe and the judge must not.
///
/// # Panics
/// As [`run`].
pub async fn control(folder: &Path) -> Verdict {
    let cases = Vendor::BOTH.map(|vendor| (shapes::unseen(vendor), false));
    told_in(cases.to_vec(), folder, |_, _| {}).await
}

async fn told_in(
    cases: Vec<(Lie, bool)>,
    folder: &Path,
    progress: impl Fn(usize, usize),
) -> Verdict {
    let many = cases.len();
    let sandbox = sandbox(folder, many).await;
    let mut people = Casting::new(&sandbox);
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut telling = JoinSet::new();
    for (lie, effect) in cases {
        let cast = people.for_lie(lie);
        let (gate, sandbox, folder) = (Arc::clone(&gate), Arc::clone(&sandbox), folder.to_owned());
        telling.spawn(async move {
            let _place = gate.acquire().await;
            let outcomes = case::tell(&sandbox, &folder, lie, effect, &cast).await;
            (lie, effect, outcomes)
        });
    }
    let mut tally = Tally::default();
    let mut done = 0;
    while let Some(told) = telling.join_next().await {
        let (lie, effect, outcomes) = told.expect("a case that does not panic");
        tally.count(lie, effect, outcomes);
        done += 1;
        progress(done, many);
    }
    tally.verdict(many, folder)
}

async fn sandbox(folder: &Path, cases: usize) -> Arc<Sandbox> {
    let options = SandboxOptions {
        // Three people for a batch; some have nothing at Google.
        people: (cases * 6).max(400) as u32,
        quota: Quota::Unlimited,
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
    sandbox
        .write_files(folder)
        .expect("the folder can be written");
    Arc::new(sandbox)
}

/// Gives every lie people of its own, who have something to lose.
struct Casting {
    people: Box<dyn Iterator<Item = Person> + Send>,
}

impl Casting {
    fn new(sandbox: &Sandbox) -> Self {
        let population = *sandbox.people();
        let people = population.regulars().filter(move |person| {
            population.google_email(*person).is_some()
                && population.grants(*person) != 0
                && !population.is_disabled(*person)
        });
        Self {
            people: Box::new(people),
        }
    }

    fn for_lie(&mut self, lie: Lie) -> Vec<Person> {
        let cast: Vec<Person> = self.people.by_ref().take(lie.people()).collect();
        assert_eq!(cast.len(), lie.people(), "the sandbox is too small");
        cast
    }
}

#[derive(Default)]
struct Tally {
    shapes: HashSet<(&'static str, &'static str)>,
    lied_to: [usize; 2],
    confirmed: u64,
    falsely: Vec<String>,
    hanging: Vec<String>,
    doubts: u64,
    unsettled: Vec<String>,
}

impl Tally {
    fn count(&mut self, lie: Lie, effect: bool, outcomes: Option<Vec<case::Outcome>>) {
        let told = || {
            let deed = if effect { "done" } else { "not done" };
            format!("{}, {deed}: {}", lie.vendor.name(), lie.name)
        };
        self.shapes.insert((lie.vendor.name(), lie.name));
        self.lied_to[usize::from(lie.vendor == Vendor::Workspace)] += 1;
        let Some(outcomes) = outcomes else {
            self.hanging.push(told());
            return;
        };
        for outcome in &outcomes {
            self.confirmed += u64::from(outcome.state == rescind_core::job::JobState::Confirmed);
            if outcome.is_false() {
                self.falsely.push(told());
            }
            if effect && lie.leaves_doubt() {
                self.doubts += 1;
                if !outcome.is_settled_by_proof() {
                    let (state, times, story) = (outcome.state, outcome.times, &outcome.story);
                    let line = format!("{} ({state:?} after {times} calls; {story})", told());
                    self.unsettled.push(line);
                }
            }
        }
    }

    fn verdict(mut self, cases: usize, folder: &Path) -> Verdict {
        let mut verdict = Verdict::new("lies", None, Machine::look(folder));
        verdict.tell("answer shapes", self.shapes.len());
        verdict.tell(
            "cases (with and without the deed)",
            format!(
                "{cases} ({} Entra, {} Workspace)",
                self.lied_to[0], self.lied_to[1]
            ),
        );
        verdict.tell("people confirmed", self.confirmed);
        verdict.none("false confirmations", self.falsely.len() as u64);
        verdict.none("calls that did not end in time", self.hanging.len() as u64);
        verdict.tell("doubts for the watermark to settle", self.doubts);
        verdict.none(
            "doubts not settled by one call",
            self.unsettled.len() as u64,
        );
        verdict.at_most(
            "peak memory of everything here",
            peak_mib(),
            MOST_MIB,
            "MiB",
        );
        for (what, lines) in [
            ("FALSE", &mut self.falsely),
            ("HANGS", &mut self.hanging),
            ("UNSETTLED", &mut self.unsettled),
        ] {
            lines.sort();
            lines.dedup();
            for line in lines.iter() {
                verdict.note(format!("{what} {line}"));
            }
        }
        verdict
    }
}

/// The most that this process held so far; 0 where the system does not say.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
