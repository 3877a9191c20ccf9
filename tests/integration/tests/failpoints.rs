//! Every step of a job's and an order's life, cut off before its commit and after it: by an error, a panic, the death
//! of the process, and a delay. What `rescind run` makes of the rest is judged by the server's ledger.
#![cfg(debug_assertions)]

use std::collections::BTreeMap;

use rescind_core::failpoint::{Point, Side};
use rescind_core::job::JobState;
use rescind_integration::other_graph::{Behaviour, OtherGraph};
use rescind_integration::program::{Desk, Ran, balances};
use serde_json::Value;

const PEOPLE: u64 = 8;
/// The provider rejects this one for ever.
const REJECTED: u64 = 4;
/// The first call for this one finds the provider busy.
const BUSY: u64 = 5;
/// This one was there when the order was planned.
const LEFT: u64 = 6;
/// Nobody ever saw this one.
const UNKNOWN: u64 = 7;

const REVOKE: [&str; 9] = [
    "revoke",
    "--file",
    "people.csv",
    "--note",
    "cut off",
    "--yes",
    "--no-wait",
    "--output",
    "json",
];
const RUN: [&str; 3] = ["run", "--output", "json"];

/// What leads to a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The order is planned and accepted.
    Ordering,
    /// It is worked on.
    Running,
    /// It is worked on, and somebody has to wait.
    Busy,
    /// It is taken over from a process that died before it sent anything.
    Rescuing,
    /// What was parked is tried again.
    Unparking,
    /// It is called off before anything was tried,
    CancellingPending,
    /// or when everybody waits,
    CancellingWaiting,
    /// or when all but one are finished.
    CancellingParked,
}

/// An edge that nothing leads to fails here.
fn stories(point: Point) -> &'static [Story] {
    use JobState::{Cancelled, Confirmed, Gone, Parked, Pending, Refused, Running, Waiting};
    match point {
        Point::Staged | Point::Accepted => &[Story::Ordering],
        Point::Moved(Pending, Running)
        | Point::Moved(Running, Confirmed | Gone | Refused | Parked)
        | Point::EvidenceRead
        | Point::Sending
        | Point::Answered => &[Story::Running],
        Point::Moved(Running, Waiting) | Point::Moved(Waiting, Pending) => {
            &[Story::Busy, Story::Rescuing]
        }
        Point::Moved(Parked, Pending) => &[Story::Unparking],
        Point::Moved(Pending, Cancelled) | Point::CalledOff => &[Story::CancellingPending],
        Point::Moved(Waiting, Cancelled) => &[Story::CancellingWaiting],
        Point::Moved(Parked, Cancelled) => &[Story::CancellingParked],
        Point::Moved(from, to) => panic!("nothing leads from {from:?} to {to:?}"),
    }
}

struct Scene {
    graph: OtherGraph,
    desk: Desk,
    story: Story,
    /// Effective revocations so far.
    ended: BTreeMap<u64, u32>,
    what: String,
}

impl Scene {
    async fn new(story: Story, what: &str) -> Self {
        let graph = OtherGraph::start(Behaviour {
            unreadable: UNKNOWN..UNKNOWN + 1,
            ..Behaviour::default()
        })
        .await;
        let desk = Desk::at_graph(&graph.url());
        desk.people("people.csv", 0..PEOPLE);
        Self {
            graph,
            desk,
            story,
            ended: BTreeMap::new(),
            what: what.to_owned(),
        }
    }

    fn armed(&self, args: &[&str], points: &str) -> Ran {
        let mut command = self.desk.command(args);
        command.env("FAILPOINTS", points);
        command.env("FAILPOINTS_SEEN", self.desk.path().join("seen"));
        Ran::of(&command.output().expect("the program starts"))
    }

    fn order(&self) -> Option<String> {
        let listed = self.desk.run(&["orders", "list", "--output", "json"]);
        if listed.code == Some(2) {
            // The process died before there was a state folder to speak of.
            return None;
        }
        let listed = listed.exits(0).json();
        let orders = listed["items"].as_array().expect("a list");
        assert!(orders.len() <= 1, "{}: {orders:?}", self.what);
        Some(orders.first()?["id"].as_str().expect("an id").to_owned())
    }

