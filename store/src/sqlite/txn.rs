//! One transaction of the writer: counters, claims and spending are summed up and written once at its end.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rescind_core::audit::note::Signer;
use rescind_core::clock::Clock;
use rescind_core::failpoint::Point;
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::JobState;
use rescind_core::store::StoreError;
use rusqlite::{CachedStatement, Connection};

use super::crossed::Crossed;
use super::ledger::{Draft, Head};
use super::memory::Memory;
use super::rows::{micros, state_number};
use super::writer::{Fault, Outcome};

/// The counter of pending evidence stands behind those of the states.
const EVIDENCE: usize = JobState::ALL.len();

/// What changed in the counters of one order at one provider.
type Deltas = [i64; EVIDENCE + 1];

/// A transaction under way.
pub(super) struct Txn<'a> {
    pub(super) conn: &'a Connection,
    pub(super) memory: &'a mut Memory,
    pub(super) signer: &'a dyn Signer,
    pub(super) head: Head,
    /// Appends to the record.
    pub(super) audit_row: CachedStatement<'a>,
    clock: &'a dyn Clock,
    /// Now, in microseconds, and as the audit writes it.
    pub(super) now: i64,
    pub(super) now_text: String,
    deltas: HashMap<(u32, i64), Deltas>,
    /// Jobs whose attempts start with this commit, by provider.
    started: BTreeMap<i64, Vec<u64>>,
    spent: HashMap<(i64, i64, &'static str), u32>,
    /// What this transaction changes, as far as it can be cut off.
    pub(super) crossed: Crossed,
}

impl<'a> Txn<'a> {
    pub(super) fn begin(
        conn: &'a Connection,
        memory: &'a mut Memory,
        signer: &'a dyn Signer,
        clock: &'a dyn Clock,
    ) -> Outcome<Self> {
        memory.refresh(conn)?;
        let mut txn = Self {
            conn,
            memory,
            signer,
            head: Head::load(conn)?,
            audit_row: conn
                .prepare_cached("INSERT INTO audit(seq, hash, body) VALUES (?1, ?2, ?3)")?,
            clock,
            now: 0,
            now_text: String::new(),
            deltas: HashMap::new(),
            started: BTreeMap::new(),
            spent: HashMap::new(),
            crossed: Crossed::default(),
        };
        txn.tick();
        Ok(txn)
    }

    /// Looks at the clock again. Durable times are whole microseconds.
    pub(super) fn tick(&mut self) {
        let now = micros(self.clock.now());
        if now != self.now {
            self.now = now;
            self.now_text = self.timestamp().to_string();
        }
    }

    /// Now.
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::from_microsecond(self.now).unwrap_or(Timestamp::MAX)
    }

    /// A job has come into being in a state.
    pub(super) fn counted(&mut self, order: OrderKey, binding: i64, state: JobState) {
        self.delta(order, binding)[state_number(state) as usize] += 1;
    }

    /// A job has moved. There are no edges but those of [`JobState::may_become`].
    pub(super) fn moved(
        &mut self,
        job: JobKey,
        binding: i64,
        from: JobState,
        to: JobState,
    ) -> Outcome<()> {
        if !from.may_become(to) {
            return Err(Fault::Fatal(StoreError::Corrupt(format!(
                "a job cannot move from {from:?} to {to:?}"
            ))));
        }
        self.crossed.passes(Point::Moved(from, to))?;
        let delta = self.delta(job.order(), binding);
        delta[state_number(from) as usize] -= 1;
        delta[state_number(to) as usize] += 1;
        Ok(())
    }

    /// Evidence of a job became pending (1) or was settled (-1).
    pub(super) fn evidence(&mut self, job: JobKey, binding: i64, change: i64) {
        self.delta(job.order(), binding)[EVIDENCE] += change;
    }

    fn delta(&mut self, order: OrderKey, binding: i64) -> &mut Deltas {
        self.deltas
            .entry((order.0, binding))
            .or_insert([0; EVIDENCE + 1])
    }

    /// An attempt with a call starts with this commit.
    pub(super) fn starts(&mut self, provider: i64, job: JobKey) {
        self.started.entry(provider).or_default().push(job.as_u64());
    }

    /// An attempt draws from a budget in this second.
    pub(super) fn spends(&mut self, provider: i64, budget: &'static str, units: u32) {
        let second = self.now.div_euclid(1_000_000);
        *self.spent.entry((provider, second, budget)).or_insert(0) += units;
    }

    /// Writes the counters that changed.
    pub(super) fn flush_counters(&mut self) -> Outcome<()> {
        let conn = self.conn;
        let mut binding = conn.prepare_cached(
            "UPDATE binding SET pending = pending + ?3, running = running + ?4, waiting = waiting + ?5,
               parked = parked + ?6, confirmed = confirmed + ?7, gone = gone + ?8, refused = refused + ?9,
               cancelled = cancelled + ?10, evidence = evidence + ?11
             WHERE ord = ?1 AND idx = ?2",
        )?;
        let mut order = conn.prepare_cached(
            "UPDATE orders SET open = open + ?2 WHERE key = ?1 AND accepted_at IS NOT NULL",
        )?;
        for ((key, idx), d) in self.deltas.drain() {
            binding.execute((
                key, idx, d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8],
            ))?;
            let open = d[0] + d[1] + d[2];
            if open != 0 {
                order.execute((key, open))?;
            }
        }
        Ok(())
    }

    /// Everything that a commit writes once, and a checkpoint when one is due.
    pub(super) fn close(&mut self) -> Outcome<()> {
        self.flush_counters()?;
        for (provider, jobs) in std::mem::take(&mut self.started) {
            let name = self.memory.provider_name(self.conn, provider)?;
            self.append(&Draft {
                action: "attempts_started",
                jobs: &jobs,
                provider: Some(&name),
                ..Draft::default()
            })?;
        }
        let mut spend = self.conn.prepare_cached(
            "INSERT INTO spend(provider, at, budget, units) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET units = units + excluded.units",
        )?;
        for ((provider, second, budget), units) in self.spent.drain() {
            spend.execute((provider, second, budget, units))?;
        }
        drop(spend);
        self.memory.seen.close(self.conn)?;
        self.sign_if_due()
    }
}
