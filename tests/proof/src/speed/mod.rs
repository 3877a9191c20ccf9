//! How fast the whole program is, from its start to its exit, beside a bare loop that keeps nothing.
//!
//! All figures of one verdict come from one run on one machine. Program and loop take turns, each several times; the
//! medians are compared. The simulated tenant runs in a process of its own on the same processor.

mod bare;
mod tenant;
mod watch;

use std::fs;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use rescind_sandbox::{MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET};

use crate::machine::Machine;
use crate::report::Verdict;
use tenant::{Desk, Tenant};
use watch::{Run, median};

/// What is measured.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How often program and loop take turns at each latency.
    #[arg(long, default_value_t = 5)]
    pub runs: usize,
    /// People of one run at 50 and 200 ms.
    #[arg(long, default_value_t = 5_000)]
    pub people: u32,
    /// People of one run at 0 ms, and of the smaller intake.
    #[arg(long, default_value_t = 100_000)]
    pub many: u32,
    /// People of the largest intake, and of the largest run that memory is compared on; 0 leaves both out.
    #[arg(long, default_value_t = 1_000_000)]
    pub most: u32,
    /// The program; by default the one beside this.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

/// One turn of the bare loop: a process, so that its start counts, too.
#[derive(Args, Clone, Debug)]
pub struct BareLoop {
    /// Where the tenant listens.
    #[arg(long)]
    url: String,
    /// The file of people whose second column is their object id.
    #[arg(long)]
    file: PathBuf,
}

/// Sends everything once.
///
/// # Errors
/// When the file cannot be read or the tenant does not answer as it should.
pub fn bare_loop(options: &BareLoop) -> io::Result<()> {
    let text = fs::read_to_string(&options.file)?;
    let (names, ids): (Vec<String>, Vec<String>) = text
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .unzip();
    bare::run(
        &options.url,
        MICROSOFT_CLIENT_ID,
        MICROSOFT_CLIENT_SECRET,
        &names,
        &ids,
    )
}

/// Measures everything.
///
/// # Errors
/// When the program is not there, cannot be run, or does not do what it is measured at.
pub fn run(options: &Options) -> io::Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let bench = Bench {
        program: program(options)?,
        folder: folder.path().to_owned(),
        options: options.clone(),
    };
    let mut verdict = Verdict::new("speed", None, Machine::look(folder.path()));
    bench.starting(&mut verdict)?;
    bench.intake(&mut verdict)?;
    for (latency, people, least) in [
        (200, options.people, Some(0.9)),
        (50, options.people, Some(0.9)),
        (0, options.many, None),
    ] {
        bench.beside_the_loop(&mut verdict, latency, people, least)?;
    }
    bench.memory(&mut verdict)?;
    Ok(verdict)
}

fn program(options: &Options) -> io::Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("rescind");
    let program = options.program.clone().unwrap_or(beside);
    if program.is_file() {
        // The runs have folders of their own.
        program.canonicalize()
    } else {
        let missing = format!(
            "{} is not there: cargo build --release -p rescind",
            program.display()
        );
        Err(io::Error::new(io::ErrorKind::NotFound, missing))
    }
}

struct Bench {
    program: PathBuf,
    folder: PathBuf,
    options: Options,
}

impl Bench {
    /// The start of the program, alone and with one person to revoke.
    fn starting(&self, verdict: &mut Verdict) -> io::Result<()> {
        progress("starting");
        let mut alone = Vec::new();
        for _ in 0..20 {
            let mut command = Command::new(&self.program);
            command.arg("--version").stdout(Stdio::null());
            alone.push(watch::run(&mut command)?.wall.as_secs_f64() * 1e3);
        }
        let (middle, spread) = median(alone);
        verdict.tell(
            "start to exit, --version",
            format!("{middle:.1} ms (spread {spread:.2})"),
        );
        let tenant = Tenant::start(&self.program, &self.folder, 100, 0)?;
        let desk = tenant.desk(&self.folder.join("one"), 1)?;
        let mut one = Vec::new();
        for _ in 0..self.options.runs.max(5) {
            desk.clear()?;
            one.push(
                finished(&mut desk.revoke(&self.program))?
                    .wall
                    .as_secs_f64()
                    * 1e3,
            );
        }
        let (middle, spread) = median(one);
        verdict.tell(
            "one person: new state folder, revoked, evidence read",
            format!("{middle:.0} ms (spread {spread:.2})"),
        );
        Ok(())
    }

