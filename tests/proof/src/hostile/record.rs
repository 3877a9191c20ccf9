//! Exports of the record, checkpoints, copies of checkpoints, keys, stored entries.

use std::sync::OnceLock;

use rescind_core::audit::note::{self, PublicKey};
use rescind_core::audit::verify::Verdict;
use rescind_core::audit::{Checkpoint, entry, export};
use rescind_store::Ed25519;

use super::oracle::head;
use crate::audit::example;

/// The record whose exports are mutated: the same in every run.
struct Known {
    key: PublicKey,
    checkpoints: Vec<Checkpoint>,
    hashes: Vec<String>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let (key, checkpoints, entries) = example();
        Known {
            key,
            checkpoints,
            hashes: entries.into_iter().map(|entry| entry.hash).collect(),
        }
    })
}

/// An export, beside the checkpoints that were kept elsewhere: it is whole only with every entry that they cover.
pub(super) fn exported(bytes: &[u8]) {
    let known = known();
    let found = export::verify(bytes, Some(&known.key), &known.checkpoints, &Ed25519);
    judge(bytes, &found.expect("memory can be read"));
}

/// A verifier without checkpoints.
pub(super) fn chain_alone(bytes: &[u8]) {
    let kept: Vec<u8> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| serde_json::from_slice::<Checkpoint>(line).is_err())
        .flatten()
        .copied()
        .collect();
    let found = export::verify(&kept[..], Some(&known().key), &[], &Ed25519);
    judge(bytes, &found.expect("memory can be read"));
}

fn judge(bytes: &[u8], found: &Verdict) {
    if !found.is_whole() {
        return;
    }
    let known = known();
    let text = String::from_utf8_lossy(bytes);
    let entries = text.lines().filter(|line| line.starts_with("{\"seq\":"));
    let hashes: Vec<_> = entries
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|entry| Some(entry["hash"].as_str()?.to_owned()))
        .collect();
    let covered = known
        .checkpoints
        .last()
        .map_or(0, |last| last.size as usize);
    assert!(hashes.len() >= covered, "whole without its end");
    assert_eq!(
        hashes[..covered],
        known.hashes[..covered],
        "whole with other entries"
    );
}

/// A size on the first line, a note after it; then the same as a file of copies, and as a key.
pub(super) fn checkpoint(bytes: &[u8]) {
    let known = known();
    let (size, rest) = head(bytes);
    let text = String::from_utf8_lossy(rest).into_owned();
    let opens = |checkpoint: &Checkpoint| {
        if note::open(checkpoint, &known.key, &Ed25519).is_some() {
            assert!(
                known.checkpoints.contains(checkpoint),
                "nobody signed {checkpoint:?}"
            );
        }
    };
    if let Ok(size) = size.parse() {
        opens(&Checkpoint {
            size,
            note: text.clone(),
        });
    }
    for copy in note::read_copies(&text).unwrap_or_default() {
        opens(&copy);
    }
    if let Ok(key) = size.parse::<PublicKey>() {
        assert_eq!(key.to_string(), size, "a key has one form");
    }
}

/// A stored entry's bytes: read in memory that its length bounds.
pub(super) fn entry(bytes: &[u8]) {
    if let Some(entry) = entry::decode(bytes) {
        let texts = entry.action.len() + entry.detail.map_or(0, |detail| detail.len());
        assert!(
            texts + entry.jobs.len() * 8 <= bytes.len(),
            "more than there was"
        );
        assert!(entry.commitments.iter().all(|(_, hash)| hash.len() == 64));
    }
}
