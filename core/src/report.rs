//! What a provider answered, as data.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorRecord};

/// What a provider says it has done for one subject. What each one makes of a job: [`crate::job`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The provider ended the sessions.
    Revoked {
        /// What was ended, and how much of it.
        ended: Ended,
    },
    /// The provider accepted the request; it takes effect later.
    Accepted {
        /// What will be ended.
        ended: Ended,
    },
    /// The subject was already in the wanted state: a success.
    NothingToRevoke,
    /// The provider does not know this subject.
    SubjectNotFound,
    /// The provider cannot do this for this subject, now or later.
    Unsupported(Unsupported),
    /// A procedure of several steps, of which some failed.
    Partial {
        /// What was ended all the same.
        ended: Ended,
        /// What failed, each with its own error.
        failed: Vec<ItemFailure>,
    },
}

/// Why a provider cannot end this subject's sessions, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unsupported {
    /// Why, as a sentence for a person.
    pub reason: String,
    /// What to do instead.
    pub remedy: String,
}

impl Unsupported {
    /// A reason with its remedy.
    pub fn new(reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

/// What was ended, step by step, in the order the provider's procedure has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ended {
    /// The steps.
    pub steps: Vec<Step>,
}

impl Ended {
    /// One step that ended everything at once.
    pub fn by(step: Step) -> Self {
        Self { steps: vec![step] }
    }

    /// Several steps.
    pub fn steps(steps: Vec<Step>) -> Self {
        Self { steps }
    }
}

/// One step of a procedure with its counts: `ended + already_absent + failed + skipped` is all it found. It names nobody: a
/// store keeps it once for many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// Its name in the connector's documentation, such as `grants`.
    pub name: String,
    /// Ended by this call.
    pub ended: u64,
    /// Gone before we came.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub already_absent: u64,
    /// Not ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Left out on purpose; `note` says why.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// A sentence for the person who reads the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Step {
    /// A step that ended `ended` things.
    pub fn new(name: impl Into<String>, ended: u64) -> Self {
        Self {
            name: name.into(),
            ended,
            ..Self::default()
        }
    }
}

/// One thing that a procedure could not end.
#[derive(Debug)]
#[non_exhaustive]
pub struct ItemFailure {
    /// The step it belongs to.
    pub step: String,
    /// Which thing, where it can be named.
    pub item: Option<String>,
    /// Why.
    pub error: Error,
}

impl ItemFailure {
    /// A failure of a whole step, or of one item of it.
    pub fn new(step: impl Into<String>, item: Option<String>, error: Error) -> Self {
        Self {
            step: step.into(),
            item,
            error,
        }
    }
}

/// What may still be alive after a success, and for how long at most. It names nobody: a store keeps it once for many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Residual {
    /// A sentence for a person: "access tokens already issued".
    pub what: String,
    /// How long it may outlive the success; `None` where nobody says, or where it does not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_secs: Option<u64>,
}

impl Residual {
    /// What may remain, and how long at most.
    pub fn new(what: impl Into<String>, up_to: Option<Duration>) -> Self {
        Self {
            what: what.into(),
            up_to_secs: up_to.map(|d| d.as_secs()),
        }
    }
}

/// A provider's answer to one revoke request.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What it did.
    pub outcome: Outcome,
    /// The answer's own `Date`: the provider's clock when it answered.
    pub provider_time: Option<Timestamp>,
    /// What may remain usable for this subject; the engine adds nothing to it.
    pub residual: Vec<Residual>,
    /// The vendor's ids of the requests, for its support and its log.
    pub vendor_request_ids: Vec<String>,
}

impl Report {
    /// A report with nothing but its outcome.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            provider_time: None,
            residual: Vec::new(),
            vendor_request_ids: Vec::new(),
        }
    }

    /// The answer's own `Date`.
    #[must_use]
    pub fn at(mut self, provider_time: Option<Timestamp>) -> Self {
        self.provider_time = provider_time;
        self
    }

    /// What may remain usable.
    #[must_use]
    pub fn with_residual(mut self, residual: Vec<Residual>) -> Self {
        self.residual = residual;
        self
    }

    /// The vendor's ids of the requests.
    #[must_use]
    pub fn with_vendor_request_ids(mut self, ids: Vec<String>) -> Self {
        self.vendor_request_ids = ids;
        self
    }
}

/// The name of an [`Outcome`] where it is stored, printed and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutcomeName {
    /// [`Outcome::Revoked`]
    Revoked,
    /// [`Outcome::Accepted`]
    Accepted,
    /// [`Outcome::NothingToRevoke`]
    NothingToRevoke,
    /// [`Outcome::SubjectNotFound`]
    SubjectNotFound,
    /// [`Outcome::Unsupported`]
    Unsupported,
    /// [`Outcome::Partial`]
    Partial,
    /// The subject is on the protected list: no call was made.
    Protected,
    /// More than one account answers to this identifier: no call was made.
    Ambiguous,
    /// A watermark at or after the order's instant confirmed a call whose answer was lost.
    ConfirmedByEvidence,
}

impl From<&Outcome> for OutcomeName {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Revoked { .. } => Self::Revoked,
            Outcome::Accepted { .. } => Self::Accepted,
            Outcome::NothingToRevoke => Self::NothingToRevoke,
            Outcome::SubjectNotFound => Self::SubjectNotFound,
            Outcome::Unsupported(_) => Self::Unsupported,
            Outcome::Partial { .. } => Self::Partial,
        }
    }
}

/// The whole story of a job's last attempt, as the store keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// What the provider answered, or why it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeName>,
    /// What was ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What may remain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub residual: Vec<Residual>,
    /// The last error, for jobs that are not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorRecord>,
    /// Why it was refused, for jobs that were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Unsupported>,
    /// The vendor's id of the deciding request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_request_id: Option<String>,
    /// The job whose call settled this one too, where two spellings or two orders met in one account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<u64>,
    /// When the provider answered, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_time: Option<Timestamp>,
}

/// What the provider's own record shows after a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceState {
    /// Not asked for (`--no-verify`), or the provider has none.
    None,
    /// To be read.
    Pending,
    /// The provider's own record shows it.
    Verified,
    /// All reads are used up and the record did not show it; the confirmation stands.
    Unverified,
}
