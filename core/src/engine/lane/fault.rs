//! What stops a lane until a person acts.

use std::collections::HashSet;

use crate::context::Priority;
use crate::error::{Error, ErrorKind, ErrorRecord, Retry};

use super::Role;

/// So many different subjects meet the same missing right before it is held to be the lane's.
const SAME_FOR: usize = 5;

/// Why a lane does nothing more. The message says what is wrong, the hint what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneFault {
    /// The error that every further subject would meet.
    pub error: ErrorRecord,
}

impl LaneFault {
    /// A fault that this error is about.
    pub fn new(error: ErrorRecord) -> Self {
        Self { error }
    }

    /// What a call that waits in the lane is told: it was not made, and may be made later.
    pub(super) fn to_error(&self) -> Error {
        let text = format!("the lane has stopped: {}", self.error.message);
        let error = Error::new(
            ErrorKind::Cancelled,
            Retry::Safe { after: None },
            "pay",
            text,
        );
        match &self.error.hint {
            Some(hint) => error.with_hint(hint.clone()),
            None => error,
        }
    }
}

/// Watches whether the first subjects of a lane all miss the same right.
#[derive(Debug, Default)]
pub(super) struct Rights {
    roles: [RightsOfRole; Role::COUNT],
}

#[derive(Debug, Default)]
struct RightsOfRole {
    proved: bool,
    denied: Option<(ErrorRecord, HashSet<u64>)>,
}

impl Rights {
    /// Whether anybody was served: then a missing right is one subject's affair.
    pub(super) fn are_proved(&self, role: Role) -> bool {
        self.roles[role as usize].proved
    }

    pub(super) fn granted(&mut self, role: Role) {
        let of_role = &mut self.roles[role as usize];
        of_role.proved = true;
        of_role.denied = None;
    }

    pub(super) fn denied(
        &mut self,
        role: Role,
        subject: u64,
        error: ErrorRecord,
    ) -> Option<LaneFault> {
        let of_role = &mut self.roles[role as usize];
        if of_role.proved {
            return None;
        }
        match &mut of_role.denied {
            Some((first, subjects)) if same_right(first, &error) => {
                subjects.insert(subject);
                (subjects.len() >= SAME_FOR).then(|| LaneFault::new(first.clone()))
            }
            other => {
                *other = Some((error, HashSet::from([subject])));
                None
            }
        }
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn same_right(a: &ErrorRecord, b: &ErrorRecord) -> bool {
    a.kind == b.kind && a.operation == b.operation && a.vendor_code == b.vendor_code
}

/// Classes in the order they are served.
pub(super) const CLASSES: [Priority; 3] = [Priority::Urgent, Priority::Normal, Priority::Evidence];
