//! What the simulated tenants promise, seen from outside: raw HTTP over real sockets.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod client;
mod faults;
mod google;
mod ledger;
mod microsoft;
mod quota;
