//! The roles a connector can play, each a small trait.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::budget::{Budget, Cost};
use crate::context::Context;
use crate::error::Error;
use crate::id::{ConnectorKind, ProviderName};
use crate::report::{Report, Residual, Unsupported};
use crate::subject::{IdentifierKind, Subject};

/// Ends a subject's sessions. Every provider plays this role.
#[async_trait]
pub trait RevocationProvider: Debug + Send + Sync + 'static {
    /// What this instance is.
    fn descriptor(&self) -> &Descriptor;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Checks credentials and rights, changing nothing.
    ///
    /// # Errors
    /// Only when nothing can be said; a missing right is a finding of the report.
    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error>;

    /// Ends everything this provider can end for the subject.
    ///
    /// # Errors
    /// When there is no usable answer; [`Error::retry`] says what may be done. Not cancel-safe in the vendor's eyes: a
    /// dropped call may have been carried out.
    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error>;
}

/// Tells who a subject is, and who is in a group.
#[async_trait]
pub trait Directory: Debug + Send + Sync + 'static {
    /// Looks up many subjects in the provider's cheapest way: exactly one answer for each, in order.
    ///
    /// # Errors
    /// When nothing could be asked at all; a single subject's failure is [`Resolution::Failed`].
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error>;

    /// One page of a group's members, nested groups included.
    ///
    /// # Errors
    /// An unknown or ambiguous group, an empty page where members are promised, or a page link that leaves the
    /// provider's origin: never "nobody".
    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error>;

    /// One page of everybody the provider knows.
    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error>;
}

/// Reads back the provider's own proof that sessions have ended.
#[async_trait]
pub trait Evidence: Debug + Send + Sync + 'static {
    /// Reads many accounts: exactly one proof for each id, in order.
    ///
    /// # Errors
    /// When nothing could be asked at all; a single account's failure is [`Proof::Failed`].
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error>;
}

/// Lists and ends single sessions, grants or passwords.
#[async_trait]
pub trait SessionInventory: Debug + Send + Sync + 'static {
    /// Everything that can be named for one account.
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error>;

    /// Ends the named items of one account, each reported as a step of its kind.
    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error>;
}

/// Reads facts about devices from a UEM. Its methods come with the rules that use them.
#[async_trait]
pub trait ComplianceSource: Debug + Send + Sync + 'static {
    /// What this instance is.
    fn descriptor(&self) -> &Descriptor;
}

/// What one configured provider is, from the vendor's documents.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its name in the configuration.
    pub name: ProviderName,
    /// Its connector.
    pub kind: ConnectorKind,
    /// Which tenant of the vendor it speaks to, in a form that stays the same for the same tenant. An open order is
    /// bound to it. Not a URL: a test server may move.
    pub vendor_tenant: String,
    /// Which registered application calls it, where the vendor counts quota by application. Two providers of one
    /// application and one vendor tenant share their quota; the configuration warns of it.
    pub application: Option<String>,
    /// The documented budgets, the main one first. Empty: nothing is documented, only the answers set the pace.
    pub budgets: Vec<Budget>,
    /// What the first request of a call of each role costs; the lane pays it before it dispatches the call.
    pub first_cost: FirstCosts,
    /// How many people the connector advises to have in flight at once.
    pub max_in_flight: u32,
    /// How many subjects one call of [`Directory::resolve`] or [`Evidence::read`] takes best.
    pub subjects_per_read: usize,
    /// The longest one call may take, time spent waiting for quota not counted.
    pub timeout: Duration,
    /// What a success leaves alive, for plans and `providers list`.
    pub residual: Vec<Residual>,
    /// How long after a success it may take to be in force everywhere; `effective_by` is computed from it.
    pub effective_within: Duration,
}

