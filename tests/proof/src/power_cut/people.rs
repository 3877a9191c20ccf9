//! Who is in a world, how the provider answers about them, and the ledger of what it really did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rescind_core::clock::Clock;
use rescind_core::error::{ErrorKind, Retry};
use rescind_core::job::JobState;
use rescind_core::report::{Outcome, Unsupported};
use rescind_power_cut::Disk;
use rescind_testkit::scripted::{Answer, Scripted};

use crate::chance::Chance;

/// How the provider answers about one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Does it and says so.
    Plain,
    /// The same, after this long.
    Slow(Duration),
    /// Throttles once.
    Throttles,
    /// Is down once.
    Down,
    /// Does it, and the first answer is lost.
    LosesAnswer,
    /// The first request is lost, and nobody knows.
    LosesRequest,
    /// Knows nobody of that name any more.
    Gone,
    /// Has no way to do it.
    Refuses,
    /// Fails for ever.
    Fails,
}

impl Manner {
    fn any(chance: &mut Chance, trouble: bool) -> Self {
        match chance.below(if trouble { 40 } else { 400 }) {
            0 => Self::Throttles,
            1 => Self::Down,
            2 | 3 => Self::LosesAnswer,
            4 => Self::LosesRequest,
            5 => Self::Gone,
            6 => Self::Refuses,
            7 => Self::Fails,
            8..=15 => Self::Slow(Duration::from_millis(1 + chance.below(600) as u64)),
            _ => Self::Plain,
        }
    }

    /// The only way in which a job may end.
    pub(super) fn ends_as(self) -> JobState {
        match self {
            Self::Gone => JobState::Gone,
            Self::Refuses => JobState::Refused,
            Self::Fails => JobState::Parked,
            _ => JobState::Confirmed,
        }
    }

    /// How many calls the provider itself makes necessary beyond the first.
    pub(super) fn more_calls(self, runs: u64) -> u64 {
        match self {
            Self::Throttles | Self::Down | Self::LosesAnswer | Self::LosesRequest => 1,
            // Each run tries parked jobs once.
            Self::Fails => runs,
            _ => 0,
        }
    }

    fn answer(self, calls_before: usize) -> Answer {
        let first = calls_before == 0;
        match self {
            Self::Slow(latency) => Answer::revoked().after(latency),
            Self::Throttles if first => Answer::error(
                ErrorKind::RateLimited,
                Retry::Safe {
                    after: Some(Duration::from_secs(2)),
                },
            ),
            Self::Down if first => {
                Answer::error(ErrorKind::Unavailable, Retry::Safe { after: None })
            }
            Self::LosesAnswer if first => {
                Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown).but_carried_out()
            }
            Self::LosesRequest if first => Answer::error(ErrorKind::Timeout, Retry::OutcomeUnknown),
            Self::Gone => Answer::outcome(|| Outcome::SubjectNotFound),
            Self::Refuses => Answer::outcome(|| {
                Outcome::Unsupported(Unsupported::new("it cannot be done", "do it by hand"))
            }),
            Self::Fails => Answer::error(ErrorKind::Unexpected, Retry::Never),
            _ => Answer::revoked(),
        }
    }

    /// Whether the call after so many has an effect.
    fn has_effect(self, calls_before: usize) -> bool {
        let first = calls_before == 0;
        match self {
            Self::Throttles | Self::Down | Self::LosesRequest => !first,
            Self::Gone | Self::Refuses | Self::Fails => false,
            _ => true,
        }
    }
}

/// One revocation call as the provider received it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) at: Timestamp,
    pub(super) effect: bool,
}

/// Calls received, by account.
pub(super) type Ledger = BTreeMap<String, Vec<Received>>;

/// The people of a world and their provider, which outlives every power cut.
#[derive(Debug)]
pub(super) struct People {
    pub(super) manners: BTreeMap<String, Manner>,
    pub(super) provider: Scripted,
    ledger: Arc<Mutex<Ledger>>,
    /// The machine that is on.
    on: Arc<Mutex<Option<Disk>>>,
}

impl People {
    pub(super) fn new(chance: &mut Chance, clock: &Arc<dyn Clock>) -> Self {
        // Most worlds have no trouble but the cut: the provider's own takes long.
        let trouble = chance.one_in(4);
        let manners: BTreeMap<String, Manner> = (0..10 + chance.below(25))
            .map(|n| (format!("user{n}"), Manner::any(chance, trouble)))
            .collect();
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let on: Arc<Mutex<Option<Disk>>> = Arc::default();
        let latency = Duration::from_millis(chance.below(100) as u64);
        let provider = Scripted::builder("idp", Arc::clone(clock))
            .expect("a name")
            .max_in_flight(1 + chance.below(12) as u32)
            .subjects_per_read(1 + chance.below(20))
            .latency(latency)
            .build();
        let (known, written, machine) = (manners.clone(), Arc::clone(&ledger), Arc::clone(&on));
        let clock = Arc::clone(clock);
        provider.decide(move |account| {
            let manner = known.get(account).copied().unwrap_or(Manner::Refuses);
            let machine = lock(&machine).clone();
            let received = || {
                let mut ledger = lock(&written);
                let calls = ledger.entry(account.to_owned()).or_default();
                let before = calls.len();
                calls.push(Received {
                    at: clock.now(),
                    effect: manner.has_effect(before),
                });
                manner.answer(before)
            };
            // What a machine without power seems to send never leaves it.
            let answer = machine.and_then(|machine| machine.while_alive(received));
            Some(answer.unwrap_or_else(Answer::hang))
        });
        Self {
            manners,
            provider,
            ledger,
            on,
        }
    }

    /// Only this machine can be heard from now on.
    pub(super) fn hear(&self, machine: &Disk) {
        *lock(&self.on) = Some(machine.clone());
    }

    pub(super) fn ledger(&self) -> Ledger {
        lock(&self.ledger).clone()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
