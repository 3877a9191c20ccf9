//! Feeds hostile bytes to everything that reads from outside, and hostile texts to everything that prints.
//!
//! The bodies of the targets are plain functions of bytes: `tests/fuzz` drives the same ones, led by coverage.

mod address;
mod configuration;
mod google;
mod graph;
mod graph_reads;
pub mod mutation;
mod oracle;
mod people;
mod record;
mod strings;
mod token;
mod waiting;

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rescind::shown::Through;

pub use self::strings::{Careless, Marks, Printing};
use crate::audit;
use crate::chance::Chance;
use crate::machine::Machine;
use crate::report::Verdict;

/// Something that reads from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and its folder in `corpus/`.
    pub name: &'static str,
    /// Reads, and panics on a broken promise.
    pub body: fn(&[u8]),
    /// The same promises about a reader that breaks one of them on purpose.
    pub control: Option<fn(&[u8])>,
}

/// All of them, by name.
pub const TARGETS: [Target; 20] = [
    target("audit-entry", record::entry, None),
    target("audit-export", record::exported, Some(record::chain_alone)),
    target("checkpoint", record::checkpoint, None),
    target("configuration", configuration::file, None),
    target("google-answer", google::answer, Some(google::any_2xx)),
    target("google-everybody", google::everybody, None),
    target("google-group", google::group, None),
    target("google-items", google::items, None),
    target("google-person", google::person, None),
    target("graph-batch", graph::batch, Some(graph::last_wins)),
    target(
        "graph-evidence",
        graph_reads::evidence,
        Some(graph_reads::anybody_s),
    ),
    target("graph-group", graph::group, None),
    target("graph-group-name", graph_reads::group_name, None),
    target("graph-person", graph::person, None),
    target("graph-revocation", graph::revocation, Some(graph::any_2xx)),
    target("graph-search", graph_reads::search, None),
    target("people", people::list, Some(people::credulous)),
    target(
        "retry-after",
        waiting::retry_after,
        Some(waiting::believing),
    ),
    target("service-account-key", token::key, None),
    target("token-endpoint", token::endpoint, Some(token::talkative)),
];

/// Also a target, without examples of its own: every corpus serves.
pub const URL: Target = target("url", address::url, None);

const fn target(name: &'static str, body: fn(&[u8]), control: Option<fn(&[u8])>) -> Target {
    Target {
        name,
        body,
        control,
    }
}

/// All of them, [`URL`] too.
pub fn all() -> impl Iterator<Item = Target> {
    TARGETS.into_iter().chain([URL])
}

/// The target of this name.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    all().find(|target| target.name == name)
}

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Which target; `all` for every one.
    #[arg(long, default_value = "all")]
    pub target: String,
    /// Inputs, spread over the targets.
    #[arg(long, default_value_t = 1_000_000)]
    pub inputs: u64,
    /// Texts sent through everything that prints.
    #[arg(long, default_value_t = 1_000_000)]
    pub strings: u64,
    /// Write the examples, those that are made in the code too, into a folder for each target, and stop.
    #[arg(long, value_name = "DIR")]
    pub write_corpus: Option<PathBuf>,
}

/// What came of one target.
#[derive(Debug, Default)]
pub struct Tried {
    /// Inputs tried.
    pub inputs: u64,
    /// Promises broken.
    pub broken: u64,
    /// The first input that broke one, and how.
    pub first: Option<(Vec<u8>, String)>,
    /// The longest that one input took.
    pub slowest: Duration,
}

