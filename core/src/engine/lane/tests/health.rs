//! What stops a lane, and what does not.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_fault_reaches_everybody_who_waits() {
    let lane = lane(vec![]);
    revoke(&lane).await.done(&Verdict::Throttled {
        after: Some(Duration::from_secs(3600)),
    });
    let fault = LaneFault::new(error(ErrorKind::Unauthenticated, "invalid_client"));
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

#[tokio::test(start_paused = true)]
async fn one_failure_is_no_outage() {
    let lane = lane(vec![]);
    for _ in 0..20 {
        for _ in 0..4 {
            revoke(&lane).await.done(&DOWN);
        }
        revoke(&lane).await.done(&Verdict::Served);
    }
    assert_eq!(lane.status().why, None);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_lost_is_one_failure() {
    let lane = lane(vec![]);
    let mut batch = Vec::new();
    for _ in 0..20 {
        batch.push(revoke(&lane).await);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for call in batch {
        call.done(&DOWN);
    }
    assert_eq!(lane.status().why, None);
}

#[tokio::test(start_paused = true)]
async fn five_subjects_without_a_right_stop_the_lane_and_name_it() {
    let lane = lane(vec![]);
    let denied = |subject| Verdict::PermissionDenied {
        subject,
        error: error(ErrorKind::PermissionDenied, "Authorization_RequestDenied"),
    };
    for subject in [1, 1, 1, 1, 1, 2, 3, 4] {
        revoke(&lane).await.done(&denied(subject));
        assert_eq!(lane.fault(), None);
    }
    revoke(&lane).await.done(&denied(5));
    let fault = lane.fault().expect("the fifth stops it");
    assert_eq!(
        fault.error.hint.as_deref(),
        Some("grant User.RevokeSessions.All")
    );
    assert!(hurry(&lane).is_none());
    lane.clear_fault();
    assert!(hurry(&lane).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_right_that_was_used_once_is_not_the_lanes_to_miss() {
    let lane = lane(vec![]);
    revoke(&lane).await.done(&Verdict::Served);
    for subject in 0..20 {
        revoke(&lane).await.done(&Verdict::PermissionDenied {
            subject,
            error: error(ErrorKind::PermissionDenied, "Authorization_RequestDenied"),
        });
    }
    assert_eq!(lane.fault(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_serves_nobody_proves_no_right() {
    let lane = lane(vec![]);
    for subject in 0..5 {
        assert_eq!(lane.fault(), None);
        revoke(&lane).await.done(&Verdict::Heard);
        assert!(!lane.has_served(Role::Revoke));
        revoke(&lane).await.done(&Verdict::PermissionDenied {
            subject,
            error: error(ErrorKind::PermissionDenied, "Authorization_RequestDenied"),
        });
    }
    assert!(lane.fault().is_some());
}

#[tokio::test(start_paused = true)]
async fn repeats_are_a_tenth_of_the_calls() {
    let lane = lane(vec![]);
    let mut repeats = 0;
    for _ in 0..10_000 {
        revoke(&lane).await.done(&Verdict::Served);
        repeats += u32::from(lane.may_retry());
    }
    assert!((1000..=1010).contains(&repeats), "{repeats}");
}
