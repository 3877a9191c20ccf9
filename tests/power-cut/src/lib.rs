//! A file layer under SQLite that loses power on purpose.
//!
//! A [`Disk`] keeps, for each file, what is durable (its content at the last sync) and what was only written since.
//! [`Disk::uri`] names a database on it; SQLite reaches it through a layer of its own that is registered once in a
//! process and never the default. At a chosen operation the power fails: that operation and all later ones answer an
//! input/output error. [`Disk::after_power_loss`] is what a machine finds when it starts again: the durable content and
//! some of the unsynced writes, each whole, absent or torn at a sector, in any order, with any of the lengths and names
//! that were on their way.
//!
//! What it takes from SQLite's layer for Unix: a write leaves the bytes beside it alone even when it is torn
//! (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`), and the first sync of a journal or log that was made just now syncs its folder.
//! Shared memory is the process's own, so one process at a time opens a disk, with as many connections as it likes.

mod chance;
mod disk;
mod layer;
mod locks;
mod loss;

pub use disk::{Disk, DiskOptions};
