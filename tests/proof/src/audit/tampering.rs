//! Ways to tamper with an export, and where a verifier must find each.

use rescind_core::audit::export::Header;
use rescind_core::audit::verify::FaultKind;
use rescind_core::audit::{AuditEntry, Checkpoint};
use serde::Serialize;

use super::record::{self, Record, rehash, signed, signer};
use crate::chance::Chance;

/// What was done to an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tampering {
    FlipEntry,
    FlipCheckpoint,
    FlipHeader,
    Delete,
    DeleteAndRewrite,
    Swap,
    SwapAndRewrite,
    InsertCopy,
    InsertLinked,
    InsertAndRewrite,
    Change,
    ChangeAndRewrite,
    Reopen,
    CutTail,
    CutTailWithCheckpoints,
    ClaimMore,
    ExchangeNotes,
    ForeignSignature,
    ForeignRecord,
    Fork,
}

impl Tampering {
    pub(super) const ALL: [Self; 20] = [
        Self::FlipEntry,
        Self::FlipCheckpoint,
        Self::FlipHeader,
        Self::Delete,
        Self::DeleteAndRewrite,
        Self::Swap,
        Self::SwapAndRewrite,
        Self::InsertCopy,
        Self::InsertLinked,
        Self::InsertAndRewrite,
        Self::Change,
        Self::ChangeAndRewrite,
        Self::Reopen,
        Self::CutTail,
        Self::CutTailWithCheckpoints,
        Self::ClaimMore,
        Self::ExchangeNotes,
        Self::ForeignSignature,
        Self::ForeignRecord,
        Self::Fork,
    ];

    /// Whether only the signed checkpoints can show it: hashes alone are all in order.
    pub(super) fn needs_checkpoints(self) -> bool {
        matches!(
            self,
            Self::DeleteAndRewrite
                | Self::SwapAndRewrite
                | Self::InsertAndRewrite
                | Self::ChangeAndRewrite
                | Self::CutTail
                | Self::CutTailWithCheckpoints
        )
    }
}

/// A tampered export, and the places that are right to name.
#[derive(Debug)]
pub(super) struct Tampered {
    pub(super) export: Vec<u8>,
    /// Checkpoints that were kept outside.
    pub(super) copied: Vec<Checkpoint>,
    pub(super) expected: Vec<(FaultKind, u64)>,
}

/// Tampers with a record in one way.
pub(super) fn tamper(record: &Record, how: Tampering, chance: &mut Chance) -> Tampered {
    let work = Work {
        header: Header::new(&record.key(), false),
        checkpoints: record.checkpoints.clone(),
        entries: record.entries.clone(),
    };
    match how {
        Tampering::FlipEntry | Tampering::FlipCheckpoint | Tampering::FlipHeader => {
            flip(&work, how, chance)
        }
        Tampering::Delete
        | Tampering::DeleteAndRewrite
        | Tampering::Swap
        | Tampering::SwapAndRewrite
        | Tampering::CutTail
        | Tampering::CutTailWithCheckpoints => take_away(work, record.covered(), how, chance),
        Tampering::InsertCopy | Tampering::InsertLinked | Tampering::InsertAndRewrite => {
            insert(work, record.covered(), how, chance)
        }
        Tampering::Change | Tampering::ChangeAndRewrite | Tampering::Reopen => {
            change(work, record.covered(), how, chance)
        }
        Tampering::ClaimMore
        | Tampering::ExchangeNotes
        | Tampering::ForeignSignature
        | Tampering::ForeignRecord
        | Tampering::Fork => resign(work, record, how, chance),
    }
}

/// An untouched export.
pub(super) fn untouched(record: &Record) -> Vec<u8> {
    Work {
        header: Header::new(&record.key(), false),
        checkpoints: record.checkpoints.clone(),
        entries: record.entries.clone(),
    }
    .export()
}

struct Work {
    header: Header,
    checkpoints: Vec<Checkpoint>,
    entries: Vec<AuditEntry>,
}

impl Work {
    fn lines(&self) -> Vec<Vec<u8>> {
        let mut lines = vec![line(&self.header)];
        lines.extend(self.checkpoints.iter().map(line));
        lines.extend(self.entries.iter().map(line));
        lines
    }

    fn export(&self) -> Vec<u8> {
        joined(&self.lines())
    }

