//! Kills the program, thousands of times and at any instant, and asks the server what really happened to whom.

mod folder;
pub mod judge;
mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::{Duration, Instant};

use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::Desk;
use tokio::runtime::Runtime;

use self::folder::{Accepted, Folder};
use self::judge::{Evidence, Findings, Order};
use self::life::{Life, live};
use crate::chance::Chance;
use crate::machine::Machine;
use crate::report::Verdict;

/// How much to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// How often the program is killed.
    #[arg(long, default_value_t = 1000)]
    pub kills: u32,
    /// How many people are to be revoked at least; more orders follow while kills are left.
    #[arg(long, default_value_t = 100_000)]
    pub people: u64,
    /// How many of them are in one order.
    #[arg(long, default_value_t = 5_000)]
    pub order: u64,
    /// The longest life of the program, in milliseconds.
    #[arg(long, default_value_t = 900)]
    pub life_ms: usize,
    /// How long an answer may be on its way to the record, in milliseconds; more on a busy machine.
    #[arg(long, default_value_t = 250)]
    pub on_its_way_ms: u64,
    /// What a debug build is armed with, in each life: for the control that must be caught.
    #[arg(skip)]
    pub armed: Option<&'static str>,
}

/// The longest time that a life without a kill may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Answers come no faster and no slower than this, whatever the pace wants.
const LATENCIES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(300)];

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What the judge found.
    pub findings: Findings,
    /// Lives that were killed: before their first request, before the order was accepted, and at work.
    pub killed: [u64; 3],
    /// Lives that ended by themselves, and those of them that did not end well.
    pub ended: (u64, u64),
    /// What the last life that did not end well had to say.
    pub complaint: Option<String>,
    /// Accepted orders, and the people in them.
    pub accepted: (u64, u64),
    /// From the start of the program to its first request; the median.
    pub start: Duration,
    /// Whether the books balance and the record verifies.
    pub verified: bool,
    /// How long it all took.
    pub took: Duration,
}

/// Runs the long form.
///
/// # Errors
/// When the program cannot be started or the state folder cannot be read.
pub fn run(options: &Options, seed: u64) -> io::Result<Verdict> {
    let outcome = crash(options, seed)?;
    let found = &outcome.findings;
    let machine = Machine::look(&std::env::temp_dir());
    let mut verdict = Verdict::new("crash", Some(seed), machine);
    let [starting, accepting, working] = outcome.killed;
    let kills = starting + accepting + working;
    verdict.at_least("kills", kills as f64, f64::from(options.kills), "");
    verdict.tell(
        "  before the first request: starting, recovering, staging",
        starting,
    );
    verdict.tell("  before the order was accepted", accepting);
    verdict.tell("  at work", working);
    let (orders, people) = outcome.accepted;
    verdict.tell("orders", orders);
    verdict.at_least("people", people as f64, options.people as f64, "");
    verdict.none("orders told of and not there", found.forgotten);
    verdict.none("people lost", found.lost);
    verdict.none("ends that changed", found.moved);
    verdict.none("false confirmations and refusals", found.falsely_told);
    verdict.none("calls for people in no order", found.uncalled_for);
    verdict.none("repeats of what was on disk", found.durable_repeats);
    verdict.none("repeats that no kill explains", found.needless_repeats);
    verdict.judge(
        "repeats because a kill took the answer",
        found.repeats,
        format!("<= {} in flight at the kills", found.in_flight),
        found.repeats <= found.in_flight,
    );
    let (well, badly) = outcome.ended;
    verdict.tell("lives that ended by themselves", well + badly);
    verdict.none("  not well", badly);
    verdict.none(
        "books or records that do not verify",
        u64::from(!outcome.verified),
    );
    verdict.tell(
        "start to first request, median",
        format!("{} ms", outcome.start.as_millis()),
    );
    verdict.tell("took", format!("{} s", outcome.took.as_secs()));
    verdict
        .note("the instants of the kills come from the seed; what they hit depends on the machine");
    for wrong in found.first.iter().chain(&outcome.complaint) {
        verdict.note(wrong.clone());
    }
    Ok(verdict)
}

