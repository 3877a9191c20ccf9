//! Places where a debug build can be made to fail: before a change is committed, and after it, before anybody is told.
//!
//! Which one fails, and how, is said by [`arm`] or, to a program as a whole, by the environment:
//! `FAILPOINTS="before:accepted=abort;after:running-confirmed=delay(20)@3"` aborts the process where an order is about
//! to be accepted, and takes 20 ms longer from the third commit on that confirms a job. Actions are `error`, `panic`,
//! `abort` (the process ends as by `kill -9`), `delay(MILLISECONDS)` and `lie` (before a change: nothing of its commit
//! is kept, and whoever waits for it is told that it was: what a judge must catch). Each acts once, a delay from then
//! on; `@N` passes N - 1 times first. What acted is appended to the file that `FAILPOINTS_SEEN` names.
//!
//! A release build has no such place and reads no such variable: all but an empty function stands behind
//! `cfg(debug_assertions)`, not behind a feature, so that lints, tests and the program share one build and nobody can
//! switch it on. There is a crate for this; its switch is a feature, and what has the feature can be armed.

use std::fmt;

use crate::job::JobState;
use crate::store::StoreError;

/// A step of a job's or an order's life that can be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Jobs join a plan.
    Staged,
    /// A plan becomes an order.
    Accepted,
    /// A job takes an edge of [`JobState::may_become`].
    Moved(JobState, JobState),
    /// A person calls an order off.
    CalledOff,
    /// What the provider's record shows is written down.
    EvidenceRead,
    /// Claims are durable, and none of their calls has left. Only before.
    Sending,
    /// The provider has answered, and nothing of it is written. Only before.
    Answered,
}

impl Point {
    /// Every point. Each edge of a job is one, so that a new edge is a new point.
    pub fn all() -> Vec<Self> {
        let edges = JobState::ALL.into_iter().flat_map(|from| {
            let next = JobState::ALL.into_iter();
            next.filter(move |to| from.may_become(*to))
                .map(move |to| Self::Moved(from, to))
        });
        let others = [
            Self::Staged,
            Self::Accepted,
            Self::CalledOff,
            Self::EvidenceRead,
            Self::Sending,
            Self::Answered,
        ];
        others.into_iter().chain(edges).collect()
    }

    /// Whether the point has a side after a commit.
    pub fn commits(self) -> bool {
        !matches!(self, Self::Sending | Self::Answered)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Staged => f.write_str("staged"),
            Self::Accepted => f.write_str("accepted"),
            Self::Moved(from, to) => {
                let text = format!("{from:?}-{to:?}");
                f.write_str(&text.to_lowercase())
            }
            Self::CalledOff => f.write_str("called-off"),
            Self::EvidenceRead => f.write_str("evidence-read"),
            Self::Sending => f.write_str("sending"),
            Self::Answered => f.write_str("answered"),
        }
    }
}

/// On which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing of it is durable.
    Before,
    /// All of it is durable, and nobody knows.
    After,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// Passes a point, unless it is armed. Blocks the thread where that is what it is armed with.
///
/// # Errors
/// [`StoreError::Io`] where the point is armed with `error`. Never in a release build.
///
/// # Panics
/// Where the point is armed with `panic`. Never in a release build.
#[inline]
pub fn pass(side: Side, point: Point) -> Result<(), StoreError> {
    #[cfg(debug_assertions)]
    armed::pass(side, point)?;
    #[cfg(not(debug_assertions))]
    let (Side::Before | Side::After, _) = (side, point);
    Ok(())
}

