//! A provider that does what a test says, in the runtime's own time, and keeps its own ledger: the ledger, never a
//! store, is the judge of what was done to whom.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rescind_core::budget::{Budget, Cost};
use rescind_core::clock::Clock;
use rescind_core::connector::Roles;
use rescind_core::context::{Context, Observation};
use rescind_core::engine::fleet::ConfiguredProvider;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, NameError, OrderId, ProviderName};
use rescind_core::provider::{
    Account, Capabilities, Descriptor, Directory, Evidence, FirstCosts, InventoryItem, ItemId,
    MemberPage, PageToken, ProbeReport, Proof, Resolution, RevocationProvider, RevokeRequest,
    ScopeCapability, ScopeKind, SessionInventory,
};
use rescind_core::report::{Ended, Outcome, Report, Step};
use rescind_core::subject::{IdentifierKind, Subject, fold};

/// One call, as the provider saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// When it came, on the runtime's clock.
    pub at: Timestamp,
    /// What for.
    pub call: Call,
    /// The account it was about; of a look-up, the spelling.
    pub account: String,
    /// The order it was made for, where it was made for one.
    pub order: Option<OrderId>,
    /// Whether the provider did what it was asked.
    pub carried_out: bool,
}

/// The kinds of calls in a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// One subject of a look-up.
    Resolve,
    /// Sessions of a person.
    Revoke,
    /// One account of an evidence read.
    Evidence,
    /// Single items.
    End,
}

type Making = Arc<dyn Fn() -> Result<Report, Error> + Send + Sync>;

/// What the provider does with one revoke call.
#[derive(Clone)]
pub struct Answer {
    making: Option<Making>,
    carried_out: bool,
    latency: Option<Duration>,
    /// Requests it takes, each paid for when the one before it is answered.
    requests: u32,
}

impl Answer {
    /// Ends the sessions and says so.
    pub fn revoked() -> Self {
        Self::report(|| {
            Report::new(Outcome::Revoked {
                ended: Ended::by(Step::new("sessions", 1)),
            })
        })
    }

    /// Says what `report` makes; carried out.
    pub fn report(report: impl Fn() -> Report + Send + Sync + 'static) -> Self {
        Self {
            making: Some(Arc::new(move || Ok(report()))),
            carried_out: true,
            latency: None,
            requests: 1,
        }
    }

    /// Says what `outcome` makes; not carried out.
    pub fn outcome(outcome: impl Fn() -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            carried_out: false,
            ..Self::report(move || Report::new(outcome()))
        }
    }

    /// Fails; not carried out.
    pub fn error(kind: ErrorKind, retry: Retry) -> Self {
        Self::failing(move || Error::new(kind, retry, "revoke", "scripted"))
    }

    /// Fails as `error` makes it; not carried out.
    pub fn failing(error: impl Fn() -> Error + Send + Sync + 'static) -> Self {
        Self {
            making: Some(Arc::new(move || Err(error()))),
            carried_out: false,
            latency: None,
            requests: 1,
        }
    }

    /// Never answers.
    pub fn hang() -> Self {
        Self {
            making: None,
            carried_out: false,
            latency: None,
            requests: 1,
        }
    }

    /// Carried out all the same.
    #[must_use]
    pub fn but_carried_out(mut self) -> Self {
        self.carried_out = true;
        self
    }

    /// In so many requests, as a procedure of several steps takes.
    #[must_use]
    pub fn in_requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// After this long; with several requests, each.
    #[must_use]
    pub fn after(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("carried_out", &self.carried_out)
            .field("hangs", &self.making.is_none())
            .finish_non_exhaustive()
    }
}

type Decide = Arc<dyn Fn(&str) -> Option<Answer> + Send + Sync>;
type Hook = Arc<dyn Fn(&str) + Send + Sync>;
type Fault = Arc<dyn Fn() -> Error + Send + Sync>;

