//! Lanes, dispatch, commit, evidence, progress.

pub mod fleet;
pub mod lane;
pub mod pacer;
