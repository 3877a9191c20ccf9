//! Tampered exports: our verifier and the one in Python find the same fault in the same place.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::process::Command;

use rescind_core::audit::entry::{self, Draft, GENESIS, Hash, from_hex, to_hex};
use rescind_core::audit::export::{self, ExportWriter, Header};
use rescind_core::audit::note::PublicKey;
use rescind_core::audit::verify::{FaultKind, Verdict, Verification};
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::id::JobKey;
use rescind_core::job::JobState;
use rescind_core::store::{Purpose, Store};
use rescind_store::conformance::{Bench, Place};
use rescind_store::{Ed25519, Ed25519Signer, StateFolder};

use std::sync::Arc;

#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Place for Folder {
    fn open(&self, clock: Arc<dyn rescind_core::clock::Clock>) -> Arc<dyn Store> {
        let purpose = Purpose { sandbox: true };
        StateFolder::open_with_clock(self.0.path(), &purpose, clock)
            .unwrap()
            .store()
    }
}

/// Small, fast and repeatable (xorshift64*).
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        Self(u64::from_le_bytes(seed) | 1)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// A record with everything in it, and four checkpoints: the first is signed with the first entry.
async fn record() -> (PublicKey, Vec<Checkpoint>, Vec<AuditEntry>) {
    let place = Folder(tempfile::tempdir().unwrap());
    let bench = Bench::new(&place);
    for round in 0..3 {
        for state in [JobState::Confirmed, JobState::Parked, JobState::Refused] {
            let name = format!("{state:?}.{round}.\u{e4}\u{2028}@example.com");
            let (id, order) = bench.order(&[&name]).await;
            bench.bring(order, &name, state).await;
            let act = Bench::act("order_cancelled").about(id);
            bench.store.cancel(order, act).await.unwrap();
            assert_eq!(bench.job(JobKey::new(order, 0)).await.key.seq(), 0);
        }
        bench.store.checkpoint().await.unwrap();
    }
    let (id, _) = bench.order(&["late@example.com"]).await;
    bench.balanced(id).await;
    let entries = bench.store.audit(0, 10_000).await.unwrap();
    let checkpoints = bench.store.checkpoints().await.unwrap();
    let purpose = Purpose { sandbox: true };
    let folder = StateFolder::open(place.0.path(), purpose).unwrap();
    (folder.public_key().clone(), checkpoints, entries)
}

fn exported(
    key: &PublicKey,
    checkpoints: &[Checkpoint],
    entries: &[AuditEntry],
    redacted: bool,
) -> Vec<u8> {
    let header = Header::new(key, redacted);
    let mut writer = ExportWriter::begin(Vec::new(), &header, checkpoints).unwrap();
    writer.entries(entries.to_vec()).unwrap();
    writer.finish().unwrap()
}

fn said(verdict: &Verdict) -> String {
    let fault = verdict.fault.map_or("whole".to_owned(), |fault| {
        let kind = serde_json::to_value(fault.kind).unwrap();
        format!("broken: {} at {}", kind.as_str().unwrap(), fault.at)
    });
    format!(
        "{fault} entries={} checkpoints={} covered={} erased={}",
        verdict.entries, verdict.checkpoints, verdict.covered, verdict.erased
    )
}

fn python(path: &Path, key: &PublicKey) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/verify_audit.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(path)
        .args(["--public-key", &key.to_string()])
        .output()
        .expect("python3 runs the second verifier");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.is_empty(), "{complaint}");
    let whole = output.stdout.starts_with(b"whole");
    assert_eq!(output.status.code(), Some(if whole { 0 } else { 3 }));
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// Both verifiers look at an export, and must say the same.
fn judged(export: &[u8], key: &PublicKey, what: &str) -> Verdict {
    let ours = export::verify(export, Some(key), &[], &Ed25519).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), export).unwrap();
    assert_eq!(said(&ours), python(file.path(), key), "{what}");
    ours
}

