//! Files in memory that know what of them is durable.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use crate::chance::Chance;
use crate::layer;
use crate::locks::{FileLocks, IndexLocks};
use crate::loss;

/// A disk that loses power. Clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Shared>);

/// How a disk behaves.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DiskOptions {
    /// The operation at which the power fails, counted from 1: writes, truncations, syncs, and files made or removed.
    pub cut_at: Option<u64>,
    /// Syncs of commits to the log are put off until something is written to the database: what SQLite does with
    /// `synchronous=NORMAL`, under a store that insists on `FULL`.
    pub normal: bool,
}

pub(crate) struct Shared {
    id: u64,
    options: DiskOptions,
    pub(crate) platter: Mutex<Platter>,
}

/// Everything on a disk.
#[derive(Debug, Default)]
pub(crate) struct Platter {
    /// Names as a running process sees them.
    pub(crate) names: BTreeMap<String, usize>,
    /// For each name, what it stood for at the last sync of its folder and at each change since.
    pub(crate) name_history: BTreeMap<String, Vec<Option<usize>>>,
    pub(crate) files: Vec<File>,
    operations: u64,
    dead: bool,
}

#[derive(Debug, Default)]
pub(crate) struct File {
    /// As a running process sees it.
    pub(crate) seen: Vec<u8>,
    /// As it was at the last sync.
    pub(crate) durable: Vec<u8>,
    /// What was done to it since, in order.
    pub(crate) unsynced: Vec<Change>,
    /// How many of those a sync was asked for that was put off.
    put_off: usize,
    /// Whether its name is younger than the last sync of its folder.
    pub(crate) young: bool,
    pub(crate) locks: FileLocks,
    pub(crate) index: Index,
}

/// The shared index beside a database.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) regions: Vec<layer::Region>,
    pub(crate) locks: IndexLocks,
    pub(crate) users: usize,
}

/// Something that was done to a file.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    /// Does it.
    pub(crate) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(length) => content.resize(*length, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

impl File {
    pub(crate) fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.unsynced.push(change);
    }

    /// Makes the first `n` changes durable.
    fn settle(&mut self, n: usize) {
        for change in self.unsynced.drain(..n) {
            change.apply(&mut self.durable);
        }
        self.put_off = self.put_off.saturating_sub(n);
    }
}

/// The power has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dead;

impl Platter {
    /// One more operation; an error when the power is gone, from this one on.
    pub(crate) fn operate(&mut self, options: DiskOptions) -> Result<(), Dead> {
        self.alive()?;
        self.operations += 1;
        if options.cut_at == Some(self.operations) {
            self.dead = true;
        }
        self.alive()
    }

    pub(crate) fn alive(&self) -> Result<(), Dead> {
        if self.dead { Err(Dead) } else { Ok(()) }
    }

    /// The file of that name, made when it is not there and `create` says so.
    pub(crate) fn open(
        &mut self,
        name: &str,
        create: bool,
        options: DiskOptions,
    ) -> Result<Option<usize>, Dead> {
        self.alive()?;
        if let Some(file) = self.names.get(name) {
            return Ok(Some(*file));
        }
        if !create {
            return Ok(None);
        }
        let operated = self.operate(options);
        self.files.push(File {
            young: true,
            ..File::default()
        });
        let file = self.files.len() - 1;
        self.rename(name, Some(file));
        operated.map(|()| Some(file))
    }

    /// Gives a name to a file, or takes it away.
    pub(crate) fn rename(&mut self, name: &str, file: Option<usize>) {
        let before = match file {
            Some(file) => self.names.insert(name.to_owned(), file),
            None => self.names.remove(name),
        };
        self.name_history
            .entry(name.to_owned())
            .or_insert_with(|| vec![before])
            .push(file);
    }

    /// A sync of the folder: all names are as they are seen.
    pub(crate) fn sync_names(&mut self) {
        self.name_history.clear();
        for file in &mut self.files {
            file.young = false;
        }
    }

    /// A sync of one file, and of its folder if `with_name` and the name is young.
    pub(crate) fn sync(&mut self, file: usize, log: bool, with_name: bool, options: DiskOptions) {
        if with_name && self.files[file].young {
            self.sync_names();
        }
        let file = &mut self.files[file];
        // The head of a log that begins anew is synced in any setting, lest new frames come under an old head.
        let head = matches!(file.unsynced.last(), Some(Change::Write { at: 0, .. }));
        if options.normal && log && !head {
            file.put_off = file.unsynced.len();
        } else {
            file.settle(file.unsynced.len());
        }
    }

    /// What was put off is done before anything is written to the database.
    pub(crate) fn catch_up(&mut self) {
        for file in &mut self.files {
            file.settle(file.put_off);
        }
    }
}

static DISKS: OnceLock<Mutex<HashMap<u64, Weak<Shared>>>> = OnceLock::new();
static NEXT: AtomicU64 = AtomicU64::new(1);

fn disks() -> MutexGuard<'static, HashMap<u64, Weak<Shared>>> {
    DISKS
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    /// An empty disk.
    pub fn new(options: DiskOptions) -> Self {
        Self::with(Platter::default(), options)
    }

    /// A disk with these files, all of them durable.
    pub fn of(files: &[(String, Vec<u8>)], options: DiskOptions) -> Self {
        let mut platter = Platter::default();
        for (name, content) in files {
            platter.names.insert(name.clone(), platter.files.len());
            platter.files.push(File {
                seen: content.clone(),
                durable: content.clone(),
                ..File::default()
            });
        }
        Self::with(platter, options)
    }

    fn with(platter: Platter, options: DiskOptions) -> Self {
        layer::register();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            id,
            options,
            platter: Mutex::new(platter),
        });
        disks().insert(id, Arc::downgrade(&shared));
        Self(shared)
    }

    /// The disk that a path is on, and the file's name there.
    pub(crate) fn find(path: &str) -> Option<(Self, &str)> {
        let (id, name) = path.strip_prefix("/disk-")?.split_once('/')?;
        let shared = disks().get(&id.parse().ok()?)?.upgrade()?;
        Some((Self(shared), name))
    }

    /// What SQLite opens to reach a database on this disk.
    pub fn uri(&self, name: &str) -> PathBuf {
        PathBuf::from(format!(
            "file:/disk-{}/{name}?vfs={}",
            self.0.id,
            layer::NAME
        ))
    }

    pub(crate) fn options(&self) -> DiskOptions {
        self.0.options
    }

    pub(crate) fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0
            .platter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.platter().operations
    }

    /// Whether the power has failed.
    pub fn is_dead(&self) -> bool {
        self.platter().dead
    }

    /// Fails the power now.
    pub fn cut(&self) {
        self.platter().dead = true;
    }

    /// Does something that cannot happen after the power has failed; `None` when it has. The power does not fail
    /// meanwhile, and nothing is written.
    pub fn while_alive<T>(&self, what: impl FnOnce() -> T) -> Option<T> {
        let platter = self.platter();
        platter.alive().is_ok().then(what)
    }

    /// The files as a running process sees them.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let platter = self.platter();
        let seen =
            |(name, file): (&String, &usize)| (name.clone(), platter.files[*file].seen.clone());
        platter.names.iter().map(seen).collect()
    }

    /// The files as a machine finds them that starts again after the power has failed; the seed says which.
    pub fn after_power_loss(&self, seed: u64) -> Vec<(String, Vec<u8>)> {
        loss::image(&self.platter(), &mut Chance::new(seed))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        disks().remove(&self.id);
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}
