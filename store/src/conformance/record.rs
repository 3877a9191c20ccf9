//! The audit, evidence, and what a lane keeps.

use std::sync::Arc;

use jiff::SignedDuration;
use rescind_core::audit::AuditEntry;
use rescind_core::clock::Clock as _;
use rescind_core::id::JobKey;
use rescind_core::job::JobState;
use rescind_core::report::{EvidenceState, Residual};
use rescind_core::store::{Claimed, EvidenceReading, Next, Settlement, Spent, Store};

use super::{Bench, Place};

/// All entries; places follow each other and every hash follows from the one before.
pub async fn whole(store: &dyn Store) -> Vec<AuditEntry> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.seq);
        let next = store.audit(after, 500).await.expect("entries");
        if next.is_empty() {
            break;
        }
        entries.extend(next);
    }
    let mut previous = "0".repeat(64);
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, place as u64 + 1);
        assert_eq!(entry.previous, previous);
        previous.clone_from(&entry.hash);
    }
    entries
}

/// Acceptance, attempts, outcomes and acts are all there, personal values only as openings.
pub async fn every_step_is_in_a_verifiable_record(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com"]).await;
    bench
        .bring(order, "a@example.com", JobState::Confirmed)
        .await;
    let denied = Bench::act("order_denied");
    bench.store.record_denied(denied).await.expect("a denial");
    let act = Bench::act("order_cancelled").about(id);
    bench.store.cancel(order, act).await.expect("cancelling");
    bench.store.checkpoint().await.expect("a checkpoint");
    bench.store.checkpoint().await.expect("nothing new to sign");

    let entries = whole(&*bench.store).await;
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "order_accepted",
            "attempts_started",
            "job_settled",
            "order_denied",
            "order_cancelled"
        ]
    );
    let opened = |entry: &AuditEntry| -> Vec<(String, String)> {
        entry
            .openings
            .iter()
            .map(|opening| (opening.field.clone(), opening.value.clone()))
            .collect()
    };
    let pair = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    assert_eq!(
        opened(&entries[0]),
        [
            pair("actor", "maria"),
            pair("note", "left the company"),
            pair("reference", "HR-7")
        ]
    );
    assert_eq!(opened(&entries[2]), [pair("subject", "a@example.com")]);
    assert_eq!(entries[2].outcome.as_deref(), Some("confirmed revoked"));
    assert_eq!(entries[1].jobs, [JobKey::new(order, 0).as_u64()]);
    for entry in &entries {
        for text in [&entry.detail, &entry.outcome, &entry.order] {
            let text = text.as_deref().unwrap_or_default();
            assert!(!text.contains("example.com") && !text.contains("maria"));
        }
    }
    let checkpoints = bench.store.checkpoints().await.expect("checkpoints");
    let last = checkpoints.last().expect("one was signed");
    assert_eq!(last.size, entries.len() as u64);
    let sizes: Vec<u64> = checkpoints.iter().map(|one| one.size).collect();
    assert!(sizes.is_sorted_by(|a, b| a < b), "{sizes:?}");
    bench.balanced(id).await;
}

/// What many attempts have in common is read back with each of them, and so is what is one's own.
pub async fn a_story_told_of_many_is_told_of_each(place: &dyn Place) {
    let bench = Bench::new(place);
    let names = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{name}@example.com"));
    let people: Vec<&str> = names.iter().map(String::as_str).collect();
    let (id, order) = bench.order(&people).await;
    let mut told = Vec::new();
    for (seq, name) in (0..).zip(&names) {
        let job = JobKey::new(order, seq);
        let Claimed::Running { token, .. } = bench.claim_one(Bench::claim(job, name)).await else {
            panic!("it runs");
        };
        let mut detail = Bench::story();
        detail.vendor_request_id = (seq != 3).then(|| format!("r-{seq}"));
        detail.provider_time = (seq != 4).then(|| bench.clock.now());
        // Two stories, in turns.
        let what = ["access tokens already issued", "nothing"][seq as usize % 2];
        detail.residual = vec![Residual::new(what, None)];
        let next = bench.confirmed();
        told.push(detail.clone());
        assert!(
            bench
                .settle(Settlement::new(job, token, next, detail))
                .await
        );
        bench.clock.advance(SignedDuration::from_secs(1));
    }
    for store in [Arc::clone(&bench.store), bench.second()] {
        let jobs = store.jobs(order, &[], None, 10).await.expect("the jobs");
        for ((job, told), name) in jobs.iter().zip(&told).zip(&names) {
            assert_eq!(job.detail, *told);
            assert_eq!(job.resolved.as_ref(), Some(&Bench::account(name)));
        }
    }
    bench.balanced(id).await;
}

