//! When nothing leaves, and how the way back begins.

use super::*;
use crate::context::{Context, Paid};
use crate::error::{ErrorKind, Retry};
use crate::id::OrderId;

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
    probe.done(&Verdict::Served);
    drop(revoke(&lane).await);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_restarts_inside_a_pause_send_nothing_early() {
    let clock = clock();
    let settings = settings(vec![]);
    let lane = Lane::open(settings.clone(), clock.clone(), None, &[]);
    revoke(&lane).await.done(&throttled(600));
    tokio::time::timeout(Duration::from_secs(1), lane.memory_changed())
        .await
        .expect("a pause is worth remembering");
    let mut memory = lane.memory();
    let start = Instant::now();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let lane = Lane::open(settings.clone(), clock.clone(), Some(&memory), &[]);
        assert!(hurry(&lane).is_none());
        memory = lane.memory();
    }
    let lane = Lane::open(settings, clock, Some(&memory), &[]);
    let probe = revoke(&lane).await;
    assert!(probe.is_probe());
    assert!(start.elapsed() >= Duration::from_secs(600));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_while_it_probes_begins_with_a_probe() {
    let clock = clock();
    let lane = Lane::open(settings(vec![]), clock.clone(), None, &[]);
    revoke(&lane).await.done(&throttled(5));
    let probe = revoke(&lane).await;
    let next = Lane::open(settings(vec![]), clock, Some(&lane.memory()), &[]);
    drop(probe);
    let first = hurry(&next).expect("the pause is over");
    assert!(first.is_probe());
    assert!(hurry(&next).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_day_sees_one_probe_in_thirty_seconds() {
    let lane = lane(vec![]);
    let start = Instant::now();
    let mut probes = Vec::new();
    while start.elapsed() < Duration::from_secs(24 * 3600) {
        revoke(&lane).await.done(&DOWN);
        probes.push(start.elapsed());
    }
    let spaced: Vec<_> = probes
        .iter()
        .filter(|at| **at > Duration::from_secs(60))
        .collect();
    for pair in spaced.windows(2) {
        assert!(pair[1].saturating_sub(*pair[0]) >= Duration::from_secs(30));
    }
    assert!((2000..2890).contains(&probes.len()), "{}", probes.len());

    revoke(&lane).await.done(&Verdict::Served);
    let held: Vec<_> = std::iter::from_fn(|| hurry(&lane)).collect();
    assert!(held.len() > 80, "it recovers at once: {}", held.len());
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_keeps_the_pause_of_the_one_who_is_gone() {
    let (gone, follower) = (lane(vec![]), lane(vec![]));
    revoke(&gone).await.done(&throttled(600));
    follower.take_over(Some(&gone.memory()), &[]);
    let start = Instant::now();
    drop(revoke(&follower).await);
    let waited = start.elapsed().as_secs_f64();
    assert!((599.0..602.0).contains(&waited), "{waited}");
}

/// A look-up of the plan may have been paid already when the working process dies.
#[tokio::test(start_paused = true)]
async fn a_pause_that_is_taken_over_voids_what_was_paid_before() {
    let (gone, follower) = (lane(vec![]), lane(vec![]));
    let early = revoke(&follower).await;
    assert!(follower.shut_at().is_none());
    tokio::time::advance(Duration::from_secs(1)).await;
    revoke(&gone).await.done(&throttled(600));
    follower.take_over(Some(&gone.memory()), &[]);
    assert!(
        follower
            .shut_at()
            .is_some_and(|shut| early.paid() <= Paid::at(shut))
    );
    assert!(!early.is_good());
}

#[tokio::test(start_paused = true)]
async fn calls_already_on_their_way_do_not_lengthen_a_pause() {
    let lane = lane(vec![]);
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(revoke(&lane).await);
    }
    let start = Instant::now();
    for call in calls {
        call.done(&throttled(3));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(revoke(&lane).await);
    let waited = start.elapsed().as_secs_f64();
    assert!((3.0..3.2).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_longer_wish_extends_the_pause() {
    let lane = lane(vec![]);
    let (first, second) = (revoke(&lane).await, revoke(&lane).await);
    let start = Instant::now();
    first.done(&throttled(3));
    second.done(&throttled(30));
    drop(revoke(&lane).await);
    assert!(start.elapsed() >= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_taken_for_a_second_to_an_hour() {
    for (asked, least, most) in [(0, 1, 2), (1_000_000, 3600, 3601)] {
        let lane = lane(vec![]);
        let start = Instant::now();
        revoke(&lane).await.done(&throttled(asked));
        drop(revoke(&lane).await);
        let waited = start.elapsed().as_secs();
        assert!((least..most).contains(&waited), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_of_many_requests_goes_through_and_others_wait_for_it() {
    let lane = lane(vec![]);
    revoke(&lane).await.done(&throttled(2));
    let probe = revoke(&lane).await;
    let start = Instant::now();
    for _ in 0..5 {
        lane.pay(&COST, Priority::Normal).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(hurry(&lane).is_none());
    probe.done(&Verdict::Served);
    assert_eq!(lane.status().why, None);
}

#[tokio::test(start_paused = true)]
async fn a_later_request_can_be_the_probe() {
    let lane = lane(vec![]);
    let call = revoke(&lane).await;
    let other = revoke(&lane).await;
    other.done(&throttled(2));
    lane.pay(&COST, Priority::Urgent).await.unwrap();
    lane.observe(Observation::ProviderTime(lane.provider_now()));
    let start = Instant::now();
    lane.pay(&COST, Priority::Normal).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(2));
    call.done(&Verdict::Served);
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_before_a_pause_leaves_after_it() {
    let lane = lane(vec![]);
    let early = revoke(&lane).await;
    let cx = Context::new(Arc::new(lane.clone())).prepaid(COST, early.paid());
    let paid = cx.pay(&COST).await.unwrap();
    assert!(cx.may_leave(paid));
    let start = Instant::now();
    revoke(&lane).await.done(&throttled(3));
    assert!(!cx.may_leave(paid));
    let again = cx.pay_again(&COST).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert!(cx.may_leave(again));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_that_has_not_left_before_a_pause_goes_back() {
    let lane = lane(vec![]);
    let early = revoke(&lane).await;
    let cx = Context::new(Arc::new(lane.clone()))
        .for_order(OrderId::new())
        .prepaid(COST, early.paid());
    let paid = cx.pay(&COST).await.unwrap();
    revoke(&lane).await.done(&throttled(3));
    assert!(!cx.may_leave(paid));
    let start = Instant::now();
    let error = cx.pay_again(&COST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(error.retry(), Retry::Safe { after: None });
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_later_request_of_a_revocation_waits_for_the_end_of_a_pause() {
    let lane = lane(vec![]);
    let early = revoke(&lane).await;
    let cx = Context::new(Arc::new(lane.clone()))
        .for_order(OrderId::new())
        .prepaid(COST, early.paid());
    let paid = cx.pay(&COST).await.unwrap();
    assert!(cx.may_leave(paid));
    revoke(&lane).await.done(&throttled(3));
    let start = Instant::now();
    let again = cx.pay_again(&COST).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert!(cx.may_leave(again));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_paid_again_leaves_on_that_payment() {
    let lane = lane(vec![]);
    let early = revoke(&lane).await;
    let cx = Context::new(Arc::new(lane.clone()))
        .for_order(OrderId::new())
        .prepaid(COST, early.paid());
    let paid = cx.pay(&COST).await.unwrap();
    assert!(cx.may_leave(paid));
    revoke(&lane).await.done(&throttled(3));
    cx.pay_again(&COST).await.unwrap();
    // The client that sends it is told that it is paid for.
    let at_the_door = cx.pay(&Cost::NOTHING).await.unwrap();
    assert!(cx.may_leave(at_the_door));
    early.done(&Verdict::Served);
}

/// How many calls came through in so many seconds.
async fn calls_within(lane: &Lane, secs: u64) -> usize {
    let end = Instant::now() + Duration::from_secs(secs);
    let mut n = 0;
    while let Ok(permit) = tokio::time::timeout_at(end, revoke(lane)).await {
        permit.done(&Verdict::Served);
        n += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
        if Instant::now() >= end {
            break;
        }
    }
    n
}

#[tokio::test(start_paused = true)]
async fn a_warning_before_a_refusal_hides_nothing_that_was_accepted() {
    let lane = lane(vec![]);
    for _ in 0..1_000 {
        revoke(&lane).await.done(&Verdict::Served);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    lane.observe(Observation::Load(1.0));
    revoke(&lane).await.done(&throttled(10));
    // The probe leaves long after the warning: a thousand in thirty seconds are known.
    let calls = calls_within(&lane, 20).await;
    assert!((200..500).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_warning_during_a_long_plan_stalls_nobody() {
    let lane = lane(vec![]);
    tokio::time::advance(Duration::from_secs(600)).await;
    let read = lane.admit(Role::Resolve, &COST, 1, Priority::Normal).await;
    lane.observe(Observation::Load(0.85));
    read.unwrap().done(&Verdict::Served);
    tokio::time::advance(Duration::from_secs(60)).await;
    let calls = calls_within(&lane, 30).await;
    assert!(calls > 50, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_pace_that_is_taken_over_late_still_grows() {
    let (gone, follower) = (lane(vec![]), lane(vec![]));
    for _ in 0..200 {
        revoke(&gone).await.done(&Verdict::Served);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    revoke(&gone).await.done(&throttled(1));
    revoke(&gone).await.done(&Verdict::Served);
    let memory = gone.memory();
    tokio::time::advance(Duration::from_secs(3_600)).await;
    follower.take_over(Some(&memory), &[]);
    let first = calls_within(&follower, 10).await;
    let later = calls_within(&follower, 60).await;
    assert!((70..110).contains(&first), "{first}");
    assert!(later > first * 6 + 30, "{first}, then {later}");
}

/// Nobody says what became of a later request where the vendor dates no answers.
#[tokio::test(start_paused = true)]
async fn a_call_is_a_better_probe_than_a_later_request_that_reports_nothing() {
    let lane = lane(vec![]);
    let (early, other) = (revoke(&lane).await, revoke(&lane).await);
    other.done(&throttled(2));
    let later = {
        let lane = lane.clone();
        tokio::spawn(async move { lane.pay(&COST, Priority::Normal).await.unwrap() })
    };
    tokio::task::yield_now().await;
    let start = Instant::now();
    let probe = revoke(&lane).await;
    assert!(probe.is_probe());
    probe.done(&Verdict::Served);
    later.await.unwrap();
    early.done(&Verdict::Served);
    // A probe that nobody reports on is waited for longer.
    assert!(start.elapsed() < Duration::from_secs(20));
}
