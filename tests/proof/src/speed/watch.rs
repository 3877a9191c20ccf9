//! One run of a program, from its start to its exit: time, processor, memory.

use std::fs;
use std::io;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How often a running program's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Ticks of the processor's account in a second: fixed at 100 on Linux, whatever the kernel was built with.
const TICKS: f64 = 100.0;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) status: ExitStatus,
    pub(super) wall: Duration,
    /// User and system together.
    pub(super) processor: Duration,
    pub(super) peak_mib: f64,
}

/// Runs it to its end.
pub(super) fn run(command: &mut Command) -> io::Result<Run> {
    let before = processor_of_children();
    let start = Instant::now();
    let mut child = command.spawn()?;
    let looked_at = format!("/proc/{}/status", child.id());
    let looking = thread::spawn(move || {
        let mut peak: f64 = 0.0;
        // The file is gone, or says nothing of memory, once the program has ended.
        while let Some(mib) = fs::read_to_string(&looked_at)
            .ok()
            .and_then(|text| peak_in(&text))
        {
            peak = peak.max(mib);
            thread::sleep(LOOK);
        }
        peak
    });
    let status = child.wait()?;
    let wall = start.elapsed();
    Ok(Run {
        status,
        wall,
        processor: processor_of_children().saturating_sub(before),
        peak_mib: looking.join().unwrap_or_default(),
    })
}

fn peak_in(status: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Processor time of all children that have ended.
fn processor_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces; what counts comes after it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |n: usize| {
        let text = rest.split_whitespace().nth(n)?;
        text.parse::<f64>().ok()
    };
    let ticks = field(13).unwrap_or(0.0) + field(14).unwrap_or(0.0);
    Duration::from_secs_f64(ticks / TICKS)
}

/// The middle of some figures, and how far the outermost two are apart, as a part of it.
pub(super) fn median(mut figures: Vec<f64>) -> (f64, f64) {
    figures.sort_by(f64::total_cmp);
    let middle = figures[figures.len() / 2];
    let spread = (figures[figures.len() - 1] - figures[0]) / middle;
    (middle, spread)
}
