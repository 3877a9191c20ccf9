//! Who goes first, and what a place costs.

use futures_util::FutureExt as _;

use super::*;

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
                        permit.done(&Verdict::Served);
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
                lane.inner.opened.elapsed(),
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
async fn a_grant_that_nobody_took_is_given_back() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(100))]);
    while hurry(&lane).is_some() {}
    let mut wait = lane.admit(Role::Revoke, &COST, 1, Priority::Normal).boxed();
    assert!(futures_util::poll!(&mut wait).is_pending());
    tokio::time::advance(Duration::from_millis(1500)).await;
    lane.observe(Observation::Load(0.1));
    assert_eq!(lane.status().in_flight, 1);
    drop(wait);
    assert_eq!(lane.status().in_flight, 0);
    assert!(hurry(&lane).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_no_number_changes_no_pace() {
    let lane = lane(Vec::new());
    for load in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        lane.observe(Observation::Load(load));
        for _ in 0..100 {
            assert!(hurry(&lane).is_some());
        }
        tokio::time::advance(Duration::from_millis(10)).await;
    }
}

/// A vendor that warns before it refuses has taught a pace: the silence after the warning is no leave for a burst.
#[tokio::test(start_paused = true)]
async fn no_burst_follows_a_warning_of_the_vendor() {
    let lane = lane(Vec::new());
    for _ in 0..100 {
        revoke(&lane).await.done(&Verdict::Served);
    }
    lane.observe(Observation::Load(1.0));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(10) {
        revoke(&lane).await.done(&Verdict::Served);
        sent += 1;
        let most = 40.0 + 100.0 * start.elapsed().as_secs_f64();
        assert!(f64::from(sent) < most, "{sent} in {:?}", start.elapsed());
    }
    assert!(sent > 200, "{sent}");
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

/// Who waits to be looked up may be many, and was there first: calls must not begin when the last of them is known.
#[tokio::test(start_paused = true)]
async fn look_ups_run_no_further_ahead_than_the_calls_that_share_their_budget() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(10))]);
    let (found, mut ready) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..100 {
        let (lane, found) = (lane.clone(), found.clone());
        tokio::spawn(async move {
            let ten = COST.times(10);
            let call = lane.admit(Role::Resolve, &ten, 10, Priority::Normal).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            call.unwrap().done(&Verdict::Served);
            for person in 0..10 {
                found.send(person).unwrap();
            }
        });
    }
    let start = Instant::now();
    let mut called = 0;
    while start.elapsed() < Duration::from_secs(60) {
        ready.recv().await.unwrap();
        revoke(&lane).await.done(&Verdict::Served);
        called += 1;
    }
    // 700 may leave in all, of which the first hundred at once, before anybody can be called.
    assert!(called >= 290, "{called}");
    assert!(ready.len() <= 100, "{} are waiting", ready.len());
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
                    revoke(&lane).await.done(&Verdict::Served);
                }
            })
        })
        .collect();
    for walker in walkers {
        walker.await.unwrap();
    }
    println!("{:.0} a second", 200_000.0 / start.elapsed().as_secs_f64());
}
