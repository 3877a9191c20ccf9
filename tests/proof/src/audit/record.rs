//! Records like those a worker writes, made from a seed: as many entries as asked for, in one chain.

use std::time::Duration;

use jiff::Timestamp;
use rescind_core::audit::entry::{self, Draft, GENESIS, Hash, from_hex, to_hex};
use rescind_core::audit::note::{self, PublicKey, Signer};
use rescind_core::audit::tree::Frontier;
use rescind_core::audit::{AuditEntry, Checkpoint, Opening};
use rescind_store::Ed25519Signer;

use crate::chance::Chance;

/// A record small enough to be held.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) signer: Ed25519Signer,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) entries: Vec<AuditEntry>,
}

impl Record {
    /// A record of `entries`, signed at places that chance chooses; the last ones may not be covered yet.
    pub(super) fn grow(chance: &mut Chance, entries: usize) -> Self {
        let signer = signer(chance);
        let entries: Vec<_> = Chain::seeded(chance.bits()).take(entries).collect();
        let mut sizes: Vec<usize> = (0..chance.between(2, 5))
            .map(|_| chance.between(2, entries.len()))
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let checkpoints = signed(&signer, &entries, &sizes);
        Self {
            signer,
            checkpoints,
            entries,
        }
    }

    /// The key its checkpoints are signed with.
    pub(super) fn key(&self) -> PublicKey {
        self.signer.named()
    }

    /// How many entries the last checkpoint covers.
    pub(super) fn covered(&self) -> usize {
        self.checkpoints.last().map_or(0, |last| last.size as usize)
    }
}

/// A key of its own.
pub(super) fn signer(chance: &mut Chance) -> Ed25519Signer {
    let seed: Vec<u8> = (0..4).flat_map(|_| chance.bits().to_be_bytes()).collect();
    Ed25519Signer::from_seed(&seed).expect("32 bytes are a seed")
}

/// Checkpoints over so many entries each.
pub(super) fn signed(
    signer: &dyn Signer,
    entries: &[AuditEntry],
    sizes: &[usize],
) -> Vec<Checkpoint> {
    let mut tree = Frontier::default();
    let mut checkpoints = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        tree.push(&hash_of(&entry.hash));
        if sizes.contains(&(n + 1)) {
            checkpoints.push(note::sign(signer, &tree));
        }
    }
    checkpoints
}

/// A hash as bytes.
pub(super) fn hash_of(text: &str) -> Hash {
    let bytes = from_hex(text).expect("hexadecimal");
    bytes.try_into().expect("32 bytes")
}

/// The body of an entry, as its hash covers it.
pub(super) fn body_of(entry: &AuditEntry) -> Vec<u8> {
    let at = entry.at.to_string();
    let commitments: Vec<(&str, Hash)> = (entry.commitments.iter())
        .map(|(field, hash)| (field.as_str(), hash_of(hash)))
        .collect();
    let draft = Draft {
        seq: entry.seq,
        at: &at,
        action: &entry.action,
        order: entry.order.as_deref(),
        jobs: &entry.jobs,
        provider: entry.provider.as_deref(),
        outcome: entry.outcome.as_deref(),
        detail: entry.detail.as_deref(),
        commitments: &commitments,
    };
    let mut body = Vec::with_capacity(512);
    draft.encode(&mut body);
    body
}

/// Hashes a record anew from the entry at `from` on, as somebody without the key can.
pub(super) fn rehash(entries: &mut [AuditEntry], from: usize) {
    let mut previous = match from.checked_sub(1) {
        Some(before) => hash_of(&entries[before].hash),
        None => GENESIS,
    };
    for (place, entry) in entries.iter_mut().enumerate().skip(from) {
        entry.seq = place as u64 + 1;
        entry.previous = to_hex(&previous);
        previous = entry::chain(&previous, &body_of(entry));
        entry.hash = to_hex(&previous);
    }
}

/// Entries without end: the same for the same seed.
#[derive(Debug)]
pub(super) struct Chain {
    chance: Chance,
    seq: u64,
    previous: Hash,
    at: Timestamp,
    order: String,
}

impl Chain {
    pub(super) fn seeded(seed: u64) -> Self {
        Self {
            chance: Chance::seeded(seed),
            seq: 0,
            previous: GENESIS,
            at: "2026-03-01T09:00:00.123456Z".parse().expect("a time"),
            order: String::new(),
        }
    }

