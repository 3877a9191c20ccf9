//! Staging and acceptance.

use jiff::Timestamp;
use rescind_core::failpoint::Point;
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::JobState;
use rescind_core::order::OrderDraft;
use rescind_core::provider::Scope;
use rescind_core::store::{Acceptance, StagedJob, StoreError};
use rusqlite::OptionalExtension as _;

use super::ledger::{Draft, salts};
use super::rows::{evidence_number, job_id, job_range, micros, state_number};
use super::txn::Txn;
use super::writer::{Fault, Outcome};
use rescind_core::report::EvidenceState;

/// Jobs refused while planning are named in entries of so many.
const REFUSED_CHUNK: i64 = 1_000;

/// Rows of a dropped plan that go in one transaction.
pub(super) const DROP_CHUNK: i64 = 10_000;

/// A job to be staged, with its texts made ready by the caller's thread.
pub(super) struct Staged {
    job: StagedJob,
    scope: Option<String>,
    refused: Option<String>,
}

impl Staged {
    pub(super) fn new(job: StagedJob) -> Result<Self, StoreError> {
        let text = |json: serde_json::Result<String>| {
            json.map_err(|error| StoreError::Corrupt(error.to_string()))
        };
        Ok(Self {
            scope: match &job.scope {
                Scope::Everything => None,
                items @ Scope::Items(_) => Some(text(serde_json::to_string(items))?),
            },
            refused: match &job.refused {
                None => None,
                Some(detail) => Some(text(serde_json::to_string(detail))?),
            },
            job,
        })
    }
}

