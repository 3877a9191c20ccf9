//! A laboratory: simulated providers that throttle in the ways vendors do, under a virtual clock.

mod claims;
mod run;
