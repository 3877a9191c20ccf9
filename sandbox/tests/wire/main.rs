//! What the simulated tenants promise, seen from outside: raw HTTP over real sockets.

mod client;
mod faults;
mod google;
mod ledger;
mod microsoft;
mod quota;
