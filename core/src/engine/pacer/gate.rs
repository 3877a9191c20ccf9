//! Open, shut until an instant, or one probe on its way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Sent;
use super::dice::Dice;

/// The least and the most that a vendor's wish to wait is taken for.
const LEAST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(3600);

/// Where the vendor does not say: full jitter below 2 s, 4 s, 8 s, 16 s; after some more of these, below 64 s.
const DOUBLINGS: u32 = 4;
const PATIENCE: u32 = 10;
const DOUBLINGS_THEN: u32 = 6;

/// So many failures in a row are an outage, not bad luck.
const OUTAGE_AFTER: u32 = 5;

/// A probe in 2 s, 4 s, 8 s, 16 s, and from then on one in 30 s or a little more.
const OUTAGE_FIRST: f64 = 2.0;
const OUTAGE_MOST: f64 = 30.0;

/// An answer to the probe counts as good when nothing bad was said about it for so long.
const SETTLED: Duration = Duration::from_millis(50);

/// A probe that nobody reports on is given up.
const LOST: Duration = Duration::from_secs(30);

/// Why a lane pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// The provider asked for fewer calls.
    Throttled,
    /// The provider, or the way to it, is down.
    Outage,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Open,
    Shut {
        until: Duration,
        why: PauseReason,
    },
    Probing {
        since: Duration,
        answered: Option<Duration>,
        why: PauseReason,
    },
}

/// What a request may do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// Go.
    Free,
    /// Go, alone.
    AsProbe,
    /// Ask again then.
    Blocked(Duration),
}

/// What changed at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// It shut: a new event.
    Shut(PauseReason),
    /// It stays shut for longer, or the probe was refused.
    Longer,
    /// It opened.
    Opened,
}

/// The pause of a lane, and the way back.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    state: State,
    /// Grows when the gate shuts: tells the answers of calls that left before.
    epoch: u64,
    opened_at: Duration,
    /// When the last probe of this pause was refused without saying for how long.
    refused_at: Option<Duration>,
    throttles: u32,
    outages: u32,
    failures: u32,
    failed_at: Duration,
}

impl Gate {
    pub(super) fn open() -> Self {
        Self {
            state: State::Open,
            epoch: 0,
            opened_at: Duration::ZERO,
            refused_at: None,
            throttles: 0,
            outages: 0,
            failures: 0,
            failed_at: Duration::ZERO,
        }
    }

