//! Finds the first place where a record is not what was written.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::entry::{self, Draft, GENESIS, Hash, hash_from_hex, is_hex_of, read_hex};
use super::note::{self, PublicKey, Verifier};
use super::tree::Frontier;
use super::{AuditEntry, Checkpoint};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// A line of an export cannot be read as what it should be.
    Malformed,
    /// The export names another key than the one the verifier was given.
    Key,
    /// A checkpoint's signature, key or size is not right.
    Signature,
    /// An entry is missing.
    Missing,
    /// An entry stands where another belongs.
    Misplaced,
    /// An entry does not follow the one before it.
    Link,
    /// An entry's content is not what its hash covers.
    Content,
    /// The value beside an entry is not the one it committed to.
    Opening,
    /// The entries are consistent, but not those that a checkpoint signed.
    Root,
    /// The last entries, which a checkpoint covers, are gone.
    Tail,
}

/// The first fault of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Where: the line for `malformed`, the size of the checkpoint for `signature` and `root`, else the entry.
    pub at: u64,
    /// For `root`: the last entry that an earlier checkpoint vouches for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

impl Fault {
    fn new(kind: FaultKind, at: u64) -> Self {
        Self {
            kind,
            at,
            after: None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.kind {
            FaultKind::Malformed => write!(f, "line {at} cannot be read"),
            FaultKind::Key => f.write_str("the record names another public key than the one given"),
            FaultKind::Signature => {
                write!(f, "the checkpoint over {at} entries is not validly signed")
            }
            FaultKind::Missing => write!(f, "entry {at} is missing"),
            FaultKind::Misplaced => write!(f, "another entry stands in the place of entry {at}"),
            FaultKind::Link => write!(f, "entry {at} does not follow the entry before it"),
            FaultKind::Content => write!(f, "the content of entry {at} was changed"),
            FaultKind::Opening => write!(f, "a personal value beside entry {at} was changed"),
            FaultKind::Root => write!(
                f,
                "entries {} to {at} are not those that were signed",
                self.after.unwrap_or(0) + 1
            ),
            FaultKind::Tail => write!(
                f,
                "the record is cut off: entry {at} and what follows is gone"
            ),
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Entries read up to the first fault.
    pub entries: u64,
    /// Checkpoints whose root was found right.
    pub checkpoints: u64,
    /// How many entries the last of those covers; what came later is chained but not yet signed.
    pub covered: u64,
    /// Personal fields whose values were erased, or left out of a redacted export.
    pub erased: u64,
    /// The first fault; `None` when the record is whole.
    pub fault: Option<Fault>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.fault.is_none()
    }

    pub(super) fn broken(kind: FaultKind, at: u64) -> Self {
        Self {
            entries: 0,
            checkpoints: 0,
            covered: 0,
            erased: 0,
            fault: Some(Fault::new(kind, at)),
        }
    }
}

/// An entry as a verifier sees it: every text exactly as it was stored or exported.
#[derive(Debug)]
pub(super) struct Exhibit<'a> {
    pub seq: u64,
    pub at: &'a str,
    pub action: &'a str,
    pub order: Option<&'a str>,
    pub jobs: &'a [u64],
    pub provider: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub detail: Option<&'a str>,
    pub commitments: &'a [(Cow<'a, str>, Cow<'a, str>)],
    pub previous: &'a str,
    pub hash: &'a str,
    pub openings: &'a [Shown<'a>],
}

/// An [`Opening`](super::Opening) as a verifier sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    pub field: Cow<'a, str>,
    pub salt: Cow<'a, str>,
    pub value: Cow<'a, str>,
}

/// A verification under way: entries come in batches, memory stays flat.
#[derive(Debug)]
pub struct Verification {
    /// Size and stated root, by size.
    checkpoints: Vec<(u64, Hash)>,
    passed: usize,
    tree: Frontier,
    previous: Hash,
    body: Vec<u8>,
    salt: Vec<u8>,
    erased: u64,
    fault: Option<Fault>,
}

impl Verification {
    /// Begins with the checkpoints, those of a copy kept elsewhere among them, and the key they must be signed with.
    pub fn new(key: &PublicKey, checkpoints: &[Checkpoint], verifier: &dyn Verifier) -> Self {
        let mut fault = None;
        let mut opened = Vec::with_capacity(checkpoints.len());
        for checkpoint in checkpoints {
            match note::open(checkpoint, key, verifier) {
                Some(root) => opened.push((checkpoint.size, root)),
                None => {
                    fault = fault.or(Some(Fault::new(FaultKind::Signature, checkpoint.size)));
                }
            }
        }
        opened.sort_by_key(|(size, _)| *size);
        let mut verification = Self {
            checkpoints: opened,
            passed: 0,
            tree: Frontier::default(),
            previous: GENESIS,
            body: Vec::new(),
            salt: Vec::new(),
            erased: 0,
            fault,
        };
        if verification.fault.is_none() {
            verification.fault = verification.pass_checkpoints().err();
        }
        verification
    }

