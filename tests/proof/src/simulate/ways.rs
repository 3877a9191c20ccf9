//! How a simulated provider answers one call, by chance and circumstance.

use std::time::Duration;

use rescind_core::error::{Error, ErrorKind, Retry};

use super::dice::Dice;
use super::scenario::{Down, VendorPlan};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Well,
    /// Fewer calls, please; for so many milliseconds, where it says so.
    Throttled(Option<u64>),
    /// Not carried out.
    Unavailable(Option<u64>),
    Expired,
    Denied,
    /// No usable answer.
    Lost {
        carried_out: bool,
        /// Nothing comes back at all.
        hangs: bool,
    },
    Garbage {
        carried_out: bool,
    },
    Partial,
}

/// Which kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Resolve,
    Revoke,
    Evidence,
}

impl VendorPlan {
    pub(super) fn way(&self, dice: &mut Dice, role: Role, now: u64, calm: bool) -> Way {
        if calm {
            return Way::Well;
        }
        for outage in &self.outages {
            let hit = match outage.what {
                Down::Everything | Down::Credentials => true,
                Down::Directory => role == Role::Resolve,
                Down::Evidence => role == Role::Evidence,
            };
            if !hit || now < outage.from_ms || now >= outage.to_ms {
                continue;
            }
            if outage.what == Down::Credentials {
                return Way::Expired;
            }
            return match dice.below(3) {
                0 => Way::lost(dice),
                _ => Way::Unavailable(after(dice)),
            };
        }
        let moods = &self.moods;
        if dice.permille(moods.throttled) {
            Way::Throttled(after(dice))
        } else if dice.permille(moods.unavailable) {
            Way::Unavailable(after(dice))
        } else if dice.permille(moods.lost) {
            Way::lost(dice)
        } else if dice.permille(moods.garbage) {
            let carried_out = dice.percent(50);
            Way::Garbage { carried_out }
        } else if dice.permille(moods.denied) {
            Way::Denied
        } else if role == Role::Revoke && self.steps > 0 && dice.permille(moods.partial) {
            Way::Partial
        } else {
            Way::Well
        }
    }
}

impl Way {
    fn lost(dice: &mut Dice) -> Self {
        Self::Lost {
            carried_out: dice.percent(60),
            hangs: dice.percent(20),
        }
    }

    /// The error that a call ends with which does not end well. `reads`: the call would have changed nothing.
    pub(super) fn error(self, operation: &'static str, reads: bool) -> Option<Error> {
        let asked = |after: Option<u64>| Retry::Safe {
            after: after.map(Duration::from_millis),
        };
        let unknown = if reads {
            Retry::Safe { after: None }
        } else {
            Retry::OutcomeUnknown
        };
        let (kind, retry, what) = match self {
            Self::Well | Self::Partial => return None,
            Self::Throttled(after) => (ErrorKind::RateLimited, asked(after), "too many requests"),
            Self::Unavailable(after) => (ErrorKind::Unavailable, asked(after), "down"),
            Self::Expired => (ErrorKind::Unauthenticated, Retry::Never, "expired"),
            Self::Denied => (ErrorKind::PermissionDenied, Retry::Never, "not allowed"),
            Self::Lost { .. } => (ErrorKind::Timeout, unknown, "no answer"),
            Self::Garbage { .. } => (ErrorKind::InvalidResponse, unknown, "not understood"),
        };
        Some(Error::new(kind, retry, operation, what))
    }
}

/// What a provider asks for, in milliseconds: whole seconds, as `Retry-After` has them.
fn after(dice: &mut Dice) -> Option<u64> {
    match dice.below(10) {
        0..=2 => None,
        3 => Some(dice.between(20, 120) * 1_000),
        _ => Some(dice.between(1, 8) * 1_000),
    }
}
