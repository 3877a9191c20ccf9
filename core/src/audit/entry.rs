//! The bytes of an entry that its hash covers.
//!
//! `hash = SHA-256("rescind audit entry v1\n" ‖ previous ‖ body)`, where `previous` is the 32 bytes of the hash before
//! (zeros for the first entry) and `body` is
//!
//! ```text
//! u64 seq ‖ text at ‖ text action ‖ optional order ‖ u32 count ‖ u64 job … ‖ optional provider ‖ optional outcome
//!   ‖ optional detail ‖ u32 count ‖ (text field ‖ 32 bytes commitment) …
//! ```
//!
//! Numbers are big-endian, `text` is a `u32` length and UTF-8, `optional` is a byte 0, or a byte 1 and a text; `at` is
//! the RFC 3339 text of the export. A personal field stands in the body only as
//! `SHA-256("rescind audit field v1\n" ‖ text field ‖ text salt ‖ text value)`, the salt as raw bytes.

use sha2::{Digest, Sha256};

use super::{AuditEntry, Opening};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What stands before the first entry.
pub const GENESIS: Hash = [0; 32];

const ENTRY_DOMAIN: &[u8] = b"rescind audit entry v1\n";
const FIELD_DOMAIN: &[u8] = b"rescind audit field v1\n";

/// An entry before it is hashed; it borrows everything, so that writing one allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Its place, from 1.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub at: &'a str,
    /// What happened.
    pub action: &'a str,
    /// The order's public id.
    pub order: Option<&'a str>,
    /// The jobs it is about.
    pub jobs: &'a [u64],
    /// The provider's name.
    pub provider: Option<&'a str>,
    /// What came of it.
    pub outcome: Option<&'a str>,
    /// Everything else that is not personal.
    pub detail: Option<&'a str>,
    /// Commitments to the personal fields.
    pub commitments: &'a [(&'a str, Hash)],
}

impl Draft<'_> {
    /// Appends the body to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.seq.to_be_bytes());
        text(out, self.at);
        text(out, self.action);
        optional(out, self.order);
        count(out, self.jobs.len());
        for job in self.jobs {
            out.extend_from_slice(&job.to_be_bytes());
        }
        optional(out, self.provider);
        optional(out, self.outcome);
        optional(out, self.detail);
        count(out, self.commitments.len());
        for (field, commitment) in self.commitments {
            text(out, field);
            out.extend_from_slice(commitment);
        }
    }
}

/// The hash of the entry with this body after the entry with that hash.
pub fn chain(previous: &Hash, body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(ENTRY_DOMAIN)
        .chain_update(previous)
        .chain_update(body)
        .finalize()
        .into()
}

