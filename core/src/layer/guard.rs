//! The last check before a call: is it served, and may this account be touched at all.

use std::sync::Arc;

use async_trait::async_trait;

use super::{LayerSettings, spellings};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Retry};
use crate::provider::{
    Capabilities, Descriptor, InventoryItem, ItemId, ProbeReport, RevocationProvider,
    RevokeRequest, ScopeKind, SessionInventory,
};
use crate::report::{Outcome, Report, Unsupported};

/// Refuses what the provider does not serve and whom it must not touch, before anything leaves.
#[derive(Debug)]
pub(super) struct Guard<R: ?Sized> {
    inner: Arc<R>,
    capabilities: Capabilities,
    settings: Arc<LayerSettings>,
}

impl<R: ?Sized> Guard<R> {
    pub(super) fn new(
        inner: Arc<R>,
        capabilities: Capabilities,
        settings: &Arc<LayerSettings>,
    ) -> Self {
        Self {
            inner,
            capabilities,
            settings: Arc::clone(settings),
        }
    }

    fn refuses_scope(&self, scope: ScopeKind) -> Option<Unsupported> {
        if let Some(why) = &self.capabilities.refuses {
            return Some(why.clone());
        }
        let served = self.capabilities.scope(scope).is_some();
        (!served).then(|| {
            Unsupported::new(
                format!("{} does not end {}", self.settings.kind, name_of(scope)),
                "order another scope at this provider, or end it in the provider's own console",
            )
        })
    }

    fn protects<'a>(
        &self,
        operation: &'static str,
        mut texts: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Unsupported>, Error> {
        let protection = &self.settings.protection;
        if !protection.is_known() {
            return Err(Error::new(
                // Nothing is known about the provider's health by it: the lane must not pause.
                ErrorKind::Cancelled,
                Retry::Safe { after: None },
                operation,
                "the protected list has not been looked up lately at this provider",
            ));
        }
        Ok(texts
            .any(|text| protection.covers(text))
            .then(protected_account))
    }
}

/// What a protected account is refused with.
pub(crate) fn protected_account() -> Unsupported {
    Unsupported::new(
        "the account is on the protected list",
        "take it off `protected` in the configuration if its sessions are really to be ended",
    )
}

fn name_of(scope: ScopeKind) -> &'static str {
    match scope {
        ScopeKind::Everything => "all sessions of a person",
        ScopeKind::Items => "single sessions or grants",
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationProvider for Guard<dyn RevocationProvider> {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        self.inner.probe(cx).await
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        if let Some(why) = self.refuses_scope(ScopeKind::Everything) {
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        let account = request.account.iter().flat_map(|account| {
            [account.id.as_str(), account.name.as_str()]
                .into_iter()
                .chain(account.spellings.iter().map(String::as_str))
        });
        if let Some(why) = self.protects("revoke", spellings(&request.subject).chain(account))? {
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        self.inner.revoke(cx, request).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionInventory for Guard<dyn SessionInventory> {
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error> {
        self.inner.list(cx, account_id).await
    }

    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error> {
        if let Some(why) = self.refuses_scope(ScopeKind::Items) {
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        if let Some(why) = self.protects("end", std::iter::once(account_id))? {
            return Ok(Report::new(Outcome::Unsupported(why)));
        }
        self.inner.end(cx, account_id, items).await
    }
}
