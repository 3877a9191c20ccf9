//! Whether a state folder is what its record says: the chain, its signatures, and the orders and jobs beside it.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rescind_core::audit::note::PublicKey;
use rescind_core::audit::verify::{FaultKind, Verdict, Verification};
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::{JobKey, OrderKey};
use rescind_core::job::JobState;
use rescind_core::order::Order;
use rescind_core::store::{Store, StoreError};
use serde::Serialize;

use crate::Ed25519;

/// How many entries, orders or jobs are read at a time.
const PAGE: usize = 2000;

/// A worker signs at the latest after so many entries; the commit that reaches them is signed as a whole.
const SIGN_ENTRIES: u64 = 1_000;

/// A first checkpoint is signed within a second; a slow disk is given some more.
const SIGN_AFTER: SignedDuration = SignedDuration::from_secs(5);

const TERMINAL: [JobState; 4] = [
    JobState::Confirmed,
    JobState::Gone,
    JobState::Refused,
    JobState::Cancelled,
];

/// What stands in the folder and not in its record, or the other way round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Mismatch {
    /// The entry it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The job it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobKey>,
    /// What is wrong.
    pub what: String,
}

impl Mismatch {
    fn entry(seq: u64, what: impl Into<String>) -> Self {
        Self {
            entry: Some(seq),
            order: None,
            job: None,
            what: what.into(),
        }
    }

    fn order(order: &str, what: impl Into<String>) -> Self {
        Self {
            entry: None,
            order: Some(order.to_owned()),
            job: None,
            what: what.into(),
        }
    }