/// What somebody without the key can do at most: change entries from one on, and hash everything anew.
fn rehashed(entries: &mut [AuditEntry]) {
    let mut previous = GENESIS;
    for entry in entries {
        let at = entry.at.to_string();
        let commitments: Vec<(&str, Hash)> = entry
            .commitments
            .iter()
            .map(|(field, hash)| {
                let hash = from_hex(hash).unwrap().try_into().unwrap();
                (field.as_str(), hash)
            })
            .collect();
        let mut body = Vec::new();
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
        draft.encode(&mut body);
        entry.previous = to_hex(&previous);
        previous = entry::chain(&previous, &body);
        entry.hash = to_hex(&previous);
    }
}

#[tokio::test]
async fn both_verifiers_name_the_same_place() {
    let (key, checkpoints, entries) = record().await;
    let mut random = Random::seeded();
    let seed = random.0;
    let whole = exported(&key, &checkpoints, &entries, false);
    let verdict = judged(&whole, &key, "untouched");
    assert!(verdict.is_whole(), "{}", said(&verdict));
    assert_eq!(verdict.entries, entries.len() as u64);
    // A slow disk makes the store sign by itself in between.
    assert!(checkpoints.len() >= 4);
    let signed = checkpoints.len() as u64;
    assert_eq!((verdict.checkpoints, verdict.erased), (signed, 0));

    let redacted = exported(&key, &checkpoints, &entries, true);
    let text = String::from_utf8(redacted.clone()).unwrap();
    assert!(!text.contains("example.com") && !text.contains("maria"));
    let verdict = judged(&redacted, &key, "redacted");
    assert!(verdict.is_whole() && verdict.erased > 0);

    let check = |what: &str, checkpoints: &[Checkpoint], entries: &[AuditEntry], kind, at| {
        let export = exported(&key, checkpoints, entries, false);
        let what = format!("{what}, seed {seed}");
        let fault = judged(&export, &key, &what).fault.expect(&what);
        assert_eq!((fault.kind, fault.at), (kind, at), "{what}");
    };
    let signed = checkpoints.last().unwrap().size as usize;
    for _ in 0..2 {
        let place = random.below(signed - 1);
        let at = place as u64 + 1;

        let mut deleted = entries.clone();
        deleted.remove(place);
        check("delete", &checkpoints, &deleted, FaultKind::Missing, at);

        let mut swapped = entries.clone();
        swapped.swap(place, place + 1);
        check("swap", &checkpoints, &swapped, FaultKind::Missing, at);

        let mut inserted = entries.clone();
        inserted.insert(place + 1, entries[place].clone());
        check(
            "insert",
            &checkpoints,
            &inserted,
            FaultKind::Misplaced,
            at + 1,
        );

        let mut renumbered = entries.clone();
        let mut forged = entries[place].clone();
        forged.seq += 1;
        renumbered.insert(place + 1, forged);
        check("forge", &checkpoints, &renumbered, FaultKind::Link, at + 1);

        let mut changed = entries.clone();
        changed[place].outcome = Some("confirmed".to_owned() + &"!".repeat(place + 1));
        check("change", &checkpoints, &changed, FaultKind::Content, at);

        rehashed(&mut changed);
        let covering = checkpoints.iter().find(|one| one.size >= at).unwrap().size;
        check("rewrite", &checkpoints, &changed, FaultKind::Root, covering);

        let cut = &entries[..place];
        check("cut", &checkpoints, cut, FaultKind::Tail, place as u64 + 1);

        let mut forged = checkpoints.clone();
        let which = random.below(forged.len());
        forged[which].size += 1;
        let size = forged[which].size;
        check("claim more", &forged, &entries, FaultKind::Signature, size);
    }

    let opened = entries.iter().position(|entry| !entry.openings.is_empty());
    let opened = opened.unwrap();
    let mut erased = entries.clone();
    erased[opened].openings.remove(0);
    let export = exported(&key, &checkpoints, &erased, false);
    let verdict = judged(&export, &key, "erased");
    assert!(verdict.is_whole() && verdict.erased == 1);
    let mut reopened = entries.clone();
    reopened[opened].openings[0].value.push('!');
    let at = opened as u64 + 1;
    check("reopen", &checkpoints, &reopened, FaultKind::Opening, at);
    // One that stands there twice would hide that another was erased.
    let mut doubled = entries.clone();
    let openings = &mut doubled[opened].openings;
    assert!(openings.len() > 1);
    openings[1] = openings[0].clone();
    check("double", &checkpoints, &doubled, FaultKind::Opening, at);

    // A forger with a key of their own convinces only those who know no key.
    let forger = Ed25519Signer::from_seed(&[7; 32]).unwrap().named();
    let export = exported(&forger, &[], &entries, false);
    let fault = judged(&export, &key, "another key").fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Key);
    let trusting = export::verify(&export[..], None, &[], &Ed25519).unwrap();
    assert!(trusting.is_whole() && trusting.covered == 0);

    for _ in 0..12 {
        let mut flipped = whole.clone();
        let byte = random.below(flipped.len() - 1);
        let bit = random.below(8);
        flipped[byte] ^= 1 << bit;
        let what = format!("bit {bit} of byte {byte}, seed {seed}");
        let verdict = judged(&flipped, &key, &what);
        assert!(!verdict.is_whole(), "{what}");
    }
}

