use super::*;
use crate::budget::Budget;
use crate::clock::TimerClock;
use crate::error::{ErrorKind, ErrorRecord};
use crate::id::ProviderName;

const COST: Cost = Cost::of("calls", 1);

fn clock() -> Arc<dyn Clock> {
    Arc::new(TimerClock::starting_at(
        "2026-08-18T12:00:00Z".parse().unwrap(),
    ))
}

fn settings(budgets: Vec<Budget>) -> LaneSettings {
    LaneSettings::new(ProviderName::parse("entra").unwrap(), budgets, 100)
}

fn lane(budgets: Vec<Budget>) -> Lane {
    Lane::open(settings(budgets), clock(), None, &[])
}

async fn revoke(lane: &Lane) -> Permit {
    lane.admit(Role::Revoke, &COST, 1, Priority::Normal)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_at_once_and_then_at_its_pace() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(10))]);
    let start = Instant::now();
    for _ in 0..99 {
        revoke(&lane).await.done(&Verdict::Answered);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..99 {
        revoke(&lane).await.done(&Verdict::Answered);
    }
    let took = start.elapsed().as_secs_f64();
    assert!((9.9..10.2).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn waits_as_long_as_the_vendor_asks() {
    let lane = lane(vec![]);
    let start = Instant::now();
    revoke(&lane).await.done(&Verdict::Throttled {
        after: Some(Duration::from_secs(7)),
    });
    let probe = revoke(&lane).await;
    assert!(start.elapsed() >= Duration::from_secs(7));
    assert!(probe.is_probe());
    assert!(
        lane.try_admit(Role::Revoke, &COST, 1, Priority::Urgent)
            .is_none()
    );
    probe.done(&Verdict::Answered);
    drop(revoke(&lane).await);
}

#[tokio::test(start_paused = true)]
async fn a_fault_reaches_everybody_who_waits() {
    let lane = lane(vec![]);
    revoke(&lane).await.done(&Verdict::Throttled {
        after: Some(Duration::from_secs(3600)),
    });
    let fault = LaneFault::new(ErrorRecord {
        kind: ErrorKind::Unauthenticated,
        operation: "token".into(),
        message: "the secret has expired".into(),
        hint: Some("make a new one".into()),
        vendor_code: None,
    });
    let waiting = {
        let lane = lane.clone();
        tokio::spawn(async move { lane.admit(Role::Revoke, &COST, 1, Priority::Normal).await })
    };
    tokio::task::yield_now().await;
    lane.stop(fault.clone());
    assert_eq!(waiting.await.unwrap().unwrap_err(), fault);
    let error = lane.pay(&COST, Priority::Normal).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}