/// A scripted provider. Clones share it.
///
/// It knows everybody: the id of a person is what stands before the `@`, so that two addresses of different domains are
/// one account. [`Scripted::forget`] and [`Scripted::with_account`] make exceptions.
#[derive(Clone)]
pub struct Scripted {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    descriptor: Descriptor,
    capabilities: Capabilities,
    kind: ConnectorKind,
    directory: bool,
    evidence: bool,
    latency: Duration,
    skew: SignedDuration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    ledger: Vec<Entry>,
    keep_reads: bool,
    answers: HashMap<String, VecDeque<Answer>>,
    decide: Option<Decide>,
    hook: Option<Hook>,
    resolve_faults: VecDeque<Fault>,
    /// Whether look-ups and reads fail person by person instead of as a whole.
    faults_are_single: bool,
    evidence_faults: VecDeque<Fault>,
    accounts: HashMap<String, Account>,
    unknown: Vec<String>,
    ambiguous: Vec<String>,
    /// Reads of which one of these is a part panic.
    poison: Vec<String>,
    /// These cannot be read: what stands behind them is down.
    down: Vec<String>,
    /// How the next look-ups of a person fail.
    failing: HashMap<String, VecDeque<(ErrorKind, Retry)>>,
    watermarks: HashMap<String, Timestamp>,
    /// How long a watermark takes to show.
    evidence_lag: Duration,
    /// So far ahead of the clock are watermarks claimed to be, of whomever.
    claims_ahead: Option<Duration>,
    in_flight: usize,
    most_in_flight: usize,
    done_steps: Vec<Vec<String>>,
}

impl State {
    fn touch(&self, spelling: &str) {
        assert!(!self.poison.iter().any(|p| p == spelling), "scripted");
    }
}

/// Builds a [`Scripted`].
pub struct ScriptedBuilder {
    inner: Inner,
}

impl ScriptedBuilder {
    /// With these budgets, of which a look-up, a revocation and an evidence read cost one unit of the first each.
    #[must_use]
    pub fn budgets(mut self, budgets: Vec<Budget>) -> Self {
        let cost = budgets
            .first()
            .map_or(Cost::NOTHING, |main| Cost::of(main.name, 1));
        self.inner.descriptor.first_cost = FirstCosts::new(Cost::NOTHING, cost, Cost::NOTHING);
        self.inner.descriptor.budgets = budgets;
        self
    }

    /// With these budgets, and what each role's call costs for one person.
    #[must_use]
    pub fn costs(mut self, budgets: Vec<Budget>, costs: FirstCosts) -> Self {
        self.inner.descriptor.first_cost = costs;
        self.inner.descriptor.budgets = budgets;
        self
    }

    /// With another in-flight cap.
    #[must_use]
    pub fn max_in_flight(mut self, people: u32) -> Self {
        self.inner.descriptor.max_in_flight = people;
        self
    }

    /// With another size of reads.
    #[must_use]
    pub fn subjects_per_read(mut self, subjects: usize) -> Self {
        self.inner.descriptor.subjects_per_read = subjects;
        self
    }

    /// Every call takes this long.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.inner.latency = latency;
        self
    }

    /// Its clock is this much ahead of ours.
    #[must_use]
    pub fn skew(mut self, skew: SignedDuration) -> Self {
        self.inner.skew = skew;
        self
    }

    /// It cannot look people up.
    #[must_use]
    pub fn without_directory(mut self) -> Self {
        self.inner.directory = false;
        self
    }

    /// It has no evidence.
    #[must_use]
    pub fn without_evidence(mut self) -> Self {
        self.inner.evidence = false;
        self
    }

    /// With other capabilities.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.inner.capabilities = capabilities;
        self
    }

    /// A repeat of a revocation does harm.
    #[must_use]
    pub fn not_idempotent(mut self) -> Self {
        self.inner.capabilities.scopes = vec![ScopeCapability::new(ScopeKind::Everything, false)];
        self
    }

    /// The provider.
    pub fn build(self) -> Scripted {
        Scripted {
            inner: Arc::new(self.inner),
        }
    }
}

