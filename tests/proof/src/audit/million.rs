//! How long a large record takes.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::time::{Duration, Instant};

use rescind_core::audit::export::{self, ExportWriter, Header};
use rescind_core::audit::note;
use rescind_core::audit::tree::Frontier;
use rescind_store::Ed25519;

use super::record::{Chain, hash_of, signer};
use crate::chance::Chance;

/// A worker signs after so many entries.
const SIGN_ENTRIES: u64 = 1_000;

/// What came of it.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    pub(super) is_whole: bool,
    /// The median of five.
    pub(super) taken: Duration,
}

/// Writes a record of so many entries to a file, and verifies it as `rescind audit verify FILE` does, five times.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn verified(seed: u64, entries: u64) -> io::Result<Large> {
    let signer = signer(&mut Chance::seeded(seed));
    let key = signer.named();
    let mut tree = Frontier::default();
    let mut checkpoints = Vec::new();
    // Twice the same chain: checkpoints stand first, and the record is never held.
    for entry in Chain::seeded(seed).take(entries as usize) {
        tree.push(&hash_of(&entry.hash));
        if tree.size().is_multiple_of(SIGN_ENTRIES) {
            checkpoints.push(note::sign(&signer, &tree));
        }
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large.jsonl");
    let header = Header::new(&key, false);
    let file = BufWriter::new(File::create(&path)?);
    let mut writer = ExportWriter::begin(file, &header, &checkpoints)?;
    for entry in Chain::seeded(seed).take(entries as usize) {
        writer.entries(vec![entry])?;
    }
    let bytes = writer.finish()?.get_ref().metadata()?.len();
    let mut times = Vec::new();
    let mut is_whole = true;
    for _ in 0..5 {
        let start = Instant::now();
        let file = BufReader::new(File::open(&path)?);
        let found = export::verify(file, Some(&key), &[], &Ed25519)?;
        times.push(start.elapsed());
        is_whole &= found.is_whole()
            && found.entries == entries
            && found.covered == entries / SIGN_ENTRIES * SIGN_ENTRIES;
    }
    times.sort_unstable();
    Ok(Large {
        entries,
        bytes,
        is_whole,
        taken: times[times.len() / 2],
    })
}
