//! Vendors count reads with the writes, apart from them, or not at all.

use super::*;
use crate::context::Context;

/// What came through in so many seconds when calls of this role press.
async fn came_through(lane: &Lane, role: Role, secs: u64) -> usize {
    let end = Instant::now() + Duration::from_secs(secs);
    let mut n = 0;
    while Instant::now() < end {
        let admitted = lane.admit(role, &COST, 1, Priority::Normal);
        let Ok(permit) = tokio::time::timeout_at(end, admitted).await else {
            break;
        };
        permit.unwrap().done(&Verdict::Served);
        n += 1;
        // A pace without end would hold the clock still.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    n
}

/// A second in which ten reads go through for each of a hundred revocations, and a call of this role is then refused.
async fn ten_reads_a_call(refused: Role) -> Lane {
    let lane = lane(vec![]);
    for _ in 0..100 {
        for _ in 0..10 {
            let read = lane.admit(Role::Resolve, &COST, 1, Priority::Normal).await;
            read.unwrap().done(&Verdict::Served);
        }
        revoke(&lane).await.done(&Verdict::Served);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let last = lane.admit(refused, &COST, 1, Priority::Normal).await;
    last.unwrap().done(&throttled(1));
    // The probe.
    revoke(&lane).await.done(&Verdict::Served);
    lane
}

#[tokio::test(start_paused = true)]
async fn reads_that_are_never_refused_have_no_part_in_the_pace() {
    let lane = ten_reads_a_call(Role::Revoke).await;
    // A hundred were accepted in the two seconds up to the end of the pause.
    let calls = came_through(&lane, Role::Revoke, 10).await;
    assert!((400..=520).contains(&calls), "{calls}");
    assert!(hurry(&lane).is_none());
    let reads = came_through(&lane, Role::Resolve, 10).await;
    assert!(reads > 5_000, "{reads}");
}

#[tokio::test(start_paused = true)]
async fn from_the_first_refused_one_on_reads_count() {
    let lane = ten_reads_a_call(Role::Resolve).await;
    // All 1,100 in these two seconds.
    let reads = came_through(&lane, Role::Resolve, 10).await;
    assert!((4_000..=5_800).contains(&reads), "{reads}");
    assert!(hurry(&lane).is_none());

    // Who comes later knows.
    let next = Lane::open(settings(vec![]), clock(), Some(&lane.memory()), &[]);
    let before = came_through(&next, Role::Resolve, 1).await;
    assert!(before < 700, "{before}");
}

#[tokio::test(start_paused = true)]
async fn a_pace_learnt_of_writes_alone_does_not_hold_for_reads_that_count() {
    let lane = lane(vec![]);
    for _ in 0..50 {
        revoke(&lane).await.done(&Verdict::Served);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    revoke(&lane).await.done(&throttled(1));
    revoke(&lane).await.done(&Verdict::Served);
    let reads = came_through(&lane, Role::Resolve, 5).await;
    assert!(reads > 2_000, "{reads}");
    let last = lane.admit(Role::Resolve, &COST, 1, Priority::Normal).await;
    last.unwrap().done(&throttled(1));
    revoke(&lane).await.done(&Verdict::Served);
    let reads = came_through(&lane, Role::Resolve, 5).await;
    assert!((1_000..4_000).contains(&reads), "{reads}");
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_a_group_are_reads_like_its_first_request() {
    let lane = ten_reads_a_call(Role::Revoke).await;
    let cx = Context::new(lane.for_reads());
    let start = Instant::now();
    for _ in 0..1_000 {
        cx.pay(&COST).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    // What they took is not missing to the writes, either.
    let calls = came_through(&lane, Role::Revoke, 10).await;
    assert!((400..=520).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn later_writes_that_wait_hold_up_no_later_read() {
    let lane = ten_reads_a_call(Role::Revoke).await;
    let write = {
        let lane = lane.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                lane.pay(&COST, Priority::Normal).await.unwrap();
            }
        })
    };
    tokio::task::yield_now().await;
    let cx = Context::new(lane.for_reads());
    let start = Instant::now();
    cx.pay(&COST).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    write.await.unwrap();
    assert!(start.elapsed() > Duration::from_millis(500));
}

/// The vendor does not say what it counts: each kind is slowed to a part of its own pace.
#[tokio::test(start_paused = true)]
async fn a_warning_slows_reads_as_it_slows_writes() {
    let lane = lane(vec![]);
    for _ in 0..100 {
        let read = lane.admit(Role::Resolve, &COST, 1, Priority::Normal).await;
        read.unwrap().done(&Verdict::Served);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    lane.observe(Observation::Load(0.95));
    let warned = came_through(&lane, Role::Resolve, 1).await;
    assert!((15..50).contains(&warned), "{warned}");
    // Nobody wrote, so that what was read shows how fast writes may begin.
    let writes = came_through(&lane, Role::Revoke, 1).await;
    assert!((15..50).contains(&writes), "{writes}");
    // The warning is over: they go on from there, and grow.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let later = came_through(&lane, Role::Resolve, 10).await;
    assert!((300..2_000).contains(&later), "{later}");
}
