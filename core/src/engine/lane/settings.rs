//! What a lane is told about its provider.

use crate::budget::Budget;
use crate::id::ProviderName;

/// What a lane needs to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneSettings {
    /// Whose lane it is.
    pub provider: ProviderName,
    /// The documented budgets, the main one first.
    pub budgets: Vec<Budget>,
    /// Whether the budgets are left out of account: only the provider's answers set the pace.
    pub unlimited: bool,
    /// People at once, in the calls of one role.
    pub max_in_flight: u32,
    /// So many more people are admitted to [`Role::Revoke`]: whoever makes the calls holds them back until there is a
    /// place, and has their claims on disk by then.
    pub claims_ahead: u32,
    /// Where its jitter starts from.
    pub seed: u64,
}

impl LaneSettings {
    /// Settings of a provider that documents `budgets`, with a random seed.
    pub fn new(provider: ProviderName, budgets: Vec<Budget>, max_in_flight: u32) -> Self {
        Self {
            provider,
            budgets,
            unlimited: false,
            max_in_flight,
            claims_ahead: 0,
            seed: getrandom::u64().unwrap_or_default(),
        }
    }

    /// Leaves the documented budgets out of account.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.unlimited = true;
        self
    }
}

/// What a call is for; the in-flight cap holds for the calls of each role by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Finding the account of a subject.
    Resolve,
    /// Ending sessions.
    Revoke,
    /// Reading the provider's own proof.
    Evidence,
    /// Everything else.
    Other,
}

impl Role {
    pub(super) const COUNT: usize = 4;
}