/// Kills, restarts, and judges.
///
/// # Errors
/// As [`run`].
pub fn crash(options: &Options, seed: u64) -> io::Result<Outcome> {
    let began = Instant::now();
    // The server is in this process and lives through all lives of the program.
    let runtime = Runtime::new()?;
    let graph = runtime.block_on(OtherGraph::start(Behaviour::default()));
    let desk = Desk::at_graph(&graph.url());
    let config = std::fs::read_to_string(desk.path().join("rescind.toml"))?;
    desk.write("rescind.toml", &format!("{config}max_in_flight = 200\n"));
    let mut work = Work {
        options,
        graph,
        desk,
        evidence: Evidence {
            on_its_way: Duration::from_millis(options.on_its_way_ms),
            ..Evidence::default()
        },
        notes: Vec::new(),
        complete: BTreeSet::new(),
        open: 0,
        latency: Duration::from_millis(40),
        killed: [0; 3],
        ended: (0, 0),
        complaint: None,
        starts: Vec::new(),
    };
    work.kill_all(&mut Chance::seeded(seed))?;
    let verified = work.finish()?;
    work.starts.sort_unstable();
    let findings = Findings::of(&work.evidence);
    let accepted = work.evidence.orders.iter();
    let accepted: Vec<_> = accepted.filter(|o| o.accepted_at.is_some()).collect();
    Ok(Outcome {
        findings,
        killed: work.killed,
        ended: work.ended,
        complaint: work.complaint,
        accepted: (
            accepted.len() as u64,
            accepted.iter().map(|order| order.people.len() as u64).sum(),
        ),
        start: work
            .starts
            .get(work.starts.len() / 2)
            .copied()
            .unwrap_or_default(),
        verified,
        took: began.elapsed(),
    })
}

/// What is under way.
struct Work<'a> {
    options: &'a Options,
    graph: OtherGraph,
    desk: Desk,
    evidence: Evidence,
    /// The note of each order.
    notes: Vec<String>,
    /// Orders all of whose people are finished.
    complete: BTreeSet<i64>,
    /// Open jobs after the last life.
    open: u64,
    latency: Duration,
    killed: [u64; 3],
    ended: (u64, u64),
    complaint: Option<String>,
    starts: Vec<Duration>,
}

