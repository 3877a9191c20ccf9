//! The engine lock of the state folder, as the engine asks for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rescind_core::engine::follow;
use rescind_core::store::StoreError;
use rescind_store::{EngineLock, StateFolder};

use crate::output::remark;

/// Holds the lock once it was free, and says once who holds it otherwise.
pub(crate) struct Lock {
    folder: Arc<StateFolder>,
    held: Mutex<Option<EngineLock>>,
    told: AtomicBool,
}

impl Lock {
    /// The lock of a folder, not taken. `quiet`: nothing is said of who holds it.
    pub(crate) fn new(folder: Arc<StateFolder>, quiet: bool) -> Self {
        Self {
            folder,
            held: Mutex::new(None),
            told: AtomicBool::new(quiet),
        }
    }
}

impl follow::EngineLock for Lock {
    fn try_take(&self) -> Result<bool, StoreError> {
        match self.folder.try_lock_engine()? {
            Ok(lock) => {
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
                Ok(true)
            }
            Err(holder) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    let since = holder.since.strftime("%F %T UTC");
                    remark(&format!(
                        "Process {} works on this state folder since {since}; following it.",
                        holder.pid
                    ));
                }
                Ok(false)
            }
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("path", &self.folder.path())
            .finish_non_exhaustive()
    }
}
