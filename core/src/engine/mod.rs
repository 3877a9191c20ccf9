//! Lanes, dispatch, commit, evidence, progress.
