//! Large orders: everybody once, books that balance, memory that stays flat.

use rescind_core::engine::{Ended, Goal};
use rescind_core::error::{ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_testkit::scripted::Answer;

use crate::world::{Wish, World, people};

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_people_are_called_once_each() {
    let world = World::new(|b| b.max_in_flight(640));
    world.idp().keep_no_reads();
    let wishes = people(100_000)
        .into_iter()
        .map(|subject| {
            let id = subject.trim_end_matches("@example.com").to_owned();
            Wish::new(&subject).resolved(&id)
        })
        .collect();
    let order = world
        .accept(wishes, |draft| {
            draft.verify = false;
        })
        .await;
    let started = std::time::Instant::now();
    assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
    println!("100,000 people in {:?}", started.elapsed());
    assert_eq!(world.idp().revoke_calls(), 100_000);
    assert!(world.idp().most_in_flight() <= 640);
    assert_eq!(world.order_row(order).await.counts.confirmed, 100_000);
}

/// A seed of trouble: every fault the table has, at random, and restarts in between.
#[tokio::test(start_paused = true)]
async fn whatever_happens_the_books_equal_the_ledger() {
    let safe = Retry::Safe { after: None };
    for seed in 0..8_u64 {
        println!("seed {seed}");
        let mut world = World::new(|b| b.max_in_flight(16));
        world.seed = seed;
        world.canary = false;
        let state = std::sync::atomic::AtomicU64::new(seed.wrapping_mul(0x9e37_79b9) | 1);
        world.idp().decide(move |_| {
            let mut x = state.load(std::sync::atomic::Ordering::Relaxed);
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            state.store(x, std::sync::atomic::Ordering::Relaxed);
            match x % 10 {
                0 => Some(Answer::error(ErrorKind::RateLimited, safe)),
                1 => Some(Answer::error(ErrorKind::Unavailable, safe)),
                2 => Some(Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown)),
                3 => {
                    Some(Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out())
                }
                4 => Some(Answer::error(ErrorKind::Unexpected, Retry::Never)),
                _ => None,
            }
        });
        let mut people = people(60);
        people.extend(
            crate::world::people(20)
                .iter()
                .map(|p| p.replace("example", "contoso")),
        );
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let order = world.order(&people).await;
        for _ in 0..5 {
            let engine = world.engine().await;
            let stop = rescind_core::engine::Stop::new();
            let run = engine.run(Goal::Order(order), &stop);
            let _ = tokio::time::timeout(crate::world::secs(3 + seed), run).await;
            assert!(world.store.books_balance());
        }
        assert_eq!(world.run(Goal::Order(order)).await, Ended::Finished);
        for job in world.jobs() {
            let id = job.resolved.map(|r| r.id).unwrap_or_default();
            match job.state {
                JobState::Confirmed => assert!(world.idp().times_ended(&id) >= 1, "{id}"),
                JobState::Parked => assert!(world.idp().calls_about(&id) >= 1, "{id}"),
                other => panic!("{id} ended {other:?}"),
            }
        }
    }
}