    /// From now on the server knows whom it rejects.
    fn accepted(&self) {
        let busy = self.story == Story::Busy;
        self.graph.behave(Behaviour {
            missing: LEFT..UNKNOWN + 1,
            rejected: REJECTED..REJECTED + 1,
            busy_once: BUSY..BUSY + u64::from(busy),
            ..Behaviour::default()
        });
    }

    /// Goes as far as the story wants, and answers the command that reaches the point.
    fn begin(&self) -> Vec<String> {
        let words = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
        if self.story == Story::Ordering {
            return words(&REVOKE);
        }
        self.desk.run(&REVOKE).exits(5);
        self.accepted();
        let dies = |points: &str| assert_eq!(self.armed(&RUN, points).code, None, "{}", self.what);
        match self.story {
            Story::Rescuing => dies("before:sending=abort"),
            Story::Unparking | Story::CancellingParked => {
                self.desk.run(&RUN).exits(3);
            }
            Story::CancellingWaiting => {
                dies("before:sending=abort");
                dies("before:waiting-pending=abort");
            }
            _ => {}
        }
        match self.story {
            Story::CancellingPending | Story::CancellingWaiting | Story::CancellingParked => {
                let order = self.order().expect("it was accepted");
                words(&["orders", "cancel", &order, "--note", "called off"])
            }
            _ => words(&RUN),
        }
    }

    /// Goes on to the end, without anything armed.
    fn end(&self, order: Option<String>, command: &[&str]) -> Value {
        if order.is_none() {
            assert!(self.ended.is_empty(), "{}: called for no order", self.what);
            self.desk.run(&REVOKE).exits(5);
        }
        self.accepted();
        if command[0] == "orders" {
            self.desk.run(command);
        }
        self.desk.run(&RUN);
        let order = order
            .or_else(|| self.order())
            .expect("it is accepted by now");
        let shown = self
            .desk
            .run(&["orders", "show", &order, "--output", "json"]);
        self.desk.run(&["verify"]).exits(0);
        self.desk.run(&["audit", "verify"]).exits(0);
        shown.exits(0).json()
    }

    /// Adds what was done since it was last looked.
    fn look(&mut self) {
        for (person, times) in self.graph.ledger().revoked {
            *self.ended.entry(person).or_default() += times;
        }
    }

    /// Nobody is called finished without an effect. Answers who is finished.
    fn finished(&self, report: &Value) -> BTreeMap<u64, String> {
        balances(&report["counts"]);
        let jobs = report["jobs"].as_array().expect("jobs");
        assert_eq!(jobs.len() as u64, PEOPLE, "{}: {report}", self.what);
        let mut finished = BTreeMap::new();
        for job in jobs {
            let person = number(job);
            let state = job["state"].as_str().expect("a state").to_owned();
            if state == "confirmed" {
                let times = self.ended.get(&person);
                assert!(times.is_some(), "{}: false: {job}", self.what);
            }
            if ["confirmed", "gone", "refused", "cancelled"].contains(&&*state) {
                finished.insert(person, state);
            }
        }
        finished
    }
}

fn number(job: &Value) -> u64 {
    let subject = job["subject"].as_str().expect("a subject");
    let digits = subject.trim_start_matches('u').split('@').next();
    digits.and_then(|n| n.parse().ok()).expect("a number")
}

/// What becomes of a person once all is over.
fn fate(story: Story, person: u64) -> &'static str {
    match (story, person) {
        // Whoever is known to nobody needs no call, and may be refused before the process dies.
        (Story::CancellingWaiting, UNKNOWN) => "cancelled or refused",
        (Story::CancellingPending | Story::CancellingWaiting, _)
        | (Story::CancellingParked, REJECTED) => "cancelled",
        (_, REJECTED) => "parked",
        (_, LEFT) => "gone",
        (_, UNKNOWN) => "refused",
        _ => "confirmed",
    }
}

