use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tracing::span;

use super::*;
use crate::budget::Cost;
use crate::context::{Context, LanePort, Observation, Priority};
use crate::error::{Error, ErrorKind, Retry};
use crate::provider::{
    Account, Capabilities, Descriptor, InventoryItem, ItemId, ProbeReport, Proof, RevokeRequest,
    ScopeCapability, ScopeKind,
};
use crate::report::{Ended, Outcome, Report, Step};

#[derive(Debug, Default)]
struct List {
    known: AtomicBool,
    texts: Mutex<Vec<String>>,
}

impl Protection for List {
    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    fn covers(&self, spelling: &str) -> bool {
        let texts = self.texts.lock().expect("no panic");
        texts.iter().any(|text| text == spelling)
    }
}

#[derive(Debug)]
struct Purse {
    takes: Duration,
}

#[async_trait]
impl LanePort for Purse {
    async fn pay(&self, _: &Cost, _: Priority) -> Result<(), Error> {
        tokio::time::sleep(self.takes).await;
        Ok(())
    }

    fn observe(&self, _: Observation) {}
}

/// Notes which wrapper's span a call finds itself in, and answers what it is told to.
#[derive(Debug)]
struct Inner {
    descriptor: Descriptor,
    takes: Duration,
    error: Option<(ErrorKind, Retry)>,
    calls: Mutex<Vec<Option<String>>>,
}

impl Inner {
    fn new() -> Self {
        let name = ProviderName::parse("idp").expect("a name");
        let kind = ConnectorKind::parse("test").expect("a kind");
        Self {
            descriptor: Descriptor::new(name, kind, "tenant"),
            takes: Duration::ZERO,
            error: None,
            calls: Mutex::default(),
        }
    }

    async fn answer(&self, cx: &Context) -> Result<Report, Error> {
        let span = tracing::Span::current();
        let name = span.metadata().map(|metadata| metadata.name().to_owned());
        self.calls.lock().expect("no panic").push(name);
        cx.pay(&Cost::of("calls", 1)).await?;
        tokio::time::sleep(self.takes).await;
        match self.error {
            Some((kind, retry)) => Err(Error::new(kind, retry, "revoke", "scripted")),
            None => Ok(Report::new(Outcome::Revoked {
                ended: Ended::by(Step::new("sessions", 1)),
            })),
        }
    }
}

#[async_trait]
impl RevocationProvider for Inner {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            vec![ScopeCapability::new(ScopeKind::Everything, true)],
            Vec::new(),
        )
    }

    async fn probe(&self, cx: &Context) -> Result<ProbeReport, Error> {
        self.answer(cx).await.map(|_| ProbeReport::default())
    }

    async fn revoke(&self, cx: &Context, _: &RevokeRequest) -> Result<Report, Error> {
        self.answer(cx).await
    }
}

#[async_trait]
impl SessionInventory for Inner {
    async fn list(&self, _: &Context, _: &str) -> Result<Vec<InventoryItem>, Error> {
        Ok(Vec::new())
    }

    async fn end(&self, cx: &Context, _: &str, _: &[ItemId]) -> Result<Report, Error> {
        self.answer(cx).await
    }
}

struct Stack {
    inner: Arc<Inner>,
    list: Arc<List>,
    roles: Roles,
}

fn settings(inner: &Inner, list: &Arc<List>) -> LayerSettings {
    LayerSettings::new(
        inner.descriptor.name.clone(),
        inner.descriptor.kind.clone(),
        Duration::from_secs(30),
        Arc::clone(list) as _,
        LogKey::random(),
    )
}

fn stack(shape: impl FnOnce(&mut Inner)) -> Stack {
    let mut inner = Inner::new();
    shape(&mut inner);
    let inner = Arc::new(inner);
    let list = Arc::new(List::default());
    list.known.store(true, Ordering::Relaxed);
    let settings = settings(&inner, &list);
    let roles = Roles::new()
        .with_revocation(Arc::clone(&inner) as _)
        .with_inventory(Arc::clone(&inner) as _);
    Stack {
        roles: build(roles, &settings),
        inner,
        list,
    }
}

impl Stack {
    async fn revoke(&self, subject: &str, pay: Duration) -> Result<Report, Error> {
        let cx = Context::new(Arc::new(Purse { takes: pay }));
        let subject = Subject::parse(subject).expect("parses");
        let request = RevokeRequest::new(subject).for_account(Account::new("id-1", "ada"));
        let revocation = self.roles.revocation.as_ref().expect("there");
        revocation.revoke(&cx, &request).await
    }

    fn calls(&self) -> usize {
        self.inner.calls.lock().expect("no panic").len()
    }
}

