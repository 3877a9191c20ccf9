//! The groups of both tenants. Who is in one is computed, so groups of a million people cost nothing.

use crate::dice;
use crate::population::{GOOGLE_DOMAIN, Person, Population};

const GROUP: u64 = 5;

/// One group; a number into the list below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group(usize);

struct Definition {
    name: &'static str,
    /// Groups inside this one.
    nested: &'static [usize],
    direct: fn(&Population, Person) -> bool,
}

fn nobody(_: &Population, _: Person) -> bool {
    false
}

fn in_department(people: &Population, person: Person, department: u32) -> bool {
    person.index() >= Person::regular(0).index() && people.department(person) == department
}

const DEFINITIONS: [Definition; 9] = [
    Definition {
        name: "all-staff",
        nested: &[1, 2, 3],
        direct: |_, person| person == Person::BREAK_GLASS || person == Person::ADMIN,
    },
    Definition {
        name: "engineering",
        nested: &[],
        direct: |people, person| person == Person::APOSTROPHE || in_department(people, person, 0),
    },
    Definition {
        name: "sales",
        nested: &[],
        direct: |people, person| person == Person::ALIAS_ONLY || in_department(people, person, 1),
    },
    Definition {
        name: "operations",
        nested: &[4],
        direct: |people, person| person == Person::DOLLAR || in_department(people, person, 2),
    },
    Definition {
        name: "contractors",
        nested: &[],
        direct: |people, person| people.is_guest(person),
    },
    // Two groups of one name: names are not unique at Microsoft.
    Definition {
        name: "project-x",
        nested: &[],
        direct: |_, person| person == Person::regular(0),
    },
    Definition {
        name: "project-x",
        nested: &[],
        direct: |_, person| person == Person::regular(1),
    },
    Definition {
        name: "empty",
        nested: &[],
        direct: nobody,
    },
    // At Google its one member is the whole account; at Microsoft it is empty.
    Definition {
        name: "everyone",
        nested: &[],
        direct: nobody,
    },
];

impl Group {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..DEFINITIONS.len()).map(Self)
    }

    pub(crate) fn name(self) -> &'static str {
        DEFINITIONS[self.0].name
    }

    /// The object id at Microsoft.
    pub(crate) fn object_id(self, people: &Population) -> String {
        dice::guid(people.seed(), GROUP, self.0 as u32)
    }

    /// The immutable id at Google.
    pub(crate) fn google_id(self) -> String {
        format!("0{}sandboxgroup", self.0 + 1)
    }

    /// The address at Google.
    pub(crate) fn google_email(self) -> String {
        format!("{}@{GOOGLE_DOMAIN}", self.name())
    }

    pub(crate) fn by_object_id(people: &Population, id: &str) -> Option<Self> {
        Self::all().find(|group| group.object_id(people).eq_ignore_ascii_case(id))
    }

    pub(crate) fn by_google_key(key: &str) -> Option<Self> {
        Self::all().find(|group| {
            group.google_id() == key || group.google_email().eq_ignore_ascii_case(key)
        })
    }

    pub(crate) fn nested(self) -> impl Iterator<Item = Self> {
        DEFINITIONS[self.0].nested.iter().copied().map(Self)
    }

    pub(crate) fn is_whole_account(self) -> bool {
        self.name() == "everyone"
    }

    pub(crate) fn has_direct(self, people: &Population, person: Person) -> bool {
        (DEFINITIONS[self.0].direct)(people, person)
    }

    pub(crate) fn has(self, people: &Population, person: Person) -> bool {
        self.has_direct(people, person) || self.nested().any(|group| group.has(people, person))
    }
}
