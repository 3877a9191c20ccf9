//! One process works on a state folder at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::private;

/// Held by the working process. The operating system takes it back when the process dies, however it dies.
#[derive(Debug)]
pub struct EngineLock {
    _file: File,
}

/// Who holds the engine lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Its process id; 0 when it has not said so yet.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
}

pub(super) fn try_lock(path: &Path, now: Timestamp) -> io::Result<Result<EngineLock, LockHolder>> {
    let mut file = private::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {
            let holder = LockHolder {
                pid: std::process::id(),
                since: now,
            };
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&serde_json::to_vec(&holder)?)?;
            Ok(Ok(EngineLock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => Ok(Err(holder(&mut file, now)?)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The holder writes its name just after it has the lock, so it may take a moment until it can be read.
fn holder(file: &mut File, now: Timestamp) -> io::Result<LockHolder> {
    for _ in 0..10 {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        if let Ok(holder) = serde_json::from_str(&text) {
            return Ok(holder);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(LockHolder { pid: 0, since: now })
}