/// Evidence comes when it is due, again while it is pending, and never turns a confirmed job back.
pub async fn evidence_is_read_until_it_is_in(place: &dyn Place) {
    let bench = Bench::new(place);
    let (id, order) = bench.order(&["a@example.com", "b@example.com"]).await;
    let provider = Bench::provider();
    let start = bench.clock.now();
    let later = start + SignedDuration::from_secs(2);
    for (seq, name) in [(0, "a@example.com"), (1, "b@example.com")] {
        let job = JobKey::new(order, seq);
        let Claimed::Running { token, .. } = bench.claim_one(Bench::claim(job, name)).await else {
            panic!("it runs");
        };
        let next = Next::Confirmed {
            effective_by: later,
            evidence_due: Some(start),
            evidence: EvidenceState::Pending,
        };
        let mut story = Bench::story();
        story.provider_time = Some(later);
        assert!(bench.settle(Settlement::new(job, token, next, story)).await);
    }
    let (a, b) = (JobKey::new(order, 0), JobKey::new(order, 1));
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!(found.evidence_pending, 2);
    assert_eq!(found.evidence_at.get(&provider), Some(&2));
    let due = bench.store.next_due(&provider).await.expect("due");
    assert_eq!(due.evidence, Some(start));
    let due = bench.store.evidence_due(&provider, start, 9, &[b]).await;
    let due = due.expect("evidence");
    assert_eq!(due.len(), 1, "what is in flight is left out");
    assert_eq!(due[0].job, a);
    assert_eq!(due[0].account_id, "id-a@example.com");
    assert_eq!((due[0].revoked_at, due[0].confirmed_at), (later, start));

    let reading = |job, state, due| EvidenceReading { job, state, due };
    let readings = vec![
        reading(a, EvidenceState::Verified, None),
        reading(b, EvidenceState::Pending, Some(later)),
    ];
    bench
        .store
        .record_evidence(readings)
        .await
        .expect("readings");
    assert_eq!(bench.job(a).await.evidence, EvidenceState::Verified);
    assert_eq!(bench.job(b).await.evidence, EvidenceState::Pending);
    let due = bench.store.evidence_due(&provider, start, 9, &[]).await;
    assert!(due.expect("evidence").is_empty());
    let due = bench.store.evidence_due(&provider, later, 9, &[]).await;
    assert_eq!(due.expect("evidence")[0].reads, 1);
    let readings = vec![reading(b, EvidenceState::Unverified, None)];
    bench
        .store
        .record_evidence(readings)
        .await
        .expect("readings");
    let job = bench.job(b).await;
    assert_eq!(job.state, JobState::Confirmed);
    assert_eq!(job.evidence, EvidenceState::Unverified);
    assert_eq!(job.effective_by, Some(later));
    let found = bench.store.order(id).await.expect("the order");
    assert_eq!((found.evidence_pending, found.counts.confirmed), (0, 2));
    assert!(found.evidence_at.is_empty());
    bench.balanced(id).await;
}

/// A lane's memory and what it spent outlive the process.
pub async fn a_lane_remembers(place: &dyn Place) {
    let bench = Bench::new(place);
    let provider = Bench::provider();
    assert_eq!(bench.store.load_lane(&provider).await.expect("none"), None);
    for memory in ["slow", "slower"] {
        let saved = bench.store.save_lane(&provider, memory.to_owned()).await;
        saved.expect("saving");
    }
    let (_, order) = bench
        .order(&["a@example.com", "b@example.com", "c@example.com"])
        .await;
    let at = bench.clock.now();
    for (seq, name) in [(0, "a@example.com"), (1, "b@example.com")] {
        let mut claim = Bench::claim(JobKey::new(order, seq), name);
        claim.spend = vec![("writes", 1), ("units", 2)];
        bench.claim_one(claim).await;
    }
    bench.clock.advance(SignedDuration::from_secs(3));
    let mut claim = Bench::claim(JobKey::new(order, 2), "c@example.com");
    claim.spend = vec![("writes", 1)];
    bench.claim_one(claim).await;

    let next = bench.second();
    let memory = next.load_lane(&provider).await.expect("its memory");
    assert_eq!(memory.as_deref(), Some("slower"));
    let spent = |at, budget: &str, units| Spent {
        at,
        budget: budget.to_owned(),
        units,
    };
    let all = next.spent(&provider, at).await.expect("spending");
    let later = at + SignedDuration::from_secs(3);
    assert_eq!(
        all,
        [
            spent(at, "units", 4),
            spent(at, "writes", 2),
            spent(later, "writes", 1)
        ]
    );
    let recent = at + SignedDuration::from_secs(1);
    let some = next.spent(&provider, recent).await.expect("spending");
    assert_eq!(some.len(), 1);
}