/// The commitment to a personal field.
pub fn commit(field: &str, salt: &[u8], value: &str) -> Hash {
    let mut hasher = Sha256::new_with_prefix(FIELD_DOMAIN);
    for part in [field.as_bytes(), salt, value.as_bytes()] {
        hasher.update(length(part.len()));
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Reads a stored body back; previous hash, hash and openings stand elsewhere and are left empty.
///
/// `None` when the bytes are not what [`Draft::encode`] writes.
pub fn decode(body: &[u8]) -> Option<AuditEntry> {
    let mut rest = Reader(body);
    let mut entry = AuditEntry {
        seq: rest.u64()?,
        at: rest.text()?.parse().ok()?,
        action: rest.text()?,
        order: None,
        jobs: Vec::new(),
        provider: None,
        outcome: None,
        detail: None,
        commitments: Vec::new(),
        previous: String::new(),
        hash: String::new(),
        openings: Vec::new(),
    };
    rest.optional(&mut entry.order)?;
    for _ in 0..rest.u32()? {
        entry.jobs.push(rest.u64()?);
    }
    rest.optional(&mut entry.provider)?;
    rest.optional(&mut entry.outcome)?;
    rest.optional(&mut entry.detail)?;
    for _ in 0..rest.u32()? {
        let field = rest.text()?;
        entry.commitments.push((field, to_hex(rest.take(32)?)));
    }
    rest.0.is_empty().then_some(entry)
}

impl Opening {
    /// What opens the commitment to a field.
    pub fn new(field: impl Into<String>, salt: &[u8], value: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            salt: to_hex(salt),
            value: value.into(),
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What each byte is worth as a digit; 255 where it is none. A table, because a processor cannot foresee which way a hash
/// takes through comparisons.
const WORTH: [u8; 256] = {
    let mut worth = [u8::MAX; 256];
    let mut n = 0;
    while n < DIGITS.len() {
        worth[DIGITS[n] as usize] = n as u8;
        n += 1;
    }
    worth
};

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// Reads lower-case hexadecimal; upper case is another text, and no hash of ours.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    read_hex(text, &mut bytes).map(|()| bytes)
}

/// [`from_hex`] in place of what `into` held.
pub(super) fn read_hex(text: &str, into: &mut Vec<u8>) -> Option<()> {
    into.clear();
    into.resize(text.len() / 2, 0);
    fill_from_hex(text, into)
}

/// [`from_hex`] for a hash.
pub(super) fn hash_from_hex(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    fill_from_hex(text, &mut hash).map(|()| hash)
}

fn fill_from_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    if text.len() != 2 * bytes.len() {
        return None;
    }
    let mut worst = 0;
    for (pair, byte) in text.as_bytes().chunks_exact(2).zip(bytes) {
        let (high, low) = (WORTH[usize::from(pair[0])], WORTH[usize::from(pair[1])]);
        worst |= high | low;
        *byte = high << 4 | low;
    }
    (worst < 16).then_some(())
}

/// Whether a text is what [`to_hex`] writes for these bytes.
pub(super) fn is_hex_of(text: &str, bytes: &[u8]) -> bool {
    let digit = |four: u8| DIGITS[usize::from(four)];
    text.len() == bytes.len() * 2
        && text
            .as_bytes()
            .chunks_exact(2)
            .zip(bytes)
            .all(|(pair, byte)| pair[0] == digit(byte >> 4) && pair[1] == digit(byte & 15))
}

fn length(n: usize) -> [u8; 4] {
    u32::try_from(n)
        .expect("no field of an entry reaches 4 GiB")
        .to_be_bytes()
}

fn count(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&length(n));
}

fn text(out: &mut Vec<u8>, value: &str) {
    count(out, value.len());
    out.extend_from_slice(value.as_bytes());
}

fn optional(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            text(out, value);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<String> {
        let n = usize::try_from(self.u32()?).ok()?;
        String::from_utf8(self.take(n)?.to_vec()).ok()
    }

    /// Into `value`; `None` when there is neither an absent nor a present one.
    fn optional(&mut self, value: &mut Option<String>) -> Option<()> {
        match self.take(1)? {
            [0] => {}
            [1] => *value = Some(self.text()?),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_reads_back_as_it_was_written(
            seq in any::<u64>(),
            secs in 0i64..4_000_000_000,
            texts in proptest::collection::vec(".{0,12}", 5),
            some in any::<[bool; 4]>(),
            jobs in proptest::collection::vec(any::<u64>(), 0..5),
        ) {
            let at = jiff::Timestamp::from_second(secs).expect("in range").to_string();
            let part = |i: usize| some[i].then_some(texts[i + 1].as_str());
            let commitments = [("subject", commit("subject", b"salt", &texts[0]))];
            let draft = Draft {
                seq, at: &at, action: &texts[0], order: part(0), jobs: &jobs, provider: part(1),
                outcome: part(2), detail: part(3), commitments: &commitments,
            };
            let mut body = Vec::new();
            draft.encode(&mut body);
            let back = decode(&body).expect("our own bytes");
            prop_assert_eq!(back.seq, seq);
            prop_assert_eq!(back.at.to_string(), at.clone());
            prop_assert_eq!(back.order.as_deref(), part(0));
            prop_assert_eq!(back.detail.as_deref(), part(3));
            prop_assert_eq!(&back.jobs, &jobs);
            prop_assert!(is_hex_of(&back.commitments[0].1, &commitments[0].1));
            prop_assert_eq!(&back.commitments[0].1, &to_hex(&commitments[0].1));
            prop_assert!(decode(&body[..body.len() - 1]).is_none());
        }
    }

    #[test]
    fn lengths_keep_neighbouring_fields_apart() {
        assert_ne!(commit("ab", b"", "c"), commit("a", b"", "bc"));
        assert_ne!(commit("a", b"b", "c"), commit("a", b"", "bc"));
    }
}
