//! Reads the provider's own proof back: durable work like any other, and it never turns a confirmed job back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::desk::Desk;
use super::feed::LEAST_PAUSE;
use super::reads::is_strange;
use crate::clock::later;
use crate::context::Priority;
use crate::error::{Error, Retry};
use crate::id::JobKey;
use crate::provider::Proof;
use crate::report::EvidenceState;
use crate::store::{EvidenceDue, EvidenceReading, StoreError};

/// When evidence is read, counted from the confirmation.
const SCHEDULE: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Watermarks are cut to the second, and set a moment before the answer is dated.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// How far the clock that sets watermarks may be ahead of the one that dates answers: they are different machines.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(60);

/// How many read calls of a lane are under way at once.
const READS_AT_ONCE: usize = 32;

/// How often a lane looks at the clock when nobody rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So many groups of readings are on their way to the store at once: a sync must not keep the next reads from leaving.
const MOST_GROUPS: usize = 4;

/// What one read call found out.
type Read = (Vec<EvidenceDue>, Result<Vec<Proof>, Error>);

/// The jobs whose readings were written.
type Recorded = Result<Vec<JobKey>, StoreError>;

/// Reads the evidence of one lane until it is told to stop.
pub(super) async fn read_back(desk: Arc<Desk>) -> Result<(), StoreError> {
    let mut reads: JoinSet<Read> = JoinSet::new();
    let mut records: JoinSet<Recorded> = JoinSet::new();
    let mut reading: HashSet<JobKey> = HashSet::new();
    let mut finished: Vec<Read> = Vec::new();
    loop {
        if desk.run.draining.is_cancelled() {
            // A read changes nothing: whoever comes next reads again.
            return Ok(());
        }
        // What ended meanwhile is written in one commit.
        while let Some(read) = reads.try_join_next() {
            finished.extend(ended(read));
        }
        let mut progress = false;
        while let Some(recorded) = records.try_join_next() {
            forget(&mut reading, recorded)?;
            progress = true;
        }
        if !finished.is_empty() && records.len() < MOST_GROUPS {
            records.spawn(record(Arc::clone(&desk), std::mem::take(&mut finished)));
            progress = true;
        }
        if !desk.is_stopped() {
            progress |= begin(&desk, &mut reads, &mut reading).await?;
        }
        if progress {
            continue;
        }
        let pause = until_due(&desk);
        tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => return Ok(()),
            () = desk.evidence.notified() => {}
            Some(read) = reads.join_next() => finished.extend(ended(read)),
            Some(recorded) = records.join_next() => forget(&mut reading, recorded)?,
            () = sleep(pause) => {}
        }
    }
}