    fn expecting(self, kind: FaultKind, at: usize) -> Tampered {
        Tampered {
            export: self.export(),
            copied: Vec::new(),
            expected: vec![(kind, at as u64)],
        }
    }

    /// What the checkpoints show of a record that is consistent and not the one signed, from the place `from` on.
    fn expecting_unsigned(self, from: usize) -> Tampered {
        let covering = (self.checkpoints.iter())
            .map(|checkpoint| checkpoint.size as usize)
            .find(|size| *size > from)
            .expect("the place is covered");
        let left = self.entries.len();
        if covering <= left {
            self.expecting(FaultKind::Root, covering)
        } else {
            self.expecting(FaultKind::Tail, left + 1)
        }
    }
}

fn line(content: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(content).expect("it can be written")
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut export = lines.join(&b'\n');
    export.push(b'\n');
    export
}

/// One bit of one line.
fn flip(work: &Work, how: Tampering, chance: &mut Chance) -> Tampered {
    let mut lines = work.lines();
    let first_entry = 1 + work.checkpoints.len();
    let place = match how {
        Tampering::FlipHeader => 0,
        Tampering::FlipCheckpoint => chance.between(1, first_entry - 1),
        _ => chance.between(first_entry, lines.len() - 1),
    };
    let flipped = &mut lines[place];
    let byte = chance.below(flipped.len());
    flipped[byte] ^= 1 << chance.below(8);
    let number = place as u64 + 1;
    let mut expected = vec![(FaultKind::Malformed, number)];
    match how {
        Tampering::FlipHeader => expected.push((FaultKind::Key, 0)),
        Tampering::FlipCheckpoint => {
            // A size that still reads is named as it stands there now.
            if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(flipped) {
                expected.push((FaultKind::Signature, checkpoint.size));
            }
        }
        _ => {
            let seq = number - first_entry as u64;
            let kinds = [
                FaultKind::Missing,
                FaultKind::Misplaced,
                FaultKind::Link,
                FaultKind::Content,
                FaultKind::Opening,
            ];
            expected.extend(kinds.map(|kind| (kind, seq)));
        }
    }
    Tampered {
        export: joined(&lines),
        copied: Vec::new(),
        expected,
    }
}

fn take_away(mut work: Work, covered: usize, how: Tampering, chance: &mut Chance) -> Tampered {
    // Before the last covered one, so that something signed follows.
    let place = chance.below(covered - 1);
    match how {
        Tampering::Delete => {
            let end = chance.between(place + 1, covered - 1);
            work.entries.drain(place..end);
            work.expecting(FaultKind::Missing, place + 1)
        }
        Tampering::DeleteAndRewrite => {
            work.entries.remove(place);
            rehash(&mut work.entries, place);
            work.expecting_unsigned(place)
        }
        Tampering::Swap => {
            let other = chance.between(place + 1, covered - 1);
            work.entries.swap(place, other);
            work.expecting(FaultKind::Missing, place + 1)
        }
        Tampering::SwapAndRewrite => {
            let other = chance.between(place + 1, covered - 1);
            work.entries.swap(place, other);
            rehash(&mut work.entries, place);
            work.expecting_unsigned(place)
        }
        Tampering::CutTail => {
            work.entries.truncate(place);
            work.expecting(FaultKind::Tail, place + 1)
        }
        _ => {
            // As far back as an older checkpoint: nothing inside the file shows it, a checkpoint kept elsewhere does.
            let copied = work.checkpoints.clone();
            let kept = chance.below(copied.len());
            work.checkpoints.truncate(kept);
            let size = (work.checkpoints.last()).map_or(0, |last| last.size as usize);
            work.entries.truncate(size);
            Tampered {
                copied,
                ..work.expecting(FaultKind::Tail, size + 1)
            }
        }
    }
}

