//! One log line for each attempt, with a keyed hash where the person would stand.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use tracing::{Instrument, Level, Span, debug, debug_span};

use super::LayerSettings;
use crate::context::Context;
use crate::error::{Error, Retry};
use crate::provider::{
    Capabilities, Descriptor, Directory, Evidence, InventoryItem, ItemId, MemberPage, PageToken,
    ProbeReport, Proof, Resolution, RevocationProvider, RevokeRequest, SessionInventory,
};
use crate::report::{OutcomeName, Report};
use crate::subject::{Subject, SubjectRef};

/// Opens an `attempt` span around a call and says what came of it, at `debug`.
#[derive(Debug)]
pub(super) struct Trace<R: ?Sized> {
    inner: Arc<R>,
    settings: Arc<LayerSettings>,
}

impl<R: ?Sized> Trace<R> {
    pub(super) fn new(inner: Arc<R>, settings: &Arc<LayerSettings>) -> Self {
        Self {
            inner,
            settings: Arc::clone(settings),
        }
    }

    fn span(&self, cx: &Context, operation: &'static str, subject: Option<&str>) -> Span {
        // The hash is computed only where somebody reads it.
        if !tracing::enabled!(Level::DEBUG) {
            return Span::none();
        }
        let span = debug_span!(
            "attempt",
            provider.name = %self.settings.provider,
            provider.kind = %self.settings.kind,
            correlation.id = %cx.correlation,
            order.id = tracing::field::Empty,
            subject.r#ref = tracing::field::Empty,
            operation,
        );
        if let Some(order) = cx.order {
            span.record("order.id", tracing::field::display(order));
        }
        if let Some(subject) = subject {
            let subject = SubjectRef::new(self.settings.log_key.bytes(), subject);
            span.record("subject.ref", tracing::field::display(subject));
        }
        span
    }

    async fn traced<T>(
        &self,
        span: Span,
        call: impl Future<Output = Result<T, Error>>,
        tell: impl FnOnce(&T, u64),
    ) -> Result<T, Error> {
        if span.is_none() {
            return call.await;
        }
        async {
            let started = Instant::now();
            let answer = call.await;
            let elapsed_ms = started.elapsed().as_millis() as u64;
            match &answer {
                Ok(answer) => tell(answer, elapsed_ms),
                Err(error) => debug!(
                    error.kind = ?error.kind(),
                    retry = ?error.retry(),
                    retry.after_ms = after_ms(error.retry()),
                    vendor.request_id = error.vendor_request_id(),
                    elapsed_ms,
                    %error,
                    "the call failed"
                ),
            }
            answer
        }
        .instrument(span)
        .await
    }
}

fn after_ms(retry: Retry) -> Option<u64> {
    match retry {
        Retry::Safe { after: Some(after) } => Some(after.as_millis() as u64),
        _ => None,
    }
}

fn tell_report(report: &Report, elapsed_ms: u64) {
    debug!(
        outcome = ?OutcomeName::from(&report.outcome),
        vendor.request_id = report.vendor_request_ids.last(),
        elapsed_ms,
        "the provider answered"
    );
}

#[expect(
    clippy::ptr_arg,
    reason = "it is told of the very answer, which is a vector"
)]
fn tell_many<T>(answers: &Vec<T>, elapsed_ms: u64) {
    debug!(answers = answers.len(), elapsed_ms, "the provider answered");
}

fn tell_page(page: &MemberPage, elapsed_ms: u64) {
    debug!(
        members = page.members.len(),
        more = page.next.is_some(),
        elapsed_ms,
        "the provider answered"
    );
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl RevocationProvider for Trace<dyn RevocationProvider> {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        let span = self.span(cx, "probe", None);
        self.traced(span, self.inner.probe(cx), |report, elapsed_ms| {
            debug!(
                findings = report.findings.len(),
                elapsed_ms, "the provider answered"
            );
        })
        .await
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let span = self.span(cx, "revoke", Some(request.subject.given()));
        self.traced(span, self.inner.revoke(cx, request), tell_report)
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Directory for Trace<dyn Directory> {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let span = self.span(cx, "resolve", None);
        self.traced(span, self.inner.resolve(cx, subjects), tell_many)
            .await
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        let span = self.span(cx, "expand", None);
        self.traced(span, self.inner.expand(cx, group, page), tell_page)
            .await
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        let span = self.span(cx, "everybody", None);
        self.traced(span, self.inner.everybody(cx, page), tell_page)
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Evidence for Trace<dyn Evidence> {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let span = self.span(cx, "evidence", None);
        self.traced(span, self.inner.read(cx, account_ids), tell_many)
            .await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionInventory for Trace<dyn SessionInventory> {
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error> {
        let span = self.span(cx, "inventory", Some(account_id));
        self.traced(span, self.inner.list(cx, account_id), tell_many)
            .await
    }

    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error> {
        let span = self.span(cx, "end", Some(account_id));
        self.traced(span, self.inner.end(cx, account_id, items), tell_report)
            .await
    }
}
