//! Evidence, and what was once resolved.

use std::collections::BTreeMap;

use rescind_core::failpoint::Point;
use rescind_core::id::{JobKey, ProviderName};
use rescind_core::report::EvidenceState;
use rescind_core::store::EvidenceReading;
use rescind_core::subject::fold;
use rusqlite::OptionalExtension as _;

use super::ledger::Draft;
use super::rows::{evidence_number, job_id, micros};
use super::running::Proof;
use super::txn::Txn;
use super::writer::Outcome;

impl Txn<'_> {
    pub(super) fn record_evidence(&mut self, readings: &[EvidenceReading]) -> Outcome<()> {
        self.crossed.passes(Point::EvidenceRead)?;
        let conn = self.conn;
        let mut settled: BTreeMap<(i64, &str), Vec<u64>> = BTreeMap::new();
        let mut again = conn.prepare_cached(
            "UPDATE done SET proof_due = ?2, reads = reads + 1 WHERE id = ?1 AND evidence = 2",
        )?;
        let mut end = conn.prepare_cached(
            "UPDATE done SET evidence = ?2 WHERE id = ?1 AND evidence = 2 AND state = 4",
        )?;
        for reading in readings {
            let id = job_id(reading.job);
            if let (EvidenceState::Pending, Some(due)) = (reading.state, reading.due) {
                again.execute((id, micros(due)))?;
                continue;
            }
            let Some(proof) = self.proof(reading.job)? else {
                continue;
            };
            // Pending without a next read would never be read again.
            let state = match reading.state {
                EvidenceState::Pending => EvidenceState::Unverified,
                state => state,
            };
            self.memory.proofs.end(reading.job.as_u64());
            if end.execute((id, evidence_number(state)))? != 1 {
                continue;
            }
            self.evidence(reading.job, proof.binding, -1);
            let outcome = match state {
                EvidenceState::Verified => "verified",
                _ => "unverified",
            };
            settled
                .entry((proof.provider, outcome))
                .or_default()
                .push(reading.job.as_u64());
        }
        for ((provider, outcome), jobs) in settled {
            let name = self.memory.provider_name(conn, provider)?;
            self.append(&Draft {
                action: "evidence_read",
                jobs: &jobs,
                provider: Some(&name),
                outcome: Some(outcome),
                ..Draft::default()
            })?;
        }
        Ok(())
    }

    /// Where the evidence of a job belongs, if it is to be read.
    fn proof(&self, job: JobKey) -> Outcome<Option<Proof>> {
        let known = self.memory.proofs.get(job.as_u64());
        if known.is_some() {
            return Ok(known);
        }
        Ok(self
            .conn
            .prepare_cached("SELECT provider, binding FROM done WHERE id = ?1 AND evidence = 2")?
            .query_row([job_id(job)], |row| {
                Ok(Proof {
                    provider: row.get(0)?,
                    binding: row.get(1)?,
                })
            })
            .optional()?)
    }

    pub(super) fn was_resolved(
        &mut self,
        provider: &ProviderName,
        spellings: &[String],
    ) -> Outcome<Vec<bool>> {
        let provider = self.memory.provider(self.conn, provider.as_str())?;
        spellings
            .iter()
            .map(|text| {
                let seen = &self.memory.seen;
                for hash in [seen.account(provider, text), seen.spelling(provider, text)] {
                    if let Some(job) = seen.find(self.conn, hash)?
                        && self.names(job, text)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .collect()
    }

    /// Whether a job that was resolved goes by that text: a hash alone may meet another's.
    fn names(&self, job: u64, text: &str) -> Outcome<bool> {
        type Names = [Option<String>; 8];
        let names: Option<Names> = self
            .conn
            .prepare_cached(
                "SELECT j.subject, j.alias, j.resolved_id, j.resolved_name, o.resolved_id, o.resolved_name,
                   d.resolved_id, d.resolved_name
                 FROM job j LEFT JOIN open o ON o.id = j.id LEFT JOIN done d ON d.id = j.id WHERE j.id = ?1",
            )?
            .query_row([job.cast_signed()], |row| {
                let mut names = Names::default();
                for (place, name) in names.iter_mut().enumerate() {
                    *name = row.get(place)?;
                }
                Ok(names)
            })
            .optional()?;
        let Some(names) = names else { return Ok(false) };
        let resolved = [&names[2], &names[4], &names[6]];
        let text = fold(text);
        Ok(resolved.iter().any(|id| id.is_some())
            && names.iter().flatten().any(|name| fold(name) == text))
    }
}
