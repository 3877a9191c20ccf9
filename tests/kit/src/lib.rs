//! What proves that a connector keeps the contract of `docs/provider-contract.md`, and the doubles other tests use.
//!
//! A connector brings a [`VendorFixture`]: itself, its settings, and how its vendor speaks. [`conformance!`] turns that
//! into one test for each [`Case`]. The kit plays the vendor on real sockets and holds the purse, so what it states is
//! what left the machine, not what the connector says about it.

#![warn(missing_docs)]

mod answer;
pub mod canary;
mod captured;
mod cases;
mod fixture;
mod gate;
pub mod limiter;
pub mod model_store;
mod port;
pub mod raw;
mod run;
pub mod scripted;
mod stage;
mod vendor;
mod verdict;
mod wire;

pub use async_trait::async_trait;
pub use captured::Captured;
pub use cases::{CASES, Case};
pub use fixture::{Group, OddBody, Person, VendorFixture};
pub use gate::Gate;
pub use port::{FreePort, PaidPort};
pub use run::run;
pub use stage::Kit;
pub use vendor::{FakeVendor, Hung};
pub use verdict::{Stop, Verdict};
pub use wiremock;