/// What a task found out; it is gone only when the run is.
fn ended<T>(task: Result<T, tokio::task::JoinError>) -> Option<T> {
    match task {
        Ok(result) => Some(result),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

/// These may be read again.
fn forget(
    reading: &mut HashSet<JobKey>,
    recorded: Result<Recorded, tokio::task::JoinError>,
) -> Result<(), StoreError> {
    for job in ended(recorded).transpose()?.unwrap_or_default() {
        reading.remove(&job);
    }
    Ok(())
}

fn until_due(desk: &Desk) -> Duration {
    let due = desk.state().evidence_at;
    due.and_then(|at| Duration::try_from(at.duration_since(desk.now())).ok())
        .map_or(LOOK_EVERY, |wait| wait.min(LOOK_EVERY))
        .max(LEAST_PAUSE)
}

/// Starts reads for what is due. Answers whether there was anything.
async fn begin(
    desk: &Arc<Desk>,
    reads: &mut JoinSet<Read>,
    reading: &mut HashSet<JobKey>,
) -> Result<bool, StoreError> {
    let now = desk.now();
    let size = desk.member.descriptor.subjects_per_read.max(1);
    let room = READS_AT_ONCE.saturating_sub(reads.len()) * size;
    if room == 0 {
        return Ok(false);
    }
    let (mut due, in_flight) = {
        let mut state = desk.state();
        let asks = state.evidence_at.is_some_and(|at| at <= now);
        // What the store knows is older: half the room is kept for it.
        let fresh = if asks { room.div_ceil(2) } else { room };
        let fresh = fresh.min(state.to_prove.len());
        let mut due: Vec<EvidenceDue> = state.to_prove.drain(..fresh).collect();
        // The store may have been asked between the commit of a job and its coming here.
        due.retain(|due| reading.insert(due.job));
        let in_flight = asks.then(|| {
            // What is confirmed from here on says itself when it is due; the store's answers below may be older.
            state.evidence_at = None;
            let waiting = state.to_prove.iter().map(|due| due.job);
            reading
                .iter()
                .copied()
                .chain(waiting)
                .collect::<Vec<JobKey>>()
        });
        (due, in_flight)
    };
    if let Some(in_flight) = in_flight {
        due.extend(from_store(desk, now, room - due.len(), &in_flight).await?);
        reading.extend(due.iter().map(|due| due.job));
    }
    if due.is_empty() {
        return Ok(false);
    }
    while !due.is_empty() {
        let rest = due.split_off(due.len().min(size));
        reads.spawn(read(Arc::clone(desk), std::mem::replace(&mut due, rest)));
    }
    Ok(true)
}

/// What is due in the store and not in flight. Says when to ask again.
async fn from_store(
    desk: &Desk,
    now: Timestamp,
    room: usize,
    in_flight: &[JobKey],
) -> Result<Vec<EvidenceDue>, StoreError> {
    let store = &desk.run.store;
    let due = store
        .evidence_due(&desk.member.name, now, room, in_flight)
        .await?;
    if due.len() < room {
        let next = store.next_due(&desk.member.name).await?.evidence;
        // What is being read now is still due in the store; it rings when it is recorded.
        if let Some(at) = next {
            let at = at.max(later(now, Duration::from_millis(100)));
            desk.state().evidence_by(at);
        }
    } else {
        desk.state().evidence_by(now);
    }
    Ok(due)
}

async fn read(desk: Arc<Desk>, due: Vec<EvidenceDue>) -> Read {
    if desk.member.roles.evidence.is_none() {
        let none = due.iter().map(|_| Proof::Watermark { at: None }).collect();
        return (due, Ok(none));
    }
    let ids: Vec<String> = due.iter().map(|due| due.account_id.clone()).collect();
    let proofs = match desk.member.prove(&ids, Priority::Evidence).await {
        // An answer, however strange: it must come to an end.
        Err(error) if is_strange(&error) => Ok(ids
            .iter()
            .map(|_| Proof::Failed(error.for_another_call()))
            .collect()),
        proofs => proofs,
    };
    if let Ok(proofs) = &proofs
        && proofs.iter().any(|proof| proof.failure().is_none())
    {
        desk.answered(false);
    }
    (due, proofs)
}

/// Writes what was read. Until then nobody else reads it.
async fn record(desk: Arc<Desk>, reads: Vec<Read>) -> Recorded {
    let now = desk.now();
    let mut jobs = Vec::new();
    let mut readings: Vec<EvidenceReading> = Vec::new();
    for (due, proofs) in reads {
        jobs.extend(due.iter().map(|due| due.job));
        match proofs {
            Ok(proofs) => readings.extend(
                due.iter()
                    .zip(proofs)
                    .map(|(due, proof)| reading_of(&desk, due, &proof, now)),
            ),
            Err(error) if error.retry() == Retry::Never => {
                readings.extend(due.iter().map(|due| EvidenceReading {
                    job: due.job,
                    state: EvidenceState::Unverified,
                    due: None,
                }));
            }
            // The provider could not be asked at all: no read is used up, and the lane knows how long to wait.
            Err(_) => desk.state().evidence_at = Some(later(now, LOOK_EVERY)),
        }
    }
    let next = readings.iter().filter_map(|reading| reading.due).min();
    if !readings.is_empty() {
        desk.run.store.record_evidence(readings).await?;
    }
    if let Some(next) = next {
        desk.state().evidence_by(next);
    }
    desk.run.look.notify_one();
    Ok(jobs)
}

/// Whether a watermark can be true: a provider whose clock reads `theirs` has ended nothing later than that. One from
/// its future proves nothing, whichever of the two clocks is wrong.
pub(super) fn is_past(watermark: Timestamp, theirs: Timestamp) -> bool {
    watermark.duration_since(theirs) <= CLOCKS_APART
}

fn reading_of(desk: &Desk, due: &EvidenceDue, proof: &Proof, now: Timestamp) -> EvidenceReading {
    let theirs = desk.member.lane.provider_now();
    let verified = match proof {
        Proof::Watermark { at } => at.is_some_and(|at| {
            at.duration_since(due.revoked_at) >= -TOLERANCE && is_past(at, theirs)
        }),
        Proof::Remaining { items } => *items == 0,
        // Nobody is left who could have a session.
        Proof::SubjectMissing => true,
        Proof::Failed(_) => false,
    };
    let next = SCHEDULE.get(due.reads as usize + 1);
    let (state, due_at) = match (verified, next) {
        (true, _) => (EvidenceState::Verified, None),
        (false, Some(after)) if desk.member.roles.evidence.is_some() => (
            EvidenceState::Pending,
            Some(later(due.confirmed_at, *after).max(now)),
        ),
        (false, _) => (EvidenceState::Unverified, None),
    };
    EvidenceReading {
        job: due.job,
        state,
        due: due_at,
    }
}
