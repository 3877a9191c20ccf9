//! What a figure was measured on: processor, memory, disk, compiler settings, load.

use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How many appends the disk is asked to sync; about a tenth of a second on a virtual disk.
const SYNCS: usize = 200;

/// The facts printed under every verdict.
#[derive(Clone, Debug)]
pub struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
    /// Median and 99th percentile of appending 4 KiB and syncing it; none where the folder cannot be written.
    sync: Option<(Duration, Duration)>,
    load: String,
}

impl Machine {
    /// Looks at this machine; `folder` is on the disk that the instrument uses.
    #[must_use]
    pub fn look(folder: &Path) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            processor: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| "unknown processor".into()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            sync: sync_latency(folder).ok(),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or("unknown")
                .to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        write!(
            f,
            "{}, {} cores, {} MiB, Linux {}, load {}, {build} build",
            self.processor, self.cores, self.memory_mib, self.kernel, self.load
        )?;
        match self.sync {
            Some((median, worst)) => write!(
                f,
                ", append and sync of 4 KiB {} µs (p99 {} µs)",
                median.as_micros(),
                worst.as_micros()
            ),
            None => f.write_str(", disk not measured"),
        }
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn sync_latency(folder: &Path) -> std::io::Result<(Duration, Duration)> {
    let path = folder.join("sync-latency");
    let mut file = File::create(&path)?;
    let mut taken = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        taken.push(start.elapsed());
    }
    fs::remove_file(path)?;
    taken.sort_unstable();
    Ok((taken[SYNCS / 2], taken[SYNCS * 99 / 100]))
}