    fn job(order: &str, job: JobKey, what: impl Into<String>) -> Self {
        Self {
            job: Some(job),
            ..Self::order(order, what)
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(job) = &self.job {
            write!(f, "job {} of ", job.seq())?;
        }
        if let Some(order) = &self.order {
            write!(f, "order {order}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Verifies the record of a store, then compares orders and jobs with it. Memory grows by a byte for each job.
///
/// # Errors
/// When the store cannot be read. Entries that cannot are a mismatch.
pub async fn verify(
    store: &dyn Store,
    key: &PublicKey,
    copied: Vec<Checkpoint>,
    now: Timestamp,
) -> Result<(Verdict, Option<Mismatch>), StoreError> {
    // Checkpoints first: one that is signed while entries are read would cover entries that were not seen.
    let mut checkpoints = store.checkpoints().await?;
    let mut pass = Pass {
        store,
        sizes: checkpoints.iter().map(|one| one.size).collect(),
        last: 0,
        last_at: Timestamp::MIN,
        covered: 0,
        thousandth: None,
        orders: HashMap::new(),
        jobs: HashMap::new(),
    };
    checkpoints.extend(copied);
    let mut verification = Verification::new(key, &checkpoints, &Ed25519);
    let mut found = pass.read(Some(&mut verification)).await?;
    let mut verdict = verification.finish();
    // The record does not end where it cannot be read.
    if found
        .as_ref()
        .is_some_and(|found| found.entry == Some(pass.last + 1))
        && verdict
            .fault
            .is_some_and(|fault| fault.kind == FaultKind::Tail)
    {
        verdict.fault = None;
        return Ok((verdict, found));
    }
    if !verdict.is_whole() {
        return Ok((verdict, found));
    }
    if found.is_none()
        && pass.sizes.is_empty()
        && pass.last > 0
        && now.duration_since(pass.last_at) > SIGN_AFTER
    {
        found = Some(Mismatch::entry(
            1,
            format!(
                "there are {} entries, and nothing of them is signed",
                pass.last
            ),
        ));
    }
    if found.is_none() {
        found = pass.compare().await?;
    }
    Ok((verdict, found))
}

struct Pass<'a> {
    store: &'a dyn Store,
    /// The sizes of the checkpoints, rising.
    sizes: Vec<u64>,
    last: u64,
    last_at: Timestamp,
    /// How many entries the last checkpoint before the next entry covers.
    covered: u64,
    /// When the thousandth entry behind that checkpoint was written.
    thousandth: Option<Timestamp>,
    /// The accepted orders by id: the number of their jobs.
    orders: HashMap<String, u64>,
    /// What became of the jobs, by their place in the order; 0 while they are open.
    jobs: HashMap<OrderKey, Vec<u8>>,
}

impl Pass<'_> {
    /// Reads the record from where it was left to its end.
    async fn read(
        &mut self,
        mut verification: Option<&mut Verification>,
    ) -> Result<Option<Mismatch>, StoreError> {
        let mut first = None;
        loop {
            let page = match self.store.audit(self.last, PAGE).await {
                Err(StoreError::Corrupt(_)) => {
                    let seq = self.last + 1;
                    return Ok(Some(Mismatch::entry(
                        seq,
                        format!("entry {seq} cannot be read"),
                    )));
                }
                page => page?,
            };
            let Some(end) = page.last() else {
                return Ok(first);
            };
            if let Some(verification) = verification.as_deref_mut() {
                verification.add(&page);
            }
            let end = end.seq;
            // After the first mismatch the chain is still verified to its end.
            for entry in page.iter().take(if first.is_none() { PAGE } else { 0 }) {
                first = match self.signed_in_time(entry, verification.is_some()) {
                    None => self.take(entry).await?,
                    found => found,
                };
                if first.is_some() {
                    break;
                }
            }
            self.last = end;
        }
    }

    /// Entries behind the thousandth that no checkpoint covers were written after that was to be signed.
    fn signed_in_time(&mut self, entry: &AuditEntry, signed: bool) -> Option<Mismatch> {
        self.last_at = entry.at;
        let before = self.sizes.partition_point(|size| *size < entry.seq);
        let covered = before.checked_sub(1).map_or(0, |place| self.sizes[place]);
        if covered != self.covered {
            self.covered = covered;
            self.thousandth = None;
        }
        if entry.seq == covered + SIGN_ENTRIES {
            self.thousandth = Some(entry.at);
        }
        let late = signed
            && self
                .thousandth
                .is_some_and(|at| entry.at.duration_since(at) > SIGN_AFTER);
        // While somebody works, the last checkpoints are newer than those that were read.
        let tail = before == self.sizes.len() && before > 0;
        (late && !tail).then(|| {
            Mismatch::entry(
                covered + 1,
                format!(
                    "of the entries from {} to {} nothing is signed; a checkpoint is missing",
                    covered + 1,
                    entry.seq
                ),
            )
        })
    }

    async fn take(&mut self, entry: &AuditEntry) -> Result<Option<Mismatch>, StoreError> {
        let Some(id) = entry.order.as_deref() else {
            return Ok(None);
        };
        if entry.action == "order_accepted" {
            let order = match id.parse() {
                Err(_) => None,
                Ok(id) => match self.store.order(id).await {
                    Err(StoreError::NoSuchOrder(_)) => None,
                    order => Some(order?),
                },
            };
            let Some(order) = order else {
                return Ok(Some(Mismatch::order(
                    id,
                    "it was accepted, and is gone from the database",
                )));
            };
            let detail: serde_json::Value = entry
                .detail
                .as_deref()
                .and_then(|detail| serde_json::from_str(detail).ok())
                .unwrap_or_default();
            self.orders
                .insert(id.to_owned(), detail["jobs"].as_u64().unwrap_or(0));
            return Ok(changed_field(&order, entry, &detail).map(|field| {
                Mismatch::order(id, format!("its {field} is not the one that was recorded"))
            }));
        }
        let outcome = entry
            .outcome
            .as_deref()
            .and_then(|text| text.split(' ').next());
        let state = ["confirmed", "gone", "refused", "cancelled"]
            .iter()
            .position(|name| Some(*name) == outcome);
        let settles = matches!(
            entry.action.as_str(),
            "job_settled" | "jobs_refused" | "jobs_cancelled"
        );
        if let Some(state) = state.filter(|_| settles) {
            let most = self.orders.get(id).copied().unwrap_or(0);
            for job in entry.jobs.iter().map(|job| JobKey::from_u64(*job)) {
                if u64::from(job.seq()) >= most {
                    return Ok(Some(Mismatch::job(id, job, "the order never had it")));
                }
                let states = self.jobs.entry(job.order()).or_default();
                let place = job.seq() as usize;
                if states.len() <= place {
                    states.resize(place + 1, 0);
                }
                states[place] = state as u8 + 1;
            }
        }
        Ok(None)
    }

    /// Compares the rows, which are read after the entries: what the record has, they must have.
    async fn compare(&mut self) -> Result<Option<Mismatch>, StoreError> {
        let mut before = None;
        loop {
            let page = self.store.orders(before, PAGE).await?;
            let Some(end) = page.last() else {
                return Ok(None);
            };
            before = Some(end.key);
            for order in &page {
                let id = order.id.to_string();
                if !self.orders.contains_key(&id) {
                    // It may have been accepted since.
                    let found = self.read(None).await?;
                    if found.is_some() {
                        return Ok(found);
                    }
                    if !self.orders.contains_key(&id) {
                        return Ok(Some(Mismatch::order(
                            &id,
                            "the record does not say that it was accepted",
                        )));
                    }
                }
                let found = self.compare_jobs(order.key, &id).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
    }

    async fn compare_jobs(
        &mut self,
        order: OrderKey,
        id: &str,
    ) -> Result<Option<Mismatch>, StoreError> {
        let recorded = |pass: &Self, place: u64| {
            pass.jobs
                .get(&order)
                .and_then(|states| states.get(usize::try_from(place).ok()?))
                .copied()
                .filter(|state| *state > 0)
                .map(|state| TERMINAL[usize::from(state) - 1])
        };
        let lost = |place: u64| {
            let job = JobKey::new(order, u32::try_from(place).unwrap_or(u32::MAX));
            Mismatch::job(id, job, "its recorded outcome is gone from the database")
        };
        // What is recorded by now; more may be while the rows are read.
        let end = self
            .jobs
            .get(&order)
            .map_or(0, |states| states.len() as u64);
        let known = self.jobs.get(&order).cloned().unwrap_or_default();
        let had =
            |place: u64| place < end && usize::try_from(place).is_ok_and(|place| known[place] > 0);
        let mut after = None;
        let mut next = 0;
        loop {
            let page = self.store.jobs(order, &TERMINAL, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key);
            for job in &page {
                let place = u64::from(job.key.seq());
                if let Some(place) = (next..place).find(|place| had(*place)) {
                    return Ok(Some(lost(place)));
                }
                next = place + 1;
                if recorded(self, place).is_none() {
                    // It may have been settled since.
                    let found = self.read(None).await?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                let what = match recorded(self, place) {
                    Some(state) if state == job.state => continue,
                    Some(_) => "its outcome is not the one that was recorded",
                    None => "the record does not say how it ended",
                };
                return Ok(Some(Mismatch::job(id, job.key, what)));
            }
        }
        Ok((next..end).find(|place| had(*place)).map(lost))
    }
}

/// The first field of an order that is not what its acceptance holds. What was erased is erased in both.
fn changed_field(
    order: &Order,
    entry: &AuditEntry,
    detail: &serde_json::Value,
) -> Option<&'static str> {
    let opened = |field: &str| {
        entry
            .openings
            .iter()
            .find(|opening| opening.field == field)
            .map(|opening| opening.value.as_str())
    };
    let actor = order.actor.as_ref();
    let checks = [
        ("note", order.note.as_deref() == opened("note")),
        (
            "actor",
            actor.map(|actor| actor.name.as_str()) == opened("actor"),
        ),
        (
            "reference",
            order.reference.as_deref() == opened("reference"),
        ),
        (
            "plan",
            detail["plan_hash"].as_str() == Some(&order.plan_hash),
        ),
        ("urgency", detail["urgent"].as_bool() == Some(order.urgent)),
        (
            "way of signing in",
            actor.is_none_or(|actor| {
                detail["authenticated_by"].as_str() == Some(&actor.authenticated_by)
            }),
        ),
    ];
    checks
        .iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| *field)
}
