//! The states of a job, and the only edges between them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobKey, OrderId, ProviderName};
use crate::provider::Scope;
use crate::report::{Detail, EvidenceState};
use crate::subject::Subject;

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Nothing has been tried, or everything tried is settled.
    Pending,
    /// An attempt is in flight under a token.
    Running,
    /// Comes back by itself at a known instant.
    Waiting,
    /// Needs a person; tried again at each `run`.
    Parked,
    /// The provider said so.
    Confirmed,
    /// The subject was there once and no longer is.
    Gone,
    /// It cannot or must not be done.
    Refused,
    /// A person called it off.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Parked,
        Self::Confirmed,
        Self::Gone,
        Self::Refused,
        Self::Cancelled,
    ];

    /// Whether a job may move from `self` to `next`. There are no other edges.
    pub const fn may_become(self, next: Self) -> bool {
        use JobState::{Cancelled, Confirmed, Gone, Parked, Pending, Refused, Running, Waiting};
        matches!(
            (self, next),
            (Pending, Running | Cancelled)
                | (Running, Confirmed | Gone | Refused | Waiting | Parked)
                | (Waiting | Parked, Pending | Cancelled)
        )
    }

    /// Whether nothing moves it any more.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Confirmed | Self::Gone | Self::Refused | Self::Cancelled
        )
    }

    /// Whether it counts as open: pending, running or waiting.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Waiting)
    }
}

/// Why a job waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The provider asked for fewer calls.
    Throttled,
    /// The provider, or the way to it, was down; nothing was carried out.
    Transient,
    /// It may have been carried out: evidence is read before it is repeated.
    Unknown,
    /// Its lane stopped, or was told to, before the call was made.
    Lane,
}

/// A job as the store knows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// Its number.
    pub key: JobKey,
    /// Its order's public id.
    pub order: OrderId,
    /// The subject as given; `None` when erased.
    pub subject: Option<String>,
    /// The provider's own identifier for the person, where the input had one.
    pub alias: Option<String>,
    /// The account it turned out to be: id and name.
    pub resolved: Option<Resolved>,
    /// Where.
    pub provider: ProviderName,
    /// What shall end.
    pub scope: Scope,
    /// Where it stands.
    pub state: JobState,
    /// Why it waits, if it does.
    pub waiting: Option<WaitReason>,
    /// When it comes back, if it waits.
    pub due: Option<Timestamp>,
    /// Tries so far.
    pub attempts: u32,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it reached a terminal state; for a confirmed job, confirmed-at.
    pub done_at: Option<Timestamp>,
    /// When its effect is in force everywhere, for a confirmed job.
    pub effective_by: Option<Timestamp>,
    /// What the provider's own record shows.
    pub evidence: EvidenceState,
    /// The story of its last attempt.
    pub detail: Detail,
}

impl Job {
    /// A pending job nobody has tried; the store fills in the rest.
    pub fn new(key: JobKey, order: OrderId, provider: ProviderName) -> Self {
        Self {
            key,
            order,
            subject: None,
            alias: None,
            resolved: None,
            provider,
            scope: Scope::Everything,
            state: JobState::Pending,
            waiting: None,
            due: None,
            attempts: 0,
            started_at: None,
            done_at: None,
            effective_by: None,
            evidence: EvidenceState::None,
            detail: Detail::default(),
        }
    }
}

/// The account a subject turned out to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The provider's immutable id.
    pub id: String,
    /// Its main name.
    pub name: String,
}

/// How the subject of a job is handed to a provider: its own identifier for the person first, else as given.
pub fn subject_of(
    given: &str,
    alias: Option<&str>,
) -> Result<Subject, crate::subject::SubjectError> {
    Subject::parse(alias.unwrap_or(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_other_edges() {
        use JobState::*;
        let edges = [
            (Pending, Running),
            (Pending, Cancelled),
            (Running, Confirmed),
            (Running, Gone),
            (Running, Refused),
            (Running, Waiting),
            (Running, Parked),
            (Waiting, Pending),
            (Waiting, Cancelled),
            (Parked, Pending),
            (Parked, Cancelled),
        ];
        for from in JobState::ALL {
            for to in JobState::ALL {
                assert_eq!(
                    from.may_become(to),
                    edges.contains(&(from, to)),
                    "{from:?} -> {to:?}"
                );
            }
        }
    }
}