#[cfg(debug_assertions)]
pub use armed::{Armed, arm, lies};

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use super::{Point, Side};
    use crate::store::StoreError;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Error,
        Panic,
        Abort,
        Lie,
        Delay(Duration),
    }

    #[derive(Debug)]
    struct Trap {
        place: String,
        action: Action,
        /// How often it is still to be passed.
        passes: u64,
        acted: u64,
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a debug build is armed before it reads any configuration"
    )]
    static TRAPS: LazyLock<Mutex<Vec<Trap>>> = LazyLock::new(|| {
        let text = std::env::var("FAILPOINTS").unwrap_or_default();
        Mutex::new(traps(&text).expect("FAILPOINTS is written as the documentation says"))
    });

    static ALONE: Mutex<()> = Mutex::new(());

    /// Points armed in this process until this is dropped. Whoever arms while another does, waits.
    #[derive(Debug)]
    pub struct Armed(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

    /// Arms points in this process, in the words of `FAILPOINTS`.
    ///
    /// # Errors
    /// The part that cannot be read.
    pub fn arm(text: &str) -> Result<Armed, String> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        *set() = traps(text)?;
        Ok(Armed(alone))
    }

    impl Armed {
        /// How often any of them has acted so far.
        pub fn acted(&self) -> u64 {
            set().iter().map(|trap| trap.acted).sum()
        }
    }

    impl Drop for Armed {
        fn drop(&mut self) {
            set().clear();
        }
    }

    fn set() -> MutexGuard<'static, Vec<Trap>> {
        TRAPS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traps(text: &str) -> Result<Vec<Trap>, String> {
        let parts = text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts
            .map(|part| trap(part).ok_or_else(|| part.to_owned()))
            .collect()
    }

    fn trap(part: &str) -> Option<Trap> {
        let (place, rest) = part.split_once('=')?;
        let known = Point::all().into_iter().any(|point| {
            let after = point.commits() && place == format!("{}:{point}", Side::After);
            after || place == format!("{}:{point}", Side::Before)
        });
        let (action, nth) = rest.split_once('@').unwrap_or((rest, "1"));
        let action = match action {
            "error" => Action::Error,
            "panic" => Action::Panic,
            "abort" => Action::Abort,
            "lie" => Action::Lie,
            other => {
                let ms = other.strip_prefix("delay(")?.strip_suffix(')')?;
                Action::Delay(Duration::from_millis(ms.parse().ok()?))
            }
        };
        known.then_some(Trap {
            place: place.to_owned(),
            action,
            passes: nth.parse::<u64>().ok()?.checked_sub(1)?,
            acted: 0,
        })
    }

    /// What the point is armed with, if its time has come.
    fn sprung(side: Side, point: Point, lie: bool) -> Option<Action> {
        let mut traps = set();
        if traps.is_empty() {
            return None;
        }
        let place = format!("{side}:{point}");
        let trap = traps
            .iter_mut()
            .find(|trap| trap.place == place && (trap.action == Action::Lie) == lie)?;
        if trap.passes > 0 {
            trap.passes -= 1;
            return None;
        }
        if trap.acted > 0 && !matches!(trap.action, Action::Delay(_)) {
            return None;
        }
        trap.acted += 1;
        seen(&place);
        Some(trap.action)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a debug build is armed before it reads any configuration"
    )]
    fn seen(place: &str) {
        if let Ok(path) = std::env::var("FAILPOINTS_SEEN")
            && let Ok(mut file) = std::fs::File::options()
                .create(true)
                .append(true)
                .open(path)
        {
            let _unseen = writeln!(file, "{place}");
        }
    }

    pub(super) fn pass(side: Side, point: Point) -> Result<(), StoreError> {
        match sprung(side, point, false) {
            None | Some(Action::Lie) => Ok(()),
            Some(Action::Error) => Err(StoreError::Io(format!("armed to fail {side} {point}"))),
            Some(Action::Panic) => panic!("armed to panic {side} {point}"),
            Some(Action::Abort) => std::process::abort(),
            Some(Action::Delay(by)) => {
                std::thread::sleep(by);
                Ok(())
            }
        }
    }

    /// Whether the commit of this change is to be told and not kept.
    pub fn lies(point: Point) -> bool {
        sprung(Side::Before, point, true).is_some()
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    const CLAIM: Point = Point::Moved(JobState::Pending, JobState::Running);

    #[test]
    fn a_point_acts_once_at_its_turn() {
        let armed = arm("after:pending-running=error@2; before:staged=delay(0)").unwrap();
        assert!(pass(Side::Before, CLAIM).is_ok());
        assert!(pass(Side::After, CLAIM).is_ok());
        assert!(pass(Side::After, CLAIM).is_err());
        assert!(pass(Side::After, CLAIM).is_ok());
        assert_eq!(armed.acted(), 1);
        assert!(pass(Side::Before, Point::Staged).is_ok());
        assert!(pass(Side::Before, Point::Staged).is_ok());
        assert_eq!(armed.acted(), 3);
        drop(armed);
        assert!(pass(Side::Before, Point::Staged).is_ok());
    }

    #[test]
    fn what_names_no_point_arms_nothing() {
        for wrong in [
            "staged=error",
            "before:nowhere=error",
            "before:confirmed-pending=error",
            "after:sending=abort",
            "before:staged=explode",
            "before:staged=error@0",
        ] {
            assert!(arm(wrong).is_err(), "{wrong}");
        }
    }
}
