//! The configured providers.
use crate::connector::Roles;
use crate::id::{ConnectorKind, ProviderName};
use std::time::Duration;

/// One provider as the configuration names it, built by its connector.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfiguredProvider {
    /// Its name.
    pub name: ProviderName,
    /// Its connector.
    pub kind: ConnectorKind,
    /// What it plays.
    pub roles: Roles,
    /// How fast it may be called.
    pub quota: Quota,
    /// How many people at once; `None`: what the connector advises.
    pub max_in_flight: Option<u32>,
    /// The domains of the people it may know; empty: anybody.
    pub domains: Vec<String>,
}

impl ConfiguredProvider {
    /// A provider with its documented quota and the in-flight cap its connector advises.
    pub fn new(name: ProviderName, kind: ConnectorKind, roles: Roles) -> Self {
        Self {
            name,
            kind,
            roles,
            quota: Quota::default(),
            max_in_flight: None,
            domains: Vec::new(),
        }
    }

    /// With another quota.
    #[must_use]
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// With another in-flight cap, in people.
    #[must_use]
    pub fn with_max_in_flight(mut self, people: Option<u32>) -> Self {
        self.max_in_flight = people;
        self
    }

    /// For the people of these domains.
    #[must_use]
    pub fn with_domains(mut self, domains: Vec<String>) -> Self {
        self.domains = domains;
        self
    }
}

/// How fast a provider may be called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quota {
    /// As the vendor documents it.
    #[default]
    Documented,
    /// The main budget has another size than documented; the others stay.
    Budget {
        /// How much of it.
        units: u32,
        /// In what time.
        per: Duration,
    },
    /// Only the provider's own answers set the pace.
    Unlimited,
}
