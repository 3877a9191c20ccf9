//! The right to make one call, and what came of it.

use std::fmt;
use std::time::Duration;

use crate::context::Paid;
use crate::engine::pacer::Sent;
use crate::error::ErrorRecord;

use super::fault::LaneFault;
use super::{Lane, Role};

/// The right to make one call, its first request paid. Dropped without [`Permit::done`], it gives its places back and
/// says nothing about the provider.
#[must_use = "a permit that is dropped gives its place back"]
pub struct Permit {
    lane: Lane,
    pub(super) role: Role,
    pub(super) people: u32,
    pub(super) sent: Sent,
    reported: bool,
}

/// What a call showed of its provider's health.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The provider did what it was asked: the right to ask it is there.
    Served,
    /// It answered without serving: it is there, but the answer proves no right. A subject it does not know, a request
    /// it does not take, an answer nobody recognises.
    Heard,
    /// The provider wants fewer calls.
    Throttled {
        /// For how long, where it said so.
        after: Option<Duration>,
    },
    /// The provider, or the way to it, is down, or did not answer in time.
    Unavailable {
        /// For how long, where it said so.
        after: Option<Duration>,
    },
    /// The credentials are good, a right is missing: for this subject, or for all.
    PermissionDenied {
        /// Tells subjects apart.
        subject: u64,
        /// What was answered.
        error: ErrorRecord,
    },
    /// Every other subject would meet the same.
    Fault(LaneFault),
    /// Nothing to be learnt: the call was not sent, or was cancelled.
    Neutral,
}

impl Permit {
    pub(super) fn new(lane: Lane, role: Role, people: u32, sent: Sent) -> Self {
        Self {
            lane,
            role,
            people,
            sent,
            reported: false,
        }
    }

    /// Whether this call goes alone, to see whether a pause is over.
    pub fn is_probe(&self) -> bool {
        self.sent.probe
    }

    /// The receipt of its first request.
    pub fn paid(&self) -> Paid {
        Paid::at(self.lane.inner.opened + self.sent.at)
    }

    /// Whether the call may still leave: the lane has neither paused nor stopped since it was admitted.
    pub fn is_good(&self) -> bool {
        self.lane.lets_go(&self.sent)
    }

    /// The call is over.
    pub fn done(mut self, verdict: &Verdict) {
        self.reported = true;
        self.lane.finish(&self, verdict);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.reported {
            self.lane.finish(self, &Verdict::Neutral);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("role", &self.role)
            .field("people", &self.people)
            .finish_non_exhaustive()
    }
}
