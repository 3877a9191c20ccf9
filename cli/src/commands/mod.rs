//! One file a command: each parses, calls the core, prints.

pub(crate) mod audit;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connectors;
pub(crate) mod inventory;
pub(crate) mod orders;
pub(crate) mod providers;
pub(crate) mod retry;
pub(crate) mod revoke;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod verify;
pub(crate) mod work;
