//! From pending to running, and back to pending from waiting.

use rescind_core::id::{ProviderName, Token};
use rescind_core::job::{JobState, Resolved};
use rescind_core::store::{Claim, Claimed, ReadyJob};
use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension as _};

use super::rows::{READY, job_id, job_key, micros, ready};
use super::running::{OPEN_JOB, OpenJob};
use super::txn::Txn;
use super::writer::Outcome;
use jiff::Timestamp;

/// The statements that each claim needs, looked up once for all of a batch.
struct Statements<'c> {
    pending: CachedStatement<'c>,
    start: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(conn: &'c Connection) -> Outcome<Self> {
        Ok(Self {
            pending: conn.prepare_cached(&format!(
                "SELECT {OPEN_JOB} FROM open o JOIN job j ON j.id = o.id
                 WHERE o.id = ?1 AND o.state = 0 AND o.provider = ?2"
            ))?,
            start: conn.prepare_cached(
                "UPDATE open SET state = 1, token = ?2, calls = ?3, account = ?4, started_at = ?5,
                   resolved_id = ?6, resolved_name = ?7
                 WHERE id = ?1 AND state = 0",
            )?,
        })
    }
}

impl Txn<'_> {
    pub(super) fn claim(&mut self, claims: &[Claim]) -> Outcome<Vec<Claimed>> {
        let mut statements = Statements::prepare(self.conn)?;
        claims
            .iter()
            .map(|claim| self.claim_one(claim, &mut statements))
            .collect()
    }

    fn claim_one(&mut self, claim: &Claim, statements: &mut Statements<'_>) -> Outcome<Claimed> {
        let conn = self.conn;
        let accepted_at = match self.memory.order(conn, claim.job.order().0)? {
            Some(order) if order.works() => order.accepted_at.unwrap_or(i64::MAX),
            _ => return Ok(Claimed::Lost),
        };
        let provider = self.memory.provider(conn, claim.provider.as_str())?;
        let id = job_id(claim.job);
        let pending = statements
            .pending
            .query_row((id, provider), OpenJob::read)
            .optional()?;
        let Some(mut pending) = pending else {
            return Ok(Claimed::Lost);
        };

        let account = claim
            .resolved
            .as_ref()
            .map(|resolved| self.memory.seen.account(provider, &resolved.id));
        let known = match account {
            Some(account) => self.memory.seen.find(conn, account)?,
            None => None,
        };
        if claim.calls
            && pending.whole
            && let (Some(job), Some(resolved)) = (known, &claim.resolved)
            && self.succeeded_since(job, resolved, accepted_at)?
        {
            return Ok(Claimed::Shared {
                with: job_key(job.cast_signed()),
            });
        }

        // Tokens grow with the audit, which has an entry between any two claims of one job.
        let token = (pending.token + 1).max((self.head.seq + 1).cast_signed());
        let in_flight = account.filter(|_| claim.calls);
        let started_at = match (claim.calls, pending.started_at) {
            (true, Some(first)) if claim.carries_steps => Some(first),
            (true, _) => Some(self.now),
            (false, before) => before,
        };
        if let Some(resolved) = &claim.resolved {
            pending.resolve(resolved);
        }
        let updated = statements.start.execute((
            id,
            token,
            claim.calls,
            in_flight,
            started_at,
            &pending.account.id,
            &pending.account.name,
        ));
        match updated {
            Ok(1) => {}
            Ok(_) => return Ok(Claimed::Lost),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                return Ok(match self.running(in_flight)? {
                    Some(by) => Claimed::InFlight { by: job_key(by) },
                    None => return Err(error.into()),
                });
            }
            Err(error) => return Err(error.into()),
        }
        self.moved(
            claim.job,
            pending.binding,
            JobState::Pending,
            JobState::Running,
        )?;
        if let (Some(account), Some(resolved)) = (account, &claim.resolved) {
            self.remember(claim, provider, account, known, resolved, &pending);
        }
        if claim.calls {
            self.starts(provider, claim.job);
            for (budget, units) in &claim.spend {
                self.spends(provider, budget, *units);
            }
        }
        let attempts = pending.attempts;
        let running = OpenJob {
            token,
            calls: claim.calls,
            started_at,
            ..pending
        };
        self.memory.runs.begin(claim.job.as_u64(), running);
        Ok(Claimed::Running {
            token: Token(token.cast_unsigned()),
            attempt: attempts + 1,
            started_at: self.timestamp(),
        })
    }

    /// Whether that job's own call ended everything of this account, and started at or after an instant. One that
    /// ended single items speaks for nobody else.
    fn succeeded_since(&self, job: u64, resolved: &Resolved, since: i64) -> Outcome<bool> {
        Ok(self
            .conn
            .prepare_cached(
                "SELECT 1 FROM done d JOIN job j ON j.id = d.id
                 WHERE d.id = ?1 AND d.state = 4 AND d.called AND d.started_at >= ?2 AND d.resolved_id = ?3
                   AND j.scope IS NULL",
            )?
            .exists((job.cast_signed(), since, &resolved.id))?)
    }

    fn running(&self, account: Option<i64>) -> Outcome<Option<i64>> {
        Ok(self
            .conn
            .prepare_cached("SELECT id FROM open WHERE account = ?1 AND state = 1")?
            .query_row([account], |row| row.get(0))
            .optional()?)
    }

    /// Keeps the durable record of having resolved this person here.
    fn remember(
        &mut self,
        claim: &Claim,
        provider: i64,
        account: i64,
        known: Option<u64>,
        resolved: &Resolved,
        pending: &OpenJob,
    ) {
        let job = claim.job.as_u64();
        let seen = &mut self.memory.seen;
        if known.is_none() {
            seen.add(account, job);
        }
        if pending.subject.as_ref() != Some(&resolved.name) && !resolved.name.is_empty() {
            seen.add(seen.spelling(provider, &resolved.name), job);
        }
        for spelling in pending.subject.iter().chain(&pending.alias) {
            seen.add(seen.spelling(provider, spelling), job);
        }
    }

    pub(super) fn wake(
        &mut self,
        provider: &ProviderName,
        now: Timestamp,
        limit: usize,
    ) -> Outcome<Vec<ReadyJob>> {
        let conn = self.conn;
        let provider = self.memory.provider(conn, provider.as_str())?;
        let mut rows = conn.prepare_cached(&format!(
            "SELECT {READY}, o.binding FROM open o
             JOIN job j ON j.id = o.id JOIN orders d ON d.key = o.id >> 32
             WHERE o.provider = ?1 AND o.state = 2 AND o.due <= ?2 AND d.paused IS NULL AND NOT d.cancelled
             ORDER BY o.due, o.id LIMIT ?3"
        ))?;
        let due: Vec<(ReadyJob, i64)> = rows
            .query_map((provider, micros(now), limit), |row| {
                Ok((ready(row)?, row.get(10)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut woken = Vec::with_capacity(due.len());
        let mut update = conn
            .prepare_cached("UPDATE open SET state = 0, due = NULL WHERE id = ?1 AND state = 2")?;
        for (job, binding) in due {
            if update.execute([job_id(job.key)])? == 1 {
                self.moved(job.key, binding, JobState::Waiting, JobState::Pending)?;
                woken.push(job);
            }
        }
        Ok(woken)
    }
}