/// Counts spans, and remembers what was written into them and into events.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Seen {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut seen = self.0.lock().expect("no panic");
        seen.push(format!("{} {attributes:?}", attributes.metadata().name()));
        span::Id::from_u64(seen.len() as u64)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut seen = self.0.lock().expect("no panic");
        seen.push(format!("record {values:?}"));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut seen = self.0.lock().expect("no panic");
        seen.push(format!("event {event:?}"));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Seen {
    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_is_guard_trace_timeout_connector() {
    let seen = Seen::default();
    let _logging = tracing::subscriber::set_default(seen.clone());
    // The guard is outermost: what it refuses leaves no attempt in the log.
    let guarded = stack(|_| {});
    guarded
        .list
        .texts
        .lock()
        .expect("no panic")
        .push("id-1".to_owned());
    guarded
        .revoke("ada@example.com", Duration::ZERO)
        .await
        .expect("answers");
    assert_eq!(guarded.calls(), 0);
    assert!(seen.lines().is_empty(), "{:?}", seen.lines());
    // The time-out is innermost: the trace tells of it as of any answer.
    let slow = stack(|inner| inner.takes = Duration::from_secs(3600));
    let error = slow
        .revoke("ada@example.com", Duration::ZERO)
        .await
        .expect_err("too slow");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let lines = seen.lines();
    assert!(lines[0].starts_with("attempt"), "{lines:?}");
    let told = lines
        .iter()
        .any(|line| line.starts_with("event") && line.contains("Timeout"));
    assert!(told, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_log_shows_nobody() {
    let seen = Seen::default();
    let _logging = tracing::subscriber::set_default(seen.clone());
    stack(|_| {})
        .revoke("zoe.quist@example.com", Duration::ZERO)
        .await
        .expect("answers");
    let text = seen.lines().join("\n");
    assert!(text.contains("subject.ref"), "{text}");
    assert!(!text.contains("quist"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_the_protected_list_is_known() {
    let stack = stack(|_| {});
    stack.list.known.store(false, Ordering::Relaxed);
    let error = stack
        .revoke("ada@example.com", Duration::ZERO)
        .await
        .expect_err("unknown");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(error.retry(), Retry::Safe { after: None });
    assert_eq!(stack.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_undeclared_scope_sends_nothing() {
    let stack = stack(|_| {});
    let cx = Context::new(Arc::new(Purse {
        takes: Duration::ZERO,
    }));
    let inventory = stack.roles.inventory.as_ref().expect("there");
    let report = inventory.end(&cx, "id-1", &[]).await.expect("answers");
    assert!(matches!(report.outcome, Outcome::Unsupported(_)));
    assert_eq!(stack.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_does_not_count_the_wait_for_quota() {
    let stack = stack(|inner| inner.takes = Duration::from_secs(29));
    let started = tokio::time::Instant::now();
    let answer = stack
        .revoke("ada@example.com", Duration::from_secs(500))
        .await;
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(started.elapsed(), Duration::from_secs(529));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_may_have_been_carried_out() {
    let stack = stack(|inner| inner.takes = Duration::from_secs(31));
    let started = tokio::time::Instant::now();
    let error = stack
        .revoke("ada@example.com", Duration::from_secs(500))
        .await
        .expect_err("late");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.retry(), Retry::OutcomeUnknown);
    assert_eq!(started.elapsed(), Duration::from_secs(530));
}

#[tokio::test(start_paused = true)]
async fn kind_and_retry_class_stay_as_they_were() {
    for (kind, retry) in [
        (
            ErrorKind::RateLimited,
            Retry::Safe {
                after: Some(Duration::from_secs(7)),
            },
        ),
        (ErrorKind::PermissionDenied, Retry::Never),
        (ErrorKind::InvalidResponse, Retry::OutcomeUnknown),
    ] {
        let stack = stack(|inner| inner.error = Some((kind, retry)));
        let error = stack
            .revoke("ada@example.com", Duration::ZERO)
            .await
            .expect_err("scripted");
        assert_eq!((error.kind(), error.retry()), (kind, retry));
    }
}

/// Works before it answers with a future, and breaks there.
#[derive(Debug)]
struct Hasty;

impl Evidence for Hasty {
    fn read<'me, 'cx, 'ids, 'call>(
        &'me self,
        _: &'cx Context,
        _: &'ids [String],
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Proof>, Error>> + Send + 'call>>
    where
        'me: 'call,
        'cx: 'call,
        'ids: 'call,
        Self: 'call,
    {
        panic!("scripted")
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_that_nobody_understands_and_none_of_the_provider_s() {
    let settings = settings(&Inner::new(), &Arc::default());
    let roles = build(Roles::new().with_evidence(Arc::new(Hasty)), &settings);
    let purse = Purse {
        takes: Duration::ZERO,
    };
    let cx = Context::new(Arc::new(purse));
    let read = roles.evidence.expect("a role").read(&cx, &[]).await;
    let error = read.expect_err("it panicked");
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidResponse, Retry::Safe { after: None })
    );
    assert!(error.has_panicked());
}
