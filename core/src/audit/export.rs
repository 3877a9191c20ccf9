//! The record as a file: JSON Lines that a stranger can verify.
//!
//! A header, then all checkpoints, then the entries by sequence; checkpoints come first so that one pass with flat
//! memory verifies the file. Each line is the one compact form of its content: a line that reads the same but is
//! written otherwise is malformed.

use std::borrow::Cow;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::note::{PublicKey, Verifier};
use super::verify::{Exhibit, FaultKind, Verdict, Verification};
use super::{AuditEntry, Checkpoint, Opening};

/// The version of the format.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub rescind_audit: u32,
    /// The key the checkpoints are signed with, as `name+hash+key`.
    pub public_key: String,
    /// Whether personal values were left out.
    pub redacted: bool,
}

impl Header {
    /// The header of an export.
    pub fn new(key: &PublicKey, redacted: bool) -> Self {
        Self {
            rescind_audit: VERSION,
            public_key: key.to_string(),
            redacted,
        }
    }
}

/// Writes an export line by line, in the order the format asks for.
#[derive(Debug)]
pub struct ExportWriter<W> {
    out: W,
    redacted: bool,
}

impl<W: Write> ExportWriter<W> {
    /// Writes the header and all checkpoints.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(mut out: W, header: &Header, checkpoints: &[Checkpoint]) -> io::Result<Self> {
        line(&mut out, header)?;
        for checkpoint in checkpoints {
            line(&mut out, checkpoint)?;
        }
        Ok(Self {
            out,
            redacted: header.redacted,
        })
    }

    /// Writes the next entries; a redacted export leaves their openings out.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn entries(&mut self, entries: Vec<AuditEntry>) -> io::Result<()> {
        for mut entry in entries {
            if self.redacted {
                entry.openings.clear();
            }
            line(&mut self.out, &entry)?;
        }
        Ok(())
    }

    /// Flushes, and gives the output back.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn line(out: &mut impl Write, content: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, content)?;
    out.write_all(b"\n")
}

/// An [`AuditEntry`] with every text as the file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine<'a> {
    seq: u64,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    order: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    jobs: Vec<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    provider: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    commitments: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(borrow)]
    previous: Cow<'a, str>,
    #[serde(borrow)]
    hash: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    openings: Vec<Opening>,
}

/// Verifies an export. `key` is the public key as the verifier knows it from elsewhere: without it, the file is only
/// shown to be consistent with the key it names itself. `copied` are checkpoints kept outside the file.
///
/// # Errors
/// Those of `input`; a fault of the record is part of the verdict.
pub fn verify(
    mut input: impl BufRead,
    key: Option<&PublicKey>,
    copied: &[Checkpoint],
    verifier: &dyn Verifier,
) -> io::Result<Verdict> {
    let mut raw = Vec::new();
    let mut number = 0;
    let mut next = |raw: &mut Vec<u8>| -> io::Result<Option<u64>> {
        raw.clear();
        if input.read_until(b'\n', raw)? == 0 {
            return Ok(None);
        }
        if raw.last() == Some(&b'\n') {
            raw.pop();
        }
        number += 1;
        Ok(Some(number))
    };

    next(&mut raw)?;
    let header = parse::<Header>(&raw).filter(|header| header.rescind_audit == VERSION);
    let Some(named) = header.and_then(|header| header.public_key.parse::<PublicKey>().ok()) else {
        return Ok(Verdict::broken(FaultKind::Malformed, 1));
    };
    if key.is_some_and(|key| *key != named) {
        return Ok(Verdict::broken(FaultKind::Key, 0));
    }

    let mut checkpoints = copied.to_vec();
    let mut line = next(&mut raw)?;
    while line.is_some()
        && let Some(checkpoint) = parse::<Checkpoint>(&raw)
    {
        checkpoints.push(checkpoint);
        line = next(&mut raw)?;
    }

    let mut verification = Verification::new(&named, &checkpoints, verifier);
    while let Some(number) = line {
        if verification.has_failed() {
            break;
        }
        match parse::<EntryLine<'_>>(&raw) {
            Some(entry) => verification.add_exhibit(&entry.exhibit()),
            None => verification.fail(FaultKind::Malformed, number),
        }
        line = next(&mut raw)?;
    }
    Ok(verification.finish())
}

/// Reads a line if it is the one compact form of a `T`.
fn parse<'a, T: Serialize + Deserialize<'a>>(raw: &'a [u8]) -> Option<T> {
    let content: T = serde_json::from_slice(raw).ok()?;
    (serde_json::to_vec(&content).ok()? == raw).then_some(content)
}

impl EntryLine<'_> {
    fn exhibit(&self) -> Exhibit<'_> {
        Exhibit {
            seq: self.seq,
            at: &self.at,
            action: &self.action,
            order: self.order.as_deref(),
            jobs: &self.jobs,
            provider: self.provider.as_deref(),
            outcome: self.outcome.as_deref(),
            detail: self.detail.as_deref(),
            commitments: &self.commitments,
            previous: &self.previous,
            hash: &self.hash,
            openings: &self.openings,
        }
    }
}
