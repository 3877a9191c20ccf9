//! What a run asked of the operating system, in order, as `strace` saw it: which pages of the database's log were
//! durable when a request left and when something was told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `strace` lies, if this machine has it.
pub const STRACE: &str = "/usr/bin/strace";

/// The size of a page and of the head before it, in SQLite's log: <https://sqlite.org/fileformat2.html#walformat>.
const PAGE: usize = 4096;
const FRAME_HEAD: usize = 24;

/// The same command, watched: its calls go to a file, with every byte in hexadecimal.
pub fn watched(command: &Command, trace: &Path) -> Command {
    let calls = "trace=fsync,fdatasync,pwrite64,write,writev,ftruncate,sendto,sendmsg,link,linkat,rename,renameat,\
                 renameat2,mkdir";
    let mut watched = Command::new(STRACE);
    watched
        .args(["-f", "-y", "-xx", "-s", "65536", "-e", calls, "-o"])
        .arg(trace)
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        watched.current_dir(folder);
    }
    watched.env_clear();
    for (name, value) in command.get_envs() {
        watched.envs(value.map(|value| (name, value)));
    }
    watched
}

/// One line of a trace.
#[derive(Debug, Default)]
struct Call {
    process: String,
    name: String,
    /// The file or socket behind the first argument, and its number.
    file: String,
    number: String,
    /// All bytes in quotes, one after the other.
    bytes: Vec<u8>,
    /// The last argument.
    last: u64,
    begins: bool,
    ends: bool,
}

impl Call {
    fn of(line: &str) -> Option<Self> {
        let (process, rest) = line.split_once(' ')?;
        let (process, rest) = (process.to_owned(), rest.trim_start());
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (name, _) = resumed.split_once(' ')?;
            return Some(Self {
                process,
                name: name.to_owned(),
                ends: true,
                ..Self::default()
            });
        }
        let (name, arguments) = rest.split_once('(')?;
        let ends = !arguments.ends_with("<unfinished ...>");
        let arguments = match arguments.rsplit_once(')') {
            Some((arguments, _)) if ends => arguments,
            _ => arguments.trim_end_matches("<unfinished ...>"),
        };
        let (number, file) = match arguments.split_once('<') {
            Some((number, more)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (number, more.split('>').next().unwrap_or_default())
            }
            _ => ("", ""),
        };
        let file = if file.starts_with("\\x") {
            String::from_utf8_lossy(&from_hex(file)).into_owned()
        } else {
            file.to_owned()
        };
        let mut bytes = Vec::new();
        for quoted in arguments.split('"').skip(1).step_by(2) {
            bytes.extend(from_hex(quoted));
            bytes.push(b'\n');
        }
        bytes.pop();
        Some(Self {
            process,
            name: name.to_owned(),
            file,
            number: number.to_owned(),
            bytes,
            last: arguments
                .rsplit(", ")
                .next()
                .and_then(|last| last.trim().parse().ok())
                .unwrap_or(0),
            begins: true,
            ends,
        })
    }

    fn is_sync(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync")
    }

    fn is_change(&self) -> bool {
        let changes = ["pwrite64", "write", "writev", "ftruncate"];
        self.begins && self.file.starts_with('/') && changes.contains(&self.name.as_str())
    }

    /// What a file made aside was called, and the name it gets.
    fn named(&self, home: &Path) -> Option<(PathBuf, PathBuf)> {
        let names = self.name.starts_with("link") || self.name.starts_with("rename");
        let paths = self.begins.then(|| self.paths(home)).filter(|_| names)?;
        let [aside, name] = <[PathBuf; 2]>::try_from(paths).ok()?;
        Some((aside, name))
    }

    /// All that is quoted, as paths of a process that was started in `home`.
    fn paths(&self, home: &Path) -> Vec<PathBuf> {
        let paths = String::from_utf8_lossy(&self.bytes).into_owned();
        let path = |path: &str| home.join(path.trim_start_matches("./"));
        paths.split('\n').map(path).collect()
    }

    fn is_to_log(&self) -> bool {
        self.file.ends_with("/rescind.db-wal")
    }

    fn is_revocation(&self) -> bool {
        self.begins
            && self.file.starts_with("socket:")
            && holds(&self.bytes, b"revokeSignInSessions")
    }

    fn is_report(&self) -> bool {
        self.begins && self.number == "1" && holds(&self.bytes, b"confirmed")
    }
}

