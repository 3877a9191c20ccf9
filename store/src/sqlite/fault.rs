//! A disk that is slow or fails on purpose, at the step where the writer commits.

use std::sync::Mutex;
use std::time::Duration;

use rescind_core::store::StoreError;

/// What the disk does at a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// Every commit takes this much longer.
    Slow(Duration),
    /// The n-th commit from now, counted from 1, finds the disk full; nothing of it is kept.
    FullAt(u64),
    /// The n-th commit from now is kept, but its sync reports an error.
    LostAnswerAt(u64),
}

/// The fault that is set, if any.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Option<DiskFault>>);

/// What the writer does at this commit.
#[derive(Debug)]
pub(super) enum Step {
    Commit,
    Fail { keep: bool, error: StoreError },
}

impl Faults {
    #[cfg(feature = "conformance")]
    pub(super) fn set(&self, fault: Option<DiskFault>) {
        *self.0.lock().expect("nobody panics while holding it") = fault;
    }

    pub(super) fn at_commit(&self) -> Step {
        let mut set = self.0.lock().expect("nobody panics while holding it");
        match &mut *set {
            None => Step::Commit,
            Some(DiskFault::Slow(by)) => {
                let by = *by;
                drop(set);
                std::thread::sleep(by);
                Step::Commit
            }
            Some(DiskFault::FullAt(n)) if *n <= 1 => Step::Fail {
                keep: false,
                error: StoreError::Full,
            },
            Some(DiskFault::LostAnswerAt(n)) if *n <= 1 => Step::Fail {
                keep: true,
                error: StoreError::Io("the sync failed".to_owned()),
            },
            Some(DiskFault::FullAt(n) | DiskFault::LostAnswerAt(n)) => {
                *n -= 1;
                Step::Commit
            }
        }
    }
}
