//! Orders and jobs, as reports see them. Each query is short: a long reader keeps the log from being folded.

use std::collections::HashSet;
use std::fmt::Write as _;

use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Actor, Binding, Counts, Order, OrderState};
use rescind_core::provider::Scope;
use rescind_core::report::Detail;
use rescind_core::store::{EvidenceDue, NextDue, ReadyJob, Spent, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::connection::from_sql;
use super::rows::{
    READY, SqlResult, evidence, job_key, job_range, json, micros, order_id, ready, resolved,
    start_after, state, state_number, strange, time, time_of, why,
};
use jiff::Timestamp;

/// How many jobs are counted in one short read.
const RECOUNT_CHUNK: i64 = 50_000;

const ORDER: &str = "key, id, note, reference, actor, authenticated_by, urgent, verify, retry_of, plan_hash, \
    accepted_at, paused, cancelled, open";

fn read_order(row: &Row<'_>) -> SqlResult<Order> {
    let key = OrderKey(row.get(0)?);
    let mut order = Order::new(key, order_id(row.get(1)?), time(row.get(10)?)?);
    order.note = row.get(2)?;
    order.reference = row.get(3)?;
    let authenticated_by: String = row.get(5)?;
    order.actor = row
        .get::<_, Option<String>>(4)?
        .map(|name| Actor::new(name, authenticated_by));
    order.urgent = row.get(6)?;
    order.verify = row.get(7)?;
    order.retry_of = row.get::<_, Option<[u8; 16]>>(8)?.map(order_id);
    order.plan_hash = row.get::<_, Option<String>>(9)?.unwrap_or_default();
    let open: i64 = row.get(13)?;
    order.state = match (open, row.get(12)?, row.get::<_, Option<String>>(11)?) {
        (0, _, _) => OrderState::Finished,
        (_, true, _) => OrderState::Cancelling,
        (_, false, Some(why)) => OrderState::Paused { why },
        (_, false, None) => OrderState::Open,
    };
    Ok(order)
}

/// Adds what the bindings say: providers, counters, pending evidence.
fn complete(conn: &Connection, order: &mut Order) -> SqlResult<()> {
    let mut rows = conn.prepare_cached(
        "SELECT p.name, b.kind, b.vendor_tenant, b.pending, b.running, b.waiting, b.parked, b.confirmed, b.gone,
           b.refused, b.cancelled, b.evidence
         FROM binding b JOIN provider p ON p.id = b.provider WHERE b.ord = ?1 ORDER BY b.idx",
    )?;
    let mut rows = rows.query([order.key.0])?;
    while let Some(row) = rows.next()? {
        let provider = provider_name(&row.get::<_, String>(0)?)?;
        let evidence = row.get::<_, u32>(11).map(u64::from)?;
        if evidence > 0 {
            order.evidence_pending += evidence;
            order.evidence_at.insert(provider.clone(), evidence);
        }
        order.bindings.push(Binding {
            provider,
            kind: row.get(1)?,
            vendor_tenant: row.get(2)?,
        });
        order.counts += read_counts(row)?;
    }
    Ok(())
}

/// Columns 3 to 10: a counter for each state.
fn read_counts(row: &Row<'_>) -> SqlResult<Counts> {
    let mut by_state = [0u64; JobState::ALL.len()];
    for (place, count) in by_state.iter_mut().enumerate() {
        *count = row.get::<_, i64>(place + 3)?.cast_unsigned();
    }
    Ok(counts_of(by_state))
}

fn counts_of(by_state: [u64; JobState::ALL.len()]) -> Counts {
    let [
        pending,
        running,
        waiting,
        parked,
        confirmed,
        gone,
        refused,
        cancelled,
    ] = by_state;
    Counts {
        accepted: by_state.iter().sum(),
        confirmed,
        gone,
        open: pending + running + waiting,
        parked,
        refused,
        cancelled,
    }
}

fn provider_name(text: &str) -> SqlResult<ProviderName> {
    ProviderName::parse(text).map_err(|_| strange("a provider's name"))
}

pub(super) fn open_orders(conn: &Connection) -> Result<Vec<Order>, StoreError> {
    let sql =
        format!("SELECT {ORDER} FROM orders WHERE open > 0 ORDER BY urgent DESC, accepted_at, key");
    list_orders(conn, &sql, []).map_err(from_sql)
}

pub(super) fn orders(
    conn: &Connection,
    before: Option<OrderKey>,
    limit: usize,
) -> Result<Vec<Order>, StoreError> {
    let sql = format!(
        "SELECT {ORDER} FROM orders WHERE accepted_at IS NOT NULL AND key < ?1 ORDER BY key DESC LIMIT ?2"
    );
    let before = before.map_or(i64::MAX, |key| i64::from(key.0));
    list_orders(conn, &sql, (before, limit)).map_err(from_sql)
}

fn list_orders(
    conn: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> SqlResult<Vec<Order>> {
    let mut rows = conn.prepare_cached(sql)?;
    let mut orders: Vec<Order> = rows
        .query_map(params, read_order)?
        .collect::<Result<_, _>>()?;
    for order in &mut orders {
        complete(conn, order)?;
    }
    Ok(orders)
}

pub(super) fn order(conn: &Connection, id: OrderId) -> Result<Order, StoreError> {
    let sql = format!("SELECT {ORDER} FROM orders WHERE id = ?1 AND accepted_at IS NOT NULL");
    list_orders(conn, &sql, [id.as_uuid().as_bytes()])
        .map_err(from_sql)?
        .pop()
        .ok_or(StoreError::NoSuchOrder(id))
}

pub(super) fn counts(
    conn: &Connection,
    order: OrderKey,
) -> Result<Vec<(ProviderName, Counts)>, StoreError> {
    let read = || -> SqlResult<Vec<(ProviderName, Counts)>> {
        let mut rows = conn.prepare_cached(
            "SELECT p.name, b.kind, b.vendor_tenant, b.pending, b.running, b.waiting, b.parked, b.confirmed, b.gone,
               b.refused, b.cancelled
             FROM binding b JOIN provider p ON p.id = b.provider WHERE b.ord = ?1 ORDER BY b.idx",
        )?;
        rows.query_map([order.0], |row| {
            Ok((provider_name(&row.get::<_, String>(0)?)?, read_counts(row)?))
        })?
        .collect()
    };
    read().map_err(from_sql)
}

pub(super) fn recount(conn: &Connection, order: OrderKey) -> Result<Counts, StoreError> {
    let count = || -> SqlResult<Counts> {
        let staged: i64 = conn
            .query_row(
                "SELECT staged FROM orders WHERE key = ?1",
                [order.0],
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or(0);
        let mut by_state = [0u64; JobState::ALL.len()];
        let mut found = 0;
        let mut rows = conn.prepare_cached(
            "SELECT state, count(*) FROM (
               SELECT state FROM open WHERE id >= ?1 AND id < ?2
               UNION ALL SELECT state FROM done WHERE id >= ?1 AND id < ?2)
             GROUP BY state",
        )?;
        let (first, _) = job_range(order);
        let mut from = 0;
        while from < staged {
            let to = (from + RECOUNT_CHUNK).min(staged);
            let mut rows = rows.query((first + from, first + to))?;
            while let Some(row) = rows.next()? {
                let count = row.get::<_, i64>(1)?.cast_unsigned();
                by_state[state_number(state(row.get(0)?)?) as usize] += count;
                found += count;
            }
            from = to;
        }
        let mut counts = counts_of(by_state);
        // A job without a row is counted as accepted all the same, so that the books show the hole.
        counts.accepted = counts.accepted.max(staged.cast_unsigned()).max(found);
        Ok(counts)
    };
    count().map_err(from_sql)
}

pub(super) fn peek(
    conn: &Connection,
    order: OrderKey,
    provider: &ProviderName,
    after: Option<JobKey>,
    limit: usize,
) -> Result<Vec<ReadyJob>, StoreError> {
    let read = || -> SqlResult<Vec<ReadyJob>> {
        let works = conn
            .prepare_cached(
                "SELECT 1 FROM orders
                 WHERE key = ?1 AND accepted_at IS NOT NULL AND paused IS NULL AND NOT cancelled",
            )?
            .exists([order.0])?;
        let Some(provider) = provider_number(conn, provider)?.filter(|_| works) else {
            return Ok(Vec::new());
        };
        let mut rows = conn.prepare_cached(&format!(
            "SELECT {READY} FROM open o JOIN job j ON j.id = o.id
             WHERE o.id > ?1 AND o.id <= ?2 AND o.provider = ?3 AND o.state = 0 ORDER BY o.id LIMIT ?4"
        ))?;
        let start = start_after(order, after);
        rows.query_map((start, job_range(order).1, provider, limit), ready)?
            .collect()
    };
    read().map_err(from_sql)
}

fn provider_number(conn: &Connection, provider: &ProviderName) -> SqlResult<Option<i64>> {
    conn.prepare_cached("SELECT id FROM provider WHERE name = ?1")?
        .query_row([provider.as_str()], |row| row.get(0))
        .optional()
}

pub(super) fn next_due(conn: &Connection, provider: &ProviderName) -> Result<NextDue, StoreError> {
    let read = || -> SqlResult<NextDue> {
        let Some(provider) = provider_number(conn, provider)? else {
            return Ok(NextDue::default());
        };
        let job: Option<i64> = conn
            .prepare_cached(
                "SELECT o.due FROM open o JOIN orders d ON d.key = o.id >> 32
                 WHERE o.provider = ?1 AND o.state = 2 AND d.paused IS NULL AND NOT d.cancelled
                 ORDER BY o.due LIMIT 1",
            )?
            .query_row([provider], |row| row.get(0))
            .optional()?;
        let evidence: Option<i64> = conn
            .prepare_cached("SELECT min(proof_due) FROM done WHERE provider = ?1 AND evidence = 2")?
            .query_row([provider], |row| row.get(0))?;
        Ok(NextDue {
            job: time_of(job)?,
            evidence: time_of(evidence)?,
        })
    };
    read().map_err(from_sql)
}

pub(super) fn evidence_due(
    conn: &Connection,
    provider: &ProviderName,
    now: Timestamp,
    limit: usize,
    in_flight: &[JobKey],
) -> Result<Vec<EvidenceDue>, StoreError> {
    let read = || -> SqlResult<Vec<EvidenceDue>> {
        let Some(provider) = provider_number(conn, provider)? else {
            return Ok(Vec::new());
        };
        // The index alone tells which they are: those in flight cost no look at their rows.
        let mut ids = conn.prepare_cached(
            "SELECT id FROM done WHERE provider = ?1 AND evidence = 2 AND proof_due <= ?2
             ORDER BY proof_due, id LIMIT ?3",
        )?;
        let mut row_of = conn.prepare_cached(
            "SELECT resolved_id, coalesce(provider_time, started_at, at), at, reads FROM done WHERE id = ?1",
        )?;
        let in_flight: HashSet<JobKey> = in_flight.iter().copied().collect();
        let asked = limit + in_flight.len();
        let mut ids = ids.query((provider, micros(now), asked))?;
        let mut due = Vec::new();
        while let Some(row) = ids.next()?
            && due.len() < limit
        {
            let id = row.get(0)?;
            let job = job_key(id);
            if in_flight.contains(&job) {
                continue;
            }
            due.push(row_of.query_row([id], |row| {
                let account: Option<String> = row.get(0)?;
                let (revoked_at, confirmed_at) = (time(row.get(1)?)?, time(row.get(2)?)?);
                let mut item =
                    EvidenceDue::new(job, account.unwrap_or_default(), revoked_at, confirmed_at);
                item.reads = row.get(3)?;
                Ok(item)
            })?);
        }
        Ok(due)
    };
    read().map_err(from_sql)
}

pub(super) fn spent(
    conn: &Connection,
    provider: &ProviderName,
    since: Timestamp,
) -> Result<Vec<Spent>, StoreError> {
    let read = || -> SqlResult<Vec<Spent>> {
        let mut rows = conn.prepare_cached(
            "SELECT s.at, s.budget, s.units FROM spend s JOIN provider p ON p.id = s.provider
             WHERE p.name = ?1 AND s.at >= ?2 ORDER BY s.at, s.budget",
        )?;
        let since = micros(since).div_euclid(1_000_000);
        rows.query_map((provider.as_str(), since), |row| {
            Ok(Spent {
                at: time(row.get::<_, i64>(0)? * 1_000_000)?,
                budget: row.get(1)?,
                units: row.get(2)?,
            })
        })?
        .collect()
    };
    read().map_err(from_sql)
}

pub(super) fn load_lane(
    conn: &Connection,
    provider: &ProviderName,
) -> Result<Option<String>, StoreError> {
    conn.query_row(
        "SELECT l.memory FROM lane l JOIN provider p ON p.id = l.provider WHERE p.name = ?1",
        [provider.as_str()],
        |row| row.get(0),
    )
    .optional()
    .map_err(from_sql)
}

pub(super) fn jobs(
    conn: &Connection,
    order: OrderKey,
    states: &[JobState],
    after: Option<JobKey>,
    limit: usize,
) -> Result<Vec<Job>, StoreError> {
    let read = || -> SqlResult<Vec<Job>> {
        let id: Option<[u8; 16]> = conn
            .prepare_cached("SELECT id FROM orders WHERE key = ?1 AND accepted_at IS NOT NULL")?
            .query_row([order.0], |row| row.get(0))
            .optional()?;
        let Some(id) = id.map(order_id) else {
            return Ok(Vec::new());
        };
        let mut rows = conn.prepare_cached(&jobs_sql(states))?;
        let start = start_after(order, after);
        rows.query_map((start, job_range(order).1, limit), |row| read_job(row, id))?
            .collect()
    };
    read().map_err(from_sql)
}

/// Drives the query by the table that holds the wanted states, where one does.
fn jobs_sql(states: &[JobState]) -> String {
    let among = |terminal: bool| states.iter().any(|state| state.is_terminal() == terminal);
    let from = match (among(false), among(true)) {
        (true, false) => {
            "open o JOIN job j ON j.id = o.id LEFT JOIN done d ON d.id = o.id WHERE o.id"
        }
        (false, true) => {
            "done d JOIN job j ON j.id = d.id LEFT JOIN open o ON o.id = d.id WHERE d.id"
        }
        _ => "job j LEFT JOIN open o ON o.id = j.id LEFT JOIN done d ON d.id = j.id WHERE j.id",
    };
    let key = &from[from.len() - 4..];
    let mut sql = format!(
        "SELECT j.id, j.subject, j.alias, coalesce(d.resolved_id, o.resolved_id, j.resolved_id),
           coalesce(d.resolved_name, o.resolved_name, j.resolved_name, j.subject), j.scope, coalesce(d.state, o.state),
           o.why, o.due, coalesce(d.attempts, o.attempts), coalesce(d.started_at, o.started_at), d.at,
           d.effective_by, coalesce(d.evidence, 0), coalesce(d.detail, o.detail),
           (SELECT p.name FROM binding b JOIN provider p ON p.id = b.provider
            WHERE b.ord = j.id >> 32 AND b.idx = j.binding),
           d.story, (SELECT s.detail FROM story s WHERE s.id = d.story), d.request_id, d.provider_time
         FROM {from} > ?1 AND {key} <= ?2"
    );
    if !states.is_empty() {
        sql.push_str(" AND coalesce(d.state, o.state) IN (");
        for (place, state) in states.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}{}", state_number(*state));
        }
        sql.push(')');
    }
    let _ = write!(sql, " ORDER BY {key} LIMIT ?3");
    sql
}

