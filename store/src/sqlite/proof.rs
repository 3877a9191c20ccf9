//! Evidence, and what was once resolved.

use std::collections::BTreeMap;

use rescind_core::failpoint::Point;
use rescind_core::id::ProviderName;
use rescind_core::report::EvidenceState;
use rescind_core::store::EvidenceReading;
use rescind_core::subject::fold;
use rusqlite::OptionalExtension as _;

use super::ledger::Draft;
use super::rows::{evidence_number, job_id, micros};
use super::txn::Txn;
use super::writer::Outcome;

impl Txn<'_> {
    pub(super) fn record_evidence(&mut self, readings: &[EvidenceReading]) -> Outcome<()> {
        self.crossed.passes(Point::EvidenceRead)?;
        let conn = self.conn;
        let mut settled: BTreeMap<(i64, &str), Vec<u64>> = BTreeMap::new();
        for reading in readings {
            let id = job_id(reading.job);
            let queued: Option<(i64, i64)> = conn
                .prepare_cached(
                    "SELECT e.provider, j.binding FROM evidence e JOIN job j ON j.id = e.id WHERE e.id = ?1",
                )?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((provider, binding)) = queued else {
                continue;
            };
            if let (EvidenceState::Pending, Some(due)) = (reading.state, reading.due) {
                conn.prepare_cached(
                    "UPDATE evidence SET due = ?2, reads = reads + 1 WHERE id = ?1",
                )?
                .execute((id, micros(due)))?;
                continue;
            }
            // Pending without a next read would never be read again.
            let state = match reading.state {
                EvidenceState::Pending => EvidenceState::Unverified,
                state => state,
            };
            conn.prepare_cached("DELETE FROM evidence WHERE id = ?1")?
                .execute([id])?;
            conn.prepare_cached("UPDATE done SET evidence = ?2 WHERE id = ?1 AND state = 4")?
                .execute((id, evidence_number(state)))?;
            self.evidence(reading.job, binding, -1);
            let outcome = match state {
                EvidenceState::Verified => "verified",
                _ => "unverified",
            };
            settled
                .entry((provider, outcome))
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
