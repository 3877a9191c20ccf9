//! The store of `rescind`: SQLite in a state folder, behind the traits of `rescind-core`.
//!
//! One thread writes and commits what is queued at once with one sync; readers have connections of their own. One
//! process works under the engine lock, others read, stage and accept.

#[cfg(feature = "conformance")]
pub mod conformance;
mod folder;
mod sqlite;
mod verify;

pub use folder::{Ed25519, Ed25519Signer, EngineLock, LockHolder, StateFolder};
pub use sqlite::SqliteStore;
#[cfg(feature = "conformance")]
pub use sqlite::fault::DiskFault;
pub use verify::{Mismatch, verify};
