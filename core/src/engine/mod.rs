//! The engine: lanes, dispatch, settling, evidence, progress.

mod classify;
pub mod fleet;
pub mod lane;
pub mod pacer;
pub mod protected;
