//! Between rows and the words of the core.

use jiff::Timestamp;
use rescind_core::id::{JobKey, OrderId, OrderKey};
use rescind_core::job::{JobState, Resolved, WaitReason};
use rescind_core::provider::Scope;
use rescind_core::report::{Detail, EvidenceState};
use rescind_core::store::ReadyJob;
use rusqlite::types::Type;
use rusqlite::{Error, Row};
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub(super) type SqlResult<T> = rusqlite::Result<T>;

/// A state's number is its place in [`JobState::ALL`].
pub(super) fn state_number(state: JobState) -> i64 {
    match state {
        JobState::Pending => 0,
        JobState::Running => 1,
        JobState::Waiting => 2,
        JobState::Parked => 3,
        JobState::Confirmed => 4,
        JobState::Gone => 5,
        JobState::Refused => 6,
        JobState::Cancelled => 7,
    }
}

pub(super) fn state(number: i64) -> SqlResult<JobState> {
    usize::try_from(number)
        .ok()
        .and_then(|n| JobState::ALL.get(n).copied())
        .ok_or_else(|| strange("a job state"))
}

pub(super) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Pending => "pending",
        JobState::Running => "running",
        JobState::Waiting => "waiting",
        JobState::Parked => "parked",
        JobState::Confirmed => "confirmed",
        JobState::Gone => "gone",
        JobState::Refused => "refused",
        JobState::Cancelled => "cancelled",
    }
}

pub(super) fn why_number(why: WaitReason) -> i64 {
    match why {
        WaitReason::Throttled => 0,
        WaitReason::Transient => 1,
        WaitReason::Unknown => 2,
        WaitReason::Lane => 3,
    }
}

pub(super) fn why(number: Option<i64>) -> SqlResult<Option<WaitReason>> {
    Ok(Some(match number {
        None => return Ok(None),
        Some(0) => WaitReason::Throttled,
        Some(1) => WaitReason::Transient,
        Some(2) => WaitReason::Unknown,
        Some(3) => WaitReason::Lane,
        Some(_) => return Err(strange("a reason to wait")),
    }))
}

pub(super) fn evidence_number(state: EvidenceState) -> i64 {
    match state {
        EvidenceState::None => 0,
        EvidenceState::Pending => 2,
        EvidenceState::Verified => 3,
        EvidenceState::Unverified => 4,
    }
}

pub(super) fn evidence(number: i64) -> SqlResult<EvidenceState> {
    Ok(match number {
        0 => EvidenceState::None,
        2 => EvidenceState::Pending,
        3 => EvidenceState::Verified,
        4 => EvidenceState::Unverified,
        _ => return Err(strange("a state of evidence")),
    })
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn time(micros: i64) -> SqlResult<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| strange("a time"))
}

pub(super) fn time_of(micros: Option<i64>) -> SqlResult<Option<Timestamp>> {
    micros.map(time).transpose()
}

/// Rowids are signed; an order's key never reaches their sign.
pub(super) fn job_id(key: JobKey) -> i64 {
    key.as_u64().cast_signed()
}

pub(super) fn job_key(id: i64) -> JobKey {
    JobKey::from_u64(id.cast_unsigned())
}

/// The numbers of an order's jobs lie between these, both included.
pub(super) fn job_range(order: OrderKey) -> (i64, i64) {
    (
        job_id(JobKey::new(order, 0)),
        job_id(JobKey::new(order, u32::MAX)),
    )
}

/// The number to begin after.
pub(super) fn start_after(order: OrderKey, after: Option<JobKey>) -> i64 {
    after.map_or_else(|| job_range(order).0 - 1, job_id)
}

pub(super) fn order_id(bytes: [u8; 16]) -> OrderId {
    OrderId::from_uuid(Uuid::from_bytes(bytes))
}

pub(super) fn resolved(id: Option<String>, name: Option<String>) -> Option<Resolved> {
    id.map(|id| Resolved {
        id,
        name: name.unwrap_or_default(),
    })
}

pub(super) fn json<T: DeserializeOwned + Default>(text: Option<&str>) -> SqlResult<T> {
    match text {
        None => Ok(T::default()),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))),
    }
}

pub(super) fn strange(what: &str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Integer, format!("not {what}").into())
}

/// The columns that [`ready`] reads, of `open AS o JOIN job AS j`.
pub(super) const READY: &str = "o.id, j.subject, j.alias, j.scope, coalesce(o.resolved_id, j.resolved_id), \
    coalesce(o.resolved_name, j.resolved_name, j.subject), o.attempts, o.why, o.started_at, o.detail";

pub(super) fn ready(row: &Row<'_>) -> SqlResult<ReadyJob> {
    let subject: Option<String> = row.get(1)?;
    let alias: Option<String> = row.get(2)?;
    let mut job = ReadyJob::new(job_key(row.get(0)?), subject.unwrap_or_default());
    job.alias = alias.map(Into::into);
    job.scope = json::<Scope>(row.get::<_, Option<String>>(3)?.as_deref())?;
    job.resolved = resolved(row.get(4)?, row.get(5)?);
    job.attempts = row.get(6)?;
    job.waited = why(row.get(7)?)?;
    job.started_at = time_of(row.get(8)?)?;
    job.detail = json::<Detail>(row.get::<_, Option<String>>(9)?.as_deref())?;
    Ok(job)
}
