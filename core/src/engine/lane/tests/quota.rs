//! What a lane may spend, and what it remembers of that.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_budget_is_spent_at_once_and_then_at_its_pace() {
    let lane = lane(vec![Budget::bucket("calls", 100, Duration::from_secs(10))]);
    let start = Instant::now();
    for _ in 0..99 {
        revoke(&lane).await.done(&Verdict::Served);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..99 {
        revoke(&lane).await.done(&Verdict::Served);
    }
    let took = start.elapsed().as_secs_f64();
    assert!((9.9..10.2).contains(&took), "{took}");
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
