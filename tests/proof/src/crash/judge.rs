//! What the server saw against what the program wrote and said, life by life.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rescind_integration::other_graph::Asked;

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The provider is said to have done it.
    Confirmed,
    /// The person was there once.
    Gone,
    /// It could not be done.
    Refused,
    /// Somebody called it off.
    Cancelled,
}

/// One order as the harness knows it.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Who was in the file.
    pub people: Vec<u64>,
    /// The instant T, in microseconds since 1970, once it is in the record.
    pub accepted_at: Option<i64>,
    /// Whether the program said that it was accepted.
    pub told: bool,
}

/// Everything there is to judge.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What was ordered.
    pub orders: Vec<Order>,
    /// When each life was killed; `None` for one that ended by itself.
    pub kills: Vec<Option<Instant>>,
    /// Each person with the first life at whose end they were finished on disk, and how.
    pub durable: BTreeMap<u64, (u32, Fate)>,
    /// How each person ended at last.
    pub ended: BTreeMap<u64, Fate>,
    /// All requests that the server saw.
    pub asked: Vec<Asked>,
    /// Accounts that the server does not have.
    pub missing: BTreeSet<u64>,
    /// How long an answer may be on its way to the record.
    pub on_its_way: Duration,
}

/// What is wrong, each a number of people (of orders, for the first), with one of them named.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Orders that the program said were accepted, and that are not there.
    pub forgotten: u64,
    /// Accepted, and without an end.
    pub lost: u64,
    /// Finished on disk once, and otherwise or not at all later.
    pub moved: u64,
    /// Confirmed without an effect after T; or called gone, refused or cancelled and there.
    pub falsely_told: u64,
    /// Asked for after they were finished on disk.
    pub durable_repeats: u64,
    /// Revoked again although the first answer had come in time to be written.
    pub needless_repeats: u64,
    /// Revoked, and in no accepted order.
    pub uncalled_for: u64,
    /// Revoked again because a kill took the answer: allowed.
    pub repeats: u64,
    /// Requests whose answer a kill may have taken, as the server counts: the bound of the repeats.
    pub in_flight: u64,
    /// The first thing found wrong.
    pub first: Option<String>,
}

impl Findings {
    /// Judges.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let in_flight = evidence.asked.iter();
        let in_flight = in_flight.filter(|asked| evidence.was_in_flight(asked));
        let mut found = Self {
            in_flight: in_flight.count() as u64,
            ..Self::default()
        };
        let mut asked: BTreeMap<u64, Vec<&Asked>> = BTreeMap::new();
        for one in &evidence.asked {
            asked.entry(one.person).or_default().push(one);
        }
        let mut accepted = BTreeSet::new();
        for order in &evidence.orders {
            let Some(at) = order.accepted_at else {
                if order.told {
                    found.forgotten += 1;
                    found.say(|| format!("an order of {} people is not there", order.people.len()));
                }
                continue;
            };
            for person in &order.people {
                accepted.insert(*person);
                let calls = asked.get(person).map_or(&[][..], Vec::as_slice);
                found.person(evidence, *person, at, calls);
            }
        }
        for (person, calls) in &asked {
            if !accepted.contains(person) {
                found.uncalled_for += 1;
                found.say(|| format!("u{person} is in no order: {calls:?}"));
            }
        }
        found
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.first.is_none() && self.repeats <= self.in_flight
    }

    fn person(&mut self, evidence: &Evidence, person: u64, at: i64, calls: &[&Asked]) {
        let ended = evidence.ended.get(&person).copied();
        if ended.is_none() {
            self.lost += 1;
            self.say(|| format!("u{person} has no end: {calls:?}"));
        }
        let durable = evidence.durable.get(&person).copied();
        if durable.is_some_and(|(_, fate)| Some(fate) != ended) {
            self.moved += 1;
            self.say(|| format!("u{person} was {durable:?} and is {ended:?}"));
        }
        let missing = evidence.missing.contains(&person);
        let truly = match ended {
            Some(Fate::Confirmed) => calls
                .iter()
                .any(|call| call.effect.is_some_and(|effect| effect >= at)),
            Some(_) => missing,
            None => true,
        };
        if !truly {
            self.falsely_told += 1;
            self.say(|| format!("u{person} is called {ended:?}: {calls:?}"));
        }
        if let Some((life, _)) = durable
            && calls.iter().any(|call| call.life > life)
        {
            self.durable_repeats += 1;
            self.say(|| format!("u{person} was finished in life {life}: {calls:?}"));
        }
        let effects = calls.iter().filter(|call| call.effect.is_some());
        for again in effects.skip(1) {
            let before = calls
                .iter()
                .filter(|call| call.life < again.life && evidence.was_in_flight(call));
            if before.count() == 0 {
                self.needless_repeats += 1;
                self.say(|| format!("u{person} was revoked again: {calls:?}"));
            }
            self.repeats += 1;
        }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        self.first.get_or_insert_with(what);
    }
}