impl Scripted {
    /// A provider called `name` with every role, no quota, no latency, 64 people at once and 20 to a read.
    ///
    /// # Errors
    /// When `name` is no provider name.
    pub fn builder(name: &str, clock: Arc<dyn Clock>) -> Result<ScriptedBuilder, NameError> {
        let kind = ConnectorKind::parse("scripted")?;
        let mut descriptor =
            Descriptor::new(ProviderName::parse(name)?, kind.clone(), "scripted-tenant");
        descriptor.max_in_flight = 64;
        descriptor.subjects_per_read = 20;
        let scopes = vec![
            ScopeCapability::new(ScopeKind::Everything, true),
            ScopeCapability::new(ScopeKind::Items, true),
        ];
        let identifiers = vec![
            IdentifierKind::Email,
            IdentifierKind::UserPrincipalName,
            IdentifierKind::ObjectId,
        ];
        Ok(ScriptedBuilder {
            inner: Inner {
                clock,
                descriptor,
                capabilities: Capabilities::new(scopes, identifiers),
                kind,
                directory: true,
                evidence: true,
                latency: Duration::ZERO,
                skew: SignedDuration::ZERO,
                state: Mutex::new(State {
                    keep_reads: true,
                    ..State::default()
                }),
            },
        })
    }

    /// What an engine is configured with.
    pub fn configured(&self) -> ConfiguredProvider {
        ConfiguredProvider::new(
            self.inner.descriptor.name.clone(),
            self.inner.kind.clone(),
            self.roles(),
        )
    }

    /// Its roles.
    pub fn roles(&self) -> Roles {
        let role = Arc::new(self.clone());
        let mut roles = Roles::new()
            .with_revocation(Arc::clone(&role) as _)
            .with_inventory(Arc::clone(&role) as _);
        if self.inner.directory {
            roles = roles.with_directory(Arc::clone(&role) as _);
        }
        if self.inner.evidence {
            roles = roles.with_evidence(role);
        }
        roles
    }

    /// Answers the next calls about an account so, one after the other; then as ever.
    pub fn script(&self, id: &str, answers: impl IntoIterator<Item = Answer>) {
        let mut state = self.state();
        let queue = state.answers.entry(id.to_owned()).or_default();
        queue.extend(answers);
    }

    /// Asks `decide` about each call whose account has no script; `None` is the usual success.
    pub fn decide(&self, decide: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) {
        self.state().decide = Some(Arc::new(decide));
    }

    /// Answers every call as usual again.
    pub fn behave(&self) {
        let mut state = self.state();
        state.decide = None;
        state.answers.clear();
        state.resolve_faults.clear();
        state.evidence_faults.clear();
    }

    /// Answers look-ups and evidence reads as usual again.
    pub fn mend_reads(&self) {
        let mut state = self.state();
        state.resolve_faults.clear();
        state.evidence_faults.clear();
    }

    /// Is told of each account the moment its revoke call comes in.
    pub fn on_revoke(&self, hook: impl Fn(&str) + Send + Sync + 'static) {
        self.state().hook = Some(Arc::new(hook));
    }

    /// Fails the next `n` look-up calls as a whole.
    pub fn fail_resolve(&self, n: usize, error: impl Fn() -> Error + Send + Sync + 'static) {
        let fault: Fault = Arc::new(error);
        let faults = std::iter::repeat_n(fault, n);
        self.state().resolve_faults.extend(faults);
    }

    /// Fails the next `n` evidence calls as a whole.
    pub fn fail_evidence(&self, n: usize, error: impl Fn() -> Error + Send + Sync + 'static) {
        let fault: Fault = Arc::new(error);
        let faults = std::iter::repeat_n(fault, n);
        self.state().evidence_faults.extend(faults);
    }

    /// Makes look-ups and evidence calls that fail say so for each person, as a batch does.
    pub fn fail_person_by_person(&self) {
        self.state().faults_are_single = true;
    }

    /// An account that is not what its address says: a guest, an alias, a person who may sign in again.
    pub fn with_account(&self, spelling: &str, account: Account) {
        let mut state = self.state();
        state.accounts.insert(fold(spelling), account);
    }

    /// Nobody answers to this spelling or id any more.
    pub fn forget(&self, spelling: &str) {
        self.state().unknown.push(fold(spelling));
    }

    /// Two accounts answer to this spelling.
    pub fn make_ambiguous(&self, spelling: &str) {
        self.state().ambiguous.push(fold(spelling));
    }

    /// Panics in each look-up and each evidence read of which this spelling or id is a part.
    pub fn panic_about(&self, spelling: &str) {
        self.state().poison.push(fold(spelling));
    }

    /// Answers each look-up and each evidence read of this spelling or id, and of nobody else, as a server that is down does.
    pub fn down_about(&self, spelling: &str) {
        self.state().down.push(fold(spelling));
    }

