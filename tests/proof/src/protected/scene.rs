//! What a seed makes up: people and what they are called over time, who is protected, how the providers are, and what
//! happens between the plan and its end.

use super::aims::{self, Aim};
use super::input::Source;
use super::names::{DOMAINS, address, blanks, cased, disguised};
use super::tenant::{Answer, Compare, Member, NEVER, Person, Role, Tenant};
use crate::chance::Chance;

/// People the planner does not look up one by one any more; the lanes do.
const MANY: usize = 210;

/// How a provider is, besides its directory.
#[derive(Debug, Clone)]
pub(super) struct Nature {
    /// Whether it looks people up; otherwise a spelling is all that anybody knows.
    pub(super) directory: bool,
    pub(super) domains: Vec<String>,
    /// Of so many requests one fails; 0: none.
    pub(super) fails_one_in: usize,
    pub(super) subjects_per_read: usize,
    /// Members on one page of a group.
    pub(super) page: usize,
    /// Whether a group's listing tells every spelling, or an id and an address alone.
    pub(super) groups_tell_spellings: bool,
    /// How long its first calls are told to wait, in milliseconds.
    pub(super) pauses: Vec<u64>,
}

/// Whether another process takes part.
#[derive(Debug, Clone, Copy)]
pub(super) enum Second {
    None,
    AfterPlanning,
    /// The first one is killed so many milliseconds after it began to work.
    AfterDeath(u64),
}

/// Everything about one plan.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) tenants: Vec<Tenant>,
    pub(super) natures: Vec<Nature>,
    /// The protected list of the first process, and of the second.
    pub(super) lists: [Vec<String>; 2],
    pub(super) inputs: Vec<Source>,
    /// The providers that the order names.
    pub(super) named: Vec<usize>,
    /// Milliseconds between acceptance and work.
    pub(super) gap: u64,
    pub(super) second: Second,
    pub(super) aims: Vec<Aim>,
    /// What else the seed made up, to be counted.
    pub(super) told: Vec<&'static str>,
}

impl Scene {
    pub(super) fn of(chance: &mut Chance) -> Self {
        let tenants = if chance.one_in(2) { 2 } else { 1 };
        let natures: Vec<Nature> = (0..tenants).map(|_| nature(chance)).collect();
        let gap = match chance.below(4) {
            0 | 1 => 0,
            2 => chance.between(1, 60_000),
            _ => chance.between(300_000, 1_500_000),
        } as u64;
        let second = match chance.below(6) {
            0 | 1 => Second::AfterPlanning,
            2 => Second::AfterDeath(chance.between(1, 400) as u64),
            _ => Second::None,
        };
        let mut scene = Self {
            tenants: (0..tenants).map(|_| tenant(chance)).collect(),
            natures,
            lists: Default::default(),
            inputs: Vec::new(),
            named: if chance.one_in(4) {
                (0..tenants).collect()
            } else {
                Vec::new()
            },
            gap,
            second,
            aims: Vec::new(),
            told: Vec::new(),
        };
        let mut numbers = 0..;
        let many = if chance.one_in(100) {
            // Thousands of calls behind pauses would take longer than all other plans, and show nothing else.
            for nature in &mut scene.natures {
                (nature.pauses, nature.fails_one_in) = (Vec::new(), 0);
            }
            MANY
        } else {
            chance.between(5, 12)
        };
        for _ in 0..many {
            scene.add_person(chance, &mut numbers);
        }
        scene.write_lists(chance);
        scene.add_look_alike_people(chance, &mut numbers);
        for _ in 0..chance.below(4) {
            scene.change(chance, &mut numbers);
        }
        scene.add_groups(chance);
        let rows = if many == MANY { many } else { 6 };
        (scene.inputs, scene.aims) = aims::make(chance, &scene.tenants, &scene.lists[0], rows);
        scene
    }

    /// Whether an entry of the first list leads to a person, to begin with.
    pub(super) fn is_protected(&self, tenant: usize, person: usize) -> bool {
        let leads = |entry: &String| self.tenants[tenant].answer(entry, 0) == Answer::Found(person);
        self.lists[0].iter().any(leads)
    }

    /// The same human at every provider, who has another id there and mostly the same addresses.
    fn add_person(&mut self, chance: &mut Chance, numbers: &mut impl Iterator<Item = usize>) {
        let mut next = || numbers.next().unwrap_or_default();
        let domain = chance.below(2);
        let upn = address(chance, next(), domain);
        let mail = match chance.below(3) {
            0 => address(chance, next(), domain + 1),
            _ => upn.clone(),
        };
        let aliases: Vec<String> = (0..chance.below(4))
            .map(|n| address(chance, next(), n))
            .collect();
        for (index, tenant) in self.tenants.iter_mut().enumerate() {
            let number = next();
            let id = match index {
                0 => format!("{number:08x}-0000-4000-8000-00000000abcd"),
                _ => format!("1{number:020}"),
            };
            let person = tenant.people.len();
            tenant.people.push(Person {
                id,
                held: Vec::new(),
                guest: chance.one_in(16),
            });
            tenant.give(person, &upn, Role::Upn, 0, NEVER);
            if mail != upn {
                tenant.give(person, &mail, Role::Mail, 0, NEVER);
            }
            for alias in &aliases {
                if index == 0 || chance.one_in(2) {
                    tenant.give(person, alias, Role::Alias, 0, NEVER);
                }
            }
        }
    }

