//! The record as a file: JSON Lines that a stranger can verify.
//!
//! A header, then all checkpoints, then the entries by sequence; checkpoints come first so that one pass with flat
//! memory verifies the file. Each line is the one compact form of its content: a line that reads the same but is
//! written otherwise is malformed, and so is a line longer than [`MAX_LINE`].

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

use super::line::EntryLine;
use super::note::{PublicKey, Verifier};
use super::verify::{FaultKind, Verdict, Verification};
use super::{AuditEntry, Checkpoint};

/// The version of the format.
pub const VERSION: u32 = 1;

/// The longest line, in bytes: thousands of times what an entry needs. A file that is no record ends here and not in
/// memory.
pub const MAX_LINE: usize = 16 << 20;

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
        // One byte more than a line and its end: what goes on is told from what fits.
        let mut line = input.by_ref().take(MAX_LINE as u64 + 2);
        if line.read_until(b'\n', raw)? == 0 {
            return Ok(None);
        }
        if raw.last() == Some(&b'\n') {
            raw.pop();
        }
        if raw.len() > MAX_LINE {
            // Nothing reads an empty line.
            raw.clear();
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
        match EntryLine::read(&raw) {
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

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::super::entry::{self, Draft, GENESIS, to_hex};
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Verifier for Nobody {
        fn verify(&self, _: &[u8; 32], _: &[u8], _: &[u8; 64]) -> bool {
            false
        }
    }

    /// An entry for each action in one chain, and no checkpoint.
    fn export(actions: impl IntoIterator<Item = String>) -> Vec<u8> {
        let header = Header::new(&PublicKey::new([7; 32]), false);
        let mut writer = ExportWriter::begin(Vec::new(), &header, &[]).expect("memory");
        let mut previous = GENESIS;
        for (seq, action) in (1..).zip(actions) {
            let draft = Draft {
                seq,
                at: "2026-03-01T09:00:00Z",
                action: &action,
                order: None,
                jobs: &[seq],
                provider: None,
                outcome: None,
                detail: None,
                commitments: &[],
            };
            let mut body = Vec::new();
            draft.encode(&mut body);
            let mut entry = entry::decode(&body).expect("our own bytes");
            entry.previous = to_hex(&previous);
            previous = entry::chain(&previous, &body);
            entry.hash = to_hex(&previous);
            writer.entries(vec![entry]).expect("memory");
        }
        writer.finish().expect("memory")
    }

    fn verdict(input: impl BufRead) -> Verdict {
        verify(input, None, &[], &Nobody).expect("memory")
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_pieces_a_file_comes_in() {
        const ENTRIES: u64 = 30;
        let action = |n| "x\u{e9}\"\\\n".repeat(n as usize % 9);
        let whole = export((1..=ENTRIES).map(action));
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let mut exports = vec![(None, whole.clone())];
        for at in 1..=ENTRIES {
            let line = at as usize;
            let mut missing = lines.clone();
            missing.remove(line);
            // Without its last entry, a record that nothing signs is a shorter record.
            let fault = (at < ENTRIES).then_some((FaultKind::Missing, at));
            exports.push((fault, missing.concat()));
            let mut torn: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
            torn[line].insert(1, b' ');
            exports.push((Some((FaultKind::Malformed, at + 1)), torn.concat()));
            let mut changed: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
            let seconds = changed[line].windows(3).position(|three| three == b"00Z");
            changed[line][seconds.expect("a time")] = b'1';
            exports.push((Some((FaultKind::Content, at)), changed.concat()));
        }
        for (expected, export) in exports {
            let at_once = verdict(&export[..]);
            let fault = at_once.fault.map(|fault| (fault.kind, fault.at));
            assert_eq!(fault, expected);
            let length = lines[1].len();
            for piece in [1, 2, 7, length - 1, length, length + 1, 4096] {
                let pieces = BufReader::with_capacity(piece, &export[..]);
                assert_eq!(verdict(pieces), at_once, "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_read_into_memory() {
        let mut endless = BufReader::new(io::repeat(b'x').take(1 << 30));
        let fault = verdict(&mut endless).fault.expect("no record");
        assert_eq!((fault.kind, fault.at), (FaultKind::Malformed, 1));
        assert!(endless.into_inner().limit() > (1 << 30) - (MAX_LINE as u64 * 2));
    }

    #[test]
    fn the_longest_line_is_read_and_one_byte_more_is_not() {
        let line = export([String::new()])
            .split(|byte| *byte == b'\n')
            .nth(1)
            .expect("an entry")
            .len();
        for (longer, expected) in [(0, None), (1, Some((FaultKind::Malformed, 2)))] {
            let action = "x".repeat(MAX_LINE - line + longer);
            let fault = verdict(&export([action])[..]).fault;
            assert_eq!(fault.map(|fault| (fault.kind, fault.at)), expected);
        }
    }
}
