//! Who lives in the tenants. A person is a number; names, addresses and ids are computed from it and taken apart again,
//! so a million people need no memory of their own.

mod cast;

use self::cast::{CAST, Cast};
use crate::dice;
use crate::names::{FIRST, LAST, capital, position};

pub use self::cast::Person;

/// The domain of the simulated Entra tenant.
pub const MICROSOFT_DOMAIN: &str = "contoso.com";
/// The initial domain of the simulated Entra tenant; guests have their names under it.
pub const MICROSOFT_INITIAL_DOMAIN: &str = "contoso.onmicrosoft.com";
/// The domain of the simulated Google Workspace account.
pub const GOOGLE_DOMAIN: &str = "example.com";

const OBJECT: u64 = 1;
const ACCOUNT: u64 = 2;
const TRAITS: u64 = 3;
const NAMING: u64 = 4;

/// Names repeat with a number after this many people.
const NAMES: u32 = 4096;
/// Odd, so that stepping by it visits every name once.
const STEP: u32 = 2731;

/// The smallest population: the people with a part to play, and a few more.
pub const FEWEST_PEOPLE: u32 = CAST.len() as u32 + 6;

/// Everybody in both tenants, decided by a seed and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    seed: u64,
    count: u32,
}

impl Population {
    /// `count` people; at least [`FEWEST_PEOPLE`].
    pub fn new(seed: u64, count: u32) -> Self {
        Self {
            seed,
            count: count.max(FEWEST_PEOPLE),
        }
    }

    /// The seed everything is computed from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many people there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Never: a tenant has its administrators.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Everybody.
    pub fn everybody(&self) -> impl Iterator<Item = Person> + use<> {
        (0..self.count).map(Person)
    }

    /// Everybody without a part to play: the ordinary leavers.
    pub fn regulars(&self) -> impl Iterator<Item = Person> + use<> {
        (CAST.len() as u32..self.count).map(Person)
    }

    /// The user principal name at Microsoft.
    pub fn upn(&self, person: Person) -> String {
        match CAST.get(person.0 as usize) {
            Some(cast) => cast.upn.to_owned(),
            None => self.local(person) + "@" + MICROSOFT_DOMAIN,
        }
    }

    /// The primary address at Microsoft.
    pub fn mail(&self, person: Person) -> String {
        match CAST.get(person.0 as usize) {
            Some(cast) => cast.mail.to_owned(),
            None => self.upn(person),
        }
    }

    /// A second address at Microsoft: `family.given@…` for regular people.
    pub fn alias(&self, person: Person) -> Option<String> {
        match CAST.get(person.0 as usize) {
            Some(cast) => cast.alias.map(str::to_owned),
            None => Some(self.swapped(person) + "@" + MICROSOFT_DOMAIN),
        }
    }

    /// The primary address at Google; `None` for guests, whom Google does not know.
    pub fn google_email(&self, person: Person) -> Option<String> {
        match CAST.get(person.0 as usize) {
            Some(cast) => cast.google.map(|local| format!("{local}@{GOOGLE_DOMAIN}")),
            None => Some(self.local(person) + "@" + GOOGLE_DOMAIN),
        }
    }

    /// A second address at Google.
    pub fn google_alias(&self, person: Person) -> Option<String> {
        match CAST.get(person.0 as usize) {
            Some(cast) => cast
                .google_alias
                .map(|local| format!("{local}@{GOOGLE_DOMAIN}")),
            None => Some(self.swapped(person) + "@" + GOOGLE_DOMAIN),
        }
    }

    /// The name shown to people.
    pub fn display_name(&self, person: Person) -> String {
        if let Some(cast) = CAST.get(person.0 as usize) {
            return cast.display.to_owned();
        }
        let (first, last, _) = self.name(person);
        format!("{} {}", capital(first), capital(last))
    }

    /// The object id at Microsoft.
    pub fn object_id(&self, person: Person) -> String {
        dice::guid(self.seed, OBJECT, person.0)
    }

    /// The immutable id at Google: 21 digits.
    pub fn google_id(&self, person: Person) -> String {
        format!(
            "1{:010}{:010}",
            dice::scramble(self.seed ^ ACCOUNT, person.0),
            self.traits(person) % 10_000_000_000
        )
    }

    /// Whether the person is a guest of the Entra tenant.
    pub fn is_guest(&self, person: Person) -> bool {
        CAST.get(person.0 as usize).is_some_and(|cast| cast.guest)
    }

    /// Whether the account is disabled at Microsoft and suspended at Google from the start.
    pub fn is_disabled(&self, person: Person) -> bool {
        person.0 >= CAST.len() as u32 && self.traits(person).is_multiple_of(37)
    }

