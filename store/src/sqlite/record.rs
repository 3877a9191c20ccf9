//! The audit, as verifiers and exports see it.

use rescind_core::audit::entry::{self, GENESIS, Hash, to_hex};
use rescind_core::audit::{AuditEntry, Checkpoint, Opening};
use rescind_core::store::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

use super::connection::from_sql;

pub(super) fn audit(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<AuditEntry>, StoreError> {
    let after = after.cast_signed();
    let mut previous = conn
        .prepare_cached("SELECT hash FROM audit WHERE seq = ?1")
        .and_then(|mut row| {
            row.query_row([after], |row| row.get::<_, Hash>(0))
                .optional()
        })
        .map_err(from_sql)?
        .unwrap_or(GENESIS);
    let mut rows = conn
        .prepare_cached("SELECT seq, hash, body FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .map_err(from_sql)?;
    let mut rows = rows.query((after, limit)).map_err(from_sql)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(from_sql)? {
        let seq: i64 = row.get(0).map_err(from_sql)?;
        let hash: Hash = row.get(1).map_err(from_sql)?;
        let body = row.get_ref(2).map_err(from_sql)?;
        let Some(mut entry) = body.as_blob().ok().and_then(entry::decode) else {
            if entries.is_empty() {
                return Err(StoreError::Corrupt(format!(
                    "audit entry {seq} cannot be read"
                )));
            }
            // What comes before it can be; the next page begins with it.
            break;
        };
        entry.previous = to_hex(&previous);
        entry.hash = to_hex(&hash);
        previous = hash;
        if !entry.commitments.is_empty() {
            entry.openings = openings(conn, seq, &entry).map_err(from_sql)?;
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Those openings that were not erased.
fn openings(conn: &Connection, seq: i64, entry: &AuditEntry) -> rusqlite::Result<Vec<Opening>> {
    let mut openings = Vec::new();
    for (field, _) in &entry.commitments {
        let opening: Option<(Option<String>, Vec<u8>)> = match (field.as_str(), &entry.jobs[..]) {
            // The subject of an outcome is opened by its job.
            ("subject", [job]) => conn
                .prepare_cached("SELECT subject, salt FROM job WHERE id = ?1")?
                .query_row([job.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?,
            (field, _) => conn
                .prepare_cached("SELECT value, salt FROM opening WHERE seq = ?1 AND field = ?2")?
                .query_row((seq, field), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?,
        };
        if let Some((Some(value), salt)) = opening {
            openings.push(Opening::new(field, &salt, value));
        }
    }
    Ok(openings)
}

pub(super) fn checkpoints(conn: &Connection) -> Result<Vec<Checkpoint>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Checkpoint>> {
        let mut rows = conn.prepare_cached("SELECT size, note FROM checkpoint ORDER BY size")?;
        rows.query_map([], |row| {
            Ok(Checkpoint {
                size: row.get::<_, i64>(0)?.cast_unsigned(),
                note: row.get(1)?,
            })
        })?
        .collect()
    };
    read().map_err(from_sql)
}