fn read_job(row: &Row<'_>, order: OrderId) -> SqlResult<Job> {
    let provider = provider_name(&row.get::<_, String>(15)?)?;
    let mut job = Job::new(job_key(row.get(0)?), order, provider);
    job.subject = row.get(1)?;
    job.alias = row.get(2)?;
    job.resolved = resolved(row.get(3)?, row.get(4)?);
    job.scope = json::<Scope>(row.get::<_, Option<String>>(5)?.as_deref())?;
    job.state = state(row.get(6)?)?;
    if job.state == JobState::Waiting {
        job.waiting = why(row.get(7)?)?;
        job.due = time_of(row.get(8)?)?;
    }
    job.attempts = row.get(9)?;
    job.started_at = time_of(row.get(10)?)?;
    job.done_at = time_of(row.get(11)?)?;
    job.effective_by = time_of(row.get(12)?)?;
    job.evidence = evidence(row.get(13)?)?;
    job.detail = detail(row)?;
    Ok(job)
}

/// The detail of a row of its own, or the story that it shares and what is its own beside that.
fn detail(row: &Row<'_>) -> SqlResult<Detail> {
    let own = row.get_ref(14)?.as_str_or_null()?;
    if own.is_some() || row.get::<_, Option<i64>>(16)?.is_none() {
        return json(own);
    }
    let story = row.get_ref(17)?.as_str_or_null()?;
    let mut detail: Detail = json(Some(story.ok_or_else(|| strange("a story"))?))?;
    detail.vendor_request_id = row.get(18)?;
    detail.provider_time = time_of(row.get(19)?)?;
    Ok(detail)
}