impl Descriptor {
    /// A descriptor with no documented quota: one request at a time costs nothing, 8 people at once, 30 s a call.
    pub fn new(name: ProviderName, kind: ConnectorKind, vendor_tenant: impl Into<String>) -> Self {
        Self {
            name,
            kind,
            vendor_tenant: vendor_tenant.into(),
            application: None,
            budgets: Vec::new(),
            first_cost: FirstCosts::default(),
            max_in_flight: 8,
            subjects_per_read: 1,
            timeout: Duration::from_secs(30),
            residual: Vec::new(),
            effective_within: Duration::ZERO,
        }
    }
}

/// What the first request of a call of each role costs.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct FirstCosts {
    /// One subject of [`Directory::resolve`].
    pub resolve: Cost,
    /// [`RevocationProvider::revoke`].
    pub revoke: Cost,
    /// One account of [`Evidence::read`].
    pub evidence: Cost,
}

impl FirstCosts {
    /// Everything the job of one person draws on: who it is, its call, and the proof read back, by budget.
    pub fn of_a_job(&self) -> Vec<(&'static str, u32)> {
        let mut sum: Vec<(&'static str, u32)> = Vec::new();
        for cost in [&self.resolve, &self.revoke, &self.evidence] {
            for (budget, units) in cost.parts() {
                match sum.iter_mut().find(|(name, _)| *name == budget) {
                    Some((_, all)) => *all += units,
                    None => sum.push((budget, units)),
                }
            }
        }
        sum
    }

    /// The three costs.
    pub fn new(resolve: Cost, revoke: Cost, evidence: Cost) -> Self {
        Self {
            resolve,
            revoke,
            evidence,
        }
    }
}

/// What a provider can do, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The scopes it serves; anything else is refused before a request leaves. Empty: it refuses everything.
    pub scopes: Vec<ScopeCapability>,
    /// The identifiers it understands.
    pub identifiers: Vec<IdentifierKind>,
    /// Why it refuses everything, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<Unsupported>,
}

impl Capabilities {
    /// Scopes and identifiers.
    pub fn new(scopes: Vec<ScopeCapability>, identifiers: Vec<IdentifierKind>) -> Self {
        Self {
            scopes,
            identifiers,
            refuses: None,
        }
    }

    /// A provider that refuses everything, and says why.
    pub fn refusing(why: Unsupported) -> Self {
        Self {
            scopes: Vec::new(),
            identifiers: Vec::new(),
            refuses: Some(why),
        }
    }

    /// The capability for a scope, if it is served.
    pub fn scope(&self, kind: ScopeKind) -> Option<&ScopeCapability> {
        self.scopes
            .iter()
            .find(|capability| capability.scope == kind)
    }
}

/// One scope a provider serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopeCapability {
    /// Which.
    pub scope: ScopeKind,
    /// Whether a repeat does no harm. Without it, an unknown outcome is never repeated, only parked.
    pub idempotent: bool,
}

impl ScopeCapability {
    /// A scope, and whether it may be repeated.
    pub fn new(scope: ScopeKind, idempotent: bool) -> Self {
        Self { scope, idempotent }
    }
}

/// The kinds of [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScopeKind {
    /// [`Scope::Everything`]
    Everything,
    /// [`Scope::Items`]
    Items,
}

/// What shall end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything the provider can end for the subject.
    #[default]
    Everything,
    /// Single items of its inventory.
    Items(Vec<ItemId>),
}

impl Scope {
    /// Its kind.
    pub fn kind(&self) -> ScopeKind {
        match self {
            Self::Everything => ScopeKind::Everything,
            Self::Items(_) => ScopeKind::Items,
        }
    }
}

/// A request to end a subject's sessions.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RevokeRequest {
    /// The provider's own id of the account, where the engine has resolved it; otherwise the subject as given.
    pub subject: Subject,
    /// Who that is, where it was resolved.
    pub account: Option<Arc<Account>>,
    /// The steps that are done already, from an earlier attempt that was [`Partial`](crate::report::Outcome::Partial).
    pub done_steps: Vec<String>,
}

