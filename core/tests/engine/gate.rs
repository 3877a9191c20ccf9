//! The last door before a call, with a pause behind it.

use std::time::Duration;

use rescind_core::engine::{Goal, Stop};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_testkit::scripted::Answer;

use crate::world::{World, secs};

#[tokio::test(start_paused = true)]
async fn a_probe_does_not_wait_at_the_door_for_those_who_wait_for_it() {
    // A tenth of the places is kept for urgent work: three are left.
    let world = World::new(|b| b.max_in_flight(4).without_evidence());
    let busy = ["p1@example.com", "p2@example.com", "p3@example.com"];
    for id in ["p1", "p2", "p3"] {
        // The second request is due when the pause below is over.
        let answer = Answer::revoked().in_requests(2).after(secs(5));
        world.idp().script(id, [answer]);
    }
    world.accept_resolved(&busy).await;
    let engine = world.engine().await;
    let stop = Stop::new();
    let run = engine.run(Goal::Everything, &stop);
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.idp().fail_resolve(1, || {
            let retry = Retry::Safe {
                after: Some(secs(3)),
            };
            Error::new(ErrorKind::RateLimited, retry, "resolve", "scripted")
        });
        world.order(&["looked-up@example.com"]).await;
        world.store.touched_by_others();
        tokio::time::sleep(secs(1)).await;
        // It is first in line when the pause ends.
        world.accept_resolved(&["probe@example.com"]).await;
        world.store.touched_by_others();
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout(secs(120), run) => ended,
        () = others => unreachable!("it is pending"),
    };
    let states = world.states();
    assert!(ended.is_ok(), "they wait for each other: {states:?}");
    assert_eq!(states, [JobState::Confirmed; 5]);
    let ledger = world.idp().ledger();
    let at = |id| ledger.iter().find(|entry| entry.account == id);
    let (first, probe) = (at("p1").expect("called"), at("probe").expect("called"));
    let waited = probe.at.duration_since(first.at).as_secs();
    assert!((3..5).contains(&waited), "not the probe: {waited} s");
}