fn insert(mut work: Work, covered: usize, how: Tampering, chance: &mut Chance) -> Tampered {
    let place = chance.below(covered);
    let mut model = chance.below(work.entries.len());
    if how == Tampering::InsertAndRewrite && model == place {
        // An entry before itself is the record with one more behind it, which nothing signed speaks of.
        model = (model + 1) % work.entries.len();
    }
    let mut forged = work.entries[model].clone();
    match how {
        Tampering::InsertCopy => {
            work.entries.insert(place, forged);
            match model.cmp(&place) {
                std::cmp::Ordering::Less => work.expecting(FaultKind::Misplaced, place + 1),
                // The copy stands where the one it copies did; that one is now out of place.
                std::cmp::Ordering::Equal => work.expecting(FaultKind::Misplaced, place + 2),
                std::cmp::Ordering::Greater => work.expecting(FaultKind::Missing, place + 1),
            }
        }
        Tampering::InsertLinked => {
            // Like no entry there is: one that was not changed by it would be a copy, and whole up to itself.
            forged.outcome = Some("confirmed forged".to_owned());
            work.entries.insert(place, forged);
            let mut begun = work.entries[..=place].to_vec();
            rehash(&mut begun, place);
            work.entries[place] = begun.pop().expect("what was inserted");
            // Where a checkpoint covers it just so, that speaks first.
            let signed = |one: &Checkpoint| one.size as usize == place + 1;
            if work.checkpoints.iter().any(signed) {
                work.expecting(FaultKind::Root, place + 1)
            } else {
                work.expecting(FaultKind::Misplaced, place + 2)
            }
        }
        _ => {
            work.entries.insert(place, forged);
            rehash(&mut work.entries, place);
            work.expecting_unsigned(place)
        }
    }
}

fn change(mut work: Work, covered: usize, how: Tampering, chance: &mut Chance) -> Tampered {
    if how == Tampering::Reopen {
        let opened: Vec<usize> = (0..work.entries.len())
            .filter(|place| !work.entries[*place].openings.is_empty())
            .collect();
        let place = *chance.pick(&opened);
        let openings = &mut work.entries[place].openings;
        let which = chance.below(openings.len());
        match chance.below(3) {
            0 => openings[which].value.push('!'),
            1 => openings[which].salt.push_str("00"),
            _ => openings[which].field.push('s'),
        }
        return work.expecting(FaultKind::Opening, place + 1);
    }
    let place = chance.below(covered);
    let entry = &mut work.entries[place];
    match chance.below(6) {
        0 => entry.outcome = Some(format!("confirmed {}", chance.bits())),
        1 => entry.jobs.push(chance.bits()),
        2 => entry.action.push('!'),
        3 => entry.detail = Some(format!("{{\"jobs\":{}}}", chance.bits())),
        4 => entry.at += jiff::SignedDuration::from_micros(1),
        _ => entry.provider = Some(format!("other{}", chance.below(1000))),
    }
    if how == Tampering::Change {
        return work.expecting(FaultKind::Content, place + 1);
    }
    rehash(&mut work.entries, place);
    work.expecting_unsigned(place)
}

fn resign(mut work: Work, record: &Record, how: Tampering, chance: &mut Chance) -> Tampered {
    let which = chance.below(work.checkpoints.len());
    let size = work.checkpoints[which].size as usize;
    let sizes: Vec<usize> = (work.checkpoints.iter())
        .map(|one| one.size as usize)
        .collect();
    match how {
        Tampering::ExchangeNotes if work.checkpoints.len() > 1 => {
            let other = (which + 1) % work.checkpoints.len();
            let (first, second) = (which.min(other), which.max(other));
            let note = work.checkpoints[first].note.clone();
            work.checkpoints[first].note =
                std::mem::replace(&mut work.checkpoints[second].note, note);
            work.expecting(FaultKind::Signature, sizes[first])
        }
        Tampering::ClaimMore | Tampering::ExchangeNotes => {
            let more = chance.between(1, 1000);
            work.checkpoints[which].size += more as u64;
            work.expecting(FaultKind::Signature, size + more)
        }
        Tampering::ForeignSignature => {
            let forger = signer(chance);
            work.checkpoints[which] = signed(&forger, &work.entries, &[size]).remove(0);
            work.expecting(FaultKind::Signature, size)
        }
        Tampering::ForeignRecord => {
            // Everything rewritten, the key included: it convinces only those who know no key.
            let forger = signer(chance);
            work.entries[0].action.push('!');
            rehash(&mut work.entries, 0);
            work.checkpoints = signed(&forger, &work.entries, &sizes);
            work.header = Header::new(&forger.named(), false);
            work.expecting(FaultKind::Key, 0)
        }
        _ => {
            // A checkpoint that the right key has signed, over another history.
            let mut other = work.entries.clone();
            let place = chance.below(size);
            other[place].outcome = Some(format!("forked {}", chance.bits()));
            rehash(&mut other, place);
            work.checkpoints[which] = record::signed(&record.signer, &other, &[size]).remove(0);
            work.expecting(FaultKind::Root, size)
        }
    }
}