/// `\x41\x42` as bytes; anything else in it stands for itself.
fn from_hex(text: &str) -> Vec<u8> {
    text.split("\\x")
        .skip(1)
        .filter_map(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok())
        .collect()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// The log of the database, and what of it is durable.
#[derive(Debug, Default)]
struct Log {
    /// Where the page of a frame will be written, and its number.
    heads: BTreeMap<u64, u32>,
    unsynced: Vec<(u32, Vec<u8>)>,
    durable: BTreeMap<u32, Vec<u8>>,
    /// Syncs under way: by process, how many of the unsynced pages they cover.
    syncing: BTreeMap<String, usize>,
}

impl Log {
    fn take(&mut self, call: &Call) {
        if call.is_to_log() && call.name == "pwrite64" {
            self.write(call);
        } else if call.is_sync() && (call.is_to_log() || !call.begins) {
            self.sync(call);
        }
    }

    fn write(&mut self, call: &Call) {
        if call.bytes.len() == FRAME_HEAD {
            let number = call.bytes[..4].try_into().map_or(0, u32::from_be_bytes);
            self.heads.insert(call.last + FRAME_HEAD as u64, number);
        } else if let Some(page) = self.heads.get(&call.last)
            && call.bytes.len() == PAGE
        {
            self.unsynced.push((*page, call.bytes.clone()));
        }
    }

    fn sync(&mut self, call: &Call) {
        if call.begins {
            self.syncing
                .insert(call.process.clone(), self.unsynced.len());
        }
        if call.ends
            && let Some(covered) = self.syncing.remove(&call.process)
        {
            self.durable.extend(self.unsynced.drain(..covered));
        }
    }

    /// How many durable entries of the record name this action.
    fn entries(&self, action: &str) -> usize {
        let action = action.as_bytes();
        let count = |page: &Vec<u8>| page.windows(action.len()).filter(|w| *w == action).count();
        self.durable.values().map(count).sum()
    }
}

/// Files whose content is durable as it is seen.
#[derive(Debug, Default)]
struct Whole {
    files: BTreeSet<PathBuf>,
    /// Syncs under way, by process: the file, unless it was changed since.
    syncing: BTreeMap<String, PathBuf>,
}

impl Whole {
    fn take(&mut self, call: &Call) {
        let file = PathBuf::from(&call.file);
        if call.is_change() {
            self.syncing.retain(|_, syncing| *syncing != file);
            self.files.remove(&file);
        } else if call.is_sync() {
            if call.begins {
                self.syncing.insert(call.process.clone(), file);
            }
            if call.ends {
                self.files.extend(self.syncing.remove(&call.process));
            }
        }
    }
}

/// Checks the order of things in a run that revoked `people`, one after the other, with a state folder that it made
/// itself below `home`, where it was started.
///
/// # Errors
/// The first line that came too early, and before what.
pub fn check(lines: &[String], people: usize, home: &Path) -> Result<(), String> {
    let mut log = Log::default();
    let mut whole = Whole::default();
    let mut sent = 0;
    let mut told = false;
    let mut made = false;
    // What was made and whose name is not synced yet.
    let mut unnamed: Vec<PathBuf> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(call) = Call::of(line) else { continue };
        let early = |what: &str| Err(format!("line {}: {what}", number + 1));
        log.take(&call);
        whole.take(&call);
        if let Some((aside, name)) = call.named(home) {
            if !whole.files.contains(&aside) {
                let name = name.display();
                return early(&format!("{name} was named before its content was durable"));
            }
            made |= is_database(&name);
            unnamed.push(name);
        } else if call.is_sync() {
            // Nothing but the name is waited for, so the sync's end need not be seen.
            unnamed.retain(|made| made.parent() != Some(Path::new(&call.file)));
        } else if call.begins && call.name == "mkdir" {
            unnamed.extend(call.paths(home));
        } else if call.is_revocation() {
            sent += 1;
            if log.entries("attempts_started") < sent {
                return early("a revocation left before its intent was durable");
            }
            if let Some(made) = unnamed.first() {
                let made = made.display();
                return early(&format!(
                    "a revocation left before the name of {made} was durable"
                ));
            }
        } else if call.is_report() {
            told = true;
            if log.entries("job_settled") < people {
                return early("the report was told before the outcomes were durable");
            }
        }
    }
    if !made {
        return Err("no database was made aside and named".to_owned());
    }
    let durable = (log.entries("attempts_started"), log.entries("job_settled"));
    if (sent, told, durable) != (people, true, (people, people)) {
        return Err(format!(
            "{sent} revocations and a report ({told}) were seen, and {durable:?} entries, for {people} people"
        ));
    }
    Ok(())
}

fn is_database(path: &Path) -> bool {
    path.ends_with("rescind.db")
}

/// Four traces that tell a lie: the sync that the first revocation had to wait for comes after it, and so with the
/// report, and with the name of the database; and the folder that this name is in is never synced.
pub fn doctored(lines: &[String], people: usize, home: &Path) -> Vec<Vec<String>> {
    let swapped = |action: &str, entries: usize, early: fn(&Call) -> bool| {
        let early = lines
            .iter()
            .position(|line| Call::of(line).as_ref().is_some_and(early))?;
        let mut log = Log::default();
        let synced = lines.iter().position(|line| {
            Call::of(line).is_some_and(|call| {
                log.take(&call);
                call.is_sync() && log.entries(action) >= entries
            })
        })?;
        let mut lie = lines.to_vec();
        lie.swap(synced, early);
        (synced < early).then_some(lie)
    };
    let calls: Vec<Option<Call>> = lines.iter().map(|line| Call::of(line)).collect();
    let named = calls.iter().enumerate().find_map(|(line, call)| {
        let (aside, name) = call.as_ref()?.named(home)?;
        is_database(&name).then_some((line, aside, name))
    });
    let syncs = |call: &Option<Call>, file: &Path| {
        let syncs = |call: &Call| call.begins && call.is_sync() && Path::new(&call.file) == file;
        call.as_ref().is_some_and(syncs)
    };
    let hasty = named.as_ref().and_then(|(line, aside, _)| {
        let synced = calls[..*line].iter().rposition(|call| syncs(call, aside))?;
        let mut lie = lines.to_vec();
        lie.swap(synced, *line);
        Some(lie)
    });
    let nameless = named.as_ref().and_then(|(_, _, name)| {
        let folder = name.parent()?;
        let kept = lines.iter().zip(&calls);
        let kept = kept.filter(|(_, call)| !syncs(call, folder));
        Some(kept.map(|(line, _)| line.clone()).collect())
    });
    let lies = [
        swapped("attempts_started", 1, Call::is_revocation),
        swapped("job_settled", people, Call::is_report),
        hasty,
        nameless,
    ];
    lies.into_iter().flatten().collect()
}
