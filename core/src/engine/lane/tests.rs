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

fn error(kind: ErrorKind, code: &str) -> ErrorRecord {
    ErrorRecord {
        kind,
        operation: "revokeSignInSessions".into(),
        message: "insufficient privileges".into(),
        hint: Some("grant User.RevokeSessions.All".into()),
        vendor_code: Some(code.into()),
    }
}

fn throttled(secs: u64) -> Verdict {
    Verdict::Throttled {
        after: Some(Duration::from_secs(secs)),
    }
}

const DOWN: Verdict = Verdict::Unavailable { after: None };

fn hurry(lane: &Lane) -> Option<Permit> {
    lane.try_admit(Role::Revoke, &COST, 1, Priority::Normal)
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
async fn what_was_spent_before_a_restart_stays_spent() {
    let clock = clock();
    let budgets = || vec![Budget::bucket("calls", 1000, Duration::from_secs(100))];
    let spent = |secs: i64, units| Spent {
        at: clock.now() - jiff::SignedDuration::from_secs(secs),
        budget: "calls".into(),
        units,
    };
    let left = |spent: &[Spent]| {
        let lane = Lane::open(settings(budgets()), clock.clone(), None, spent);
        std::iter::from_fn(|| hurry(&lane).inspect(|_| ()))
            .map(drop)
            .count()
    };
    assert_eq!(left(&[]), 990);
    // A burst 20 s ago: 19 to 20 s worth of refill since.
    let some = left(&[spent(20, 990)]);
    assert!((185..=198).contains(&some), "{some}");
    // A hundred seconds at the documented pace leave nothing saved.
    let steady: Vec<_> = (1..=100).rev().map(|ago| spent(ago, 10)).collect();
    assert!(left(&steady) <= 10);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_rebuilt_too() {
    let clock = clock();
    let budget = Budget::window("calls", 100, Duration::from_secs(60));
    let spent = [Spent {
        at: clock.now() - jiff::SignedDuration::from_secs(30),
        budget: "calls".into(),
        units: 99,
    }];
    let lane = Lane::open(settings(vec![budget]), clock, None, &spent);
    let start = Instant::now();
    assert!(hurry(&lane).is_none());
    drop(revoke(&lane).await);
    let waited = start.elapsed().as_secs_f64();
    assert!((30.0..32.0).contains(&waited), "{waited}");
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

    revoke(&lane).await.done(&Verdict::Answered);
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

#[tokio::test(start_paused = true)]
async fn one_failure_is_no_outage() {
    let lane = lane(vec![]);
    for _ in 0..20 {
        for _ in 0..4 {
            revoke(&lane).await.done(&DOWN);
        }
        revoke(&lane).await.done(&Verdict::Answered);
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
    revoke(&lane).await.done(&Verdict::Answered);
    for subject in 0..20 {
        revoke(&lane).await.done(&Verdict::PermissionDenied {
            subject,
            error: error(ErrorKind::PermissionDenied, "Authorization_RequestDenied"),
        });
    }
    assert_eq!(lane.fault(), None);
}

#[tokio::test(start_paused = true)]
async fn repeats_are_a_tenth_of_the_calls() {
    let lane = lane(vec![]);
    let mut repeats = 0;
    for _ in 0..10_000 {
        revoke(&lane).await.done(&Verdict::Answered);
        repeats += u32::from(lane.may_retry());
    }
    assert!((1000..=1010).contains(&repeats), "{repeats}");
}

#[tokio::test(start_paused = true)]
async fn an_urgent_person_is_admitted_within_a_second_while_bulk_runs() {
    for budget in [
        Budget::bucket("calls", 3000, Duration::from_secs(150)),
        Budget::window("calls", 2400, Duration::from_secs(60)),
    ] {
        let lane = Lane::open(
            LaneSettings::new(ProviderName::parse("entra").unwrap(), vec![budget], 640),
            clock(),
            None,
            &[],
        );
        let bulk = {
            let lane = lane.clone();
            tokio::spawn(async move {
                loop {
                    let permit = revoke(&lane).await;
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        permit.done(&Verdict::Answered);
                    });
                }
            })
        };
        for _ in 0..300 {
            tokio::time::sleep(Duration::from_millis(997)).await;
            let start = Instant::now();
            let urgent = lane.admit(Role::Revoke, &COST, 1, Priority::Urgent).await;
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "{:?} at {:?}, {:?}",
                start.elapsed(),
                lane.opened().elapsed(),
                lane.settings().budgets
            );
            drop(urgent);
        }
        bulk.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_the_places_is_kept_for_urgent_work() {
    let lane = lane(vec![]);
    let bulk: Vec<_> = std::iter::from_fn(|| hurry(&lane)).collect();
    assert_eq!(bulk.len(), 90);
    let urgent: Vec<_> =
        std::iter::from_fn(|| lane.try_admit(Role::Revoke, &COST, 1, Priority::Urgent)).collect();
    assert_eq!(urgent.len(), 10);
    assert!(
        lane.try_admit(Role::Resolve, &COST, 1, Priority::Normal)
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_spends_nothing() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(100))]);
    let held: Vec<_> = std::iter::from_fn(|| hurry(&lane)).take(90).collect();
    drop(held);
    while hurry(&lane).is_some() {}
    for _ in 0..1000 {
        let wait = lane.pay(&COST, Priority::Normal);
        let _ = tokio::time::timeout(Duration::from_millis(1), wait).await;
    }
    // A second and a bit has passed: what it refilled is still there, less what waits have really taken.
    let start = Instant::now();
    for _ in 0..10 {
        drop(revoke(&lane).await);
    }
    assert!(start.elapsed() < Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_dear_request_is_not_starved_by_cheap_ones() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(10))]);
    while hurry(&lane).is_some() {}
    let dear = {
        let lane = lane.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            lane.pay(&Cost::of("calls", 50), Priority::Normal)
                .await
                .unwrap();
            start.elapsed()
        })
    };
    let cheap = {
        let lane = lane.clone();
        tokio::spawn(async move {
            loop {
                drop(revoke(&lane).await);
            }
        })
    };
    let waited = dear.await.unwrap();
    cheap.abort();
    assert!(waited < Duration::from_secs(7), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_wait_for_the_budget_of_writes() {
    let lane = lane(vec![
        Budget::bucket("writes", 10, Duration::from_secs(1000)),
        Budget::bucket("units", 1000, Duration::from_secs(10)),
    ]);
    let write = Cost::of("writes", 1).and("units", 1);
    while lane
        .try_admit(Role::Revoke, &write, 1, Priority::Normal)
        .is_some()
    {}
    let blocked = {
        let lane = lane.clone();
        tokio::spawn(async move {
            lane.admit(Role::Revoke, &write, 1, Priority::Urgent)
                .await
                .is_ok()
        })
    };
    tokio::task::yield_now().await;
    let start = Instant::now();
    for _ in 0..100 {
        lane.pay(&Cost::of("units", 1), Priority::Evidence)
            .await
            .unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    blocked.abort();
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
    probe.done(&Verdict::Answered);
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
    call.done(&Verdict::Answered);
}

#[tokio::test(start_paused = true)]
async fn the_providers_clock_is_known_to_the_second() {
    let clock = clock();
    let lane = Lane::open(settings(vec![]), clock.clone(), None, &[]);
    let ahead = jiff::SignedDuration::from_millis(97_300);
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(137)).await;
        let theirs = clock.now() + ahead;
        let date = Timestamp::from_second(theirs.as_second()).unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        lane.observe(Observation::ProviderTime(date));
    }
    let off = lane.provider_now().duration_since(clock.now()) - ahead;
    assert!(
        off.abs() < jiff::SignedDuration::from_millis(200),
        "{off:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_budget_turns_out_to_be_larger() {
    let lane = lane(vec![Budget::bucket("calls", 10, Duration::from_secs(1000))]);
    while hurry(&lane).is_some() {}
    lane.observe(Observation::BudgetIs {
        budget: "calls",
        units: 20,
    });
    let more = std::iter::from_fn(|| hurry(&lane)).count();
    assert!((9..=10).contains(&more), "{more}");
}

#[test]
fn memory_that_cannot_be_read_is_not_remembered() {
    let now = "2026-08-18T12:00:00Z".parse().unwrap();
    for text in [
        "",
        "{",
        "null",
        r#"{"at":"yesterday"}"#,
        r#"{"at":"2026-08-18T12:00:00Z","rate_per_sec":-1}"#,
    ] {
        assert_eq!(memory::read(text, now).rate, None);
        assert_eq!(memory::read(text, now).pause, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: says how many people pass a second when nothing limits"]
async fn measures_the_way_through_a_lane_without_limits() {
    let lane = Lane::open(
        LaneSettings::new(ProviderName::parse("entra").unwrap(), vec![], 10_000),
        clock(),
        None,
        &[],
    );
    let start = std::time::Instant::now();
    let walkers: Vec<_> = (0..4)
        .map(|_| {
            let lane = lane.clone();
            tokio::spawn(async move {
                for _ in 0..50_000 {
                    revoke(&lane).await.done(&Verdict::Answered);
                }
            })
        })
        .collect();
    for walker in walkers {
        walker.await.unwrap();
    }
    println!("{:.0} a second", 200_000.0 / start.elapsed().as_secs_f64());
}
