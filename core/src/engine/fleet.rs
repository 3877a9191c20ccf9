//! The configured providers: one for each process, and it owns the lanes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::connector::Roles;
use crate::id::{ConnectorKind, ProviderName};
use crate::layer::LogKey;
use crate::order::Binding;
use crate::store::{Store, StoreError};

pub use super::member::Member;

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

impl Quota {
    pub(super) fn apply(self, documented: &[Budget]) -> Vec<Budget> {
        let mut budgets = documented.to_vec();
        if let (Self::Budget { units, per }, Some(main)) = (self, budgets.first_mut()) {
            main.units = units;
            main.per = per;
        }
        budgets
    }
}

/// All configured providers. One for each process: it owns the lanes.
#[derive(Debug)]
pub struct Fleet {
    members: Vec<Arc<Member>>,
}

impl Fleet {
    /// Opens a lane for each provider, with what the store remembers of its pace, its pause and its recent spending,
    /// and puts the wrappers around its roles. A provider that ends no sessions has no place in a fleet and is left out.
    pub async fn open(
        providers: Vec<ConfiguredProvider>,
        store: &dyn Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let seed = getrandom::u64().unwrap_or_default();
        Self::open_seeded(providers, store, clock, seed).await
    }

    /// As [`Fleet::open`], with the seed that the jitter of all lanes starts from.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open_seeded(
        providers: Vec<ConfiguredProvider>,
        store: &dyn Store,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, StoreError> {
        let log_key = LogKey::random();
        let mut members = Vec::with_capacity(providers.len());
        for provider in providers {
            if let Some(member) = Member::open(provider, store, &clock, &log_key, seed).await? {
                members.push(Arc::new(member));
            }
        }
        Ok(Self { members })
    }

    /// The members, in the order of the configuration.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// The member of a name.
    pub fn get(&self, name: &ProviderName) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| member.name == *name)
    }

    /// Begins with what every run of these providers needs first, a token and the protected list, so that it is there
    /// once an order is planned and accepted. What cannot be had is asked for again by the run, which says so. Ends when
    /// the answer is dropped.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn get_ready(&self, providers: &[ProviderName], protected: &[String]) -> JoinSet<()> {
        let named =
            |member: &&Arc<Member>| providers.is_empty() || providers.contains(&member.name);
        let mut getting_ready = JoinSet::new();
        for member in self.members.iter().filter(named) {
            let (member, protected) = (Arc::clone(member), protected.to_vec());
            getting_ready.spawn(async move {
                let _ = member.protected().look_up(&member, &protected).await;
            });
        }
        getting_ready
    }

    /// What an order to these providers is bound to.
    pub fn bindings(&self) -> Vec<Binding> {
        self.members.iter().map(|member| member.binding()).collect()
    }
}
