//! A connector of an imaginary vendor that can be wrong in one thing at a time.

mod connector;
mod fixture;
mod flaw;
mod provider;
mod reading;
mod wire;

pub(crate) use fixture::ModelFixture;
pub(crate) use flaw::{CAUGHT_BY, Flaw};
