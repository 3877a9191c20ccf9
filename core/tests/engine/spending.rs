//! What a process that dies has spent, its successor does not spend again.

use std::time::Duration;

use rescind_core::budget::{Budget, Cost};
use rescind_core::engine::{Ended, Goal, Stop};
use rescind_core::provider::FirstCosts;

use crate::world::{World, people, secs};

/// Within any minute.
const MOST: u32 = 100;

#[tokio::test(start_paused = true)]
async fn the_reads_of_a_dead_process_count_with_its_calls() {
    for ms in [900, 1_500, 2_000, 3_000] {
        let budget = Budget::window("calls", MOST, secs(60));
        let one = Cost::of("calls", 1);
        let costs = FirstCosts::new(one, one, one);
        let latency = Duration::from_millis(100);
        let world = World::new(|b| b.costs(vec![budget], costs).latency(latency));
        let people = people(60);
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        world.order(&people[..30]).await;
        {
            let engine = world.engine().await;
            let stop = Stop::new();
            let run = engine.run(Goal::Everything, &stop);
            let _ = tokio::time::timeout(Duration::from_millis(ms), run).await;
        }
        world.order(&people[30..]).await;
        assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
        let calls: Vec<_> = world.idp().ledger().iter().map(|entry| entry.at).collect();
        for (i, first) in calls.iter().enumerate() {
            let minute = calls[i..]
                .iter()
                .take_while(|at| at.duration_since(*first) < secs(59).try_into().expect("fits"));
            let within = minute.count();
            assert!(within <= MOST as usize, "{within} after a death at {ms} ms");
        }
    }
}