impl Evidence {
    /// Whether a kill may have taken the answer to this request: it was not given, or only just.
    fn was_in_flight(&self, asked: &Asked) -> bool {
        let kill = self.kills.get(asked.life as usize).copied().flatten();
        kill.is_some_and(|kill| {
            asked
                .answered
                .is_none_or(|answered| kill.saturating_duration_since(answered) < self.on_its_way)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_000_000;

    /// Three people, two lives: u0 is finished in the first, u1 loses its answer to the kill, u2 is not there.
    fn well() -> Evidence {
        let start = Instant::now();
        let kill = start + Duration::from_secs(10);
        let asked = |person, life, effect: i64, answered: Option<u64>| Asked {
            person,
            life,
            effect: Some(effect),
            answered: answered.map(|secs| start + Duration::from_secs(secs)),
        };
        Evidence {
            orders: vec![Order {
                people: vec![0, 1, 2],
                accepted_at: Some(T),
                told: true,
            }],
            kills: vec![Some(kill), None],
            durable: BTreeMap::from([(0, (0, Fate::Confirmed))]),
            ended: BTreeMap::from([
                (0, Fate::Confirmed),
                (1, Fate::Confirmed),
                (2, Fate::Refused),
            ]),
            asked: vec![
                asked(0, 0, T + 1, Some(1)),
                asked(1, 0, T + 2, Some(9)),
                asked(1, 1, T + 3, Some(11)),
            ],
            missing: BTreeSet::from([2]),
            on_its_way: Duration::from_secs(2),
        }
    }

    fn found(change: impl FnOnce(&mut Evidence)) -> Findings {
        let mut evidence = well();
        change(&mut evidence);
        let found = Findings::of(&evidence);
        assert!(!found.is_well(), "{found:?}");
        found
    }

    #[test]
    fn a_life_without_a_fault_is_well() {
        let found = Findings::of(&well());
        assert!(found.is_well(), "{found:?}");
        assert_eq!((found.repeats, found.in_flight), (1, 1));
    }

    #[test]
    fn a_lost_person_is_found() {
        assert_eq!(
            found(|e| {
                e.ended.remove(&1);
            })
            .lost,
            1
        );
    }

    #[test]
    fn an_order_that_was_told_of_and_is_not_there_is_found() {
        let forgotten = found(|e| {
            e.orders.push(Order {
                people: vec![7],
                accepted_at: None,
                told: true,
            });
        });
        assert_eq!(forgotten.forgotten, 1);
    }

    #[test]
    fn a_false_confirmation_is_found() {
        let never = found(|e| e.asked[0].effect = None);
        assert_eq!(never.falsely_told, 1);
        let too_early = found(|e| e.asked[0].effect = Some(T - 1));
        assert_eq!(too_early.falsely_told, 1);
        let not_there = found(|e| {
            e.ended.insert(2, Fate::Confirmed);
        });
        assert_eq!(not_there.falsely_told, 1);
    }

    #[test]
    fn a_false_refusal_is_found() {
        assert_eq!(found(|e| e.missing.clear()).falsely_told, 1);
    }

    #[test]
    fn a_repeat_of_something_durable_is_found() {
        let again = found(|e| {
            let mut again = e.asked[0].clone();
            (again.life, again.effect) = (1, None);
            e.asked.push(again);
        });
        assert_eq!(again.durable_repeats, 1);
    }

    #[test]
    fn a_repeat_that_no_kill_explains_is_found() {
        // Answered long before the kill, and still not written.
        let slow = found(|e| e.asked[1].answered = e.asked[0].answered);
        assert_eq!(slow.needless_repeats, 1);
        // Twice in one life.
        let twice = found(|e| e.asked[2].life = 0);
        assert_eq!(twice.needless_repeats, 1);
    }

    #[test]
    fn an_end_that_changes_is_found() {
        let moved = found(|e| {
            e.durable.insert(2, (0, Fate::Gone));
        });
        assert_eq!(moved.moved, 1);
    }

    #[test]
    fn a_call_for_somebody_in_no_order_is_found() {
        assert_eq!(found(|e| e.orders[0].people.truncate(1)).uncalled_for, 1);
    }
}
