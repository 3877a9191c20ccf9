//! A connector written by an outsider: the imaginary Acme IdP, with the crates of `rescind` as plain dependencies.
//!
//! Everything a connector needs is in four files: what it is ([`Acme`]), its settings, the vendor's procedure, and the
//! vendor's wire. `tests/conformance.rs` proves that it keeps the contract.

mod config;
mod connector;
mod provider;
mod wire;

pub use config::AcmeConfig;
pub use connector::Acme;
