//! The instruments that would catch the product lying: each one breaks something on purpose, many times, and lets a
//! judge that is not our own database say what really happened.
//!
//! `proof <instrument>` runs the long form and prints its seed, the machine and a verdict; the tests of this crate run
//! the same code in a short form.

pub mod audit;
pub mod chance;
pub mod crash;
pub mod hostile;
pub mod lies;
pub mod machine;
pub mod power_cut;
pub mod protected;
pub mod report;
pub mod seed;
pub mod simulate;
pub mod speed;
pub mod throttle;
