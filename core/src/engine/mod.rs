//! Lanes, dispatch, commit, evidence, progress.
pub mod fleet;
