//! The program while it runs: what it says so far, signals to it, and its end within a bounded time.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::program::{Desk, Ran};

/// How long the program may take to say something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of the program whose output is kept; killed when dropped.
#[derive(Debug)]
pub struct Running {
    pid: u32,
    stdout: Option<JoinHandle<String>>,
    heard: Arc<Heard>,
    end: Arc<End>,
}

#[derive(Debug, Default)]
struct Heard {
    stderr: Mutex<(String, bool)>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct End {
    status: Mutex<Option<ExitStatus>>,
    came: Condvar,
}

impl Desk {
    /// Starts the program and keeps what it says.
    pub fn begin(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::of(command.spawn().expect("the program starts"))
    }
}

impl Running {
    fn of(mut child: Child) -> Self {
        let pid = child.id();
        let mut stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let (heard, end) = (Arc::new(Heard::default()), Arc::new(End::default()));
        let stdout = thread::spawn(move || {
            let mut text = Vec::new();
            let _cut = stdout.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let hearing = Arc::clone(&heard);
        thread::spawn(move || {
            let mut lines = BufReader::new(stderr);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let mut said = hearing
                    .stderr
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                said.0.push_str(&String::from_utf8_lossy(&line));
                line.clear();
                hearing.more.notify_all();
            }
            hearing
                .stderr
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .1 = true;
            hearing.more.notify_all();
        });
        let ending = Arc::clone(&end);
        thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            *ending.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
            ending.came.notify_all();
        });
        Self {
            pid,
            stdout: Some(stdout),
            heard,
            end,
        }
    }

    /// Waits until stderr has this text.
    #[track_caller]
    pub fn until_it_says(&self, text: &str) {
        let said = self
            .heard
            .stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (said, _) = self
            .heard
            .more
            .wait_timeout_while(said, PATIENCE, |(said, over)| {
                !said.contains(text) && !*over
            })
            .unwrap_or_else(PoisonError::into_inner);
        assert!(said.0.contains(text), "it never said {text:?}:\n{}", said.0);
    }

    /// Sends a signal by its name, such as `INT`.
    pub fn signal(&self, name: &str) {
        if self.is_over() {
            return;
        }
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "the process takes signals"
        );
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.end
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Waits for its end, which must come within this time.
    #[track_caller]
    pub fn ends_within(mut self, limit: Duration) -> Ran {
        let status = self
            .end
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (status, _) = self
            .end
            .came
            .wait_timeout_while(status, limit, |status| status.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let code = if let Some(status) = *status {
            status.code()
        } else {
            let said = self
                .heard
                .stderr
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            panic!("it still runs after {limit:?}:\n{}", said.0)
        };
        drop(status);
        let said = self
            .heard
            .stderr
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (said, _) = self
            .heard
            .more
            .wait_timeout_while(said, PATIENCE, |(_, over)| !*over)
            .unwrap_or_else(PoisonError::into_inner);
        let stderr = said.0.clone();
        drop(said);
        let stdout = self
            .stdout
            .take()
            .map(|reading| reading.join().expect("it reads"));
        Ran {
            code,
            stdout: stdout.unwrap_or_default(),
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over() {
            let _gone = Command::new("kill")
                .args(["-KILL", &self.pid.to_string()])
                .status();
        }
    }
}