#[tokio::test]
async fn every_flipped_bit_of_a_signed_record_is_found() {
    let (key, checkpoints, mut entries) = record().await;
    entries.truncate(checkpoints[0].size as usize);
    let whole = exported(&key, &checkpoints[..1], &entries, false);
    let verdict = export::verify(&whole[..], Some(&key), &[], &Ed25519).unwrap();
    assert!(verdict.is_whole());
    // Which bit of which byte differs from run to run; over the runs all of them are tried.
    let first = Random::seeded().below(4);
    for byte in (first..whole.len() - 1).step_by(4) {
        let mut flipped = whole.clone();
        flipped[byte] ^= 1 << (byte / 4 % 8);
        let verdict = export::verify(&flipped[..], Some(&key), &[], &Ed25519).unwrap();
        assert!(!verdict.is_whole(), "byte {byte}");
    }
}

#[tokio::test]
async fn a_copied_checkpoint_shows_a_tail_cut_with_its_checkpoints() {
    let (key, checkpoints, entries) = record().await;
    let (copy, kept) = checkpoints.split_last().unwrap();
    let cut = &entries[..kept.last().unwrap().size as usize];
    let mut blind = Verification::new(&key, kept, &Ed25519);
    blind.add(cut);
    assert!(blind.finish().is_whole(), "nothing inside shows it");
    let mut all = kept.to_vec();
    all.push(copy.clone());
    let mut seeing = Verification::new(&key, &all, &Ed25519);
    seeing.add(cut);
    let fault = seeing.finish().fault.unwrap();
    assert_eq!(fault.kind, FaultKind::Tail);
    assert_eq!(fault.at, cut.len() as u64 + 1);
}

#[tokio::test]
async fn both_verifiers_read_the_longest_line_and_not_one_byte_more() {
    let (key, _, mut entries) = record().await;
    entries.truncate(1);
    entries[0].detail = Some(String::new());
    rehashed(&mut entries);
    let empty = exported(&key, &[], &entries, false);
    let line = empty.split(|byte| *byte == b'\n').nth(1).unwrap().len();
    for (longer, expected) in [(0, None), (1, Some((FaultKind::Malformed, 2)))] {
        entries[0].detail = Some("x".repeat(export::MAX_LINE - line + longer));
        rehashed(&mut entries);
        let export = exported(&key, &[], &entries, false);
        let fault = judged(&export, &key, "a long line").fault;
        assert_eq!(fault.map(|fault| (fault.kind, fault.at)), expected);
    }
}