    /// Fails the next look-ups of this spelling, and of nobody else, so, one after the other.
    pub fn fail_look_ups_of(&self, spelling: &str, errors: &[(ErrorKind, Retry)]) {
        let errors = errors.iter().copied().collect();
        self.state().failing.insert(fold(spelling), errors);
    }

    /// Lets a watermark take this long to show.
    pub fn evidence_lags(&self, lag: Duration) {
        self.state().evidence_lag = lag;
    }

    /// Claims for everybody a watermark that is this far ahead of the clock.
    pub fn claim_watermarks_ahead(&self, ahead: Duration) {
        self.state().claims_ahead = Some(ahead);
    }

    /// Keeps no ledger of look-ups and evidence reads: for very large orders.
    pub fn keep_no_reads(&self) {
        self.state().keep_reads = false;
    }

    /// Every call so far.
    pub fn ledger(&self) -> Vec<Entry> {
        self.state().ledger.clone()
    }

    /// How many revoke calls came in.
    pub fn revoke_calls(&self) -> usize {
        self.count(|entry| entry.call == Call::Revoke)
    }

    /// How many revoke calls came in about one account.
    pub fn calls_about(&self, id: &str) -> usize {
        self.count(|entry| entry.call == Call::Revoke && entry.account == id)
    }

    /// How often an account's sessions were really ended.
    pub fn times_ended(&self, id: &str) -> usize {
        self.count(|entry| entry.call == Call::Revoke && entry.account == id && entry.carried_out)
    }

    /// The most people that were in revoke calls at once.
    pub fn most_in_flight(&self) -> usize {
        self.state().most_in_flight
    }

    /// The steps each revoke call was told to leave out.
    pub fn done_steps(&self) -> Vec<Vec<String>> {
        self.state().done_steps.clone()
    }

    fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        self.state().ledger.iter().filter(|e| which(e)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The provider's own clock.
    fn now(&self) -> Timestamp {
        let now = self.inner.clock.now();
        now.checked_add(self.inner.skew).unwrap_or(now)
    }

    fn note(&self, call: Call, account: &str, cx: &Context, carried_out: bool) -> usize {
        let at = self.inner.clock.now();
        let mut state = self.state();
        if call != Call::Revoke && !state.keep_reads {
            return usize::MAX;
        }
        state.ledger.push(Entry {
            at,
            call,
            account: account.to_owned(),
            order: cx.order,
            carried_out,
        });
        state.ledger.len() - 1
    }

    async fn travel(&self, cx: &Context, latency: Duration) -> Result<(), Error> {
        if latency.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(latency) => Ok(()),
            () = cx.cancel.cancelled() => Err(cancelled()),
        }
    }

    async fn answer(&self, cx: &Context, id: &str, call: Call) -> Result<Report, Error> {
        cx.pay(&self.inner.descriptor.first_cost.revoke).await?;
        let (answer, hook) = {
            let mut state = self.state();
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            let scripted = state.answers.get_mut(id).and_then(VecDeque::pop_front);
            let decide = state.decide.clone();
            let hook = state.hook.clone();
            drop(state);
            let answer = scripted.or_else(|| decide.and_then(|decide| decide(id)));
            (answer.unwrap_or_else(Answer::revoked), hook)
        };
        let _leaving = Leaving(self);
        if let Some(hook) = hook {
            hook(id);
        }
        self.note(call, id, cx, answer.carried_out);
        if answer.carried_out {
            let now = self.now();
            self.state().watermarks.insert(id.to_owned(), now);
        }
        let Some(making) = answer.making else {
            cx.cancel.cancelled().await;
            return Err(cancelled());
        };
        let latency = answer.latency.unwrap_or(self.inner.latency);
        self.travel(cx, latency).await?;
        for _ in 1..answer.requests {
            cx.pay(&self.inner.descriptor.first_cost.revoke).await?;
            self.travel(cx, latency).await?;
        }
        let now = self.now();
        cx.observe(Observation::ProviderTime(now));
        making().map(|report| report.at(Some(now)))
    }
}

struct Leaving<'a>(&'a Scripted);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

fn down(operation: &'static str) -> Error {
    let retry = Retry::Safe { after: None };
    Error::new(ErrorKind::Unavailable, retry, operation, "scripted")
}

