//! Tampers with exported records, at random and in every way there is, and asks two verifiers for the place.

mod million;
mod record;
mod second;
mod tampering;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rescind_core::audit::note::PublicKey;
use rescind_core::audit::verify::Verdict as Found;
use rescind_core::audit::{AuditEntry, Checkpoint, export};
use rescind_store::Ed25519;

use self::record::Record;
use self::second::Second;
use self::tampering::{Tampered, Tampering, tamper, untouched};
use crate::chance::Chance;
use crate::machine::Machine;
use crate::report::Verdict;

/// A large record has to be verified in this time.
const IN_TIME: Duration = Duration::from_secs(3);

/// How many records are tampered with in turn before others are made.
const RECORDS: usize = 24;

/// How much to do.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Tamperings, spread over all the ways there are.
    #[arg(long, default_value_t = 100_000)]
    pub tamperings: usize,
    /// How many of them the second verifier, which is slow, looks at as well.
    #[arg(long, default_value_t = 4_000)]
    pub second: usize,
    /// Entries of the large record; its time is judged in a release build, at a million or more.
    #[arg(long, default_value_t = 1_000_000)]
    pub entries: u64,
}

/// Looks at one export: the verifier under test, or one that is broken on purpose.
pub trait Verifier {
    /// What is found in it. `copied` are checkpoints kept elsewhere.
    ///
    /// # Errors
    /// When the export cannot be read at all.
    fn verify(&self, export: &[u8], key: &PublicKey, copied: &[Checkpoint]) -> io::Result<Found>;
}

/// The product's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ours;

impl Verifier for Ours {
    fn verify(&self, export: &[u8], key: &PublicKey, copied: &[Checkpoint]) -> io::Result<Found> {
        export::verify(export, Some(key), copied, &Ed25519)
    }
}

/// A verifier that trusts the chain alone, as if no checkpoint had been signed: the negative control.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainAlone;

impl Verifier for ChainAlone {
    fn verify(&self, export: &[u8], key: &PublicKey, _: &[Checkpoint]) -> io::Result<Found> {
        let lines = export.split_inclusive(|byte| *byte == b'\n');
        let kept: Vec<u8> = lines
            .filter(|line| serde_json::from_slice::<Checkpoint>(line).is_err())
            .flatten()
            .copied()
            .collect();
        export::verify(&kept[..], Some(key), &[], &Ed25519)
    }
}

/// What came of one way to tamper.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    tried: u64,
    missed: u64,
    misplaced: u64,
}

/// What came of all of them.
#[derive(Debug, Default)]
pub struct Tally {
    of: BTreeMap<Tampering, Count>,
    /// Untouched records, and how many of them were called broken.
    whole: (u64, u64),
    /// Exports both verifiers looked at, and where they did not say the same.
    compared: (u64, u64),
    first: Option<String>,
}

impl Tally {
    /// Tamperings tried.
    #[must_use]
    pub fn tried(&self) -> u64 {
        self.of.values().map(|count| count.tried).sum()
    }

    /// Tampered exports called whole.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.of.values().map(|count| count.missed).sum()
    }

    /// Tamperings found and put in another place than where they were.
    #[must_use]
    pub fn misplaced(&self) -> u64 {
        self.of.values().map(|count| count.misplaced).sum()
    }

    /// Missed ones among those that hashes alone cannot show, and how many of those were tried.
    #[must_use]
    pub fn missed_behind_checkpoints(&self) -> (u64, u64) {
        let behind = self.of.iter().filter(|(how, _)| how.needs_checkpoints());
        behind.fold((0, 0), |(missed, tried), (_, count)| {
            (missed + count.missed, tried + count.tried)
        })
    }

    /// Untouched records that were called broken.
    #[must_use]
    pub fn falsely_broken(&self) -> u64 {
        self.whole.1
    }

    /// Exports both verifiers looked at, and how many of them they judged differently.
    #[must_use]
    pub fn compared(&self) -> (u64, u64) {
        self.compared
    }

    /// The first thing that was wrong, to be looked at.
    #[must_use]
    pub fn first_wrong(&self) -> Option<&str> {
        self.first.as_deref()
    }

    fn wrong(&mut self, what: impl FnOnce() -> String) {
        if self.first.is_none() {
            self.first = Some(what());
        }
    }
}

/// Tampers `tamperings` times with records of many sizes; `second` of them are shown to the second verifier too.
///
/// # Errors
/// When a file of the second verifier cannot be written, or it has died.
pub fn tampered(
    verifier: &dyn Verifier,
    seed: u64,
    tamperings: usize,
    second: usize,
) -> io::Result<Tally> {
    let mut chance = Chance::seeded(seed);
    let mut tally = Tally::default();
    let folder = tempfile::tempdir()?;
    let mut python = if second > 0 {
        Second::start(folder.path())
    } else {
        None
    };
    let mut records = Vec::new();
    for n in 0..tamperings {
        if n % 1_000 == 0 {
            records = (0..RECORDS.min(tamperings / 8 + 1))
                .map(|_| {
                    let entries = chance.between(4, 90);
                    Record::grow(&mut chance, entries)
                })
                .collect();
            for record in &records {
                let export = untouched(record);
                let found = verifier.verify(&export, &record.key(), &[])?;
                tally.whole.0 += 1;
                if !found.is_whole() || found.covered != record.covered() as u64 {
                    tally.whole.1 += 1;
                    tally.wrong(|| format!("untouched: {}", said(&found)));
                }
            }
        }
        let how = Tampering::ALL[n % Tampering::ALL.len()];
        let record = chance.pick(&records);
        let tampered = tamper(record, how, &mut chance);
        let key = record.key();
        let found = verifier.verify(&tampered.export, &key, &tampered.copied)?;
        judge(&mut tally, how, &tampered, &found);
        // It takes no copies, so it is not asked about what only they show.
        if let Some(python) = python
            .as_mut()
            .filter(|_| tampered.copied.is_empty() && chance.below(tamperings) < second)
        {
            let theirs = python.says(&tampered.export, &key)?;
            tally.compared.0 += 1;
            if theirs != said(&found) {
                tally.compared.1 += 1;
                tally.wrong(|| format!("{how:?}: ours {}, theirs {theirs}", said(&found)));
            }
        }
    }
    Ok(tally)
}