    fn accepted(&mut self) -> (Shape, Vec<Personal>) {
        self.order = format!(
            "0195{:04x}-{:04x}-7{:03x}-8{:03x}-{:012x}",
            self.chance.below(0x1_0000),
            self.chance.below(0x1_0000),
            self.chance.below(0x1000),
            self.chance.below(0x1000),
            self.chance.bits() >> 16
        );
        let jobs = self.chance.between(1, 5000);
        let detail = format!(
            r#"{{"plan_hash":"{:064x}","people":{jobs},"jobs":{jobs},"urgent":false,"authenticated_by":"os user"}}"#,
            self.chance.bits()
        );
        let mut personal = vec![
            Personal::new("actor", "mar\u{ed}a@contoso.com".to_owned()),
            Personal::new(
                "note",
                "laptop lost on a train \u{2028}\u{1f686} \"again\"".to_owned(),
            ),
        ];
        if self.chance.one_in(2) {
            let number = self.chance.below(100_000);
            personal.push(Personal::new("reference", format!("INC-{number}")));
        }
        let shape = Shape {
            action: "order_accepted",
            detail: Some(detail),
            ..Shape::default()
        };
        (shape, personal)
    }

    fn started(&mut self) -> (Shape, Vec<Personal>) {
        let first = self.chance.bits() >> 20;
        let jobs = (0..self.chance.between(1, 20) as u64).map(|n| first + n);
        let shape = Shape {
            action: "attempts_started",
            jobs: jobs.collect(),
            provider: Some("entra-prod"),
            ..Shape::default()
        };
        (shape, Vec::new())
    }

    fn settled(&mut self) -> (Shape, Vec<Personal>) {
        let outcomes = [
            "confirmed accepted",
            "confirmed revoked",
            "gone subject_not_found",
            "refused unsupported",
            "parked",
            "waiting",
        ];
        let person = self.chance.below(1_000_000);
        let detail = format!(
            r#"{{"request_id":"{:08x}-0000-4000-8000-{:012x}"}}"#,
            self.chance.bits() >> 32,
            self.chance.bits() >> 16
        );
        let shape = Shape {
            action: "job_settled",
            jobs: vec![self.chance.bits() >> 20],
            provider: Some("entra-prod"),
            outcome: Some(*self.chance.pick(&outcomes)),
            detail: (!self.chance.one_in(10)).then_some(detail),
        };
        let name = format!("zo\u{eb}.{person}@contoso.com");
        (shape, vec![Personal::new("subject", name)])
    }
}

#[derive(Debug, Default)]
struct Shape {
    action: &'static str,
    jobs: Vec<u64>,
    provider: Option<&'static str>,
    outcome: Option<&'static str>,
    detail: Option<String>,
}

#[derive(Debug)]
struct Personal {
    field: &'static str,
    value: String,
}

impl Personal {
    fn new(field: &'static str, value: String) -> Self {
        Self { field, value }
    }
}

impl Iterator for Chain {
    type Item = AuditEntry;

    fn next(&mut self) -> Option<AuditEntry> {
        self.seq += 1;
        let later = Duration::from_micros(self.chance.between(1, 9_999) as u64);
        self.at += later;
        let accepts = self.seq == 1 || self.chance.one_in(200);
        let (shape, personal) = match accepts {
            true => self.accepted(),
            false if self.chance.one_in(10) => self.started(),
            false => self.settled(),
        };
        let mut commitments = Vec::new();
        let mut openings = Vec::new();
        for one in personal {
            let mut salt = self.chance.bits().to_be_bytes().to_vec();
            salt.extend(self.chance.bits().to_be_bytes());
            commitments.push((one.field, entry::commit(one.field, &salt, &one.value)));
            if !self.chance.one_in(50) {
                openings.push(Opening::new(one.field, &salt, one.value));
            }
        }
        let at = self.at.to_string();
        let draft = Draft {
            seq: self.seq,
            at: &at,
            action: shape.action,
            order: Some(&self.order),
            jobs: &shape.jobs,
            provider: shape.provider,
            outcome: shape.outcome,
            detail: shape.detail.as_deref(),
            commitments: &commitments,
        };
        let mut body = Vec::with_capacity(512);
        draft.encode(&mut body);
        let mut entry = entry::decode(&body).expect("our own bytes");
        entry.previous = to_hex(&self.previous);
        self.previous = entry::chain(&self.previous, &body);
        entry.hash = to_hex(&self.previous);
        entry.openings = openings;
        Some(entry)
    }
}