    /// Takes the next entries, in order. After the first fault the rest is not looked at.
    pub fn add(&mut self, entries: &[AuditEntry]) {
        for entry in entries {
            let at = entry.at.to_string();
            let commitments: Vec<_> = entry
                .commitments
                .iter()
                .map(|(field, hash)| (Cow::from(field.as_str()), Cow::from(hash.as_str())))
                .collect();
            let openings: Vec<_> = (entry.openings.iter())
                .map(|opening| Shown {
                    field: Cow::from(&opening.field),
                    salt: Cow::from(&opening.salt),
                    value: Cow::from(&opening.value),
                })
                .collect();
            self.add_exhibit(&Exhibit {
                seq: entry.seq,
                at: &at,
                action: &entry.action,
                order: entry.order.as_deref(),
                jobs: &entry.jobs,
                provider: entry.provider.as_deref(),
                outcome: entry.outcome.as_deref(),
                detail: entry.detail.as_deref(),
                commitments: &commitments,
                previous: &entry.previous,
                hash: &entry.hash,
                openings: &openings,
            });
        }
    }

    pub(super) fn add_exhibit(&mut self, entry: &Exhibit<'_>) {
        if self.fault.is_none() {
            self.fault = self.check(entry).err();
        }
    }

    pub(super) fn fail(&mut self, kind: FaultKind, at: u64) {
        self.fault = self.fault.or(Some(Fault::new(kind, at)));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Ends the verification: a checkpoint that covers more entries than came shows that the tail was cut off.
    pub fn finish(mut self) -> Verdict {
        if self.fault.is_none() && self.passed < self.checkpoints.len() {
            self.fault = Some(Fault::new(FaultKind::Tail, self.tree.size() + 1));
        }
        Verdict {
            entries: self.tree.size(),
            checkpoints: self.passed as u64,
            covered: self.covered(),
            erased: self.erased,
            fault: self.fault,
        }
    }

    fn covered(&self) -> u64 {
        self.passed
            .checked_sub(1)
            .map_or(0, |last| self.checkpoints[last].0)
    }

    fn check(&mut self, entry: &Exhibit<'_>) -> Result<(), Fault> {
        let expected = self.tree.size() + 1;
        let fault = |kind| Err(Fault::new(kind, expected));
        if entry.seq > expected {
            return fault(FaultKind::Missing);
        }
        if entry.seq < expected {
            return fault(FaultKind::Misplaced);
        }
        if !is_hex_of(entry.previous, &self.previous) {
            return fault(FaultKind::Link);
        }
        let mut commitments = Vec::with_capacity(entry.commitments.len());
        for (field, commitment) in entry.commitments {
            match hash_from_hex(commitment) {
                Some(commitment) => commitments.push((field.as_ref(), commitment)),
                None => return fault(FaultKind::Content),
            }
        }
        self.body.clear();
        let draft = Draft {
            seq: entry.seq,
            at: entry.at,
            action: entry.action,
            order: entry.order,
            jobs: entry.jobs,
            provider: entry.provider,
            outcome: entry.outcome,
            detail: entry.detail,
            commitments: &commitments,
        };
        draft.encode(&mut self.body);
        let hash = entry::chain(&self.previous, &self.body);
        if !is_hex_of(entry.hash, &hash) {
            return fault(FaultKind::Content);
        }
        // In the order of what they open, each once: one that stood there twice would hide that another is gone.
        let mut closed = commitments.iter();
        for opening in entry.openings {
            let committed = closed.find(|(field, _)| *field == opening.field);
            let opened = read_hex(&opening.salt, &mut self.salt)
                .map(|()| entry::commit(&opening.field, &self.salt, &opening.value));
            if opened.is_none() || opened != committed.map(|(_, commitment)| *commitment) {
                return fault(FaultKind::Opening);
            }
        }
        let opened = entry.openings.len() as u64;
        self.erased += (commitments.len() as u64).saturating_sub(opened);
        self.previous = hash;
        self.tree.push(&hash);
        self.pass_checkpoints()
    }

    fn pass_checkpoints(&mut self) -> Result<(), Fault> {
        while let Some((size, root)) = self.checkpoints.get(self.passed) {
            if *size != self.tree.size() {
                break;
            }
            if *root != self.tree.root() {
                return Err(Fault {
                    kind: FaultKind::Root,
                    at: *size,
                    after: Some(self.covered()),
                });
            }
            self.passed += 1;
        }
        Ok(())
    }
}
