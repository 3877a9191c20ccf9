//! One life of the program, ended by itself or by us.

use std::fs::File;
use std::io;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rescind_integration::program::Desk;

/// How often we look whether it has ended by itself.
const LOOK: Duration = Duration::from_millis(1);

/// What a life left behind.
#[derive(Debug)]
pub(super) struct Life {
    /// When it was killed, if it was.
    pub(super) killed: Option<Instant>,
    /// Its exit code, where it has one.
    pub(super) code: Option<i32>,
    /// What it said on stderr.
    pub(super) said: String,
}

/// Starts the program and kills it after `limit`, unless it ends before.
pub(super) fn live(
    desk: &Desk,
    args: &[String],
    armed: Option<&str>,
    limit: Duration,
) -> io::Result<Life> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = desk.path().join("said");
    let mut command = desk.command(&args);
    command.stdout(Stdio::null()).stderr(File::create(&said)?);
    if let Some(armed) = armed {
        command.env("FAILPOINTS", armed);
    } else if !cfg!(debug_assertions) {
        // A release build knows no such variable: were it otherwise, no order would ever be accepted.
        command.env("FAILPOINTS", "before:accepted=error");
    }
    let end = Instant::now() + limit;
    let mut child = command.spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        let rest = end.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            break None;
        }
        sleep(rest.min(LOOK));
    };
    let killed = if status.is_none() {
        // Before the signal: what is answered from now on may not be written any more.
        let now = Instant::now();
        child.kill()?;
        child.wait()?;
        Some(now)
    } else {
        None
    };
    Ok(Life {
        killed,
        code: status.and_then(|status| status.code()),
        said: String::from_utf8_lossy(&std::fs::read(said)?).into_owned(),
    })
}
