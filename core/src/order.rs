//! Orders: what somebody asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{OrderId, OrderKey, ProviderName};
use crate::subject::is_unprintable;

/// Why an order is given: never blank, at least one visible character, on every path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

/// Why a note was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Nothing visible in it.
    #[error("the note is blank; say why, in words an auditor will understand")]
    Blank,
    /// Fewer visible characters than `guards.min_note_chars` asks for.
    #[error("the note has {visible} visible characters; guards.min_note_chars asks for {least}")]
    TooShort {
        /// How many there are.
        visible: usize,
        /// How many are asked for.
        least: usize,
    },
    /// Longer than [`Note::MAX_BYTES`].
    #[error(
        "the note is longer than {} bytes; put the story into the ticket and name it with --reference",
        Note::MAX_BYTES
    )]
    TooLong,
}

impl Note {
    /// The longest note, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Reads a note: surrounding blanks are dropped, the rest is kept to the letter.
    pub fn parse(text: &str, min_visible: usize) -> Result<Self, NoteError> {
        let text = text.trim();
        let visible = text
            .chars()
            .filter(|c| !c.is_whitespace() && !is_unprintable(*c))
            .count();
        if visible == 0 {
            return Err(NoteError::Blank);
        }
        if visible < min_visible {
            return Err(NoteError::TooShort {
                visible,
                least: min_visible,
            });
        }
        if text.len() > Self::MAX_BYTES {
            return Err(NoteError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// The note as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Note {
    type Error = NoteError;

    fn try_from(text: String) -> Result<Self, NoteError> {
        Self::parse(&text, 1)
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

/// Who acts, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The person or program: `maria`.
    pub name: String,
    /// How it was authenticated: `os-user`, later `oidc`, `api-key`.
    pub authenticated_by: String,
}

impl Actor {
    /// An actor.
    pub fn new(name: impl Into<String>, authenticated_by: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            authenticated_by: authenticated_by.into(),
        }
    }
}

/// What is said of an order when its staging begins.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OrderDraft {
    /// Its public id.
    pub id: OrderId,
    /// Why.
    pub note: Note,
    /// The case number.
    pub reference: Option<String>,
    /// Who.
    pub actor: Actor,
    /// Overtakes bulk orders.
    pub urgent: bool,
    /// Whether evidence is read.
    pub verify: bool,
    /// The order whose refused jobs this one tries again.
    pub retry_of: Option<OrderId>,
    /// What it is bound to: provider name, kind and vendor tenant, for each provider of the order.
    pub bindings: Vec<Binding>,
}

impl OrderDraft {
    /// A draft with a fresh id.
    pub fn new(note: Note, actor: Actor) -> Self {
        Self {
            id: OrderId::new(),
            note,
            reference: None,
            actor,
            urgent: false,
            verify: true,
            retry_of: None,
            bindings: Vec::new(),
        }
    }
}

/// Ties an order to the tenant it was accepted for: a configuration that now points elsewhere is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The provider's name.
    pub provider: ProviderName,
    /// Its kind.
    pub kind: String,
    /// The vendor's tenant, as [`Descriptor::vendor_tenant`](crate::provider::Descriptor::vendor_tenant) says it.
    pub vendor_tenant: String,
}

/// An order as the store knows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Order {
    /// The store's number.
    pub key: OrderKey,
    /// Its public id.
    pub id: OrderId,
    /// Why. `None` when erased.
    pub note: Option<String>,
    /// The case number.
    pub reference: Option<String>,
    /// Who. `None` when erased.
    pub actor: Option<Actor>,
    /// Overtakes bulk orders.
    pub urgent: bool,
    /// Whether evidence is read.
    pub verify: bool,
    /// The order whose refused jobs this one tries again.
    pub retry_of: Option<OrderId>,
    /// What it is bound to.
    pub bindings: Vec<Binding>,
    /// The plan hash it was accepted with, hexadecimal.
    pub plan_hash: String,
    /// When it was accepted: the instant T, on our clock.
    pub accepted_at: Timestamp,
    /// Where it stands.
    pub state: OrderState,
    /// How many jobs are in which state.
    pub counts: Counts,
    /// How many confirmed jobs still have evidence to be read.
    pub evidence_pending: u64,
    /// The same for each provider that has any.
    pub evidence_at: BTreeMap<ProviderName, u64>,
}

impl Order {
    /// An accepted order with nothing in it yet; the store fills in the rest.
    pub fn new(key: OrderKey, id: OrderId, accepted_at: Timestamp) -> Self {
        Self {
            key,
            id,
            note: None,
            reference: None,
            actor: None,
            urgent: false,
            verify: true,
            retry_of: None,
            bindings: Vec::new(),
            plan_hash: String::new(),
            accepted_at,
            state: OrderState::Open,
            counts: Counts::default(),
            evidence_pending: 0,
            evidence_at: BTreeMap::new(),
        }
    }
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// Its jobs run.
    Open,
    /// Only a person can release it.
    Paused {
        /// Why.
        why: String,
    },
    /// A person cancelled it; its last jobs are being written off.
    Cancelling,
    /// Nothing is open.
    Finished,
}

/// How many jobs of an order are where. They always balance: [`Counts::balances`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub accepted: u64,
    /// The provider said so, in a form we recognise.
    pub confirmed: u64,
    /// The subject existed at this provider and no longer does.
    pub gone: u64,
    /// Pending, running or waiting.
    pub open: u64,
    /// Needs a person; tried again at each `run`.
    pub parked: u64,
    /// Unresolvable, protected or unsupported.
    pub refused: u64,
    /// A person called it off.
    pub cancelled: u64,
}

impl Counts {
    /// Whether every accepted job is somewhere.
    pub fn balances(&self) -> bool {
        self.accepted
            == self.confirmed + self.gone + self.open + self.parked + self.refused + self.cancelled
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.confirmed += other.confirmed;
        self.gone += other.gone;
        self.open += other.open;
        self.parked += other.parked;
        self.refused += other.refused;
        self.cancelled += other.cancelled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_needs_something_to_see() {
        for blank in ["", "   ", "\u{200b}\u{feff}", "\u{2800}\n\t", "\u{3164}"] {
            assert_eq!(Note::parse(blank, 1), Err(NoteError::Blank), "{blank:?}");
        }
        assert!(Note::parse("x", 1).is_ok());
        assert!(matches!(
            Note::parse("left", 10),
            Err(NoteError::TooShort {
                visible: 4,
                least: 10
            })
        ));
        assert_eq!(Note::parse(&"x".repeat(5000), 1), Err(NoteError::TooLong));
    }
}