    /// A gate that a dead process left shut.
    pub(super) fn shut(until: Duration, why: PauseReason, in_a_row: u32) -> Self {
        let mut gate = Self::open();
        gate.state = State::Shut { until, why };
        match why {
            PauseReason::Throttled => gate.throttles = in_a_row,
            PauseReason::Outage => gate.outages = in_a_row,
        }
        gate
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Until when and why, while not open.
    pub(super) fn pause(&self) -> Option<(Duration, PauseReason)> {
        match self.state {
            State::Open => None,
            State::Shut { until, why } => Some((until, why)),
            State::Probing { since, why, .. } => Some((since, why)),
        }
    }

    /// Refused probes in a row.
    pub(super) fn in_a_row(&self) -> u32 {
        self.throttles.max(self.outages)
    }

    pub(super) fn is_probing(&self) -> bool {
        matches!(self.state, State::Probing { .. })
    }

    pub(super) fn way(&self, now: Duration) -> Way {
        match self.state {
            State::Open => Way::Free,
            State::Shut { until, .. } if now < until => Way::Blocked(until),
            State::Shut { .. } => Way::AsProbe,
            State::Probing { since, .. } => Way::Blocked(since + LOST),
        }
    }

    /// When [`Gate::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            State::Probing {
                since, answered, ..
            } => Some(answered.map_or(since + LOST, |at| at + SETTLED)),
            _ => None,
        }
    }

    /// Lets what only time decides happen.
    pub(super) fn tick(&mut self, now: Duration) -> Change {
        match self.state {
            State::Probing {
                answered: Some(at), ..
            } if now >= at + SETTLED => self.reopen(now),
            State::Probing {
                since,
                why,
                answered: None,
            } if now >= since + LOST => {
                self.state = State::Shut { until: now, why };
                Change::None
            }
            _ => Change::None,
        }
    }

    /// The probe has left.
    pub(super) fn probe_left(&mut self, now: Duration) {
        if let State::Shut { why, .. } = self.state {
            self.state = State::Probing {
                since: now,
                answered: None,
                why,
            };
        }
    }

    /// The probe came back without saying anything.
    pub(super) fn probe_said_nothing(&mut self, now: Duration) {
        if let State::Probing { why, .. } = self.state {
            self.state = State::Shut { until: now, why };
        }
    }

    /// Some request was answered; whose is not known.
    pub(super) fn heard(&mut self, now: Duration) {
        if let State::Probing {
            answered: answered @ None,
            ..
        } = &mut self.state
        {
            *answered = Some(now);
        }
    }

    /// A call was answered and not refused.
    pub(super) fn answered(&mut self, now: Duration, probe: bool) -> Change {
        self.failures = 0;
        if probe && self.is_probing() {
            return self.reopen(now);
        }
        Change::None
    }

    /// A request was throttled. `old`: it belongs to a call that left before the gate shut last. `brief`: where the
    /// vendor does not say for how long, the least pause does, until a probe is refused.
    pub(super) fn throttled(
        &mut self,
        now: Duration,
        after: Option<Duration>,
        old: bool,
        brief: bool,
        dice: &mut Dice,
    ) -> Change {
        let why = PauseReason::Throttled;
        let asked = after.map(|wait| now + wait.clamp(LEAST_WAIT, MOST_WAIT));
        match self.state {
            State::Shut { until, .. } => self.lengthen(until, asked, why),
            State::Probing { .. } if !old => {
                self.throttles += 1;
                self.refused_at = asked.is_none().then_some(now);
                let until = asked.unwrap_or_else(|| now + self.throttle_backoff(dice));
                self.state = State::Shut { until, why };
                Change::Longer
            }
            // One that left before the pause and comes back after it: what it asks for holds, but it is no news.
            State::Open | State::Probing { .. } if old => match asked {
                Some(until) => {
                    self.state = State::Shut { until, why };
                    Change::Longer
                }
                None => Change::None,
            },
            State::Open | State::Probing { .. } => {
                self.throttles = 1;
                self.refused_at = asked.is_none().then_some(now);
                let until = asked.unwrap_or_else(|| {
                    let backoff = self.throttle_backoff(dice);
                    now + if brief { LEAST_WAIT } else { backoff }
                });
                self.state = State::Shut { until, why };
                self.epoch += 1;
                Change::Shut(why)
            }
        }
    }

    /// A call found nobody, or nobody in time.
    pub(super) fn unavailable(
        &mut self,
        now: Duration,
        after: Option<Duration>,
        sent: &Sent,
        old: bool,
        dice: &mut Dice,
    ) -> Change {
        let why = PauseReason::Outage;
        let asked = after.map(|wait| now + wait.clamp(LEAST_WAIT, MOST_WAIT));
        match self.state {
            State::Shut { until, .. } => self.lengthen(until, asked, why),
            State::Probing { .. } if sent.probe => {
                self.outages += 1;
                let ours = now + self.outage_backoff(dice);
                // A vendor that is down asks for a moment and is still down: ours holds when it is longer.
                let until = asked.map_or(ours, |at| at.max(ours));
                self.state = State::Shut { until, why };
                Change::Longer
            }
            State::Open if !old => {
                // Requests that travelled together fail together: that is one failure, not many in a row.
                if asked.is_none() && self.failures > 0 && sent.at < self.failed_at {
                    return Change::None;
                }
                self.failures += 1;
                self.failed_at = now;
                if asked.is_none() && self.failures < OUTAGE_AFTER {
                    return Change::None;
                }
                self.outages = 1;
                let until = asked.unwrap_or_else(|| now + self.outage_backoff(dice));
                self.state = State::Shut { until, why };
                self.epoch += 1;
                Change::Shut(why)
            }
            State::Open | State::Probing { .. } => Change::None,
        }
    }

    /// When the last refusal came that did not say for how long, in the pause that is over now.
    pub(super) fn refused_at(&self) -> Option<Duration> {
        self.refused_at
    }

    /// How long it has been open.
    pub(super) fn open_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.opened_at)
    }

    /// A pause is as long as the longest wish.
    fn lengthen(&mut self, until: Duration, asked: Option<Duration>, why: PauseReason) -> Change {
        match asked {
            Some(longer) if longer > until => {
                self.state = State::Shut { until: longer, why };
                Change::Longer
            }
            _ => Change::None,
        }
    }

    fn reopen(&mut self, now: Duration) -> Change {
        self.state = State::Open;
        self.opened_at = now;
        self.failures = 0;
        self.throttles = 0;
        self.outages = 0;
        Change::Opened
    }

    fn throttle_backoff(&self, dice: &mut Dice) -> Duration {
        let most = if self.throttles <= PATIENCE {
            DOUBLINGS
        } else {
            DOUBLINGS_THEN
        };
        let doublings = self.throttles.min(most);
        let most = f64::from(1_u32 << doublings);
        Duration::from_secs_f64(most * dice.roll()).clamp(LEAST_WAIT, MOST_WAIT)
    }

    fn outage_backoff(&self, dice: &mut Dice) -> Duration {
        let doublings = self.outages.saturating_sub(1).min(DOUBLINGS_THEN);
        let base = (OUTAGE_FIRST * f64::from(1_u32 << doublings)).min(OUTAGE_MOST);
        Duration::from_secs_f64(base * (1.0 + dice.roll() / 4.0))
    }
}
