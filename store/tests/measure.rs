//! How fast the store is on this machine. Each test prints what it measured and judges nothing:
//! `cargo test --release -p rescind-store --test measure -- --ignored --nocapture --test-threads 1`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rescind_core::audit::verify::Verification;
use rescind_core::id::{OrderKey, ProviderName};
use rescind_core::job::Resolved;
use rescind_core::order::{Actor, Binding, Note, OrderDraft};
use rescind_core::report::{Detail, EvidenceState, OutcomeName};
use rescind_core::store::{
    Acceptance, Claim, Claimed, Next, Purpose, Settlement, StagedJob, Store,
};
use rescind_store::{Ed25519, SqliteStore, StateFolder};

fn provider() -> ProviderName {
    ProviderName::parse("entra").unwrap()
}

fn open(path: &Path) -> StateFolder {
    StateFolder::open(path, Purpose { sandbox: true }).unwrap()
}

/// Resident memory of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

fn report(what: &str, count: u64, took: Duration) {
    let each = took.as_secs_f64() * 1e6 / count as f64;
    println!(
        "{what}: {count} in {:.2} s, {each:.1} us each, {:.0}/s, peak {} MiB",
        took.as_secs_f64(),
        count as f64 / took.as_secs_f64(),
        resident()
    );
}

async fn stage(store: &SqliteStore, people: u64) -> OrderKey {
    let note = Note::parse("measuring", 1).unwrap();
    let mut draft = OrderDraft::new(note, Actor::new("maria", "os-user"));
    draft.bindings = vec![Binding {
        provider: provider(),
        kind: "scripted".to_owned(),
        vendor_tenant: "contoso".to_owned(),
    }];
    let key = store.begin(draft).await.unwrap();
    let started = Instant::now();
    let mut next = 0;
    while next < people {
        let to = (next + 5_000).min(people);
        let jobs = (next..to)
            .map(|n| StagedJob::new(format!("person.{n}@contoso.example.com"), 0))
            .collect();
        store.stage(key, jobs).await.unwrap();
        next = to;
    }
    report("stage", people, started.elapsed());
    let started = Instant::now();
    let acceptance = Acceptance::new("c0ffee", people, people);
    store.accept(key, acceptance).await.unwrap();
    report("accept", 1, started.elapsed());
    key
}

/// Claims and settles windows of 256 with several in flight, as lanes do.
async fn work(store: Arc<SqliteStore>, order: OrderKey) -> u64 {
    let mut after = None;
    let mut settled = 0;
    let mut flying: Vec<tokio::task::JoinHandle<u64>> = Vec::new();
    loop {
        let ready = store.peek(order, &provider(), after, 256).await.unwrap();
        let Some(last) = ready.last() else { break };
        after = Some(last.key);
        let store = Arc::clone(&store);
        if flying.len() >= 4 {
            settled += flying.remove(0).await.unwrap();
        }
        flying.push(tokio::spawn(async move {
            let claims: Vec<Claim> = ready
                .iter()
                .map(|job| {
                    // As scattered as a vendor's ids.
                    let id = uuid::Uuid::from_u128(
                        u128::from(job.key.as_u64()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060),
                    );
                    let resolved = Resolved {
                        id: id.to_string(),
                        name: job.subject.to_string(),
                    };
                    let mut claim = Claim::new(job.key, provider(), Some(resolved));
                    claim.spend = vec![("writes", 1)];
                    claim
                })
                .collect();
            let claimed = store.claim(claims).await.unwrap();
            let now = jiff::Timestamp::UNIX_EPOCH;
            let settlements: Vec<Settlement> = ready
                .iter()
                .zip(claimed)
                .map(|(job, claimed)| {
                    let Claimed::Running { token, .. } = claimed else {
                        panic!("{claimed:?}");
                    };
                    let next = Next::Confirmed {
                        effective_by: now,
                        evidence_due: None,
                        evidence: EvidenceState::None,
                    };
                    let detail = Detail {
                        outcome: Some(OutcomeName::Revoked),
                        vendor_request_id: Some("0b6a9ae8-7c5d-4d0c-9d39-4a8a52e4f1b0".to_owned()),
                        ..Detail::default()
                    };
                    Settlement::new(job.key, token, next, detail)
                })
                .collect();
            let held = store.settle(settlements).await.unwrap();
            held.iter().filter(|held| **held).count() as u64
        }));
    }
    for flight in flying {
        settled += flight.await.unwrap();
    }
    settled
}

async fn run(people: u64) {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let store = state.store();
    let order = stage(&store, people).await;

    let started = Instant::now();
    store.peek(order, &provider(), None, 256).await.unwrap();
    report("first peek", 1, started.elapsed());

    let started = Instant::now();
    let settled = work(Arc::clone(&store), order).await;
    report("claim and settle", settled, started.elapsed());
    assert_eq!(settled, people);

    let started = Instant::now();
    let counts = store.recount(order).await.unwrap();
    report("recount", people, started.elapsed());
    assert_eq!(counts.confirmed, people);

    store.checkpoint().await.unwrap();
    let started = Instant::now();
    let checkpoints = store.checkpoints().await.unwrap();
    let mut verification = Verification::new(state.public_key(), &checkpoints, &Ed25519);
    let mut verifying = Duration::ZERO;
    let mut after = 0;
    loop {
        let entries = store.audit(after, 5_000).await.unwrap();
        let Some(last) = entries.last() else { break };
        after = last.seq;
        let began = Instant::now();
        verification.add(&entries);
        verifying += began.elapsed();
    }
    let verdict = verification.finish();
    assert!(verdict.is_whole(), "{verdict:?}");
    report("read and verify audit", verdict.entries, started.elapsed());
    report("  of which verify", verdict.entries, verifying);
    println!("checkpoints: {}", verdict.checkpoints);
    let size: u64 = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    println!("on disk: {} MiB", size / 1024 / 1024);
    let started = Instant::now();
    drop(store);
    drop(state);
    report("close", 1, started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run in release"]
async fn a_hundred_thousand() {
    run(100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run in release"]
async fn a_million() {
    run(1_000_000).await;
}
