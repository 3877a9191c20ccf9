//! Takes pending jobs into memory, a window ahead of their calls.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::classify::done_steps;
use super::desk::{Cursor, Desk, Fate};
use super::lookup;
use super::queue::Work;
use crate::clock::later;
use crate::job::WaitReason;
use crate::provider::{Account, ScopeKind};
use crate::report::{OutcomeName, Unsupported};
use crate::store::StoreError;

/// How often a lane looks at the clock when nobody rings.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The shortest pause between two looks.
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(20);

/// Feeds one lane until it is told to claim no more.
pub(super) async fn feed(desk: Arc<Desk>) -> Result<(), StoreError> {
    let mut lookups = JoinSet::new();
    let mut looked_again = Timestamp::MIN;
    {
        let due = desk.run.store.next_due(&desk.member.name).await?;
        let mut state = desk.state();
        state.wake_at = due.job;
        state.evidence_at = due.evidence;
    }
    desk.evidence.notify_one();
    loop {
        if desk.run.draining.is_cancelled() {
            return Ok(());
        }
        while let Some(done) = lookups.try_join_next() {
            finished(done)?;
        }
        let progress = if desk.is_stopped() {
            desk.forget_unclaimed();
            false
        } else {
            desk.forget_on_hold();
            let fetched = fetch(&desk, &mut looked_again).await?;
            lookup::start(&desk, &mut lookups);
            fetched
        };
        if progress {
            continue;
        }
        let pause = until_due(&desk);
        tokio::select! {
            biased;
            () = desk.run.draining.cancelled() => return Ok(()),
            () = desk.feed.notified() => {}
            Some(done) = lookups.join_next() => finished(done)?,
            () = sleep(pause) => {}
        }
    }
}

fn finished(
    done: Result<Result<(), StoreError>, tokio::task::JoinError>,
) -> Result<(), StoreError> {
    match done {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Ok(()),
    }
}

fn until_due(desk: &Desk) -> Duration {
    let now = desk.now();
    let wake_at = desk.state().wake_at;
    wake_at
        .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
        .map_or(LOOK_EVERY, |wait| wait.min(LOOK_EVERY))
        // A job that is due but finds no room must not make this spin.
        .max(LEAST_PAUSE)
}

/// Fills the window. Answers whether anything came.
async fn fetch(desk: &Arc<Desk>, looked_again: &mut Timestamp) -> Result<bool, StoreError> {
    let woken = wake(desk).await?;
    let mut fetched = woken;
    for urgent in [true, false] {
        fetched += peek(desk, urgent, looked_again).await?;
    }
    Ok(fetched > 0)
}

/// Takes in the waiting jobs whose time has come.
async fn wake(desk: &Arc<Desk>) -> Result<usize, StoreError> {
    let now = desk.now();
    let (active, _) = desk.run.orders.active();
    let room = {
        let mut state = desk.state();
        if state.wake_at.is_none_or(|at| at > now) {
            return Ok(0);
        }
        let has_fresh = active.iter().any(|order| {
            let cursor = state.cursors.get(&order.key);
            order.is_for(&desk.member.name) && cursor.is_none_or(|cursor| !cursor.at_end)
        });
        let room = state.room_for_woken(desk.window, has_fresh);
        if room == 0 {
            return Ok(0);
        }
        // What is settled from here on says itself when it is due; the store's answer below may be older than that.
        state.wake_at = None;
        room
    };
    let store = &desk.run.store;
    let woken = store.wake(&desk.member.name, now, room).await?;
    let due = store.next_due(&desk.member.name).await?;
    let came = woken.len();
    if let Some(at) = due.job {
        let at = if came == 0 {
            at.max(later(now, LOOK_EVERY))
        } else {
            at
        };
        desk.state().wake_by(at);
    }
    let (active, _) = desk.run.orders.active();
    for job in woken {
        // A job of an order we do not work on now is pending in the store: it is found when the order comes back.
        if let Some(order) = active.iter().find(|order| order.key == job.key.order()) {
            let mut work = Work::new(job, Arc::clone(order));
            work.woken = true;
            take_in(desk, work);
        }
    }
    Ok(came)
}

