//! How a vendor's crate plugs in: a connector describes itself, and builds its roles from configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{ConfigError, HttpSettings, Settings};
use crate::id::{ConnectorKind, ProviderName};
use crate::provider::{
    ComplianceSource, Directory, Evidence, RevocationProvider, SessionInventory,
};

/// A vendor's crate.
pub trait Connector: Send + Sync + 'static {
    /// What `kind = "…"` says in the configuration.
    fn kind(&self) -> ConnectorKind;

    /// What people need to know before they configure one: feeds the CLI's help and the generated docs.
    fn describe(&self) -> ConnectorInfo;

    /// Builds one configured instance. Does no I/O beyond reading the secrets the settings name.
    ///
    /// # Errors
    /// Every problem of the settings, not the first.
    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError>;
}

/// What one configured provider plays.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Roles {
    /// End a subject's sessions.
    pub revocation: Option<Arc<dyn RevocationProvider>>,
    /// Resolve a subject, expand a group, list everybody.
    pub directory: Option<Arc<dyn Directory>>,
    /// Read back the provider's own proof.
    pub evidence: Option<Arc<dyn Evidence>>,
    /// List and end single sessions or grants.
    pub inventory: Option<Arc<dyn SessionInventory>>,
    /// Device facts from a UEM.
    pub compliance: Option<Arc<dyn ComplianceSource>>,
}

impl Roles {
    /// No role yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Plays [`RevocationProvider`].
    #[must_use]
    pub fn with_revocation(mut self, role: Arc<dyn RevocationProvider>) -> Self {
        self.revocation = Some(role);
        self
    }

    /// Plays [`Directory`].
    #[must_use]
    pub fn with_directory(mut self, role: Arc<dyn Directory>) -> Self {
        self.directory = Some(role);
        self
    }

    /// Plays [`Evidence`].
    #[must_use]
    pub fn with_evidence(mut self, role: Arc<dyn Evidence>) -> Self {
        self.evidence = Some(role);
        self
    }

    /// Plays [`SessionInventory`].
    #[must_use]
    pub fn with_inventory(mut self, role: Arc<dyn SessionInventory>) -> Self {
        self.inventory = Some(role);
        self
    }

    /// Plays [`ComplianceSource`].
    #[must_use]
    pub fn with_compliance(mut self, role: Arc<dyn ComplianceSource>) -> Self {
        self.compliance = Some(role);
        self
    }

    /// The names of the roles played, for people.
    pub fn names(&self) -> Vec<&'static str> {
        [
            self.revocation.is_some().then_some("revocation"),
            self.directory.is_some().then_some("directory"),
            self.evidence.is_some().then_some("evidence"),
            self.inventory.is_some().then_some("inventory"),
            self.compliance.is_some().then_some("compliance"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What people need to know about a connector.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectorInfo {
    /// The kind.
    pub kind: ConnectorKind,
    /// The vendor's product, as the vendor writes it.
    pub title: &'static str,
    /// One sentence: what it ends.
    pub summary: &'static str,
    /// Its whole documentation, Markdown.
    pub docs: &'static str,
    /// The settings it takes, as JSON Schema.
    pub settings: serde_json::Value,
    /// The rights it needs at the vendor.
    pub permissions: Vec<Permission>,
}

impl ConnectorInfo {
    /// A description.
    pub fn new(
        kind: ConnectorKind,
        title: &'static str,
        summary: &'static str,
        docs: &'static str,
        settings: serde_json::Value,
        permissions: Vec<Permission>,
    ) -> Self {
        Self {
            kind,
            title,
            summary,
            docs,
            settings,
            permissions,
        }
    }
}

/// A right at the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// The vendor's name of it.
    pub name: &'static str,
    /// What it is for.
    pub needed_for: &'static str,
}

impl Permission {
    /// A right and what it is for.
    pub const fn new(name: &'static str, needed_for: &'static str) -> Self {
        Self { name, needed_for }
    }
}

/// What a connector builds from.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuildContext<'a> {
    /// The provider's name in the configuration.
    pub name: &'a ProviderName,
    /// Its `settings` table.
    pub settings: &'a Settings,
    /// How to reach the outside.
    pub http: &'a HttpSettings,
    /// The wall clock, for assertions that carry a time.
    pub clock: Arc<dyn Clock>,
}

impl<'a> BuildContext<'a> {
    /// A context for one provider.
    pub fn new(
        name: &'a ProviderName,
        settings: &'a Settings,
        http: &'a HttpSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name,
            settings,
            http,
            clock,
        }
    }
}

/// The connectors of one build: an explicit list, no link-time magic.
#[derive(Default)]
pub struct Registry {
    connectors: BTreeMap<ConnectorKind, Box<dyn Connector>>,
}

impl Registry {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connector.
    ///
    /// # Panics
    /// When two connectors claim the same kind: a mistake in the program's own list.
    #[must_use]
    pub fn with(mut self, connector: impl Connector) -> Self {
        let kind = connector.kind();
        let before = self.connectors.insert(kind.clone(), Box::new(connector));
        assert!(
            before.is_none(),
            "two connectors of kind {kind} in one registry"
        );
        self
    }

    /// The connector of a kind.
    pub fn get(&self, kind: &ConnectorKind) -> Option<&dyn Connector> {
        self.connectors.get(kind).map(AsRef::as_ref)
    }

    /// All of them, by kind.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Connector> {
        self.connectors.values().map(AsRef::as_ref)
    }

    /// The kinds in this build.
    pub fn kinds(&self) -> Vec<ConnectorKind> {
        self.connectors.keys().cloned().collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.connectors.keys()).finish()
    }
}