impl Work<'_> {
    fn kills(&self) -> u64 {
        self.killed.iter().sum()
    }

    fn kill_all(&mut self, chance: &mut Chance) -> io::Result<()> {
        let wanted = u64::from(self.options.kills);
        let mut told = 0;
        while self.kills() < wanted {
            let limit = self.limit(chance);
            let before = self.evidence.durable.len() as u64;
            self.next_life(Some(limit))?;
            self.set_pace(before);
            let tenth = self.kills() * 20 / wanted;
            if tenth > told {
                told = tenth;
                progress(&format!(
                    "{} kills, {} orders, {} people finished, {} open, answers after {} ms",
                    self.kills(),
                    self.evidence.orders.len(),
                    self.evidence.durable.len(),
                    self.open,
                    self.latency.as_millis()
                ));
            }
        }
        Ok(())
    }

    /// How long the next life is: often so short that it ends while it starts.
    fn limit(&self, chance: &mut Chance) -> Duration {
        let longest = self.options.life_ms;
        let longest = match chance.below(20) {
            0 => longest / 40,
            1..=3 => longest / 8,
            _ => longest,
        };
        Duration::from_micros(chance.below(longest.max(1) * 1000) as u64)
    }

    /// Slower answers where the people would be used up before the kills, faster ones where it is the other way round.
    fn set_pace(&mut self, before: u64) {
        let done = self.evidence.durable.len() as u64;
        let kills = u64::from(self.options.kills)
            .saturating_sub(self.kills())
            .max(1);
        let wanted = self.options.people.saturating_sub(done) / kills;
        self.latency = if done - before > wanted {
            self.latency * 21 / 20
        } else {
            self.latency * 20 / 21
        };
        self.latency = self.latency.clamp(LATENCIES[0], LATENCIES[1]);
    }

    /// One life: an order is asked for where too little is open, and otherwise the work goes on.
    fn next_life(&mut self, limit: Option<Duration>) -> io::Result<Option<i32>> {
        let is_wanted = limit.is_some() || self.is_short();
        if !self.is_ordering() && self.open < self.options.order / 2 && is_wanted {
            self.plan_order();
        }
        let ordering = self.is_ordering();
        let missing = self.missing();
        self.graph.behave(Behaviour {
            latency: self.latency,
            missing,
            ..Behaviour::default()
        });
        let number = self.evidence.kills.len() as u32;
        let args = if ordering {
            let people = self.options.order.to_string();
            let note = self.notes.last().cloned().unwrap_or_default();
            let words = ["revoke", "--file", "people.csv", "--note", &note, "--yes"];
            let more = ["--max-subjects", &people, "--output", "csv"];
            words.iter().chain(&more).map(ToString::to_string).collect()
        } else {
            vec!["run".to_owned(), "--output".to_owned(), "csv".to_owned()]
        };
        let began = Instant::now();
        let armed = self.options.armed;
        // An armed program may never end.
        let patience = match armed {
            Some(_) => Duration::from_millis(self.options.life_ms as u64),
            None => PATIENCE,
        };
        let Life { killed, code, said } =
            live(&self.desk, &args, armed, limit.unwrap_or(patience))?;
        let awake = self.graph.next_life();
        self.evidence.kills.push(killed);
        if let Some(order) = self.evidence.orders.last_mut()
            && said.contains("Accepted as order")
        {
            order.told = true;
        }
        self.look(number)?;
        let unaccepted = self.is_ordering();
        if let Some(awake) = awake {
            self.starts.push(awake.saturating_duration_since(began));
        }
        if killed.is_some() {
            self.killed[match (awake, unaccepted) {
                (None, _) => 0,
                (Some(_), true) => 1,
                (Some(_), false) => 2,
            }] += 1;
        } else if matches!(code, Some(0 | 3 | 5)) && !said.contains("panicked") {
            self.ended.0 += 1;
        } else {
            self.ended.1 += 1;
            self.complaint = Some(format!("{args:?} ended with {code:?}: {said}"));
        }
        Ok(code)
    }

    /// Whether the last order was not accepted yet.
    fn is_ordering(&self) -> bool {
        let last = self.evidence.orders.last();
        last.is_some_and(|order| order.accepted_at.is_none())
    }

    /// Whether more people are to be ordered, whatever the kills.
    fn is_short(&self) -> bool {
        let people = self.evidence.orders.iter().map(|order| order.people.len());
        (people.sum::<usize>() as u64) < self.options.people
    }

    fn plan_order(&mut self) {
        let number = self.evidence.orders.len() as u64;
        let first = number * self.options.order;
        let people = first..first + self.options.order;
        self.desk.people("people.csv", people.clone());
        self.notes.push(format!("order {number} of the crash test"));
        self.evidence.orders.push(Order {
            people: people.collect(),
            ..Order::default()
        });
    }

    /// Some of the second order are not at the provider.
    fn missing(&mut self) -> std::ops::Range<u64> {
        let first = self.options.order + 3;
        let missing = first..first + self.options.order / 50;
        self.evidence.missing = missing.clone().collect();
        missing
    }

    /// What is on disk after a life.
    fn look(&mut self, life: u32) -> io::Result<()> {
        let state = self.desk.path().join("state");
        let Some(folder) = Folder::open(&state).map_err(io::Error::other)? else {
            return Ok(());
        };
        let accepted = folder.accepted().map_err(io::Error::other)?;
        self.open = accepted.iter().map(|order| order.open as u64).sum();
        for order in accepted {
            self.look_at(&folder, &order, life)?;
        }
        Ok(())
    }

    fn look_at(&mut self, folder: &Folder, order: &Accepted, life: u32) -> io::Result<()> {
        let known = self.notes.iter().position(|note| *note == order.note);
        let known = known.ok_or_else(|| io::Error::other("an order that nobody asked for"))?;
        let known = &mut self.evidence.orders[known];
        if known.accepted_at.is_none() {
            let mut people = folder.people(order.key).map_err(io::Error::other)?;
            people.sort_unstable();
            if people != known.people {
                return Err(io::Error::other("an order was accepted with other people"));
            }
            known.accepted_at = Some(order.at);
        } else if known.accepted_at != Some(order.at) {
            return Err(io::Error::other("an order was accepted twice"));
        }
        if self.complete.contains(&order.key) {
            return Ok(());
        }
        let finished = folder.finished(order.key).map_err(io::Error::other)?;
        if finished.len() == known.people.len() {
            self.complete.insert(order.key);
        }
        for (person, fate) in finished {
            self.evidence.durable.entry(person).or_insert((life, fate));
        }
        Ok(())
    }

    /// Lets the program live until everything is done. Answers whether it then verifies.
    fn finish(&mut self) -> io::Result<bool> {
        self.latency = LATENCIES[0];
        let mut lives = 0;
        loop {
            progress(&format!("{} open, and no more kills", self.open));
            // What is parked is tried again by a `run`, and by nothing else.
            let runs = !self.is_ordering() && !self.is_short();
            let code = self.next_life(None)?;
            lives += 1;
            let over = runs && matches!(code, Some(0 | 3)) && self.open == 0;
            if over || lives > 2 + self.options.people / self.options.order {
                break;
            }
        }
        let state = self.desk.path().join("state");
        if let Some(folder) = Folder::open(&state).map_err(io::Error::other)? {
            let mut ended = BTreeMap::new();
            for order in folder.accepted().map_err(io::Error::other)? {
                ended.extend(folder.finished(order.key).map_err(io::Error::other)?);
            }
            self.evidence.ended = ended;
        }
        self.evidence.asked = self.graph.asked();
        let verifies = |args: &[&str]| self.desk.run(args).code == Some(0);
        Ok(verifies(&["verify"]) && verifies(&["audit", "verify"]))
    }
}

#[expect(clippy::print_stderr, reason = "progress of long work")]
fn progress(text: &str) {
    eprintln!("{text}");
}