/// The examples of a target.
///
/// # Errors
/// When the folder of examples cannot be read.
pub fn corpus(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut examples = Vec::new();
    if target.name.starts_with("audit") || target.name == "checkpoint" {
        examples = audit::examples(target.name);
    }
    if target.name == "service-account-key" {
        examples.push(token::signing_key()?);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let own = folder.join(target.name);
    if own.is_dir() {
        let mut paths: Vec<_> = fs::read_dir(own)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        // A seed must mean the same on every file system.
        paths.sort();
        for path in paths {
            examples.push(fs::read(path)?);
        }
    }
    if examples.is_empty() {
        examples.push(b"ada@contoso.com".to_vec());
        examples.push(b"/v1/users?$skiptoken=a".to_vec());
        examples.push(b"https://api.example.com/v1/users".to_vec());
    }
    Ok(examples)
}

/// Writes the examples of a target into a folder, those that are made in the code too.
///
/// # Errors
/// When they cannot be read or written.
pub fn write_examples(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (n, example) in corpus(target)?.iter().enumerate() {
        fs::write(folder.join(format!("example-{n}")), example)?;
    }
    Ok(())
}

/// Tries a body on the examples and then on mutations of them.
#[must_use]
pub fn attempt(body: fn(&[u8]), corpus: &[Vec<u8>], seed: u64, inputs: u64) -> Tried {
    let mut chance = Chance::seeded(seed);
    let mut tried = Tried::default();
    // Every broken promise would otherwise print itself.
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    for n in 0..inputs {
        let input = match corpus.get(n as usize) {
            Some(example) => example.clone(),
            None => mutation::mutated(&mut chance, corpus),
        };
        let start = Instant::now();
        let ended = panic::catch_unwind(AssertUnwindSafe(|| body(&input)));
        tried.slowest = tried.slowest.max(start.elapsed());
        tried.inputs += 1;
        if let Err(why) = ended {
            tried.broken += 1;
            let why = why.downcast_ref::<String>().cloned().or_else(|| {
                let text: &&str = why.downcast_ref()?;
                Some((*text).to_owned())
            });
            let why = why.unwrap_or_else(|| "a panic".to_owned());
            tried.first.get_or_insert((input, why));
        }
    }
    panic::set_hook(loud);
    tried
}

/// Sends hostile texts through everything that prints.
///
/// # Errors
/// When a text cannot be printed at all.
pub fn printed(
    printing: &dyn Printing,
    seed: u64,
    texts: u64,
) -> io::Result<(Marks, Option<String>)> {
    let mut chance = Chance::seeded(seed);
    let mut marks = Marks::default();
    let mut first = None;
    let harmless = printing.print("ada")?;
    for _ in 0..texts {
        let text = strings::text(&mut chance);
        let mut own = Marks::default();
        strings::mark(&mut own, &text, &printing.print(&text)?, &harmless);
        if own
            != (Marks {
                texts: 1,
                ..Marks::default()
            })
        {
            first.get_or_insert_with(|| format!("{own:?}: {text:?}"));
        }
        marks.texts += own.texts;
        marks.terminal += own.terminal;
        marks.cells += own.cells;
        marks.log_lines += own.log_lines;
        marks.json += own.json;
    }
    Ok((marks, first))
}

/// The long form.
///
/// # Errors
/// When there is no such target, or examples cannot be read.
pub fn run(options: &Options, seed: u64) -> io::Result<Verdict> {
    let targets: Vec<Target> = match options.target.as_str() {
        "all" => all().collect(),
        name => vec![
            named(name).ok_or_else(|| io::Error::other(format!("there is no target {name}")))?,
        ],
    };
    let mut verdict = Verdict::new("hostile", Some(seed), Machine::look(&std::env::temp_dir()));
    if let Some(folder) = &options.write_corpus {
        for target in &targets {
            write_examples(target, &folder.join(target.name))?;
        }
        verdict.tell("targets whose examples were written", targets.len());
        return Ok(verdict);
    }
    let each = options.inputs / targets.len() as u64;
    let (mut inputs, mut slowest) = (0, Duration::ZERO);
    for target in &targets {
        let corpus = corpus(target)?;
        let tried = attempt(target.body, &corpus, seed, each);
        inputs += tried.inputs;
        slowest = slowest.max(tried.slowest);
        verdict.none(format!("{}: promises broken", target.name), tried.broken);
        if let Some((input, why)) = tried.first {
            let path = std::env::temp_dir().join(format!("hostile-{}-{seed}", target.name));
            fs::write(&path, input)?;
            verdict.note(format!(
                "{}: {why}; the input is in {}",
                target.name,
                path.display()
            ));
        }
        if let Some(control) = target.control {
            let caught = attempt(control, &corpus, seed, each.min(20_000)).broken;
            verdict.judge(
                format!("{}: control, a reader that breaks a promise", target.name),
                format!("caught {caught} times"),
                "caught",
                caught > 0,
            );
        }
    }
    verdict.tell("inputs", inputs);
    if cfg!(debug_assertions) {
        verdict.tell("slowest input", format!("{slowest:?}"));
    } else {
        verdict.at_most("slowest input", slowest.as_secs_f64(), 1.0, "s");
    }
    if options.target == "all" {
        print_verdict(&mut verdict, seed, options.strings)?;
    }
    verdict.judge(
        "most memory",
        format!("{} MiB", peak_mib()),
        "<= 400 MiB",
        peak_mib() <= 400,
    );
    Ok(verdict)
}

fn print_verdict(verdict: &mut Verdict, seed: u64, texts: u64) -> io::Result<()> {
    let (marks, first) = printed(&Through::default(), seed, texts)?;
    verdict.tell("hostile texts printed", marks.texts);
    verdict.none("hidden characters on a terminal", marks.terminal);
    verdict.none("live spreadsheet cells", marks.cells);
    verdict.none("forged or broken log lines", marks.log_lines);
    verdict.none("texts that JSON does not give back", marks.json);
    if let Some(first) = first {
        verdict.note(format!("first: {first}"));
    }
    let (careless, _) = printed(&Careless, seed, texts.min(5_000))?;
    let each = [
        careless.terminal,
        careless.cells,
        careless.log_lines,
        careless.json,
    ];
    verdict.judge(
        "control: a careless printer is caught by every rule",
        format!("{each:?}"),
        "caught",
        each.iter().all(|caught| *caught > 0),
    );
    Ok(())
}

/// The most memory this process ever had.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}