fn cancelled() -> Error {
    Error::new(
        ErrorKind::Cancelled,
        Retry::OutcomeUnknown,
        "revoke",
        "cancelled after it was sent",
    )
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted")
            .field("name", &self.inner.descriptor.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RevocationProvider for Scripted {
    fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities.clone()
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        if !request.done_steps.is_empty() || self.state().keep_reads {
            self.state().done_steps.push(request.done_steps.clone());
        }
        self.answer(cx, request.subject.given(), Call::Revoke).await
    }
}

#[async_trait]
impl Directory for Scripted {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let people = subjects.len() as u32;
        cx.pay(&self.inner.descriptor.first_cost.resolve.times(people))
            .await?;
        for subject in subjects {
            self.note(Call::Resolve, subject.given(), cx, true);
        }
        self.travel(cx, self.inner.latency).await?;
        cx.observe(Observation::ProviderTime(self.now()));
        let mut state = self.state();
        for subject in subjects {
            state.touch(&subject.folded());
        }
        if let Some(fault) = state.resolve_faults.pop_front() {
            if state.faults_are_single {
                let each = |_| Resolution::Failed(fault());
                return Ok(subjects.iter().map(each).collect());
            }
            return Err(fault());
        }
        Ok(subjects
            .iter()
            .map(|subject| {
                let spelling = subject.folded();
                if state.unknown.contains(&spelling) {
                    return Resolution::NotFound;
                }
                if state.down.contains(&spelling) {
                    return Resolution::Failed(down("resolve"));
                }
                let failing = state.failing.get_mut(&spelling);
                if let Some((kind, retry)) = failing.and_then(VecDeque::pop_front) {
                    return Resolution::Failed(Error::new(kind, retry, "resolve", "scripted"));
                }
                if state.ambiguous.contains(&spelling) {
                    return Resolution::Ambiguous { count: 2 };
                }
                Resolution::Found(state.accounts.get(&spelling).cloned().unwrap_or_else(|| {
                    let id = spelling.split('@').next().unwrap_or(&spelling);
                    Account::new(id, &spelling)
                }))
            })
            .collect())
    }

    async fn expand(
        &self,
        _: &Context,
        _: &str,
        _: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        Err(Error::new(
            ErrorKind::Unexpected,
            Retry::Never,
            "expand",
            "no such group",
        ))
    }

    async fn everybody(&self, _: &Context, _: Option<&PageToken>) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }
}

#[async_trait]
impl Evidence for Scripted {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let people = account_ids.len() as u32;
        cx.pay(&self.inner.descriptor.first_cost.evidence.times(people))
            .await?;
        for id in account_ids {
            self.note(Call::Evidence, id, cx, true);
        }
        self.travel(cx, self.inner.latency).await?;
        let now = self.now();
        let mut state = self.state();
        for id in account_ids {
            state.touch(&fold(id));
        }
        if let Some(fault) = state.evidence_faults.pop_front() {
            if state.faults_are_single {
                let each = |_| Proof::Failed(fault());
                return Ok(account_ids.iter().map(each).collect());
            }
            return Err(fault());
        }
        let shown = now.checked_sub(state.evidence_lag).unwrap_or(now);
        Ok(account_ids
            .iter()
            .map(|id| {
                if state.unknown.contains(&fold(id)) {
                    return Proof::SubjectMissing;
                }
                if state.down.contains(&fold(id)) {
                    return Proof::Failed(down("evidence"));
                }
                if let Some(ahead) = state.claims_ahead {
                    let at = now.checked_add(ahead).ok();
                    return Proof::Watermark { at };
                }
                let at = state.watermarks.get(id).copied();
                Proof::Watermark {
                    at: at.filter(|at| *at <= shown),
                }
            })
            .collect())
    }
}

#[async_trait]
impl SessionInventory for Scripted {
    async fn list(&self, _: &Context, _: &str) -> Result<Vec<InventoryItem>, Error> {
        Ok(vec![InventoryItem::new(
            ItemId("grant-1".to_owned()),
            "grant",
            "An application",
        )])
    }

    async fn end(&self, cx: &Context, account_id: &str, _: &[ItemId]) -> Result<Report, Error> {
        self.answer(cx, account_id, Call::End).await
    }
}
