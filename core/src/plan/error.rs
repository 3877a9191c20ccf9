//! Why there is no plan, or no order.

use std::fmt;

use serde::Serialize;

use crate::order::NoteError;
use crate::store::StoreError;

/// How many bad rows are listed; the rest is counted.
pub const LISTED_ROWS: usize = 20;

/// Why there is no plan, or no order from it. Nothing was sent to anybody.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The input, or what it names, is wrong.
    #[error("{message}")]
    Input {
        /// What.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Rows of the input cannot be read.
    #[error("{0}")]
    BadRows(BadRows),
    /// A guard refused.
    #[error(transparent)]
    Guard(#[from] GuardRefusal),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a [`PlanError`] means for the person who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanErrorClass {
    /// The input, or what it names: nothing started (exit code 2).
    Input,
    /// Refused by a guard before anything was sent (exit code 4).
    Guard,
    /// The store failed (exit code 1).
    Store,
}

impl PlanError {
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self::Input {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Input { message, .. } => Self::Input {
                message,
                hint: Some(text.into()),
            },
            other => other,
        }
    }

    /// What it means.
    pub fn class(&self) -> PlanErrorClass {
        match self {
            Self::Input { .. } | Self::BadRows(_) => PlanErrorClass::Input,
            Self::Store(StoreError::NoSuchOrder(_) | StoreError::Foreign(_)) => {
                PlanErrorClass::Input
            }
            Self::Guard(_) => PlanErrorClass::Guard,
            Self::Store(_) => PlanErrorClass::Store,
        }
    }

    /// What the person should do, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Input { hint, .. } => hint.clone(),
            Self::BadRows(_) => Some(
                "mend the rows, or leave them out with --skip-bad-rows; nothing was started"
                    .to_owned(),
            ),
            Self::Guard(refusal) => refusal.hint(),
            Self::Store(_) => None,
        }
    }
}

/// Why a guard refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardRefusal {
    /// The note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// More people than the configuration allows at all.
    #[error("the order names {people} people, and guards.max_subjects allows {most}")]
    HardCeiling {
        /// How many there are.
        people: u64,
        /// How many may be.
        most: u64,
    },
    /// More people than the caller said it means.
    #[error("the order names {people} people, and --max-subjects says {most}")]
    OwnCeiling {
        /// How many there are.
        people: u64,
        /// How many were meant.
        most: u64,
    },
    /// Nobody said yes.
    #[error("nobody has confirmed the plan for {people} people")]
    Unconfirmed {
        /// How many there are.
        people: u64,
    },
    /// A yes without the size it means.
    #[error("a plan for {people} people needs its size stated besides the yes")]
    SizeNotStated {
        /// How many there are.
        people: u64,
    },
    /// The typed count is another.
    #[error("the typed count is not {people}")]
    WrongCount {
        /// How many there are.
        people: u64,
    },
    /// A person looked at the plan and said no.
    #[error("the plan was declined")]
    Declined,
}

impl GuardRefusal {
    /// What the person should do, where we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::HardCeiling { .. } => Some(
                "split the order, or have guards.max_subjects raised; no flag lifts it".to_owned(),
            ),
            Self::OwnCeiling { people, .. } => Some(format!(
                "look at the plan with --dry-run; if all of them are meant, say --max-subjects {people}"
            )),
            Self::Unconfirmed { .. } => {
                Some("look at it with --dry-run, then say --yes".to_owned())
            }
            Self::SizeNotStated { people } => Some(format!(
                "look at it with --dry-run, then say --yes --max-subjects {people}"
            )),
            Self::Note(_) | Self::WrongCount { .. } | Self::Declined => None,
        }
    }
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BadRow {
    /// Where: a file's name, `stdin`, or `arguments`.
    pub source: String,
    /// The line, from 1; for arguments, their place.
    pub line: u64,
    /// Why, without the value.
    pub why: String,
}

/// The rows that cannot be read: the first of them listed, all counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BadRows {
    /// How many.
    pub count: u64,
    /// The first [`LISTED_ROWS`].
    pub rows: Vec<BadRow>,
}

impl BadRows {
    pub(super) fn push(&mut self, source: &str, line: u64, why: String) {
        self.count += 1;
        if self.rows.len() < LISTED_ROWS {
            self.rows.push(BadRow {
                source: source.to_owned(),
                line,
                why,
            });
        }
    }
}

impl fmt::Display for BadRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.count == 1 { "row" } else { "rows" };
        write!(f, "{} {rows} cannot be read:", self.count)?;
        for BadRow { source, line, why } in &self.rows {
            write!(f, "\n  {source}, line {line}: {why}")?;
        }
        let more = self.count - self.rows.len() as u64;
        if more > 0 {
            write!(f, "\n  and {more} more")?;
        }
        Ok(())
    }
}