/// Takes in the next pending jobs of each open order of a class, the same share of the window for each.
async fn peek(
    desk: &Arc<Desk>,
    urgent: bool,
    looked_again: &mut Timestamp,
) -> Result<usize, StoreError> {
    let (active, generation) = desk.run.orders.active();
    let mine: Vec<_> = active
        .iter()
        .filter(|order| order.urgent == urgent && order.is_for(&desk.member.name))
        .collect();
    let now = desk.now();
    let mut came = 0;
    {
        // An order that comes back after a pause is read from its start.
        let mut state = desk.state();
        state
            .cursors
            .retain(|key, _| active.iter().any(|order| order.key == *key));
    }
    for (i, order) in mine.iter().enumerate() {
        let (cursor, limit) = {
            let mut state = desk.state();
            let room = state.room_for_fresh(desk.window, urgent);
            let limit = room.div_ceil(mine.len() - i);
            let cursor = state
                .cursors
                .entry(order.key)
                .or_insert_with(|| Cursor::at_start(generation));
            if cursor.at_end
                && cursor.generation != generation
                && now >= later(*looked_again, LOOK_EVERY)
            {
                // Somebody else wrote since it was begun: jobs behind the cursor may be pending again.
                *looked_again = now;
                *cursor = Cursor::at_start(generation);
            }
            if cursor.at_end || limit == 0 {
                continue;
            }
            (*cursor, limit)
        };
        let jobs = desk
            .run
            .store
            .peek(order.key, &desk.member.name, cursor.after, limit)
            .await?;
        {
            let mut state = desk.state();
            if let Some(cursor) = state.cursors.get_mut(&order.key) {
                cursor.at_end = jobs.len() < limit;
                cursor.after = jobs.last().map(|job| job.key).or(cursor.after);
            }
        }
        came += jobs.len();
        for job in jobs {
            take_in(desk, Work::new(job, Arc::clone(order)));
        }
    }
    Ok(came)
}

/// Puts a pending job where it goes first.
fn take_in(desk: &Arc<Desk>, mut work: Work) {
    if !desk.state().learn(&work) {
        return;
    }
    if let Some(why) = unsupported(desk, &work) {
        let fate = Fate::refused(OutcomeName::Unsupported, why);
        desk.run_errand(work, fate);
        return;
    }
    desk.protect.notify_one();
    if let Some(resolved) = &work.job.resolved {
        let account = desk.member.recall(&resolved.id);
        let account = account.unwrap_or_else(|| Account::new(&resolved.id, &resolved.name));
        work.account = Some(Arc::new(account));
    } else if desk.member.roles.directory.is_some() {
        desk.state().to_resolve.push(work);
        return;
    } else {
        // Nobody can say who it is: the spelling stands for the account.
        let given = work.job.alias.as_deref().unwrap_or(&work.job.subject);
        work.account = Some(Arc::new(Account::new(crate::subject::fold(given), given)));
    }
    with_account(desk, work);
}

fn unsupported(desk: &Desk, work: &Work) -> Option<Unsupported> {
    let capabilities = &desk.member.capabilities;
    if let Some(why) = &capabilities.refuses {
        return Some(why.clone());
    }
    capabilities
        .scope(work.job.scope.kind())
        .is_none()
        .then(|| {
            Unsupported::new(
                "this provider does not end what the order names",
                "order everything at this provider, or end it in the provider's own console",
            )
        })
}

/// Who it is is known; now whether it may be called.
pub(super) fn with_account(desk: &Desk, work: Work) {
    if let Some(why) = work
        .account
        .as_ref()
        .and_then(|account| account.not_covered.clone())
    {
        let fate = Fate::refused(OutcomeName::Unsupported, why);
        desk.run_errand(work, fate);
    } else if work.is_unknown() || needs_witness(desk, &work) {
        desk.state().to_check.push(work);
        desk.feed.notify_one();
    } else {
        desk.make_ready(work);
    }
}

/// Whether a repeat is the last thing left to do in its lane, so that nobody else's call can show whether the lane is
/// well: then its evidence is read first, and shows at least that the provider answers.
fn needs_witness(desk: &Desk, work: &Work) -> bool {
    work.woken
        && !work.checked
        && work.job.waited == Some(WaitReason::Transient)
        && work.job.scope.kind() == ScopeKind::Everything
        && desk.member.roles.evidence.is_some()
        && desk.member.is_idempotent(ScopeKind::Everything)
        && !desk.serves_others(true)
}

/// The steps a former attempt has done.
pub(super) fn steps_done(work: &Work) -> Vec<String> {
    done_steps(&work.job.detail)
}
