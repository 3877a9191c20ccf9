//! The words, roles, planner and engine of `rescind`.
//!
//! No HTTP client, no SQL and no vendor's name belongs here. `docs/architecture.md` is the map.

pub mod audit;
pub mod budget;
pub mod clock;
pub mod config;
pub mod connector;
pub mod context;
pub mod engine;
pub mod error;
pub mod failpoint;
pub mod id;
pub mod job;
pub mod layer;
mod likeness;
pub mod order;
pub mod plan;
pub mod provider;
pub mod report;
pub mod store;
pub mod subject;
