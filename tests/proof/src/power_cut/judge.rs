//! Compares what a machine finds after a power cut with what was told before it, and with the provider's ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::PoisonError;

use rescind_core::audit::AuditEntry;
use rescind_core::audit::note::{self, Signer as _};
use rescind_core::engine::{Ended, EngineError};
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::{Job, JobState};
use rescind_core::store::{Store, StoreError};
use rescind_power_cut::{Disk, DiskOptions};
use rescind_store::verify;
use rusqlite::Connection;

use super::people::Ledger;
use super::witness::Told;
use super::world::{DATABASE, World, open, signer};

/// Which promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An accepted job that is gone, or that never ended.
    Lost,
    /// A success that the ledger does not know.
    False,
    /// Something was told and is not there.
    Forgotten,
    /// A call left, and nothing durable says that it was to.
    WithoutIntent,
    /// Somebody was called again although nothing was in flight.
    Repeated,
    /// The database does not open, or is not whole.
    Damaged,
    /// The audit does not verify, or a checkpoint is ahead of it.
    Record,
}

impl Kind {
    /// All of them, with what a verdict calls them.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Lost, "accepted jobs lost"),
        (Self::False, "successes that the ledger does not know"),
        (Self::Forgotten, "told before the cut and missing after it"),
        (Self::WithoutIntent, "calls without a durable intent"),
        (Self::Repeated, "repeats of what was not in flight"),
        (Self::Damaged, "databases that do not open or are not whole"),
        (Self::Record, "records that do not verify"),
    ];
}

/// A promise that was broken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Violation {
    /// Which.
    pub kind: Kind,
    /// After which cut of the world, from 1.
    pub cut: u64,
    /// How it shows.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after cut {}: {:?}: {}", self.cut, self.kind, self.what)
    }
}

/// What is in a database.
struct Content {
    jobs: BTreeMap<JobKey, Job>,
    audit: Vec<AuditEntry>,
    counts:
        BTreeMap<OrderKey, BTreeMap<rescind_core::id::ProviderName, rescind_core::order::Counts>>,
}

#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) violations: Vec<Violation>,
    pub(super) jobs: u64,
    pub(super) calls: u64,
    pub(super) repeated: u64,
    /// For each account, at how many cuts a call for it was in flight.
    in_flight: BTreeMap<String, u64>,
    jobs_in_flight: Vec<JobKey>,
    cut: u64,
}

