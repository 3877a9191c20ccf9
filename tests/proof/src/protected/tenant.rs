//! A provider's directory: who is there, under which spellings and when, and who is in which group.

use std::collections::HashSet;

use rescind_core::provider::Account;
use rescind_core::report::Unsupported;

use super::reading::reads;

/// Never, in milliseconds since the beginning.
pub(super) const NEVER: u64 = u64::MAX;

/// What a spelling is to the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Upn,
    Mail,
    Alias,
}

/// A spelling, and when it leads to the account: from the first instant on, and not at the last any more.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) text: String,
    pub(super) role: Role,
    pub(super) from: u64,
    pub(super) until: u64,
    key: String,
}

/// An account, and all it is ever called.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) held: Vec<Held>,
    pub(super) guest: bool,
}

/// Somebody in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Person(usize),
    Group(usize),
}

/// How a directory finds people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    /// Case makes no difference.
    Case,
    /// As a person reads: nor do width, accents' encoding, what shows nothing.
    Reading,
}

/// What the directory says to a spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Found(usize),
    Nobody,
    Several(usize),
}

/// One provider's people.
#[derive(Debug, Clone)]
pub(super) struct Tenant {
    pub(super) compare: Compare,
    pub(super) people: Vec<Person>,
    pub(super) groups: Vec<Vec<Member>>,
    /// The instants at which a spelling comes or goes.
    pub(super) changes: Vec<u64>,
}

impl Tenant {
    pub(super) fn new(compare: Compare) -> Self {
        Self {
            compare,
            people: Vec::new(),
            groups: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn key(&self, text: &str) -> String {
        match self.compare {
            Compare::Case => text.trim().chars().flat_map(char::to_lowercase).collect(),
            Compare::Reading => reads(text),
        }
    }

    /// Gives a person a spelling for a while.
    pub(super) fn give(&mut self, person: usize, text: &str, role: Role, from: u64, until: u64) {
        let key = self.key(text);
        self.people[person].held.push(Held {
            text: text.to_owned(),
            role,
            from,
            until,
            key,
        });
        let real = |at: &u64| *at != 0 && *at != NEVER;
        self.changes.extend([from, until].into_iter().filter(real));
    }

    /// Takes a spelling away at an instant.
    pub(super) fn take(&mut self, person: usize, place: usize, at: u64) {
        self.people[person].held[place].until = at;
        self.changes.push(at);
    }

    /// Whether nobody is, or will be, called so.
    pub(super) fn is_free(&self, text: &str) -> bool {
        let key = self.key(text);
        let held = |person: &Person| person.held.iter().any(|held| held.key == key);
        !self.people.iter().any(held)
    }

    /// Whom a spelling or an id leads to.
    pub(super) fn answer(&self, text: &str, now: u64) -> Answer {
        let key = self.key(text);
        let mut found = (0..self.people.len()).filter(|n| {
            let person = &self.people[*n];
            let holds = |held: &&Held| held.is_held(now) && held.key == key;
            person.id == key || person.held.iter().any(|held| holds(&held))
        });
        match (found.next(), found.count()) {
            (None, _) => Answer::Nobody,
            (Some(person), 0) => Answer::Found(person),
            (Some(_), more) => Answer::Several(more + 1),
        }
    }

    /// Whether a text led to a person at every instant of a while, both ends counted.
    pub(super) fn led_throughout(&self, text: &str, person: usize, from: u64, to: u64) -> bool {
        let within = self.changes.iter().filter(|at| (from..=to).contains(*at));
        let mut instants = within.copied().chain([from, to]);
        instants.all(|at| self.answer(text, at) == Answer::Found(person))
    }

    /// The account as the directory describes it. `whole`: with every spelling.
    pub(super) fn account(&self, person: usize, now: u64, whole: bool) -> Account {
        let person = &self.people[person];
        let mut now_held: Vec<&Held> = person
            .held
            .iter()
            .filter(|held| held.is_held(now))
            .collect();
        now_held.sort_by_key(|held| held.role != if whole { Role::Upn } else { Role::Mail });
        let mut texts = now_held.into_iter().map(|held| held.text.clone());
        let mut account = Account::new(person.id.clone(), texts.next().unwrap_or_default());
        if whole {
            account.spellings = texts.collect();
            account.not_covered = person
                .guest
                .then(|| Unsupported::new("a guest", "ask the home tenant"));
        }
        account
    }

    /// Everybody in a group and in the groups within, however they contain each other, each once.
    pub(super) fn members(&self, group: usize) -> Vec<usize> {
        let (mut been, mut met) = (HashSet::from([group]), HashSet::new());
        let (mut to_do, mut people) = (vec![group], Vec::new());
        while let Some(group) = to_do.pop() {
            for member in &self.groups[group] {
                match *member {
                    Member::Person(person) if met.insert(person) => people.push(person),
                    Member::Group(within) if been.insert(within) => to_do.push(within),
                    Member::Person(_) | Member::Group(_) => {}
                }
            }
        }
        people
    }
}

impl Held {
    pub(super) fn is_held(&self, now: u64) -> bool {
        (self.from..self.until).contains(&now)
    }
}
