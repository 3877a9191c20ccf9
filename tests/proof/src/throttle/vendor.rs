//! A provider that counts what comes in, refuses as vendors do, and keeps the ledger that judges.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rescind_core::budget::{Budget, Cost};
use rescind_core::connector::Roles;
use rescind_core::context::Context;
use rescind_core::engine::fleet::ConfiguredProvider;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Account, Capabilities, Descriptor, Directory, FirstCosts, MemberPage, PageToken, ProbeReport,
    Resolution, RevocationProvider, RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, Outcome, Report, Step};
use rescind_core::subject::{IdentifierKind, Subject};
use rescind_testkit::limiter::Limiter;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;

/// The budget of revocations.
pub(super) const WRITES: &str = "writes";
/// The budget of everything.
pub(super) const UNITS: &str = "units";

/// A way in which a provider or its connector is wrong on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flaw {
    /// It is not.
    #[default]
    None,
    /// The connector does not tell the lane how long the provider wants to be left alone.
    HidesWishes,
    /// The connector takes a refusal for a success.
    TakesRefusalsForSuccess,
}

/// How a provider behaves.
#[derive(Debug, Clone)]
pub(super) struct Nature {
    pub(super) writes: Limiter,
    /// The limit of all requests together, look-ups included.
    pub(super) units: Option<Limiter>,
    /// What its documents say.
    pub(super) budgets: Vec<Budget>,
    pub(super) max_in_flight: u32,
    /// Round trip, least and most, in milliseconds.
    pub(super) latency: (usize, usize),
    /// Of this many requests one is refused, whatever the pace; 0: none.
    pub(super) noise: usize,
    /// Whether it looks people up.
    pub(super) directory: bool,
    pub(super) flaw: Flaw,
}

impl Nature {
    /// A provider with this limit and no documents.
    pub(super) fn of(writes: Limiter) -> Self {
        Self {
            writes,
            units: None,
            budgets: Vec::new(),
            max_in_flight: 640,
            latency: (20, 100),
            noise: 0,
            directory: false,
            flaw: Flaw::None,
        }
    }

    /// With documents.
    pub(super) fn told(mut self, budget: Budget) -> Self {
        self.budgets = vec![budget];
        self
    }
}

/// What really came in.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// When each person's sessions were ended first.
    pub(super) ended: HashMap<String, Duration>,
    pub(super) accepted: u32,
    pub(super) refused: u32,
    /// Refused, without what was on its way already when the first refusal was answered.
    pub(super) refused_late: u32,
    /// Came in while the provider had asked to be left alone.
    pub(super) early: u32,
    /// When requests came that found nobody.
    pub(super) knocks: Vec<Duration>,
    silent_from: Duration,
    silent_until: Duration,
    first_refusal: Option<Duration>,
}

/// A simulated provider. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Vendor {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    descriptor: Descriptor,
    nature: Nature,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    writes: Limiter,
    units: Option<Limiter>,
    chance: Chance,
    ledger: Ledger,
    is_down: bool,
}

impl Vendor {
    pub(super) fn new(name: &str, nature: Nature, seed: u64) -> Self {
        let name = ProviderName::parse(name).expect("a provider name");
        let kind = ConnectorKind::parse("simulated").expect("a kind");
        let mut descriptor = Descriptor::new(name, kind, "tenant");
        descriptor.budgets.clone_from(&nature.budgets);
        let revoke = Cost::of(WRITES, 1).and(UNITS, 1);
        descriptor.first_cost = FirstCosts::new(Cost::of(UNITS, 1), revoke, Cost::of(UNITS, 1));
        descriptor.max_in_flight = nature.max_in_flight;
        descriptor.subjects_per_read = 20;
        Self {
            inner: Arc::new(Inner {
                descriptor,
                started: Instant::now(),
                state: Mutex::new(State {
                    writes: nature.writes.clone(),
                    units: nature.units.clone(),
                    chance: Chance::seeded(seed),
                    ledger: Ledger::default(),
                    is_down: false,
                }),
                nature,
            }),
        }
    }

    pub(super) fn configured(&self) -> ConfiguredProvider {
        let role = Arc::new(self.clone());
        let mut roles = Roles::new().with_revocation(Arc::clone(&role) as _);
        if self.inner.nature.directory {
            roles = roles.with_directory(role);
        }
        let descriptor = &self.inner.descriptor;
        ConfiguredProvider::new(descriptor.name.clone(), descriptor.kind.clone(), roles)
    }