impl RevokeRequest {
    /// For a subject that was not resolved.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            account: None,
            done_steps: Vec::new(),
        }
    }

    /// For a resolved account.
    #[must_use]
    pub fn for_account(mut self, account: impl Into<Arc<Account>>) -> Self {
        self.account = Some(account.into());
        self
    }
}

/// The directory's answer for one subject.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resolution {
    /// Exactly one account.
    Found(Account),
    /// Nobody.
    NotFound,
    /// More than one account answers to it: nobody is called.
    Ambiguous {
        /// How many.
        count: usize,
    },
    /// The directory could not say for this one.
    Failed(Error),
}

impl Resolution {
    /// Why the directory could not say.
    pub fn failure(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Found(_) | Self::NotFound | Self::Ambiguous { .. } => None,
        }
    }
}

/// An account as the provider knows it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The provider's immutable id.
    pub id: String,
    /// Its main address or sign-in name, for people to read.
    pub name: String,
    /// Every other spelling that leads to it: aliases, mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spellings: Vec<String>,
    /// Why this provider's revocation does not cover it (a guest), if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_covered: Option<Unsupported>,
    /// Whether it may sign in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The watermark before any call, where the provider has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Timestamp>,
}

impl Account {
    /// An account with its id and main name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            ..Self::default()
        }
    }
}

impl Debug for Account {
    /// Shows no address: a `Debug` may reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("covered", &self.not_covered.is_none())
            .field("enabled", &self.enabled)
            .field("watermark", &self.watermark)
            .finish_non_exhaustive()
    }
}

/// A place in a listing, as the provider gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub String);

/// A page of people.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct MemberPage {
    /// Members that are people of this tenant.
    pub members: Vec<Account>,
    /// Members that cannot be acted on, with the reason ("3 external members").
    pub skipped: Vec<(String, u64)>,
    /// What the group is called, and its immutable id.
    pub group: Option<(String, String)>,
    /// Where the next page is; `None` when this was the last.
    pub next: Option<PageToken>,
}

/// The provider's own record of an account.
#[derive(Debug)]
#[non_exhaustive]
pub enum Proof {
    /// Sessions begun before this instant, on the provider's clock, have ended.
    Watermark {
        /// The instant; `None` when the provider never ended anything for this account.
        at: Option<Timestamp>,
    },
    /// What can still be listed.
    Remaining {
        /// How many grants and passwords are left.
        items: u64,
    },
    /// The account no longer exists.
    SubjectMissing,
    /// It could not be read.
    Failed(Error),
}

impl Proof {
    /// Why it could not be read.
    pub fn failure(&self) -> Option<&Error> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Watermark { .. } | Self::Remaining { .. } | Self::SubjectMissing => None,
        }
    }
}

/// The id of an inventory item, as `inventory list` prints it and `inventory end` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemId(pub String);

/// One grant, session or password that can be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InventoryItem {
    /// Its id within the account.
    pub id: ItemId,
    /// Its kind in the connector's words, such as `grant`.
    pub kind: String,
    /// What a person would call it.
    pub title: String,
    /// More about it: scopes, device.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl InventoryItem {
    /// An item with its id, kind and title.
    pub fn new(id: ItemId, kind: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id,
            kind: kind.into(),
            title: title.into(),
            detail: Vec::new(),
            created_at: None,
            last_used_at: None,
        }
    }
}

/// What a probe found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeReport {
    /// The findings, in the order they were made.
    pub findings: Vec<Finding>,
}

impl ProbeReport {
    /// Some findings.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// Whether the provider can do its work.
    pub fn is_well(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| finding.level != FindingLevel::Fault)
    }
}

/// One finding of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub level: FindingLevel,
    /// What was looked at: `token`, `right User.RevokeSessions.All`, `tenant`.
    pub what: String,
    /// What was seen.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// A finding.
    pub fn new(level: FindingLevel, what: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level,
            what: what.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingLevel {
    /// As it should be.
    Good,
    /// It works, but somebody should look.
    Warning,
    /// It will not work.
    Fault,
}
