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
use rescind_core::report::{Detail, EvidenceState, OutcomeName, Residual, Step};
use rescind_core::store::{
    Acceptance, Claim, Claimed, EvidenceReading, Next, Purpose, Settlement, StagedJob, Store,
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

/// What this process has used so far: processor time in ticks of 10 ms, and bytes handed to the kernel.
struct Used {
    ticks: u64,
    written: u64,
}

impl Used {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields = fields.split_whitespace().skip(11).take(2);
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        Self {
            ticks: fields.filter_map(|field| field.parse::<u64>().ok()).sum(),
            written: written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
        }
    }

    fn report(&self, what: &str, count: u64) {
        let now = Self::now();
        println!(
            "{what}: {:.1} us of processor time and {} bytes written each",
            (now.ticks - self.ticks) as f64 * 1e4 / count as f64,
            (now.written - self.written) / count
        );
    }
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

/// The story of a success, as long as the longest connector tells it.
fn story() -> Detail {
    Detail {
        outcome: Some(OutcomeName::Accepted),
        steps: vec![Step::new("sign-in-sessions", 1)],
        residual: vec![
            Residual::new(
                "Exchange, SharePoint, Teams and other applications with continuous access evaluation",
                Some(Duration::from_secs(900)),
            ),
            Residual::new(
                "access tokens already issued, in applications without continuous access evaluation",
                Some(Duration::from_secs(5_400)),
            ),
            Residual::new(
                "sessions that an application keeps by a cookie of its own",
                None,
            ),
            Residual::new("on-premises Active Directory and Kerberos logons", None),
            Residual::new(
                "the account is still enabled: the person may sign in again",
                None,
            ),
        ],
        vendor_request_id: Some("0b6a9ae8-7c5d-4d0c-9d39-4a8a52e4f1b0".to_owned()),
        provider_time: Some(jiff::Timestamp::UNIX_EPOCH),
        ..Detail::default()
    }
}

/// Reads what evidence is due and records it.
async fn read_evidence(store: &SqliteStore) -> u64 {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let due = store
        .evidence_due(&provider(), now, 512, &[])
        .await
        .unwrap();
    let readings: Vec<EvidenceReading> = due
        .iter()
        .map(|due| EvidenceReading {
            job: due.job,
            state: EvidenceState::Verified,
            due: None,
        })
        .collect();
    let count = readings.len() as u64;
    if count > 0 {
        store.record_evidence(readings).await.unwrap();
    }
    count
}

/// Claims and settles windows of 256 with several in flight, as lanes do, and reads the evidence of what is settled.
async fn work(store: Arc<SqliteStore>, order: OrderKey) -> u64 {
    let mut after = None;
    let mut settled = 0;
    let mut read = 0;
    let mut flying: Vec<tokio::task::JoinHandle<u64>> = Vec::new();
    loop {
        let ready = store.peek(order, &provider(), after, 256).await.unwrap();
        let Some(last) = ready.last() else { break };
        after = Some(last.key);
        let store = Arc::clone(&store);
        if flying.len() >= 4 {
            settled += flying.remove(0).await.unwrap();
            read += read_evidence(&store).await;
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
                        evidence_due: Some(now),
                        evidence: EvidenceState::Pending,
                    };
                    Settlement::new(job.key, token, next, story())
                })
                .collect();
            let held = store.settle(settlements).await.unwrap();
            held.iter().filter(|held| **held).count() as u64
        }));
    }
    for flight in flying {
        settled += flight.await.unwrap();
    }
    while read < settled {
        read += read_evidence(&store).await;
    }
    settled
}

async fn run(people: u64) {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path());
    let store = state.store();
    let used = Used::now();
    let order = stage(&store, people).await;
    used.report("stage", people);

    let started = Instant::now();
    store.peek(order, &provider(), None, 256).await.unwrap();
    report("first peek", 1, started.elapsed());

    let started = Instant::now();
    let used = Used::now();
    let settled = work(Arc::clone(&store), order).await;
    report("claim, settle and prove", settled, started.elapsed());
    used.report("claim, settle and prove", settled);
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

/// Few enough for an instrument that counts instructions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run in release"]
async fn ten_thousand() {
    run(10_000).await;
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
