//! The engine over a scripted provider and a model store, in virtual time. The provider's ledger is the judge.

mod claims;
mod ending;
mod evidence;
mod fairness;
mod faults;
mod following;
mod gate;
mod outages;
mod outcomes;
mod panics;
mod protected;
mod rights;
mod scale;
mod sharing;
mod spending;
mod world;
