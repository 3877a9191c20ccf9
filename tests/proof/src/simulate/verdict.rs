//! What the judge says at the end of a process, and at the end of everything.

use std::collections::BTreeMap;

use rescind_core::engine::Goal;
use rescind_core::id::JobKey;
use rescind_core::job::JobState;

use super::judge::Judge;
use super::world::World;

/// An order that came or was touched this short a time before the end need not be part of it.
const LATELY_MS: u64 = 20_000;

/// A process said that its goal is reached: nothing of it may be open.
pub(super) fn told_finished(judge: &mut Judge, now: u64, goal: Goal) {
    if judge.books.touched_at + LATELY_MS > now {
        return;
    }
    let open: usize = judge
        .books
        .orders
        .values()
        .filter(|order| goal.order().is_none_or(|id| id == order.id))
        .filter(|order| order.accepted.is_some_and(|at| at.at + LATELY_MS < now))
        .map(super::books::OrderBook::open)
        .sum();
    if open > 0 {
        let what = format!("a process says it has finished, and {open} jobs are open");
        judge.violate(now, what);
    }
}

/// After the calm: nobody is lost, the books balance, the record says the same.
pub(super) fn last_look(world: &World) {
    let now = world.now();
    let mut found = Vec::new();
    if !world.model.books_balance() {
        found.push("the books do not balance".to_owned());
    }
    let recorded: BTreeMap<JobKey, JobState> =
        world.model.recorded_outcomes().into_iter().collect();
    let jobs = world.model.all_jobs();
    let mut expected = 0;
    {
        let state = &mut *world.state();
        let accepted = state.judge.books.orders.values();
        for order in accepted.filter(|order| order.accepted.is_some()) {
            expected += order.jobs.len();
        }
        for job in &jobs {
            let key = job.key;
            let told = state
                .judge
                .books
                .job(key)
                .map(|book| (book.state, book.vendor));
            let Some((told, vendor)) = told else {
                found.push(format!("{key:?} was never accepted"));
                continue;
            };
            if told != job.state {
                found.push(format!(
                    "{key:?} is {:?}, and was told to be {told:?}",
                    job.state
                ));
            }
            // Where a repeat would do harm, a person decides what nobody can know.
            let may_park = !world.scenario.vendors[vendor].idempotent;
            // Where that happens to many, their order goes on hold again and again: open, and visibly so.
            let may_hold = world
                .scenario
                .vendors
                .iter()
                .any(|vendor| !vendor.idempotent);
            let order = state.judge.books.orders.get(&key.order());
            let is_held = may_hold && order.is_some_and(|order| order.paused_at.is_some());
            let may_park = may_park && job.state == JobState::Parked;
            let at_its_end = job.state.is_terminal() || may_park || is_held;
            if !at_its_end {
                found.push(format!("{key:?} is lost: it is still {:?}", job.state));
            }
            let settled = matches!(
                job.state,
                JobState::Confirmed | JobState::Gone | JobState::Parked
            );
            if settled && recorded.get(&key) != Some(&job.state) {
                let said = recorded.get(&key);
                found.push(format!(
                    "{key:?} is {:?}, and the record says {said:?}",
                    job.state
                ));
            }
        }
    }
    if jobs.len() != expected {
        found.push(format!(
            "{expected} jobs were accepted and {} are there",
            jobs.len()
        ));
    }
    for what in found {
        world.state().judge.violate(now, what);
    }
}
