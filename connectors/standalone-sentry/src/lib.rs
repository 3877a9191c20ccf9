//! Standalone Sentry: a deployment whose sessions nobody can end from outside, made visible.
//!
//! The connector refuses, and says why and what to do instead, so that such a deployment never looks covered.

mod connector;
mod provider;

pub use connector::{StandaloneSentry, StandaloneSentryConfig};