    /// From the start of the program until it says that the order is accepted, which is after the sync.
    fn intake(&self, verdict: &mut Verdict) -> io::Result<()> {
        for (rows, most_secs) in [(self.options.many, 0.6), (self.options.most, 5.0)] {
            if rows == 0 {
                continue;
            }
            progress(&format!("intake of {rows} rows"));
            // Nobody listens there: what is accepted stays open.
            let names = (0..rows).map(|n| format!("person.{n}@contoso.com"));
            let desk = Desk::new(&self.folder.join("intake"), "http://127.0.0.1:9", names)?;
            let mut taken = Vec::new();
            for _ in 0..self.options.runs {
                desk.clear()?;
                taken.push(self.accepted_after(&desk)?.as_secs_f64());
            }
            let (middle, spread) = median(taken);
            // The goals are for these sizes.
            let most_secs = most_secs * f64::from(rows) / if most_secs < 1.0 { 1e5 } else { 1e6 };
            verdict.at_most(
                format!("intake of {rows} rows, durable (spread {spread:.2})"),
                middle,
                most_secs,
                "s",
            );
        }
        Ok(())
    }

    fn accepted_after(&self, desk: &Desk) -> io::Result<Duration> {
        let start = Instant::now();
        let mut child = desk.revoke(&self.program).stderr(Stdio::piped()).spawn()?;
        let said = child.stderr.take().map(BufReader::new);
        let mut lines = said
            .into_iter()
            .flat_map(io::BufRead::lines)
            .map_while(Result::ok);
        let accepted = lines.any(|line| line.starts_with("Accepted"));
        let took = start.elapsed();
        child.kill()?;
        child.wait()?;
        if accepted {
            Ok(took)
        } else {
            Err(io::Error::other("the order was not accepted"))
        }
    }

    /// People a second of the program and of the loop, in turns.
    fn beside_the_loop(
        &self,
        verdict: &mut Verdict,
        latency: u64,
        people: u32,
        least: Option<f64>,
    ) -> io::Result<()> {
        let tenant = Tenant::start(&self.program, &self.folder, people, latency)?;
        let desk = tenant.desk(&self.folder.join(format!("at-{latency}")), people)?;
        let list = self.folder.join(format!("list-{latency}.csv"));
        let ids = tenant.ids(people);
        let lines: Vec<String> = tenant
            .names(people)
            .zip(ids)
            .map(|(name, id)| format!("{name},{id}\n"))
            .collect();
        fs::write(&list, lines.concat())?;
        let (mut ours, mut bare, mut cpu, mut bare_cpu) = (vec![], vec![], vec![], vec![]);
        for turn in 0..self.options.runs {
            progress(&format!(
                "{latency} ms, turn {} of {}",
                turn + 1,
                self.options.runs
            ));
            desk.clear()?;
            let run = finished(&mut desk.revoke(&self.program))?;
            ours.push(f64::from(people) / run.wall.as_secs_f64());
            cpu.push(run.processor.as_secs_f64() * 1e6 / f64::from(people));
            let run = finished(&mut turn_of_the_loop(&tenant, &list)?)?;
            bare.push(f64::from(people) / run.wall.as_secs_f64());
            bare_cpu.push(run.processor.as_secs_f64() * 1e6 / f64::from(people));
        }
        let ((ours, spread), (bare, bare_spread)) = (median(ours), median(bare));
        let ((cpu, _), (bare_cpu, _)) = (median(cpu), median(bare_cpu));
        verdict.tell(
            format!("{people} people at {latency} ms: bare loop"),
            format!("{bare:.0}/s (spread {bare_spread:.2}), {bare_cpu:.0} µs each"),
        );
        let what = format!(
            "{people} people at {latency} ms: rescind (spread {spread:.2}, {cpu:.0} µs each)"
        );
        match least {
            Some(_) => verdict.tell(what, format!("{ours:.0}/s")),
            None => verdict.at_least(what, ours, 20_000.0, "/s"),
        }
        let ratio = format!("  … of the bare loop at {latency} ms");
        match least {
            Some(least) => verdict.at_least(ratio, ours / bare, least, ""),
            None => verdict.tell(ratio, format!("{:.2}", ours / bare)),
        }
        Ok(())
    }

    /// The most that the program holds, for a thousand people and for the most.
    fn memory(&self, verdict: &mut Verdict) -> io::Result<()> {
        let most = if self.options.most == 0 {
            self.options.many
        } else {
            self.options.most
        };
        let tenant = Tenant::start(&self.program, &self.folder, most, 0)?;
        for people in [1_000, most] {
            progress(&format!("memory of {people} people"));
            let desk = tenant.desk(&self.folder.join(format!("memory-{people}")), people)?;
            let run = finished(&mut desk.revoke(&self.program))?;
            let what = format!(
                "peak memory for {people} people ({:.0} s)",
                run.wall.as_secs_f64()
            );
            verdict.at_most(what, run.peak_mib, 100.0, "MiB");
        }
        Ok(())
    }
}

fn turn_of_the_loop(tenant: &Tenant, list: &Path) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["bare-loop", "--url", tenant.url(), "--file"])
        .arg(list)
        .stdout(Stdio::null());
    Ok(command)
}

fn progress(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Runs to a good end: what stopped early measures nothing.
fn finished(command: &mut Command) -> io::Result<Run> {
    let run = watch::run(command)?;
    if run.status.success() {
        Ok(run)
    } else {
        Err(io::Error::other(format!(
            "{command:?} ended with {}",
            run.status
        )))
    }
}
