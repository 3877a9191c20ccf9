//! The record: append-only, hash-chained, signed at checkpoints, and verifiable without us.
//!
//! [`entry`] says which bytes of an entry are hashed, [`tree`] and [`note`] what a checkpoint signs, [`export`] how the
//! record is written to a file, and [`verify`] finds the place where it was changed. `examples/verify_audit.py` does
//! the same with none of our code.

pub mod entry;
pub mod export;
mod line;
pub mod note;
pub mod tree;
pub mod verify;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One entry as it is stored, exported and hashed.
///
/// Personal fields enter the hash as commitments; their openings stand beside and can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// When it was written, UTC.
    pub at: Timestamp,
    /// What happened, in snake case: `order_accepted`, `attempts_started`, `job_settled`, `order_cancelled` …
    pub action: String,
    /// The order's public id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The jobs it is about, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<u64>,
    /// The provider's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What came of it: a job state with its outcome, or a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Everything else that is not personal, as compact JSON: plan hash, counts, vendor request id, error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Commitments to the personal fields, by name (`actor`, `note`, `reference`, `subject`), hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<(String, String)>,
    /// The hash of the entry before, hexadecimal; zeros for the first.
    pub previous: String,
    /// The hash of this one, hexadecimal.
    pub hash: String,
    /// Salt (hexadecimal) and value of those commitments that were not erased, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub openings: Vec<Opening>,
}

/// What opens a commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Which field.
    pub field: String,
    /// Its salt, hexadecimal.
    pub salt: String,
    /// Its value.
    pub value: String,
}

/// A signed statement about the first `size` entries: a C2SP signed note over their RFC 6962 tree root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many entries it covers.
    pub size: u64,
    /// The note, signature lines included.
    pub note: String,
}