fn judge(tally: &mut Tally, how: Tampering, tampered: &Tampered, found: &Found) {
    let count = tally.of.entry(how).or_default();
    count.tried += 1;
    match found.fault {
        None => count.missed += 1,
        Some(fault) if tampered.expected.contains(&(fault.kind, fault.at)) => return,
        Some(_) => count.misplaced += 1,
    }
    let expected = &tampered.expected;
    tally.wrong(|| format!("{how:?}: expected {expected:?}, found {}", said(found)));
}

/// A verdict in the words of the second verifier.
fn said(found: &Found) -> String {
    let (code, fault) = match found.fault {
        None => (0, "whole".to_owned()),
        Some(fault) => {
            let kind = serde_json::to_value(fault.kind).unwrap_or_default();
            let kind = kind.as_str().unwrap_or_default().to_owned();
            (3, format!("broken: {kind} at {}", fault.at))
        }
    };
    format!(
        "{code} {fault} entries={} checkpoints={} covered={} erased={}",
        found.entries, found.checkpoints, found.covered, found.erased
    )
}

/// The long form: tampering, the negative control, and the time a large record takes.
///
/// # Errors
/// When a scratch file cannot be written, or the second verifier has died.
pub fn run(options: &Options, seed: u64) -> io::Result<Verdict> {
    let machine = Machine::look(&std::env::temp_dir());
    let mut verdict = Verdict::new("audit", Some(seed), machine);
    let tally = tampered(&Ours, seed, options.tamperings, options.second)?;
    verdict.tell("tamperings tried", tally.tried());
    verdict.none("tampered exports called whole", tally.missed());
    verdict.none("faults found in another place", tally.misplaced());
    verdict.tell("untouched exports", tally.whole.0);
    verdict.none("untouched exports called broken", tally.falsely_broken());
    let (compared, differ) = tally.compared();
    verdict.tell("exports both verifiers looked at", compared);
    verdict.none("verdicts in which they differ", differ);
    if let Some(first) = tally.first_wrong() {
        verdict.note(format!("first: {first}"));
    }
    if compared == 0 {
        verdict.note("the second verifier was not asked: there is no python3 here");
    }
    let blind = tampered(&ChainAlone, seed, options.tamperings.min(2_000), 0)?;
    let (missed, behind) = blind.missed_behind_checkpoints();
    verdict.judge(
        "control: a verifier without checkpoints misses what only they show",
        format!("{missed} of {behind}"),
        "all",
        behind > 0 && missed == behind,
    );
    let large = million::verified(seed, options.entries)?;
    verdict.tell("entries of the large record", large.entries);
    verdict.tell("its size", format!("{} MiB", large.bytes >> 20));
    verdict.none("faults in it", u64::from(!large.is_whole));
    let what = "time to verify it";
    if cfg!(debug_assertions) || options.entries < 1_000_000 {
        verdict.tell(what, format!("{:.2} s", large.taken.as_secs_f64()));
    } else {
        verdict.at_most(
            what,
            large.taken.as_secs_f64(),
            IN_TIME.as_secs_f64() * options.entries as f64 / 1e6,
            "s",
        );
    }
    Ok(verdict)
}

/// A small record that is the same in every run: its key, its checkpoints, its entries.
#[must_use]
pub fn example() -> (PublicKey, Vec<Checkpoint>, Vec<AuditEntry>) {
    let record = Record::grow(&mut Chance::seeded(1), 7);
    (record.key(), record.checkpoints, record.entries)
}

/// Examples for `hostile`: exports, checkpoints, or stored entries of [`example`].
#[must_use]
pub fn examples(target: &str) -> Vec<Vec<u8>> {
    let record = Record::grow(&mut Chance::seeded(1), 7);
    let key = record.key();
    match target {
        "audit-export" => {
            let mut redacted = Record::grow(&mut Chance::seeded(1), 7);
            redacted
                .entries
                .iter_mut()
                .for_each(|entry| entry.openings.clear());
            let mut cut = Record::grow(&mut Chance::seeded(1), 7);
            cut.entries.truncate(cut.covered() - 1);
            vec![untouched(&record), untouched(&redacted), untouched(&cut)]
        }
        "audit-entry" => record.entries.iter().map(record::body_of).collect(),
        _ => {
            let one = |checkpoint: &Checkpoint| {
                format!("{}\n{}", checkpoint.size, checkpoint.note).into_bytes()
            };
            let copies: Vec<_> = (record.checkpoints.iter())
                .map(|checkpoint| format!("{}\n", checkpoint.note))
                .collect();
            let mut examples: Vec<_> = record.checkpoints.iter().map(one).collect();
            examples.push(format!("{key}\n{}", copies.concat()).into_bytes());
            examples
        }
    }
}