    /// A number from 0 to 2: which department a person works in.
    pub fn department(&self, person: Person) -> u32 {
        (self.traits(person) >> 8) as u32 % 3
    }

    /// Which of the twelve applications the person gave access to, one bit each; few gave many.
    pub fn grants(&self, person: Person) -> u16 {
        let draw = self.traits(person) >> 16;
        let many = match draw % 16 {
            0..=4 => 0,
            5..=9 => 1,
            10..=12 => 2,
            13 => 3,
            14 => 5,
            _ => 12,
        };
        let first = (draw >> 8) as u32 % 12;
        (0..many).fold(0, |mask, n| mask | 1 << ((first + n) % 12))
    }

    /// Which of three application passwords exist, one bit each.
    pub fn app_passwords(&self, person: Person) -> u8 {
        match (self.traits(person) >> 40) % 16 {
            0..=11 => 0b000,
            12 | 13 => 0b001,
            14 => 0b011,
            _ => 0b111,
        }
    }

    /// Whether the person has backup codes.
    pub fn has_backup_codes(&self, person: Person) -> bool {
        (self.traits(person) >> 48).is_multiple_of(3)
    }

    /// The watermark before anybody revoked anything: some day of 2025.
    pub fn initial_watermark_ms(&self, person: Person) -> i64 {
        1_735_689_600_000 + (self.traits(person) % (300 * 86_400)).cast_signed() * 1000
    }

    /// Who has this object id.
    pub fn by_object_id(&self, id: &str) -> Option<Person> {
        let person = self.within(dice::number_of_guid(self.seed, OBJECT, id)?)?;
        self.object_id(person)
            .eq_ignore_ascii_case(id)
            .then_some(person)
    }

    /// Who signs in at Microsoft under this name.
    pub fn by_upn(&self, upn: &str) -> Option<Person> {
        if let Some(found) = cast_where(|cast| cast.upn.eq_ignore_ascii_case(upn)) {
            return Some(found);
        }
        let person = self.by_local(address_in(upn, MICROSOFT_DOMAIN)?)?;
        self.upn(person).eq_ignore_ascii_case(upn).then_some(person)
    }

    /// Everybody whose `mail` at Microsoft is this address.
    pub fn by_mail(&self, mail: &str) -> Vec<Person> {
        let cast: Vec<Person> = (0..CAST.len())
            .filter(|n| CAST[*n].mail.eq_ignore_ascii_case(mail))
            .map(|n| Person(n as u32))
            .collect();
        if !cast.is_empty() {
            return cast;
        }
        self.by_upn(mail)
            .filter(|person| person.0 >= CAST.len() as u32)
            .into_iter()
            .collect()
    }

    /// Who has this second address at Microsoft.
    pub fn by_alias(&self, address: &str) -> Option<Person> {
        if let Some(found) = cast_where(|cast| {
            cast.alias
                .is_some_and(|alias| alias.eq_ignore_ascii_case(address))
        }) {
            return Some(found);
        }
        let person = self.by_swapped(address_in(address, MICROSOFT_DOMAIN)?)?;
        self.alias(person)?
            .eq_ignore_ascii_case(address)
            .then_some(person)
    }

    /// Who answers at Google to this `userKey`: immutable id, primary address or alias.
    pub fn by_google_key(&self, key: &str) -> Option<Person> {
        if key.len() == 21 && key.bytes().all(|byte| byte.is_ascii_digit()) {
            let scrambled: u32 = key.get(1..11)?.parse().ok()?;
            let person = self.within(dice::unscramble(self.seed ^ ACCOUNT, scrambled))?;
            return (self.google_id(person) == key && self.google_email(person).is_some())
                .then_some(person);
        }
        let local = address_in(key, GOOGLE_DOMAIN)?;
        let found = cast_where(|cast| {
            [cast.google, cast.google_alias]
                .iter()
                .flatten()
                .any(|known| known.eq_ignore_ascii_case(local))
        });
        if found.is_some() {
            return found;
        }
        let is = |text: Option<String>| text.is_some_and(|text| text.eq_ignore_ascii_case(key));
        self.by_local(local)
            .filter(|person| is(self.google_email(*person)))
            .or_else(|| {
                self.by_swapped(local)
                    .filter(|person| is(self.google_alias(*person)))
            })
    }

    fn within(&self, number: u32) -> Option<Person> {
        (number < self.count).then_some(Person(number))
    }

    fn traits(&self, person: Person) -> u64 {
        dice::bits(self.seed, TRAITS, u64::from(person.0))
    }