    pub(super) fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.state().ledger)
    }

    /// How many people a caller that knows everything would get served in this time.
    pub(super) fn ideal(&self, within: Duration) -> f64 {
        let nature = &self.inner.nature;
        let each = if nature.directory { 2.0 } else { 1.0 };
        let units = nature.units.as_ref();
        let units = units.map_or(f64::INFINITY, |units| units.ideal(within) / each);
        nature.writes.ideal(within).min(units)
    }

    pub(super) fn goes_down(&self, down: bool) {
        self.state().is_down = down;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.inner.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.inner.started.elapsed()
    }

    /// Half a round trip.
    fn half(&self) -> Duration {
        let (least, most) = self.inner.nature.latency;
        let whole = self.state().chance.between(least, most) as u64;
        Duration::from_micros(whole * 500)
    }

    /// A request travels, is counted, and its answer travels back.
    async fn request(&self, what: Request<'_>) -> Result<(), Error> {
        let half = self.half();
        let left = self.now();
        sleep(half).await;
        let answer = self.arrive(left, what);
        sleep(half).await;
        let Err(refusal) = answer else { return Ok(()) };
        let wait = match refusal {
            Refusal::Down => {
                return Err(error(ErrorKind::Unavailable, None));
            }
            Refusal::Throttled(wait) => wait,
        };
        let now = self.now();
        let state = &mut *self.state();
        state.ledger.first_refusal.get_or_insert(now);
        let until = now + wait.unwrap_or_default();
        if now >= state.ledger.silent_until {
            state.ledger.silent_from = now;
        }
        state.ledger.silent_until = state.ledger.silent_until.max(until);
        match self.inner.nature.flaw {
            Flaw::None => Err(error(ErrorKind::RateLimited, wait)),
            Flaw::HidesWishes => Err(error(ErrorKind::RateLimited, None)),
            Flaw::TakesRefusalsForSuccess => Ok(()),
        }
    }

    fn arrive(&self, left: Duration, what: Request<'_>) -> Result<(), Refusal> {
        let now = self.now();
        let state = &mut *self.state();
        let ledger = &mut state.ledger;
        if state.is_down {
            ledger.knocks.push(now);
            return Err(Refusal::Down);
        }
        let silent = ledger.silent_from..ledger.silent_until;
        ledger.early += u32::from(silent.contains(&left));
        let noise = self.inner.nature.noise;
        let answer = if noise > 0 && state.chance.one_in(noise) {
            Err(None)
        } else {
            let units = state.units.as_mut().map_or(Ok(()), |units| {
                (0..what.units()).try_for_each(|_| units.arrive(now))
            });
            match what {
                Request::Revoke(_) => units.and_then(|()| state.writes.arrive(now)),
                Request::LookUp(_) => units,
            }
        };
        match (answer, what) {
            (Ok(()), Request::Revoke(person)) => {
                ledger.accepted += 1;
                ledger.ended.entry(person.to_owned()).or_insert(now);
                Ok(())
            }
            (Ok(()), Request::LookUp(_)) => Ok(()),
            (Err(wait), _) => {
                ledger.refused += 1;
                let late = ledger.first_refusal.is_some_and(|first| left >= first);
                ledger.refused_late += u32::from(late);
                Err(Refusal::Throttled(wait))
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Request<'a> {
    Revoke(&'a str),
    LookUp(usize),
}

impl Request<'_> {
    fn units(self) -> usize {
        match self {
            Self::Revoke(_) => 1,
            Self::LookUp(people) => people,
        }
    }
}

enum Refusal {
    Down,
    Throttled(Option<Duration>),
}

fn error(kind: ErrorKind, after: Option<Duration>) -> Error {
    Error::new(kind, Retry::Safe { after }, "revoke", "refused")
}

#[async_trait]
impl RevocationProvider for Vendor {
    fn descriptor(&self) -> &Descriptor {
        &self.inner.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            vec![ScopeCapability::new(ScopeKind::Everything, true)],
            vec![IdentifierKind::Email, IdentifierKind::ObjectId],
        )
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        pay(cx, &self.inner.descriptor.first_cost.revoke).await?;
        self.request(Request::Revoke(request.subject.given()))
            .await?;
        let ended = Ended::by(Step::new("sessions", 1));
        Ok(Report::new(Outcome::Revoked { ended }))
    }
}

#[async_trait]
impl Directory for Vendor {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let cost = self.inner.descriptor.first_cost.resolve;
        pay(cx, &cost.times(subjects.len() as u32)).await?;
        self.request(Request::LookUp(subjects.len())).await?;
        let found = |subject: &Subject| {
            let spelling = subject.folded();
            Resolution::Found(Account::new(format!("id-{spelling}"), spelling))
        };
        Ok(subjects.iter().map(found).collect())
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
            "it has no groups",
        ))
    }

    async fn everybody(&self, _: &Context, _: Option<&PageToken>) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }
}

/// Pays as a connector does: what a pause has voided is paid again.
async fn pay(cx: &Context, cost: &Cost) -> Result<(), Error> {
    let mut paid = cx.pay(cost).await?;
    while !cx.may_leave(paid) {
        paid = cx.pay_again(cost).await?;
    }
    Ok(())
}