impl Txn<'_> {
    pub(super) fn begin_order(&mut self, draft: &OrderDraft) -> Outcome<OrderKey> {
        let known = self
            .conn
            .prepare_cached("SELECT 1 FROM orders WHERE id = ?1")?
            .exists([draft.id.as_uuid().as_bytes()])?;
        if known {
            return Err(Fault::Refused(StoreError::NotStaged));
        }
        self.conn.execute(
            "INSERT INTO orders(id, note, reference, actor, authenticated_by, urgent, verify, retry_of, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                draft.id.as_uuid().as_bytes(),
                draft.note.as_str(),
                &draft.reference,
                &draft.actor.name,
                &draft.actor.authenticated_by,
                draft.urgent,
                draft.verify,
                draft.retry_of.map(|id| *id.as_uuid().as_bytes()),
                self.now,
            ),
        )?;
        let key = u32::try_from(self.conn.last_insert_rowid())
            .map_err(|_| Fault::Fatal(StoreError::Corrupt("too many orders".to_owned())))?;
        for (idx, binding) in draft.bindings.iter().enumerate() {
            let provider = self.memory.provider(self.conn, binding.provider.as_str())?;
            self.conn.execute(
                "INSERT INTO binding(ord, idx, provider, kind, vendor_tenant) VALUES (?1, ?2, ?3, ?4, ?5)",
                (key, idx, provider, &binding.kind, &binding.vendor_tenant),
            )?;
        }
        Ok(OrderKey(key))
    }

    pub(super) fn stage(&mut self, order: OrderKey, jobs: &[Staged]) -> Outcome<()> {
        self.crossed.passes(Point::Staged)?;
        let staged = self.staged(order)?;
        let bindings = self.providers_of(order)?;
        if jobs
            .iter()
            .any(|staged| usize::from(staged.job.binding) >= bindings.len())
        {
            return Err(Fault::Refused(StoreError::Corrupt(
                "a job names a provider that its order does not".to_owned(),
            )));
        }
        let mut salts = salts(jobs.len())?;
        let conn = self.conn;
        let mut job_row = conn.prepare_cached(
            "INSERT INTO job(id, binding, subject, salt, alias, scope, resolved_id, resolved_name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let mut open_row = conn.prepare_cached(
            "INSERT INTO open(id, provider, binding, state) VALUES (?1, ?2, ?3, 0)",
        )?;
        let mut done_row = conn.prepare_cached(
            "INSERT INTO done(id, state, at, attempts, called, evidence, detail)
             VALUES (?1, ?2, ?3, 0, 0, ?4, ?5)",
        )?;
        let count = jobs.len() as u64;
        for (place, (staged_job, salt)) in jobs.iter().zip(salts.chunks_exact_mut(16)).enumerate() {
            let seq = u32::try_from(staged + place as u64).map_err(|_| {
                Fault::Fatal(StoreError::Corrupt("too many jobs in one order".to_owned()))
            })?;
            let Staged {
                job,
                scope,
                refused,
            } = staged_job;
            let key = JobKey::new(order, seq);
            let id = job_id(key);
            let binding = i64::from(job.binding);
            let provider = bindings[usize::from(job.binding)];
            job_row.execute((
                id,
                binding,
                &job.subject,
                &*salt,
                &job.alias,
                scope,
                job.resolved.as_ref().map(|resolved| &resolved.id),
                job.resolved.as_ref().map(|resolved| &resolved.name),
            ))?;
            if let Some(resolved) = &job.resolved {
                // Planning resolves few, so these go straight to the table that every process reads.
                let seen = &self.memory.seen;
                let mut hashes = vec![
                    seen.account(provider, &resolved.id),
                    seen.spelling(provider, &resolved.name),
                    seen.spelling(provider, &job.subject),
                ];
                hashes.extend(job.alias.iter().map(|alias| seen.spelling(provider, alias)));
                let mut insert = conn.prepare_cached(
                    "INSERT INTO seen(hash, job) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?;
                for hash in hashes {
                    insert.execute((hash, id))?;
                }
            }
            if refused.is_some() {
                let state = state_number(JobState::Refused);
                let none = evidence_number(EvidenceState::None);
                done_row.execute((id, state, self.now, none, refused))?;
                self.counted(order, binding, JobState::Refused);
            } else {
                open_row.execute((id, provider, binding))?;
                self.counted(order, binding, JobState::Pending);
            }
        }
        conn.prepare_cached("UPDATE orders SET staged = staged + ?2 WHERE key = ?1")?
            .execute((order.0, count.cast_signed()))?;
        Ok(())
    }

    /// How many jobs a staged order has.
    fn staged(&self, order: OrderKey) -> Outcome<u64> {
        let staged: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT staged FROM orders WHERE key = ?1 AND accepted_at IS NULL AND created_at > 0",
            )?
            .query_row([order.0], |row| row.get(0))
            .optional()?;
        staged
            .map(i64::cast_unsigned)
            .ok_or(Fault::Refused(StoreError::NotStaged))
    }

    fn providers_of(&self, order: OrderKey) -> Outcome<Vec<i64>> {
        let mut rows = self
            .conn
            .prepare_cached("SELECT provider FROM binding WHERE ord = ?1 ORDER BY idx")?;
        let providers = rows.query_map([order.0], |row| row.get(0))?;
        Ok(providers.collect::<Result<_, _>>()?)
    }

    pub(super) fn accept(
        &mut self,
        order: OrderKey,
        acceptance: &Acceptance,
    ) -> Outcome<Timestamp> {
        let staged = self.staged(order)?;
        if staged != acceptance.jobs {
            return Err(Fault::Refused(StoreError::PlanMismatch {
                planned: acceptance.jobs,
                staged,
            }));
        }
        self.crossed.passes(Point::Accepted)?;
        self.flush_counters()?;
        let open: i64 = self.conn.query_row(
            "SELECT coalesce(sum(pending), 0) FROM binding WHERE ord = ?1",
            [order.0],
            |row| row.get(0),
        )?;
        self.conn.execute(
            "UPDATE orders SET accepted_at = ?2, plan_hash = ?3, people = ?4, open = ?5 WHERE key = ?1",
            (
                order.0,
                self.now,
                &acceptance.plan_hash,
                acceptance.people.cast_signed(),
                open,
            ),
        )?;
        self.memory.forget_order(order.0);
        self.append_acceptance(order, acceptance, open)?;
        self.append_refused(order)?;
        Ok(self.timestamp())
    }

    fn append_acceptance(
        &mut self,
        order: OrderKey,
        acceptance: &Acceptance,
        open: i64,
    ) -> Outcome<()> {
        type Said = ([u8; 16], String, Option<String>, String, String, bool);
        let (id, note, reference, actor, authenticated_by, urgent): Said = self.conn.query_row(
            "SELECT id, note, reference, actor, authenticated_by, urgent FROM orders WHERE key = ?1",
            [order.0],
            |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            },
        )?;
        let mut personal = vec![("actor", actor.as_str()), ("note", note.as_str())];
        if let Some(reference) = &reference {
            personal.push(("reference", reference));
        }
        let detail = serde_json::json!({
            "authenticated_by": authenticated_by,
            "jobs": acceptance.jobs,
            "people": acceptance.people,
            "plan_hash": acceptance.plan_hash,
            "refused": acceptance.jobs - open.cast_unsigned(),
            "urgent": urgent,
        });
        self.append(&Draft {
            action: "order_accepted",
            order: Some(&super::rows::order_id(id).to_string()),
            detail: Some(&detail.to_string()),
            personal: &personal,
            ..Draft::default()
        })
    }

    /// Names the jobs that planning refused, by provider.
    fn append_refused(&mut self, order: OrderKey) -> Outcome<()> {
        let Some(facts) = self.memory.order(self.conn, order.0)? else {
            return Ok(());
        };
        let (first, last) = job_range(order);
        for (binding, provider) in self.providers_of(order)?.into_iter().enumerate() {
            let name = self.memory.provider_name(self.conn, provider)?;
            let mut after = first - 1;
            loop {
                let mut rows = self.conn.prepare_cached(
                    "SELECT d.id FROM done d JOIN job j ON j.id = d.id
                     WHERE d.id > ?1 AND d.id <= ?2 AND j.binding = ?3 ORDER BY d.id LIMIT ?4",
                )?;
                let jobs: Vec<u64> = rows
                    .query_map((after, last, binding, REFUSED_CHUNK), |row| {
                        row.get::<_, i64>(0)
                    })?
                    .map(|id| id.map(i64::cast_unsigned))
                    .collect::<Result<_, _>>()?;
                drop(rows);
                let Some(end) = jobs.last() else { break };
                after = end.cast_signed();
                self.append(&Draft {
                    action: "jobs_refused",
                    order: Some(&facts.id),
                    jobs: &jobs,
                    provider: Some(&name),
                    outcome: Some("refused"),
                    ..Draft::default()
                })?;
            }
        }
        Ok(())
    }

    /// Marks a staged order as dropped, so that a crash on the way leaves it to the next sweep.
    pub(super) fn drop_staged(&mut self, order: OrderKey) -> Outcome<()> {
        let marked = self.conn.execute(
            "UPDATE orders SET created_at = 0 WHERE key = ?1 AND accepted_at IS NULL",
            [order.0],
        )?;
        if marked == 0 {
            return Err(Fault::Refused(StoreError::NotStaged));
        }
        self.memory.forget_order(order.0);
        Ok(())
    }

    /// Deletes the next rows of a dropped order. Answers whether there are more.
    pub(super) fn drop_chunk(&mut self, order: OrderKey) -> Outcome<bool> {
        let dropped: Option<i64> = self
            .conn
            .query_row(
                "SELECT staged FROM orders WHERE key = ?1 AND accepted_at IS NULL AND created_at = 0",
                [order.0],
                |row| row.get(0),
            )
            .optional()?;
        let Some(staged) = dropped else {
            return Ok(false);
        };
        let (first, _) = job_range(order);
        let from = (staged - DROP_CHUNK).max(0);
        for table in ["job", "open", "done"] {
            self.conn
                .prepare_cached(&format!("DELETE FROM {table} WHERE id >= ?1 AND id < ?2"))?
                .execute((first + from, first + staged))?;
        }
        if from > 0 {
            self.conn
                .prepare_cached("UPDATE orders SET staged = ?2 WHERE key = ?1")?
                .execute((order.0, from))?;
            return Ok(true);
        }
        for statement in [
            "DELETE FROM binding WHERE ord = ?1",
            "DELETE FROM orders WHERE key = ?1",
        ] {
            self.conn.execute(statement, [order.0])?;
        }
        Ok(false)
    }

    /// Staged orders that nobody accepted since an instant, or that were dropped half.
    pub(super) fn abandoned(&mut self, before: Timestamp) -> Outcome<Vec<OrderKey>> {
        let mut rows = self.conn.prepare_cached(
            "SELECT key FROM orders WHERE accepted_at IS NULL AND created_at < ?1",
        )?;
        let keys = rows.query_map([micros(before)], |row| row.get(0).map(OrderKey))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }
}
