//! What a worker finds at its start: attempts without an end, cancellations without an end.

use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::{JobState, WaitReason};
use rescind_core::store::Act;

use super::ledger::Draft;
use super::rows::{evidence_number, job_id, job_key, job_range, state, state_number, why_number};
use super::txn::Txn;
use super::writer::Outcome;
use rescind_core::report::EvidenceState;

/// How many jobs move in one transaction.
pub(super) const CHUNK: usize = 5_000;

impl Txn<'_> {
    /// Makes the next running jobs wait, due now. An attempt that called is unknown; one that was only to be settled
    /// is as unknown as the call before it, or has never called at all.
    pub(super) fn rescue(&mut self) -> Outcome<u64> {
        let conn = self.conn;
        let mut rows = conn.prepare_cached(
            "SELECT id, binding, started_at IS NOT NULL, calls FROM open WHERE state = 1 LIMIT ?1",
        )?;
        let found: Vec<(i64, i64, bool, bool)> = rows
            .query_map([CHUNK], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut update = conn.prepare_cached(
            "UPDATE open SET state = 2, due = ?2, why = ?3, attempts = attempts + ?4, account = NULL
             WHERE id = ?1 AND state = 1",
        )?;
        let mut jobs = Vec::with_capacity(found.len());
        for (id, binding, called, calls) in found {
            let why = if called {
                WaitReason::Unknown
            } else {
                WaitReason::Lane
            };
            update.execute((id, self.now, why_number(why), calls))?;
            let job = job_key(id);
            self.moved(job, binding, JobState::Running, JobState::Waiting)?;
            jobs.push(job.as_u64());
        }
        if !jobs.is_empty() {
            self.append(&Draft {
                action: "attempts_rescued",
                jobs: &jobs,
                outcome: Some("waiting"),
                ..Draft::default()
            })?;
        }
        Ok(jobs.len() as u64)
    }

    /// Orders whose cancellation has not come to its end.
    pub(super) fn cancelling(&mut self) -> Outcome<Vec<OrderKey>> {
        let mut rows = self.conn.prepare_cached(
            "SELECT key FROM orders d WHERE cancelled AND EXISTS (
               SELECT 1 FROM open WHERE id >= d.key << 32 AND id < (d.key + 1) << 32 AND state <> 1)",
        )?;
        let keys = rows.query_map([], |row| row.get(0).map(OrderKey))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Writes the next pending, waiting and parked jobs of a cancelled order off. Answers the last one and how many.
    pub(super) fn cancel_chunk(
        &mut self,
        order: OrderKey,
        after: Option<JobKey>,
    ) -> Outcome<(Option<JobKey>, u64)> {
        let conn = self.conn;
        let (first, last) = job_range(order);
        let mut rows = conn.prepare_cached(
            "SELECT id, binding, state FROM open WHERE id > ?1 AND id <= ?2 AND state <> 1 ORDER BY id LIMIT ?3",
        )?;
        let found: Vec<(i64, i64, i64)> = rows
            .query_map((after.map_or(first - 1, job_id), last, CHUNK), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut copy = conn.prepare_cached(
            "INSERT INTO done(id, state, at, attempts, called, evidence, started_at, resolved_id, resolved_name, detail)
             SELECT o.id, ?2, ?3, o.attempts, 0, ?4, o.started_at, coalesce(o.resolved_id, j.resolved_id),
               coalesce(o.resolved_name, j.resolved_name), o.detail
             FROM open o JOIN job j ON j.id = o.id WHERE o.id = ?1",
        )?;
        let mut delete = conn.prepare_cached("DELETE FROM open WHERE id = ?1 AND state <> 1")?;
        let mut jobs = Vec::with_capacity(found.len());
        for (id, binding, from) in found {
            copy.execute((
                id,
                state_number(JobState::Cancelled),
                self.now,
                evidence_number(EvidenceState::None),
            ))?;
            delete.execute([id])?;
            let job = job_key(id);
            self.moved(job, binding, state(from)?, JobState::Cancelled)?;
            jobs.push(job.as_u64());
        }
        let end = jobs.last().map(|id| JobKey::from_u64(*id));
        if end.is_some() {
            let facts = self.memory.order(conn, order.0)?;
            self.append(&Draft {
                action: "jobs_cancelled",
                order: facts.as_ref().map(|facts| facts.id.as_str()),
                jobs: &jobs,
                outcome: Some("cancelled"),
                ..Draft::default()
            })?;
        }
        Ok((end, jobs.len() as u64))
    }

    /// Makes the next parked jobs pending, with the act in the record. Answers the last one and how many.
    pub(super) fn unpark_chunk(
        &mut self,
        order: Option<OrderKey>,
        after: Option<JobKey>,
        act: &Act,
    ) -> Outcome<(Option<JobKey>, u64)> {
        let conn = self.conn;
        let (first, last) = order.map_or((0, i64::MAX), job_range);
        let mut rows = conn.prepare_cached(
            "SELECT o.id, o.binding FROM open o JOIN orders d ON d.key = o.id >> 32
             WHERE o.state = 3 AND o.id > ?1 AND o.id <= ?2 AND NOT d.cancelled ORDER BY o.id LIMIT ?3",
        )?;
        let found: Vec<(i64, i64)> = rows
            .query_map((after.map_or(first - 1, job_id), last, CHUNK), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut update =
            conn.prepare_cached("UPDATE open SET state = 0 WHERE id = ?1 AND state = 3")?;
        let mut jobs = Vec::with_capacity(found.len());
        for (id, binding) in found {
            update.execute([id])?;
            let job = job_key(id);
            self.moved(job, binding, JobState::Parked, JobState::Pending)?;
            jobs.push(job.as_u64());
        }
        let end = jobs.last().map(|id| JobKey::from_u64(*id));
        if end.is_some() {
            self.append_act(act, &jobs, "")?;
        }
        Ok((end, jobs.len() as u64))
    }
}