/// `also`: what else is armed.
async fn cut_off(action: &str, side: Side, point: Point, story: Story, also: &str) {
    let what = format!("{side}:{point}={action} while {story:?}");
    let mut scene = Scene::new(story, &what).await;
    let command = scene.begin();
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    scene.look();
    let before = scene.ended.clone();
    let ran = scene.armed(&command, &format!("{side}:{point}={action};{also}"));
    scene.look();
    let seen = std::fs::read_to_string(scene.desk.path().join("seen")).unwrap_or_default();
    assert!(
        seen.lines().any(|line| line == format!("{side}:{point}")),
        "{what}: never reached: {ran:?}"
    );
    match action {
        "abort" => assert_eq!(ran.code, None, "{what}: {ran:?}"),
        "error" | "panic" => {
            assert_eq!(ran.code, Some(1), "{what}: {ran:?}");
            assert_eq!(ran.stdout, "", "{what}: nothing is reported");
        }
        "lie" => {}
        _ => assert!(matches!(ran.code, Some(0 | 3 | 5)), "{what}: {ran:?}"),
    }

    let order = scene.order();
    let told = ran.code == Some(5) || ran.stderr.contains("Accepted as order");
    assert!(
        !told || order.is_some(),
        "{what}: told of an order that is not there"
    );
    let durable = match &order {
        None => BTreeMap::new(),
        Some(order) => {
            let shown = scene
                .desk
                .run(&["orders", "show", order, "--output", "json"]);
            scene.finished(&shown.exits(0).json())
        }
    };
    let then = scene.ended.clone();
    let report = scene.end(order, &command);
    scene.look();
    let finished = scene.finished(&report);
    for job in report["jobs"].as_array().expect("jobs") {
        let state = job["state"].as_str().expect("a state");
        let wanted = fate(story, number(job));
        assert!(
            wanted.split(" or ").any(|one| one == state),
            "{what}: {wanted}, not {job}"
        );
    }
    for (person, state) in &durable {
        assert_eq!(finished.get(person), Some(state), "{what}: u{person} moved");
        assert_eq!(
            scene.ended.get(person),
            then.get(person),
            "{what}: u{person} was finished and is called again"
        );
    }
    for person in scene.ended.keys() {
        assert_eq!(
            fate(story, *person),
            "confirmed",
            "{what}: u{person} was called"
        );
    }
    let in_flight = matches!(
        point,
        Point::Answered | Point::Moved(JobState::Running, _) | Point::EvidenceRead
    ) && action != "delay";
    for (person, times) in &scene.ended {
        let most = 1 + u32::from(in_flight && !before.contains_key(person));
        assert!(*times <= most, "{what}: u{person} was called {times} times");
    }
}

async fn everywhere(action: &str) {
    for point in Point::all() {
        let sides = [Side::Before, Side::After];
        for side in sides.into_iter().take(1 + usize::from(point.commits())) {
            for story in stories(point) {
                cut_off(action, side, point, *story, "").await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_anywhere_loses_nobody_and_repeats_nothing_that_is_written() {
    everywhere("error").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_anywhere_loses_nobody_and_repeats_nothing_that_is_written() {
    everywhere("panic").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_anywhere_loses_nobody_and_repeats_nothing_that_is_written() {
    everywhere("abort").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delay_anywhere_changes_nothing() {
    everywhere("delay(20)").await;
}

const CLAIM: Point = Point::Moved(JobState::Pending, JobState::Running);

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "told of an order that is not there")]
async fn a_store_that_tells_of_an_order_and_does_not_keep_it_is_found() {
    cut_off("lie", Side::Before, Point::Accepted, Story::Ordering, "").await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "was called 2 times")]
async fn a_store_that_tells_of_a_claim_and_does_not_keep_it_is_found() {
    let dies = "before:answered=abort";
    // Whoever is known to nobody may be settled first, and then the process dies before it has called anybody.
    for _ in 0..10 {
        cut_off("lie", Side::Before, CLAIM, Story::Running, dies).await;
    }
}
