//! A provider that exists in memory: people, a guest, groups, and ways to be unwell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rescind_core::connector::Roles;
use rescind_core::context::Context;
use rescind_core::engine::fleet::ConfiguredProvider;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Account, Capabilities, Descriptor, Directory, MemberPage, PageToken, ProbeReport, Resolution,
    RevocationProvider, RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Outcome, Report, Unsupported};
use rescind_core::subject::{IdentifierKind, Subject};

/// How the directory is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Health {
    #[default]
    Well,
    /// The credentials do not work.
    LockedOut,
    /// It never answers.
    Silent,
}

#[derive(Debug)]
pub(crate) struct Cloud {
    descriptor: Descriptor,
    capabilities: Capabilities,
    people: BTreeMap<String, Account>,
    groups: BTreeMap<String, Vec<Vec<Account>>>,
    health: Health,
    pub(crate) looked_up: AtomicUsize,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Cloud {
    pub(crate) fn new(name: &str) -> Self {
        let scopes = vec![
            ScopeCapability::new(ScopeKind::Everything, true),
            ScopeCapability::new(ScopeKind::Items, true),
        ];
        let kinds = vec![
            IdentifierKind::Email,
            IdentifierKind::UserPrincipalName,
            IdentifierKind::ObjectId,
        ];
        let name = ProviderName::parse(name).expect("a name");
        let kind = ConnectorKind::parse("cloud").expect("a kind");
        Self {
            descriptor: Descriptor::new(name, kind, "tenant"),
            capabilities: Capabilities::new(scopes, kinds),
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            health: Health::Well,
            looked_up: AtomicUsize::new(0),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn with_person(mut self, id: &str, name: &str, aliases: &[&str]) -> Self {
        self.add(id, name, aliases, None);
        self
    }

    pub(crate) fn with_guest(mut self, id: &str, name: &str) -> Self {
        let why = Unsupported::new("a guest", "ask the home tenant");
        self.add(id, name, &[], Some(why));
        self
    }

    pub(crate) fn with_group(mut self, group: &str, pages: &[&[&str]]) -> Self {
        let account = |id: &&str| self.people[*id].clone();
        let pages = pages
            .iter()
            .map(|page| page.iter().map(account).collect())
            .collect();
        self.groups.insert(group.to_owned(), pages);
        self
    }

    pub(crate) fn feeling(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    pub(crate) fn refusing(mut self) -> Self {
        self.capabilities = Capabilities::refusing(Unsupported::new("cannot", "use another"));
        self
    }

    fn add(&mut self, id: &str, name: &str, aliases: &[&str], not_covered: Option<Unsupported>) {
        let mut account = Account::new(id, name);
        account.spellings = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        account.not_covered = not_covered;
        for spelling in aliases.iter().chain([&id, &name]) {
            self.people.insert((*spelling).to_owned(), account.clone());
        }
    }

    pub(crate) fn configured(self: &Arc<Self>, domains: &[&str]) -> ConfiguredProvider {
        let roles = Roles::new()
            .with_revocation(Arc::clone(self) as _)
            .with_directory(Arc::clone(self) as _);
        let name = self.descriptor.name.clone();
        ConfiguredProvider::new(name, self.descriptor.kind.clone(), roles)
            .with_domains(domains.iter().map(|domain| (*domain).to_owned()).collect())
    }
}

#[async_trait]
impl RevocationProvider for Cloud {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, _: &Context, _: &RevokeRequest) -> Result<Report, Error> {
        Ok(Report::new(Outcome::NothingToRevoke))
    }
}

#[async_trait]
impl Directory for Cloud {
    async fn resolve(&self, _: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        self.looked_up.fetch_add(subjects.len(), Ordering::Relaxed);
        let given = subjects.iter().map(|subject| subject.given().to_owned());
        self.asked.lock().expect("no panic").extend(given);
        match self.health {
            Health::Well => {}
            Health::Silent => std::future::pending().await,
            Health::LockedOut => {
                let error = Error::new(
                    ErrorKind::Unauthenticated,
                    Retry::Never,
                    "resolve",
                    "the client secret has expired",
                );
                return Err(error.with_hint("make a new one"));
            }
        }
        let answer = |subject: &Subject| match self.people.get(subject.given()) {
            Some(account) => Resolution::Found(account.clone()),
            None if subject.given().starts_with("twin") => Resolution::Ambiguous { count: 2 },
            None => Resolution::NotFound,
        };
        Ok(subjects.iter().map(answer).collect())
    }

    async fn expand(
        &self,
        _: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        let Some(pages) = self.groups.get(group) else {
            let message = "no group is called so";
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "expand",
                message,
            ));
        };
        let n: usize = page.map_or(0, |page| page.0.parse().expect("our own token"));
        let mut answer = MemberPage::default();
        answer.members = pages.get(n).cloned().unwrap_or_default();
        answer.skipped = vec![("a device".to_owned(), 1)];
        answer.group = Some((group.to_owned(), format!("id of {group}")));
        let next = if group == "circle" {
            Some(n)
        } else {
            (n + 1 < pages.len()).then_some(n + 1)
        };
        answer.next = next.map(|n| PageToken(n.to_string()));
        Ok(answer)
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        self.expand(cx, "everybody", page).await
    }
}
