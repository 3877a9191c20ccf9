//! From running to wherever the provider's answer leads.

use rescind_core::audit::entry;
use rescind_core::job::{JobState, WaitReason};
use rescind_core::report::{Detail, EvidenceState};
use rescind_core::store::{Next, Settlement, StoreError};
use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value};

use super::ledger::Draft;
use super::rows::{evidence_number, job_id, micros, state_name, state_number, why_number};
use super::txn::Txn;
use super::writer::Outcome;

/// A settlement with its texts made ready by the caller's thread.
pub(super) struct Settled {
    settlement: Settlement,
    detail: String,
    outcome: String,
    audit_detail: Option<String>,
}

impl Settled {
    pub(super) fn new(settlement: Settlement) -> Result<Self, StoreError> {
        let detail = serde_json::to_string(&settlement.detail)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut outcome = state_name(settlement.next.state()).to_owned();
        if let Some(name) = settlement.detail.outcome
            && let Ok(Value::String(name)) = serde_json::to_value(name)
        {
            outcome.push(' ');
            outcome.push_str(&name);
        }
        Ok(Self {
            audit_detail: audit_detail(&settlement.detail),
            settlement,
            detail,
            outcome,
        })
    }
}

/// What the audit keeps of an attempt's story: nothing that names a person.
fn audit_detail(detail: &Detail) -> Option<String> {
    let mut kept = Map::new();
    if let Some(error) = &detail.error {
        if let Ok(kind) = serde_json::to_value(error.kind) {
            kept.insert("error".to_owned(), kind);
        }
        kept.insert("operation".to_owned(), error.operation.clone().into());
        if let Some(code) = &error.vendor_code {
            kept.insert("vendor_code".to_owned(), code.clone().into());
        }
    }
    if let Some(id) = &detail.vendor_request_id {
        kept.insert("request_id".to_owned(), id.clone().into());
    }
    if let Some(job) = detail.shared_with {
        kept.insert("shared_with".to_owned(), job.into());
    }
    (!kept.is_empty()).then(|| Value::Object(kept).to_string())
}

/// What a running job's rows say.
struct Running {
    provider: i64,
    binding: i64,
    attempts: u32,
    calls: bool,
    /// Whether it ends everything.
    whole: bool,
    started_at: Option<i64>,
    resolved: (Option<String>, Option<String>),
    subject: Option<String>,
    salt: Vec<u8>,
}

impl Txn<'_> {
    pub(super) fn settle(&mut self, settlements: &[Settled]) -> Outcome<Vec<bool>> {
        settlements
            .iter()
            .map(|settled| self.settle_one(settled))
            .collect()
    }

    fn settle_one(&mut self, settled: &Settled) -> Outcome<bool> {
        let Settlement {
            job,
            token,
            next,
            used_attempt,
            ..
        } = &settled.settlement;
        let id = job_id(*job);
        let token = token.0.cast_signed();
        let running = self
            .conn
            .prepare_cached(
                "SELECT o.provider, o.binding, o.attempts, o.calls, o.started_at,
                   coalesce(o.resolved_id, j.resolved_id), coalesce(o.resolved_name, j.resolved_name),
                   j.subject, j.salt, j.scope IS NULL
                 FROM open o JOIN job j ON j.id = o.id WHERE o.id = ?1 AND o.state = 1 AND o.token = ?2",
            )?
            .query_row((id, token), |row| {
                Ok(Running {
                    provider: row.get(0)?,
                    binding: row.get(1)?,
                    attempts: row.get(2)?,
                    calls: row.get(3)?,
                    started_at: row.get(4)?,
                    resolved: (row.get(5)?, row.get(6)?),
                    subject: row.get(7)?,
                    salt: row.get(8)?,
                    whole: row.get(9)?,
                })
            })
            .optional()?;
        let Some(mut running) = running else {
            return Ok(false);
        };
        running.attempts += u32::from(*used_attempt);
        let order = self.memory.order(self.conn, job.order().0)?;
        let cancelled = order.as_ref().is_some_and(|order| order.cancelled);

        self.moved(*job, running.binding, JobState::Running, next.state())?;
        let state = if next.state().is_terminal() || !cancelled {
            next.state()
        } else {
            // The order was called off while the attempt ran: what would come back does not.
            self.moved(*job, running.binding, next.state(), JobState::Cancelled)?;
            JobState::Cancelled
        };
        if state.is_terminal() {
            self.close_job(settled, state, &running)?;
        } else {
            let (due, why) = match next {
                Next::Waiting { until, why } => (Some(micros(*until)), Some(why_number(*why))),
                Next::Parked if settled.settlement.unknown => {
                    (None, Some(why_number(WaitReason::Unknown)))
                }
                _ => (None, None),
            };
            self.conn
                .prepare_cached(
                    "UPDATE open SET state = ?3, due = ?4, why = ?5, attempts = ?6, account = NULL, detail = ?7
                     WHERE id = ?1 AND state = 1 AND token = ?2",
                )?
                .execute((
                    id,
                    token,
                    state_number(state),
                    due,
                    why,
                    running.attempts,
                    &settled.detail,
                ))?;
        }

        let provider = self.memory.provider_name(self.conn, running.provider)?;
        let committed = running
            .subject
            .as_deref()
            .map(|subject| [("subject", entry::commit("subject", &running.salt, subject))]);
        self.append(&Draft {
            action: "job_settled",
            order: order.as_ref().map(|order| order.id.as_str()),
            jobs: &[job.as_u64()],
            provider: Some(&provider),
            outcome: Some(if state == next.state() {
                &settled.outcome
            } else {
                state_name(state)
            }),
            detail: settled.audit_detail.as_deref(),
            committed: committed.as_ref().map_or(&[], |one| &one[..]),
            personal: &[],
        })?;
        Ok(true)
    }

    fn close_job(&mut self, settled: &Settled, state: JobState, running: &Running) -> Outcome<()> {
        let job = settled.settlement.job;
        let id = job_id(job);
        self.conn
            .prepare_cached("DELETE FROM open WHERE id = ?1 AND state = 1 AND token = ?2")?
            .execute((id, settled.settlement.token.0.cast_signed()))?;
        let (effective_by, evidence_due, evidence) = match &settled.settlement.next {
            Next::Confirmed {
                effective_by,
                evidence_due,
                evidence,
            } => (Some(micros(*effective_by)), *evidence_due, *evidence),
            _ => (None, None, EvidenceState::None),
        };
        let evidence = if evidence_due.is_some() {
            EvidenceState::Pending
        } else {
            evidence
        };
        self.conn
            .prepare_cached(
                "INSERT INTO done(id, state, at, attempts, called, evidence, started_at, effective_by,
                   provider_time, resolved_id, resolved_name, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute((
                id,
                state_number(state),
                self.now,
                running.attempts,
                running.calls,
                evidence_number(evidence),
                running.started_at,
                effective_by,
                settled.settlement.detail.provider_time.map(micros),
                &running.resolved.0,
                &running.resolved.1,
                &settled.detail,
            ))?;
        if let Some(due) = evidence_due {
            self.conn
                .prepare_cached("INSERT INTO evidence(id, provider, due) VALUES (?1, ?2, ?3)")?
                .execute((id, running.provider, micros(due)))?;
            self.evidence(job, running.binding, 1);
        }
        if state == JobState::Confirmed
            && running.calls
            && running.whole
            && let Some(account) = &running.resolved.0
        {
            let seen = &mut self.memory.seen;
            let account = seen.account(running.provider, account);
            seen.add(account, job.as_u64());
        }
        Ok(())
    }
}
