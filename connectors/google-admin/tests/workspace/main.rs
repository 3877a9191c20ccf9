//! The connector before a simulated Directory API: the contract of every connector, and what only Google does.

mod conformance;
mod inventory;
mod people;
mod probing;
mod proof;
mod revoking;
mod settings;
mod stage;
mod tokens;
mod wire;
