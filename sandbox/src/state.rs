//! What became of each person at each tenant: a few numbers each, changed without locks.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering::Relaxed};

use crate::population::{Person, Population};

/// Nobody changed it yet: the population's own value holds.
const UNTOUCHED: i64 = i64::MIN;

const PASSWORDS: u32 = 16;
const CODES: u32 = 1 << 24;
const GONE_MICROSOFT: u8 = 1;
const GONE_GOOGLE: u8 = 2;

#[derive(Debug)]
pub(crate) struct State {
    population: Population,
    watermark_ms: Vec<AtomicI64>,
    watermark_before_ms: Vec<AtomicI64>,
    signed_out_ms: Vec<AtomicI64>,
    /// Grants in bits 0–11, application passwords in 16–18, backup codes in 24.
    held: Vec<AtomicU32>,
    gone: Vec<AtomicU8>,
}

fn filled<T>(count: u32, make: impl Fn(Person) -> T) -> Vec<T> {
    (0..count).map(|n| make(Person(n))).collect()
}

impl State {
    pub(crate) fn new(population: Population) -> Self {
        let count = population.len();
        let untouched = || filled(count, |_| AtomicI64::new(UNTOUCHED));
        Self {
            population,
            watermark_ms: untouched(),
            watermark_before_ms: untouched(),
            signed_out_ms: untouched(),
            held: filled(count, |person| {
                let codes = if population.has_backup_codes(person) {
                    CODES
                } else {
                    0
                };
                AtomicU32::new(
                    u32::from(population.grants(person))
                        | u32::from(population.app_passwords(person)) << PASSWORDS
                        | codes,
                )
            }),
            gone: filled(count, |_| AtomicU8::new(0)),
        }
    }

    /// Moves the watermark; the value before stays readable until the lag is over.
    pub(crate) fn revoke(&self, person: Person, at_ms: i64) {
        let index = person.0 as usize;
        let before = self.watermark_ms[index].swap(at_ms, Relaxed);
        self.watermark_before_ms[index].store(before, Relaxed);
    }

    /// `signInSessionsValidFromDateTime` as a reader sees it now.
    pub(crate) fn watermark_ms(&self, person: Person, now_ms: i64, lag_ms: i64) -> i64 {
        let index = person.0 as usize;
        let latest = self.watermark_ms[index].load(Relaxed);
        let seen = if latest != UNTOUCHED && now_ms - latest < lag_ms {
            self.watermark_before_ms[index].load(Relaxed)
        } else {
            latest
        };
        if seen == UNTOUCHED {
            self.population.initial_watermark_ms(person)
        } else {
            seen
        }
    }

    pub(crate) fn sign_out(&self, person: Person, at_ms: i64) {
        self.signed_out_ms[person.0 as usize].store(at_ms, Relaxed);
    }

    pub(crate) fn signed_out_ms(&self, person: Person) -> Option<i64> {
        let at = self.signed_out_ms[person.0 as usize].load(Relaxed);
        (at != UNTOUCHED).then_some(at)
    }

    pub(crate) fn grants(&self, person: Person) -> u16 {
        self.held[person.0 as usize].load(Relaxed) as u16
    }

    pub(crate) fn app_passwords(&self, person: Person) -> u8 {
        (self.held[person.0 as usize].load(Relaxed) >> PASSWORDS) as u8
    }

    pub(crate) fn has_backup_codes(&self, person: Person) -> bool {
        self.held[person.0 as usize].load(Relaxed) & CODES != 0
    }

    /// Whether it was there to be deleted.
    pub(crate) fn delete_grant(&self, person: Person, grant: u8) -> bool {
        self.clear(person, 1 << grant)
    }

    /// Whether it was there to be deleted.
    pub(crate) fn delete_app_password(&self, person: Person, password: u8) -> bool {
        self.clear(person, 1 << (PASSWORDS + u32::from(password)))
    }

    /// Whether there were any.
    pub(crate) fn invalidate_backup_codes(&self, person: Person) -> bool {
        self.clear(person, CODES)
    }

    pub(crate) fn delete_account(&self, person: Person, at_microsoft: bool) {
        let bit = if at_microsoft {
            GONE_MICROSOFT
        } else {
            GONE_GOOGLE
        };
        self.gone[person.0 as usize].fetch_or(bit, Relaxed);
    }

    pub(crate) fn is_gone(&self, person: Person, at_microsoft: bool) -> bool {
        let bit = if at_microsoft {
            GONE_MICROSOFT
        } else {
            GONE_GOOGLE
        };
        self.gone[person.0 as usize].load(Relaxed) & bit != 0
    }

    fn clear(&self, person: Person, bit: u32) -> bool {
        self.held[person.0 as usize].fetch_and(!bit, Relaxed) & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_seen_when_the_lag_is_over() {
        let people = Population::new(1, 50);
        let state = State::new(people);
        let person = Person::regular(1);
        let before = people.initial_watermark_ms(person);
        state.revoke(person, 1_800_000_000_000);
        assert_eq!(state.watermark_ms(person, 1_800_000_002_999, 3_000), before);
        assert_eq!(
            state.watermark_ms(person, 1_800_000_003_000, 3_000),
            1_800_000_000_000
        );
    }

    #[test]
    fn a_thing_is_deleted_once() {
        let people = Population::new(1, 500);
        let state = State::new(people);
        let person = people
            .everybody()
            .find(|person| people.grants(*person) & 1 != 0)
            .unwrap();
        assert!(state.delete_grant(person, 0));
        assert!(!state.delete_grant(person, 0));
    }
}
