//! A missing right: one subject's, or the whole lane's.

use rescind_core::engine::{Ended, Goal};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::{Ended as Steps, ItemFailure, Outcome, Unsupported};
use rescind_testkit::scripted::Answer;

use crate::world::{World, people, secs};

fn denied() -> Answer {
    Answer::error(ErrorKind::PermissionDenied, Retry::Never)
}

/// Everything a provider can answer without having done what it was asked.
fn heard() -> Vec<(&'static str, Answer)> {
    let unsupported = || Outcome::Unsupported(Unsupported::new("a guest", "ask at home"));
    vec![
        ("404", Answer::outcome(|| Outcome::SubjectNotFound)),
        ("400", Answer::error(ErrorKind::Unexpected, Retry::Never)),
        (
            "a page",
            Answer::error(ErrorKind::InvalidResponse, Retry::OutcomeUnknown),
        ),
        ("not covered", Answer::outcome(unsupported)),
        (
            "500",
            Answer::error(ErrorKind::Unavailable, Retry::OutcomeUnknown),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_serves_nobody_does_not_hide_a_right_that_all_lack() {
    for (what, odd) in heard() {
        for place in 0..5 {
            let world = World::new(|b| b.max_in_flight(1));
            let (odd, odd_one) = (odd.clone(), format!("user{place}"));
            world.idp().decide(move |id| {
                let is_odd = id == odd_one;
                Some(if is_odd { odd.clone() } else { denied() })
            });
            let people = people(20);
            let people: Vec<&str> = people.iter().map(String::as_str).collect();
            let order = world.order(&people).await;
            let ended = world.run(Goal::Order(order)).await;
            let when = format!("{what} at {place}: {ended:?}");
            assert!(matches!(ended, Ended::NeedsPerson(_)), "{when}");
            for (i, job) in world.jobs().iter().enumerate() {
                assert!(i == place || job.state.is_open(), "{when}: {job:?}");
            }
            let asked = (0..20).filter(|i| *i != place);
            let asked = asked.filter(|i| world.idp().calls_about(&format!("user{i}")) > 0);
            assert_eq!(asked.count(), 5, "{when}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_somebody_was_served_each_refusal_is_one_subject_s() {
    // The first of many is served, or the last of those who are too few to tell.
    for (served, of) in [(0, 20), (4, 5)] {
        let mut world = World::new(|b| b.max_in_flight(1));
        world.canary = false;
        let served_one = format!("user{served}");
        world
            .idp()
            .decide(move |id| (id != served_one).then(denied));
        let people = people(of);
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        let order = world.order(&people).await;
        let ended = world.run(Goal::Order(order)).await;
        assert_eq!(ended, Ended::Finished, "served: {served}");
        for (i, job) in world.jobs().iter().enumerate() {
            let is_served = job.state == JobState::Confirmed;
            assert_eq!(is_served, i == served, "served: {served}: {job:?}");
            assert!(is_served || job.state == JobState::Parked, "{job:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_account_in_many_orders_is_one_subject() {
    let mut world = World::plain();
    world.canary = false;
    world.idp().decide(|id| (id == "admin").then(denied));
    for _ in 0..8 {
        world.order(&["admin@example.com"]).await;
    }
    assert_eq!(world.run(Goal::Everything).await, Ended::Finished);
    assert!(world.states().iter().all(|s| *s == JobState::Parked));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_parked_while_others_wait_for_their_first_call() {
    // An urgent order of one comes again before the others were asked at all.
    let world = World::new(|b| b.max_in_flight(1).latency(secs(3)));
    world.idp().decide(|_| Some(denied()));
    let urgent = vec![crate::world::Wish::new("eve@example.com")];
    world.accept(urgent, |draft| draft.urgent = true).await;
    let people = people(20);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    world.order(&people).await;
    let ended = world.run(Goal::Everything).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    assert!(world.jobs().iter().all(|job| job.state.is_open()));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_one_step_lacks_for_everybody_is_the_lane_s_fault() {
    let world = World::plain();
    world.idp().decide(|_| {
        Some(Answer::outcome(|| {
            let retry = Retry::Never;
            let error = Error::new(ErrorKind::PermissionDenied, retry, "signOut", "no right");
            Outcome::Partial {
                ended: Steps::default(),
                failed: vec![ItemFailure::new("sign-out", None, error)],
            }
        }))
    });
    let people = people(20);
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let order = world.order(&people).await;
    let ended = world.run(Goal::Order(order)).await;
    assert!(matches!(ended, Ended::NeedsPerson(_)), "{ended:?}");
    assert!(world.jobs().iter().all(|job| job.state.is_open()));
}
