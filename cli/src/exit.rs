//! Exit codes: a contract that scripts depend on. Where several hold, the first of 1, 5, 3, 0.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Every job is confirmed or gone.
    Done = 0,
    /// An unexpected fault: store, I/O, a bug.
    Fault = 1,
    /// Usage, configuration or input; nothing was started.
    Usage = 2,
    /// Finished, but some jobs are refused or parked, and are listed; or a check found something wrong.
    Unfulfilled = 3,
    /// Refused by a guard before anything was sent.
    Guard = 4,
    /// Jobs are still open; `rescind run` continues.
    Open = 5,
}

impl Exit {
    /// The exit code of counted jobs: open before refused or parked.
    pub(crate) fn of_counts(counts: &rescind_core::order::Counts) -> Self {
        if counts.open > 0 {
            Self::Open
        } else if counts.refused + counts.parked > 0 {
            Self::Unfulfilled
        } else {
            Self::Done
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use rescind_core::order::Counts;

    use super::*;

    #[test]
    fn open_outranks_refused() {
        let counts = |open, refused, parked| Counts {
            open,
            refused,
            parked,
            ..Counts::default()
        };
        assert_eq!(Exit::of_counts(&counts(0, 0, 0)), Exit::Done);
        assert_eq!(Exit::of_counts(&counts(0, 1, 0)), Exit::Unfulfilled);
        assert_eq!(Exit::of_counts(&counts(0, 0, 1)), Exit::Unfulfilled);
        assert_eq!(Exit::of_counts(&counts(1, 1, 1)), Exit::Open);
    }
}