    fn offset(&self) -> u32 {
        dice::bits(self.seed, NAMING, 0) as u32 % NAMES
    }

    fn name(&self, person: Person) -> (&'static str, &'static str, u32) {
        let regular = person.0.saturating_sub(CAST.len() as u32);
        let (round, place) = (regular / NAMES, regular % NAMES);
        let name = (place * STEP + self.offset()) % NAMES;
        (
            FIRST[(name % 64) as usize],
            LAST[(name / 64) as usize],
            round,
        )
    }

    fn local(&self, person: Person) -> String {
        let (first, last, round) = self.name(person);
        joined(first, last, round)
    }

    fn swapped(&self, person: Person) -> String {
        let (first, last, round) = self.name(person);
        joined(last, first, round)
    }

    fn by_local(&self, local: &str) -> Option<Person> {
        let (first, last, round) = split(local)?;
        self.named(&first, &last, round)
    }

    fn by_swapped(&self, local: &str) -> Option<Person> {
        let (last, first, round) = split(local)?;
        self.named(&first, &last, round)
    }

    fn named(&self, first: &str, last: &str, round: u32) -> Option<Person> {
        const BACK: u32 = {
            // The inverse of STEP modulo NAMES, found by trying: a compile-time loop.
            let mut x = 1;
            while x * STEP % NAMES != 1 {
                x += 2;
            }
            x
        };
        let name = position(&FIRST, first)? + 64 * position(&LAST, last)?;
        let place = (name + NAMES - self.offset()) % NAMES * BACK % NAMES;
        let number = round.checked_mul(NAMES)?.checked_add(place)?;
        self.within(number.checked_add(CAST.len() as u32)?)
    }
}

fn cast_where(is: impl Fn(&Cast) -> bool) -> Option<Person> {
    CAST.iter().position(is).map(|n| Person(n as u32))
}

fn address_in<'a>(address: &'a str, domain: &str) -> Option<&'a str> {
    let (local, host) = address.rsplit_once('@')?;
    host.eq_ignore_ascii_case(domain).then_some(local)
}

fn joined(left: &str, right: &str, round: u32) -> String {
    if round == 0 {
        format!("{left}.{right}")
    } else {
        format!("{left}.{right}{}", round + 1)
    }
}

fn split(local: &str) -> Option<(String, String, u32)> {
    let lower = local.to_ascii_lowercase();
    let (left, right) = lower.split_once('.')?;
    let word = right.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let round = match &right[word.len()..] {
        "" => 0,
        digits => digits.parse::<u32>().ok()?.checked_sub(1)?,
    };
    Some((left.to_owned(), word.to_owned(), round))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_found_again_by_every_name_they_have() {
        for seed in [0, u64::MAX] {
            let people = Population::new(seed, 6_000);
            for person in people.everybody() {
                assert_eq!(people.by_object_id(&people.object_id(person)), Some(person));
                assert_eq!(
                    people.by_upn(&people.upn(person).to_uppercase()),
                    Some(person)
                );
                assert!(people.by_mail(&people.mail(person)).contains(&person));
                if let Some(alias) = people.alias(person) {
                    assert_eq!(people.by_alias(&alias), Some(person));
                    assert_eq!(people.by_upn(&alias), None, "{alias}");
                }
                if let Some(email) = people.google_email(person) {
                    assert_eq!(people.by_google_key(&email), Some(person));
                    assert_eq!(
                        people.by_google_key(&people.google_id(person)),
                        Some(person)
                    );
                }
                if let Some(alias) = people.google_alias(person) {
                    assert_eq!(people.by_google_key(&alias), Some(person));
                }
            }
        }
    }

    #[test]
    fn strangers_are_not_found() {
        let people = Population::new(42, 200);
        for stranger in [
            "",
            "@contoso.com",
            "nobody@contoso.com",
            "ada.lovelace999999999@contoso.com",
            "ada.lovelace00@contoso.com",
            "ada.ada@contoso.com",
        ] {
            assert_eq!(people.by_upn(stranger), None, "{stranger}");
        }
        assert_eq!(
            people.by_object_id("00000000-0000-4000-8000-000000000000"),
            None
        );
        assert_eq!(people.by_google_key("100000000000000000000"), None);
        let other = Population::new(43, 200);
        let theirs = other.object_id(Person::regular(3));
        assert_eq!(people.by_object_id(&theirs), None);
    }

    #[test]
    fn two_receptions_share_an_address() {
        let people = Population::new(42, 200);
        assert_eq!(people.by_mail("reception@contoso.com").len(), 2);
    }
}
