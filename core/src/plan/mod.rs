//! From input to a staged order that waits for a yes.
//!
//! Rows stream in on a thread of their own, are matched to providers, rid of duplicates and of the protected, and go
//! into the store in chunks while they are counted and hashed. What a person says yes to is exactly what runs, and
//! memory does not grow with the file but for ~20 bytes a person.

mod columns;
mod dedupe;
mod error;
mod groups;
mod guards;
mod hash;
mod input;
pub mod items;
mod jsonl;
mod lines;
mod lookup;
mod matching;
mod people;
mod planner;
mod protected;
mod reading;
mod request;
mod row;
mod staging;
mod summary;

pub use error::{BadRow, BadRows, GuardRefusal, LISTED_ROWS, PlanError, PlanErrorClass};
pub use guards::{Confirmation, Given};
pub use input::Input;
#[doc(hidden)]
pub use input::{PlainRow, ReadRow, read_at_once};
pub use people::Progress;
pub use planner::{Accepted, Plan, Planner, PlannerParts};
pub use request::PlanRequest;
pub use summary::{
    CouldNotCheck, GroupPlan, LeftOut, NotCovered, People, PlanSummary, ProviderPlan, Skipped,
};