impl Judge {
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.values().sum()
    }

    /// Remembers what was under way.
    pub(super) fn power_failed(&mut self, world: &World) {
        let mut told = world.told.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = std::mem::take(&mut told.in_flight);
        self.jobs_in_flight = under_way.into_iter().collect();
    }

    /// Looks at what a machine finds when the power is back, before anybody works.
    pub(super) async fn look(&mut self, world: &World, found: &[(String, Vec<u8>)], cut: u64) {
        self.cut = cut;
        let disk = Disk::of(found, DiskOptions::default());
        if let Err(error) = is_whole(&disk) {
            self.say(Kind::Damaged, error);
            return;
        }
        let content = match self.read(world, &disk).await {
            Ok(content) => content,
            Err(error) => return self.say(Kind::Damaged, error.to_string()),
        };
        let told = world.told.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = world.people.ledger();
        for job in std::mem::take(&mut self.jobs_in_flight) {
            if let Some(job) = content.jobs.get(&job) {
                *self.in_flight.entry(account(job)).or_default() += 1;
            }
        }
        self.remembers(&told, &content);
        self.told_the_truth(&content, &ledger);
        self.meant_it(&content, &ledger);
    }

    /// Looks at what is there when everything should be over.
    pub(super) async fn end(
        &mut self,
        world: &World,
        disk: &Disk,
        ended: Result<Option<Ended>, EngineError>,
        cut: u64,
    ) {
        self.cut = cut;
        match ended {
            Ok(Some(Ended::Finished)) => {}
            other => self.say(
                Kind::Lost,
                format!("the orders were not finished: {other:?}"),
            ),
        }
        let content = match self.read(world, disk).await {
            Ok(content) => content,
            Err(error) => return self.say(Kind::Damaged, error.to_string()),
        };
        let told = world.told.lock().unwrap_or_else(PoisonError::into_inner);
        let ledger = world.people.ledger();
        self.remembers(&told, &content);
        self.told_the_truth(&content, &ledger);
        self.meant_it(&content, &ledger);
        self.came_to_its_end(world, &content);
        self.nobody_was_called_in_vain(world, &content, &ledger);
    }

    fn say(&mut self, kind: Kind, what: impl Into<String>) {
        let what = what.into();
        self.violations.push(Violation {
            kind,
            cut: self.cut,
            what,
        });
    }

    /// Reads everything, and verifies the record.
    async fn read(&mut self, world: &World, disk: &Disk) -> Result<Content, StoreError> {
        let store = open(disk, &world.clock, None)?;
        let mut content = Content {
            jobs: BTreeMap::new(),
            audit: store.audit(0, usize::MAX >> 1).await?,
            counts: BTreeMap::new(),
        };
        for order in store.orders(None, 1_000).await? {
            let jobs = store.jobs(order.key, &[], None, 1_000).await?;
            let recounted = store.recount(order.key).await?;
            if recounted != order.counts || !recounted.balances() {
                let what = format!(
                    "the books say {:?} and there are {recounted:?}",
                    order.counts
                );
                self.say(Kind::Damaged, what);
            }
            content.counts.insert(
                order.key,
                store.counts(order.key).await?.into_iter().collect(),
            );
            content
                .jobs
                .extend(jobs.into_iter().map(|job| (job.key, job)));
        }
        let text = std::fs::read_to_string(&world.copy).unwrap_or_default();
        let copied = note::read_copies(&text).unwrap_or_else(|| {
            self.say(Kind::Record, "the copied checkpoints cannot be read");
            Vec::new()
        });
        let key = note::PublicKey::new(signer().public_key());
        let (verdict, mismatch) = verify(&store, &key, copied, world.clock.now()).await?;
        if let Some(fault) = verdict.fault {
            self.say(Kind::Record, fault.to_string());
        }
        if let Some(mismatch) = mismatch {
            self.say(Kind::Record, mismatch.to_string());
        }
        Ok(content)
    }

    /// Everything that was told is there.
    fn remembers(&mut self, told: &Told, content: &Content) {
        for (order, (jobs, _)) in &told.accepted {
            let there = content
                .jobs
                .keys()
                .filter(|job| job.order() == *order)
                .count() as u64;
            if there != *jobs {
                let what = format!("order {order:?} was accepted with {jobs} jobs and has {there}");
                self.say(Kind::Lost, what);
            }
        }
        for (job, state) in &told.ended {
            let found = content.jobs.get(job).map(|job| job.state);
            if found != Some(*state) {
                self.say(
                    Kind::Forgotten,
                    format!("{job:?} was told {state:?} and is {found:?}"),
                );
            }
        }
        for (job, state) in &told.evidence {
            let found = content.jobs.get(job).map(|job| job.evidence);
            if found != Some(*state) {
                let what = format!("the evidence of {job:?} was told {state:?} and is {found:?}");
                self.say(Kind::Forgotten, what);
            }
        }
        for ((order, provider), counts) in &told.counts {
            let now = content.counts.get(order).and_then(|by| by.get(provider));
            let kept = now.is_some_and(|now| {
                now.accepted == counts.accepted
                    && now.confirmed >= counts.confirmed
                    && now.gone >= counts.gone
                    && now.refused >= counts.refused
            });
            if !kept {
                self.say(
                    Kind::Forgotten,
                    format!("{counts:?} was counted and there is {now:?}"),
                );
            }
        }
        let meant = intents(content);
        for (job, calls) in &told.calls {
            let written = meant.get(job).copied().unwrap_or(0);
            if written < *calls {
                let what =
                    format!("{job:?} was given leave to call {calls} times, {written} are written");
                self.say(Kind::Forgotten, what);
            }
        }
    }

    /// Nothing says confirmed that the provider did not do since the order was accepted.
    fn told_the_truth(&mut self, content: &Content, ledger: &Ledger) {
        let accepted: BTreeMap<&str, _> = content
            .audit
            .iter()
            .filter(|entry| entry.action == "order_accepted")
            .filter_map(|entry| Some((entry.order.as_deref()?, entry.at)))
            .collect();
        for job in content.jobs.values() {
            if job.state != JobState::Confirmed {
                continue;
            }
            let since = accepted.get(job.order.to_string().as_str()).copied();
            let done = ledger.get(&account(job)).is_some_and(|calls| {
                calls
                    .iter()
                    .any(|call| call.effect && since.is_some_and(|since| call.at >= since))
            });
            if !done {
                let calls = ledger.get(&account(job));
                let what = format!(
                    "{job:?}, accepted at {since:?}, is confirmed; the provider has {calls:?}"
                );
                self.say(Kind::False, what);
            }
        }
    }

    /// Every call that the provider received is in the record.
    fn meant_it(&mut self, content: &Content, ledger: &Ledger) {
        let mut meant: BTreeMap<String, u64> = BTreeMap::new();
        for (job, times) in intents(content) {
            if let Some(job) = content.jobs.get(&job) {
                *meant.entry(account(job)).or_default() += times;
            }
        }
        for (account, calls) in ledger {
            let written = meant.get(account).copied().unwrap_or(0);
            if (calls.len() as u64) > written {
                let calls = calls.len();
                let what = format!("{account} was called {calls} times, {written} are written");
                self.say(Kind::WithoutIntent, what);
            }
        }
    }

    fn came_to_its_end(&mut self, world: &World, content: &Content) {
        self.jobs = content.jobs.len() as u64;
        for job in content.jobs.values() {
            let manner = world.people.manners.get(&account(job));
            let wanted = manner.map(|manner| manner.ends_as());
            if wanted != Some(job.state) {
                let what = format!("{:?} ends as {:?}, and {manner:?}", job.key, job.state);
                self.say(Kind::Lost, what);
            }
        }
    }

    /// One call a job, one more for each cut at which it was in flight, and those that the provider made necessary.
    fn nobody_was_called_in_vain(&mut self, world: &World, content: &Content, ledger: &Ledger) {
        let mut jobs: BTreeMap<String, u64> = BTreeMap::new();
        for job in content.jobs.values() {
            *jobs.entry(account(job)).or_default() += 1;
        }
        for (account, calls) in ledger {
            let calls = calls.len() as u64;
            let jobs = jobs.get(account).copied().unwrap_or(0);
            let in_flight = self.in_flight.get(account).copied().unwrap_or(0);
            let Some(manner) = world.people.manners.get(account) else {
                continue;
            };
            let needed = jobs + manner.more_calls(jobs * (1 + world.runs));
            self.calls += calls;
            self.repeated += calls.saturating_sub(needed);
            if calls > needed + in_flight {
                let what = format!(
                    "{account} was called {calls} times for {jobs} jobs, {in_flight} in flight, {manner:?}"
                );
                self.say(Kind::Repeated, what);
            }
        }
    }
}

/// How many attempts with a call the record has of each job.
fn intents(content: &Content) -> BTreeMap<JobKey, u64> {
    let mut intents = BTreeMap::new();
    for entry in &content.audit {
        if entry.action == "attempts_started" {
            for job in &entry.jobs {
                *intents.entry(JobKey::from_u64(*job)).or_default() += 1;
            }
        }
    }
    intents
}

/// The account of a job: what stands before the `@`.
fn account(job: &Job) -> String {
    let subject = job.subject.as_deref().unwrap_or_default();
    subject.split('@').next().unwrap_or_default().to_owned()
}

fn is_whole(disk: &Disk) -> Result<(), String> {
    let check = || -> rusqlite::Result<BTreeSet<String>> {
        let conn = Connection::open(disk.uri(DATABASE))?;
        let mut said = BTreeSet::new();
        for pragma in ["PRAGMA integrity_check", "PRAGMA foreign_key_check"] {
            let mut rows = conn.prepare(pragma)?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                said.insert(row.get::<_, String>(0)?);
            }
        }
        Ok(said)
    };
    match check() {
        Err(error) => Err(error.to_string()),
        Ok(said) if said.iter().eq(["ok"]) => Ok(()),
        Ok(said) => Err(format!("{said:?}")),
    }
}
