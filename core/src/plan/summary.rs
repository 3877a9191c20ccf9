//! What a person sees before they say yes; the form that `--dry-run` prints.

use std::fmt;

use serde::Serialize;

use super::error::BadRows;
use super::guards::Confirmation;
use crate::report::{Residual, Unsupported};

/// How many people a list names; the rest is counted.
const SHOWN: usize = 20;

/// What an order would do.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlanSummary {
    /// The hash of what would run, hexadecimal: the same input and configuration give the same one.
    pub hash: String,
    /// How many people; those on the protected list are not among them.
    pub people: u64,
    /// How many jobs, those included that will be refused.
    pub jobs: u64,
    /// The providers with jobs.
    pub providers: Vec<ProviderPlan>,
    /// Those on the protected list: nobody calls for them.
    pub protected: People,
    /// Rows that named somebody again.
    pub duplicates: u64,
    /// Who is not sent where, and why.
    pub left_out: Vec<LeftOut>,
    /// Rows that cannot be read and were left out.
    pub bad_rows: BadRows,
    /// The groups that were expanded.
    pub groups: Vec<GroupPlan>,
    /// What is worth knowing before a yes.
    pub warnings: Vec<String>,
    /// What the plan needs before it may be accepted.
    pub needs: Confirmation,
}

/// What an order would do at one provider.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ProviderPlan {
    /// Its name.
    pub name: String,
    /// Its connector.
    pub kind: String,
    /// How many jobs.
    pub jobs: u64,
    /// How many of them are refused already.
    pub refused: u64,
    /// Whether the people were looked up. More than 200 are not: they are resolved as the order runs.
    pub looked_up: bool,
    /// How many accounts are known.
    pub resolved: u64,
    /// Who is unknown there.
    pub not_found: People,
    /// Who answers to more than one account.
    pub ambiguous: People,
    /// Whom a revocation does not cover (guests), with the reason.
    pub not_covered: Vec<NotCovered>,
    /// Why people could not be looked up now, if so; the order itself may still be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub could_not_check: Option<CouldNotCheck>,
    /// Why this provider refuses everybody, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuses: Option<Unsupported>,
    /// What a success leaves alive.
    pub residual: Vec<Residual>,
}

/// People, counted, the first of them named.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct People {
    /// How many.
    pub count: u64,
    /// The first 20, as given.
    pub subjects: Vec<String>,
}

impl fmt::Debug for People {
    /// Shows how many, not who: a `Debug` may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} people", self.count)
    }
}

impl People {
    pub(super) fn add(&mut self, subject: &str) {
        self.count += 1;
        if self.subjects.len() < SHOWN {
            self.subjects.push(subject.to_owned());
        }
    }

    pub(super) fn extend(&mut self, more: &Self) {
        let unnamed = more.count - more.subjects.len() as u64;
        more.subjects.iter().for_each(|subject| self.add(subject));
        self.count += unnamed;
    }
}

/// People whom a provider's revocation does not cover.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NotCovered {
    /// Why, and what to do instead.
    #[serde(flatten)]
    pub why: Unsupported,
    /// Who.
    #[serde(flatten)]
    pub people: People,
}

/// Why a look-up was not possible while planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CouldNotCheck {
    /// Why.
    pub reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// People who are not sent to a provider.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where; `None`: nowhere at all.
    pub provider: Option<String>,
    /// Why.
    pub why: String,
    /// Who.
    #[serde(flatten)]
    pub people: People,
}

/// A group that was expanded.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct GroupPlan {
    /// Where.
    pub provider: String,
    /// What it is called there.
    pub name: String,
    /// Its immutable id, where the provider told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many people.
    pub people: u64,
    /// Members that cannot be acted on, and why.
    pub skipped: Vec<Skipped>,
}

/// Members that cannot be acted on.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// Why.
    pub why: String,
    /// How many.
    pub count: u64,
}
