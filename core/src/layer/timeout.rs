//! An end to every call, whatever the connector does.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep_until};

use super::LayerSettings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Retry};
use crate::provider::{
    Capabilities, Descriptor, Directory, Evidence, InventoryItem, ItemId, MemberPage, PageToken,
    ProbeReport, Proof, Resolution, RevocationProvider, RevokeRequest, SessionInventory,
};
use crate::report::Report;
use crate::subject::Subject;

/// Gives a call up when it has taken its time. What it waited for quota does not count. One that panics has ended, too:
/// as an answer that nobody understands.
#[derive(Debug)]
pub(super) struct Timeout<R: ?Sized> {
    inner: Arc<R>,
    settings: Arc<LayerSettings>,
}

impl<R: ?Sized> Timeout<R> {
    pub(super) fn new(inner: Arc<R>, settings: &Arc<LayerSettings>) -> Self {
        Self {
            inner,
            settings: Arc::clone(settings),
        }
    }

    /// A read changes nothing, so giving it up is safe; a call that changes something may have been carried out.
    async fn bounded<T, F: Future<Output = Result<T, Error>>>(
        &self,
        cx: &Context,
        operation: &'static str,
        retry: Retry,
        call: impl FnOnce() -> F,
    ) -> Result<T, Error> {
        let started = Instant::now();
        // What calls share a connector keeps consistent by itself. It may work before it answers with a future, too.
        let mut call = pin!(AssertUnwindSafe(async { call().await }).catch_unwind());
        loop {
            let deadline = started + self.settings.timeout + cx.waited();
            if deadline <= Instant::now() {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    retry,
                    operation,
                    format!("no answer within {} s", self.settings.timeout.as_secs()),
                ));
            }
            tokio::select! {
                biased;
                answer = &mut call => return answer.unwrap_or_else(|_| Err(Error::panicked(operation, retry))),
                () = sleep_until(deadline) => {}
            }
        }
    }
}

const READ: Retry = Retry::Safe { after: None };

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationProvider for Timeout<dyn RevocationProvider> {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        self.bounded(cx, "probe", READ, || self.inner.probe(cx))
            .await
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let call = || self.inner.revoke(cx, request);
        self.bounded(cx, "revoke", Retry::OutcomeUnknown, call)
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Directory for Timeout<dyn Directory> {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        self.bounded(cx, "resolve", READ, || self.inner.resolve(cx, subjects))
            .await
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        self.bounded(cx, "expand", READ, || self.inner.expand(cx, group, page))
            .await
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        self.bounded(cx, "everybody", READ, || self.inner.everybody(cx, page))
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Evidence for Timeout<dyn Evidence> {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        self.bounded(cx, "evidence", READ, || self.inner.read(cx, account_ids))
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionInventory for Timeout<dyn SessionInventory> {
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error> {
        self.bounded(cx, "inventory", READ, || self.inner.list(cx, account_id))
            .await
    }

    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error> {
        let call = || self.inner.end(cx, account_id, items);
        self.bounded(cx, "end", Retry::OutcomeUnknown, call).await
    }
}
