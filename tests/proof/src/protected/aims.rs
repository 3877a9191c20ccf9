//! Whom the rows of a plan mean, and how they say it.

use super::input::{Row, Source};
use super::names::disguised;
use super::tenant::{Answer, Member, Role, Tenant};
use crate::chance::Chance;

/// How the column of the person may be headed.
const HEADINGS: [&str; 4] = ["subject", "UPN", "id", " User"];

/// Somebody meant by a row, and by what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    pub(super) tenant: usize,
    pub(super) person: usize,
    pub(super) by: By,
}

/// By what a row means somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Id,
    Upn,
    Mail,
    Alias,
    /// Written so that a person takes it for one of these.
    LookAlike,
    /// The column of a provider.
    OwnColumn,
    Group,
    /// A group within the group.
    NestedGroup,
}

impl By {
    /// For the verdict.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Id => "protected people aimed at: id",
            Self::Upn => "protected people aimed at: sign-in name",
            Self::Mail => "protected people aimed at: mail",
            Self::Alias => "protected people aimed at: alias",
            Self::LookAlike => "protected people aimed at: look-alike",
            Self::OwnColumn => "protected people aimed at: a provider's column",
            Self::Group => "protected people aimed at: group",
            Self::NestedGroup => "protected people aimed at: nested group",
        }
    }

    pub(super) const ALL: [Self; 8] = [
        Self::Id,
        Self::Upn,
        Self::Mail,
        Self::Alias,
        Self::LookAlike,
        Self::OwnColumn,
        Self::Group,
        Self::NestedGroup,
    ];
}

/// Makes the sources of a plan, each of up to so many rows.
pub(super) fn make(
    chance: &mut Chance,
    tenants: &[Tenant],
    list: &[String],
    rows: usize,
) -> (Vec<Source>, Vec<Aim>) {
    let mut maker = Maker {
        chance,
        tenants,
        list,
        aims: Vec::new(),
    };
    let sources = maker.chance.between(1, 3);
    let sources = (0..sources).map(|_| maker.source(rows)).collect();
    (sources, maker.aims)
}

struct Maker<'a> {
    chance: &'a mut Chance,
    tenants: &'a [Tenant],
    list: &'a [String],
    aims: Vec<Aim>,
}

impl Maker<'_> {
    fn source(&mut self, most: usize) -> Source {
        if self.chance.one_in(4) {
            return self.group();
        }
        let kind = self.chance.below(4);
        let rows = if most > 10 {
            most
        } else {
            self.chance.between(1, most)
        };
        let rows = (0..rows).map(|n| self.row(n, most, kind >= 2)).collect();
        match kind {
            0 => Source::Arguments(rows),
            1 => Source::Lines(rows),
            2 => Source::Csv(self.chance.pick::<&'static str>(&HEADINGS), rows),
            _ => Source::Jsonl(rows),
        }
    }

    fn group(&mut self) -> Source {
        let tenant = self.chance.below(self.tenants.len());
        let directory = &self.tenants[tenant];
        let group = self.chance.below(directory.groups.len());
        for person in directory.members(group) {
            let direct = directory.groups[group].contains(&Member::Person(person));
            let by = if direct { By::Group } else { By::NestedGroup };
            self.aims.push(Aim { tenant, person, by });
        }
        Source::Group { tenant, group }
    }

    /// A row; `columns`: whether its format has more than the person.
    fn row(&mut self, n: usize, most: usize, columns: bool) -> Row {
        let tenant = self.chance.below(self.tenants.len());
        // A large plan means everybody once; otherwise half of the rows mean somebody protected.
        let person = if most > 10 {
            n % self.tenants[tenant].people.len()
        } else {
            self.person(tenant)
        };
        let (text, mut by) = self.spelling(tenant, person);
        let mut row = Row {
            subject: Some(if self.chance.one_in(4) {
                by = By::LookAlike;
                disguised(self.chance, &text)
            } else {
                text
            }),
            ..Row::default()
        };
        self.aims.push(Aim { tenant, person, by });
        if columns && self.chance.one_in(3) {
            // The column may mean somebody else than the subject does.
            let tenant = self.chance.below(self.tenants.len());
            let person = self.person(tenant);
            let (text, _) = self.spelling(tenant, person);
            row.own.push((tenant, text));
            let by = By::OwnColumn;
            self.aims.push(Aim { tenant, person, by });
            if self.chance.one_in(3) {
                row.subject = None;
            }
        }
        if columns && self.chance.one_in(5) {
            row.provider = Some(tenant);
        }
        row
    }

    fn person(&mut self, tenant: usize) -> usize {
        let directory = &self.tenants[tenant];
        if self.chance.one_in(2) && !self.list.is_empty() {
            let entry = self.chance.pick(self.list);
            if let Answer::Found(person) = directory.answer(entry, 0) {
                return person;
            }
        }
        self.chance.below(directory.people.len())
    }

    /// A spelling that the person has, had or will have, or the id.
    fn spelling(&mut self, tenant: usize, person: usize) -> (String, By) {
        let person = &self.tenants[tenant].people[person];
        if self.chance.one_in(5) {
            return (person.id.clone(), By::Id);
        }
        let held = self.chance.pick(&person.held);
        let by = match held.role {
            Role::Upn => By::Upn,
            Role::Mail => By::Mail,
            Role::Alias => By::Alias,
        };
        (held.text.clone(), by)
    }
}
