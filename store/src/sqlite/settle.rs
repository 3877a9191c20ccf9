//! From running to wherever the provider's answer leads.

use rescind_core::audit::entry;
use rescind_core::error::ErrorKind;
use rescind_core::id::JobKey;
use rescind_core::job::{JobState, WaitReason};
use rescind_core::report::{Detail, EvidenceState};
use rescind_core::store::{Next, Settlement, StoreError};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde_json::Value;

use super::ledger::Draft;
use super::rows::{evidence_number, job_id, micros, state_name, state_number, why_number};
use super::running::{OPEN_JOB, OpenJob, Proof};
use super::story::{is_shareable, text};
use super::txn::Txn;
use super::writer::{Fault, Outcome};

/// A settlement with its texts made ready by the caller's thread.
pub(super) struct Settled {
    settlement: Settlement,
    /// The detail, unless the job ends with a story that its row may share.
    detail: Option<String>,
    outcome: String,
    audit_detail: Option<String>,
}

impl Settled {
    pub(super) fn new(settlement: Settlement) -> Result<Self, StoreError> {
        let shares = settlement.next.state().is_terminal() && is_shareable(&settlement.detail);
        let detail = if shares {
            None
        } else {
            Some(text(&settlement.detail)?)
        };
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
#[derive(Serialize)]
struct Kept<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_with: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor_code: Option<&'a str>,
}

fn audit_detail(detail: &Detail) -> Option<String> {
    let Detail {
        error,
        vendor_request_id,
        shared_with,
        ..
    } = detail;
    if error.is_none() && vendor_request_id.is_none() && shared_with.is_none() {
        return None;
    }
    let error = error.as_ref();
    let kept = Kept {
        error: error.map(|error| error.kind),
        operation: error.map(|error| error.operation.as_str()),
        request_id: vendor_request_id.as_deref(),
        shared_with: *shared_with,
        vendor_code: error.and_then(|error| error.vendor_code.as_deref()),
    };
    serde_json::to_string(&kept).ok()
}

/// The statements that each outcome needs, looked up once for all of a batch.
struct Statements<'c> {
    delete: CachedStatement<'c>,
    done: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(conn: &'c Connection) -> Outcome<Self> {
        Ok(Self {
            delete: conn
                .prepare_cached("DELETE FROM open WHERE id = ?1 AND state = 1 AND token = ?2")?,
            done: conn.prepare_cached(
                "INSERT INTO done(id, state, at, attempts, called, evidence, started_at, effective_by,
                   provider_time, resolved_id, resolved_name, detail, provider, binding, proof_due, story, request_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
        })
    }
}

impl Txn<'_> {
    pub(super) fn settle(&mut self, settlements: &[Settled]) -> Outcome<Vec<bool>> {
        let mut statements = Statements::prepare(self.conn)?;
        settlements
            .iter()
            .map(|settled| self.settle_one(settled, &mut statements))
            .collect()
    }

    fn settle_one(&mut self, settled: &Settled, statements: &mut Statements<'_>) -> Outcome<bool> {
        let Settlement {
            job,
            token,
            next,
            used_attempt,
            ..
        } = &settled.settlement;
        let token = token.0.cast_signed();
        let known = self.memory.runs.end(job.as_u64(), token);
        let Some(mut running) = (match known {
            Some(running) => Some(running),
            None => self.running_job(*job, token)?,
        }) else {
            return Ok(false);
        };
        running.attempts += u32::from(*used_attempt);
        let order = self.memory.order(self.conn, job.order().0)?;
        let cancelled = order.as_ref().is_some_and(|order| order.cancelled);
        let state = if next.state().is_terminal() || !cancelled {
            next.state()
        } else {
            // The order was called off while the attempt ran: what would come back does not.
            JobState::Cancelled
        };
        let held = if state.is_terminal() {
            self.close_job(settled, state, &running, statements)?
        } else {
            self.put_back(settled, state, &running)?
        };
        if !held {
            return Ok(false);
        }
        self.moved(*job, running.binding, JobState::Running, next.state())?;
        if state != next.state() {
            self.moved(*job, running.binding, next.state(), state)?;
        }

        let provider = self.memory.provider_name(self.conn, running.provider)?;
        let committed = running
            .subject
            .as_ref()
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

    /// What the rows say of a running job that this process does not remember.
    fn running_job(&self, job: JobKey, token: i64) -> Outcome<Option<OpenJob>> {
        Ok(self
            .conn
            .prepare_cached(&format!(
                "SELECT {OPEN_JOB} FROM open o JOIN job j ON j.id = o.id
                 WHERE o.id = ?1 AND o.state = 1 AND o.token = ?2"
            ))?
            .query_row((job_id(job), token), OpenJob::read)
            .optional()?)
    }

    /// Writes a job that is to come back, if it still runs under its token.
    fn put_back(&self, settled: &Settled, state: JobState, running: &OpenJob) -> Outcome<bool> {
        let (due, why) = match &settled.settlement.next {
            Next::Waiting { until, why } => (Some(micros(*until)), Some(why_number(*why))),
            Next::Parked if settled.settlement.unknown => {
                (None, Some(why_number(WaitReason::Unknown)))
            }
            _ => (None, None),
        };
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE open SET state = ?3, due = ?4, why = ?5, attempts = ?6, account = NULL, detail = ?7
                 WHERE id = ?1 AND state = 1 AND token = ?2",
            )?
            .execute((
                job_id(settled.settlement.job),
                running.token,
                state_number(state),
                due,
                why,
                running.attempts,
                &settled.detail,
            ))?;
        Ok(changed == 1)
    }

    /// Writes a job's end, if it still runs under its token.
    fn close_job(
        &mut self,
        settled: &Settled,
        state: JobState,
        running: &OpenJob,
        statements: &mut Statements<'_>,
    ) -> Outcome<bool> {
        let job = settled.settlement.job;
        let id = job_id(job);
        if statements.delete.execute((id, running.token))? != 1 {
            return Ok(false);
        }
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
        let detail = &settled.settlement.detail;
        let story = match &settled.detail {
            None => self.memory.stories.of(self.conn, detail, running)?,
            Some(_) => None,
        };
        let told = match (&settled.detail, story) {
            (None, None) => Some(text(detail).map_err(Fault::Fatal)?),
            _ => None,
        };
        let proof = evidence_due.map(|due| (running.provider, running.binding, micros(due)));
        statements.done.execute(params![
            id,
            state_number(state),
            self.now,
            running.attempts,
            running.calls,
            evidence_number(evidence),
            running.started_at,
            effective_by,
            detail.provider_time.map(micros),
            running.account.id,
            running.account.name,
            settled.detail.as_ref().or(told.as_ref()),
            proof.map(|proof| proof.0),
            proof.map(|proof| proof.1),
            proof.map(|proof| proof.2),
            story,
            story.and(detail.vendor_request_id.as_ref()),
        ])?;
        if proof.is_some() {
            let proof = Proof {
                provider: running.provider,
                binding: running.binding,
            };
            self.memory.proofs.begin(job.as_u64(), proof);
            self.evidence(job, running.binding, 1);
        }
        if state == JobState::Confirmed
            && running.calls
            && running.whole
            && let Some(account) = &running.account.id
        {
            let seen = &mut self.memory.seen;
            let account = seen.account(running.provider, account);
            seen.add(account, job.as_u64());
        }
        Ok(true)
    }
}
