//! What the attempts of many people have in common is kept once, and their rows name it.
//!
//! The sentences about what remains after a success are the same for nearly everybody, and longer than all the rest of
//! a row. A story is kept on its own when it is told of a second person: those that are one person's stay in their rows, and
//! the table stays small whatever a provider answers. One that names somebody stays in its row, too: it goes when that row
//! goes.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use rescind_core::report::Detail;
use rescind_core::store::StoreError;
use rescind_core::subject::fold;
use rusqlite::{Connection, OptionalExtension as _};

use super::rows::{micros, time};
use super::running::OpenJob;
use super::writer::{Fault, Outcome};

/// So many stories are remembered.
const MOST: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct Stories {
    /// Each with its number.
    known: Vec<(Detail, i64)>,
    /// Their places by hash.
    places: HashMap<u64, usize>,
    /// The place of the one that was told last, which is the next one, too, nearly always.
    last: usize,
    /// Hashes of those that were told of one person, with those of that person's account and of what the order said.
    once: HashMap<u64, (u64, u64)>,
    hasher: RandomState,
}

/// Whether everything that a detail has besides its story has a column.
pub(super) fn is_shareable(detail: &Detail) -> bool {
    let Detail {
        outcome: _,
        steps: _,
        residual: _,
        // Few are refused, and why may be in a connector's own words: that stays with the job it is about.
        refusal: None,
        vendor_request_id: _,
        error: None,
        shared_with: None,
        provider_time,
    } = detail
    else {
        return false;
    };
    provider_time.is_none_or(|at| time(micros(at)).is_ok_and(|kept| kept == at))
}

/// Whether a story's words, which are a connector's, hold an address, or one of the ways this job's person is known by.
/// Such a story must not outlive the job it is about.
fn names_somebody(detail: &Detail, job: &OpenJob) -> bool {
    let known: Vec<String> = [&job.subject, &job.alias, &job.account.id, &job.account.name]
        .into_iter()
        .flatten()
        .map(|name| fold(name))
        .filter(|name| !name.is_empty())
        .collect();
    let steps = detail.steps.iter();
    let words = steps.flat_map(|step| [Some(&step.name), step.note.as_ref()]);
    let left = detail.residual.iter().map(|residual| &residual.what);
    words.flatten().chain(left).any(|text| {
        let text = fold(text);
        let holds = |name: &str| text.contains(name);
        holds("@") || holds("%40") || known.iter().any(|name| holds(name))
    })
}

fn is_same(one: &Detail, other: &Detail) -> bool {
    (&one.outcome, &one.steps, &one.residual, &one.refusal)
        == (
            &other.outcome,
            &other.steps,
            &other.residual,
            &other.refusal,
        )
}

/// A detail as a row keeps it.
pub(super) fn text(detail: &Detail) -> Result<String, StoreError> {
    serde_json::to_string(detail).map_err(|error| StoreError::Corrupt(error.to_string()))
}

impl Stories {
    /// The number of a detail's story, if it is worth one and names nobody. The detail must be shareable.
    pub(super) fn of(
        &mut self,
        conn: &Connection,
        detail: &Detail,
        job: &OpenJob,
    ) -> Outcome<Option<i64>> {
        if let Some(id) = self.at(self.last, detail) {
            return Ok(Some(id));
        }
        let hash = self.hasher.hash_one((
            &detail.outcome,
            &detail.steps,
            &detail.residual,
            &detail.refusal,
        ));
        if let Some(place) = self.places.get(&hash)
            && let Some(id) = self.at(*place, detail)
        {
            self.last = *place;
            return Ok(Some(id));
        }
        // Looked at until it is kept: the words that nearly everybody's attempts have cost no second look.
        if names_somebody(detail, job) {
            return Ok(None);
        }
        if self.once.len() >= MOST {
            self.once.clear();
        }
        let account = job.account.id.as_ref().or(job.subject.as_ref());
        let account = self.hasher.hash_one(account);
        let said = self.hasher.hash_one(job.subject.as_deref().map(fold));
        let (one, other) = *self.once.entry(hash).or_insert((account, said));
        // One person may have an account at each of two providers, or be said in two ways.
        if one == account || other == said {
            return Ok(None);
        }
        let story = Detail {
            vendor_request_id: None,
            provider_time: None,
            ..detail.clone()
        };
        let id = keep(conn, &text(&story).map_err(Fault::Fatal)?)?;
        if self.known.len() >= MOST {
            self.known.clear();
            self.places.clear();
        }
        self.last = self.known.len();
        self.places.insert(hash, self.last);
        self.known.push((story, id));
        Ok(Some(id))
    }

    fn at(&self, place: usize, detail: &Detail) -> Option<i64> {
        let (known, id) = self.known.get(place)?;
        is_same(known, detail).then_some(*id)
    }
}

fn keep(conn: &Connection, text: &str) -> Outcome<i64> {
    let known = conn
        .prepare_cached("SELECT id FROM story WHERE detail = ?1")?
        .query_row([text], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO story(detail) VALUES (?1)")?
        .execute([text])?;
    Ok(conn.last_insert_rowid())
}