    /// The first few people are those whom lists are about.
    fn entry(&self, chance: &mut Chance) -> String {
        let tenant = chance.pick(&self.tenants);
        let person = &tenant.people[chance.below(4)];
        let text = match chance.below(4) {
            0 => &person.id,
            _ => &chance.pick(&person.held).text,
        };
        let text = cased(chance, text);
        blanks(chance, &text)
    }

    fn write_lists(&mut self, chance: &mut Chance) {
        let mut list: Vec<String> = (0..chance.below(5)).map(|_| self.entry(chance)).collect();
        if chance.one_in(4) {
            list.push("nobody.at.all@contoso.com".to_owned());
        }
        self.lists[0].clone_from(&list);
        match chance.below(6) {
            0 | 1 => list.push(self.entry(chance)),
            2 if !list.is_empty() => drop(list.remove(chance.below(list.len()))),
            _ => {}
        }
        self.lists[1] = list;
    }

    /// Others are called almost as the protected are.
    fn add_look_alike_people(
        &mut self,
        chance: &mut Chance,
        numbers: &mut impl Iterator<Item = usize>,
    ) {
        for _ in 0..chance.below(3) {
            let Some(entry) = self.lists[1].get(chance.below(4)).cloned() else {
                continue;
            };
            let text = disguised(chance, entry.trim());
            let index = chance.below(self.tenants.len());
            if !self.tenants[index].is_free(&text) && !chance.one_in(64) {
                continue;
            }
            self.add_person(chance, numbers);
            let tenant = &mut self.tenants[index];
            let person = tenant.people.len() - 1;
            tenant.give(person, text.trim(), Role::Alias, 0, NEVER);
            self.told.push("people called almost as somebody protected");
        }
    }

    /// Somebody is called otherwise from an instant on: before the lists are read, while the order waits, or at work.
    fn change(&mut self, chance: &mut Chance, numbers: &mut impl Iterator<Item = usize>) {
        let index = chance.below(self.tenants.len());
        let is_slow = !self.natures[index].pauses.is_empty();
        let horizon = self.gap as usize + if is_slow { 1_800_000 } else { 400 };
        let at = chance.between(1, horizon) as u64;
        let protected = chance.below(4);
        let tenant = &mut self.tenants[index];
        let other = chance.below(tenant.people.len());
        let (from, to) = if chance.one_in(2) {
            (protected, other)
        } else {
            (other, protected)
        };
        let held = chance.below(tenant.people[from].held.len());
        let Some(one) = tenant.people[from]
            .held
            .get(held)
            .filter(|held| held.is_held(at) && held.from == 0)
        else {
            return;
        };
        let (text, role) = (one.text.clone(), one.role);
        tenant.take(from, held, at);
        if role == Role::Upn {
            let new = address(chance, numbers.next().unwrap_or_default(), from);
            tenant.give(from, &new, Role::Upn, at, NEVER);
            self.told.push("people renamed");
        }
        if to != from && !chance.one_in(3) {
            tenant.give(to, &text, Role::Alias, at, NEVER);
            self.told.push("spellings that moved to another account");
        }
    }

    /// Groups within groups, in circles and with themselves, too.
    fn add_groups(&mut self, chance: &mut Chance) {
        for tenant in &mut self.tenants {
            let groups = chance.between(1, 4);
            for _ in 0..groups {
                let mut members: Vec<Member> = (0..chance.between(1, 6))
                    .map(|_| Member::Person(chance.below(tenant.people.len())))
                    .collect();
                for _ in 0..chance.below(3) {
                    members.push(Member::Group(chance.below(groups)));
                }
                tenant.groups.push(members);
            }
        }
    }
}

fn tenant(chance: &mut Chance) -> Tenant {
    Tenant::new(if chance.one_in(3) {
        Compare::Reading
    } else {
        Compare::Case
    })
}

fn nature(chance: &mut Chance) -> Nature {
    let pauses = if chance.one_in(8) {
        chance.between(1, 3)
    } else {
        0
    };
    Nature {
        directory: !chance.one_in(6),
        domains: if chance.one_in(4) {
            DOMAINS[..2]
                .iter()
                .map(|domain| (*domain).to_owned())
                .collect()
        } else {
            Vec::new()
        },
        fails_one_in: if chance.one_in(5) {
            chance.between(3, 8)
        } else {
            0
        },
        subjects_per_read: *chance.pick(&[1, 3, 20]),
        page: chance.between(1, 4),
        groups_tell_spellings: chance.one_in(2),
        pauses: (0..pauses)
            .map(|_| chance.between(200_000, 700_000) as u64)
            .collect(),
    }
}
