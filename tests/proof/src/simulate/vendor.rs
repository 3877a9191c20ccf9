//! A simulated provider: every role, over its ledger.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use rescind_core::budget::{Budget, Cost};
use rescind_core::connector::Roles;
use rescind_core::context::{Context, Observation};
use rescind_core::engine::fleet::ConfiguredProvider;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Account, Capabilities, Descriptor, Directory, Evidence, FirstCosts, InventoryItem, ItemId,
    MemberPage, PageToken, ProbeReport, Proof, Resolution, RevocationProvider, RevokeRequest,
    ScopeCapability, ScopeKind, SessionInventory,
};
use rescind_core::report::{Ended, ItemFailure, Outcome, Report, Step, Unsupported};
use rescind_core::subject::{IdentifierKind, Subject};

use super::Breakage;
use super::books::item_number;
use super::judge::Arrival;
use super::ledger::{Effect, Heard, What};
use super::scenario::{Name, Proofs, Quirk, VendorPlan};
use super::ways::{Role, Way};
use super::world::{Life, World};

/// The longest a call may take: shorter than a real one, so that calls without an answer cost little.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One provider as one process sees it.
#[derive(Debug)]
pub(super) struct Vendor {
    world: Arc<World>,
    index: usize,
    life: Arc<Life>,
    descriptor: Descriptor,
}

/// What a revocation is about.
struct Target {
    account: Name,
    order: Option<rescind_core::id::OrderId>,
    items: Option<Vec<u64>>,
    done_steps: Vec<String>,
}

/// How it will go, decided the moment it comes in.
struct Course {
    way: Way,
    quirk: Quirk,
    /// The steps that are done, of those that were to do; the rest fail so.
    done: Vec<u64>,
    failed: Option<Error>,
    nothing_to_do: bool,
    before_ms: u64,
    back_ms: u64,
}

pub(super) fn name_of(index: usize) -> ProviderName {
    ProviderName::parse(&format!("idp{index}")).expect("a provider name")
}

/// Every provider of a world, as an engine is configured with them.
pub(super) fn all(world: &Arc<World>, life: &Arc<Life>) -> Vec<ConfiguredProvider> {
    (0..world.scenario.vendors.len())
        .map(|index| Vendor::configured(world, index, life))
        .collect()
}

impl Vendor {
    fn configured(world: &Arc<World>, index: usize, life: &Arc<Life>) -> ConfiguredProvider {
        let plan = &world.scenario.vendors[index];
        let kind = ConnectorKind::parse("simulated").expect("a kind");
        let mut descriptor = Descriptor::new(name_of(index), kind.clone(), "a-tenant");
        descriptor.max_in_flight = plan.max_in_flight;
        descriptor.subjects_per_read = plan.per_read;
        descriptor.timeout = TIMEOUT;
        if let Some(units) = plan.quota {
            let per = Duration::from_secs(10);
            descriptor.budgets = vec![Budget::bucket("calls", units, per)];
            let cost = Cost::of("calls", 1);
            descriptor.first_cost = FirstCosts::new(Cost::NOTHING, cost, Cost::NOTHING);
        }
        let role = Arc::new(Self {
            world: Arc::clone(world),
            index,
            life: Arc::clone(life),
            descriptor,
        });
        let mut roles = Roles::new()
            .with_revocation(Arc::clone(&role) as _)
            .with_inventory(Arc::clone(&role) as _);
        if plan.directory {
            roles = roles.with_directory(Arc::clone(&role) as _);
        }
        if plan.evidence != Proofs::None {
            roles = roles.with_evidence(role);
        }
        ConfiguredProvider::new(name_of(index), kind, roles)
    }

    fn plan(&self) -> &VendorPlan {
        &self.world.scenario.vendors[self.index]
    }

    /// An instant of the simulation on the provider's clock, cut to the second.
    fn at(&self, ms: u64) -> Timestamp {
        let ahead = SignedDuration::from_millis(self.plan().ahead_ms);
        let behind = Duration::from_millis(self.world.now() - ms);
        let exact = self.world.clock.now() - behind + ahead;
        Timestamp::from_second(exact.as_second()).unwrap_or(exact)
    }

    /// One revocation, from its coming in to its answer.
    async fn end(&self, cx: &Context, target: Target) -> Result<Report, Error> {
        self.world.breathe(&self.life).await;
        pays(cx, &self.descriptor.first_cost.revoke).await?;
        self.life.goes_on().await;
        let course = self.comes_in(&target);
        let _landing = Landing(self, target.account);
        let hangs = matches!(course.way, Way::Lost { hangs: true, .. });
        let travel = async {
            if hangs {
                std::future::pending::<()>().await;
            }
            self.world.sleep(course.before_ms).await;
        };
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(cancelled()),
            () = travel => {}
        }
        let date = self.at(self.world.now());
        self.world.sleep(course.back_ms).await;
        self.life.goes_on().await;
        self.answers(cx, &target, &course, date)
    }

    /// The request is at the provider: what it does is decided, and happens whoever waits for it.
    fn comes_in(&self, target: &Target) -> Course {
        let world = &self.world;
        let plan = self.plan();
        let now = world.now();
        let account = target.account;
        let intent_is_written = world
            .model
            .is_in_flight(&self.descriptor.name, &account.text());
        let mut course = {
            let state = &mut *world.state();
            let arrival = Arrival {
                now,
                vendor: self.index,
                account,
                order: target.order,
                items: target.items.clone(),
                by: self.life.id,
                intent_is_written,
            };
            state.judge.arrives(&world.scenario, &arrival);
            let calm = state.calm;
            let dice = &mut state.dice;
            let (least, most) = if calm { (0, 5) } else { plan.latency_ms };
            Course {
                way: plan.way(dice, Role::Revoke, now, calm),
                quirk: match world.scenario.quirk(self.index, account) {
                    Quirk::Forbidden if calm => Quirk::Plain,
                    quirk => quirk,
                },
                done: Vec::new(),
                failed: None,
                nothing_to_do: dice.percent(5),
                before_ms: dice.between(least, most),
                back_ms: dice.pick(&[0, 0, 1, 30]),
            }
        };
        self.carry_out(target, now, &mut course);
        world.tell(self.life.id, || {
            let what = match &target.items {
                Some(items) => format!("items {items:?}"),
                None => "everything".to_owned(),
            };
            format!(
                "idp{}: end {what} of {}: {:?}, {} ms",
                self.index,
                account.text(),
                course.way,
                course.before_ms
            )
        });
        course
    }

    /// Writes into the ledger what this request will have done.
    fn carry_out(&self, target: &Target, now: u64, course: &mut Course) {
        let state = &mut *self.world.state();
        let account = target.account;
        match course.quirk {
            Quirk::Unknown | Quirk::Guest | Quirk::Forbidden => return,
            Quirk::Leaves(at) if at <= now => return,
            _ => {}
        }
        let carried_out = match course.way {
            Way::Well | Way::Partial => true,
            Way::Lost { carried_out, .. } | Way::Garbage { carried_out } => carried_out,
            _ => false,
        };
        if !carried_out {
            return;
        }
        if self.world.breakage == Breakage::ConfirmsWithoutEffect && state.dice.percent(10) {
            return;
        }
        let mut whats: Vec<What> = match &target.items {
            Some(items) => items.iter().map(|item| What::Item(*item)).collect(),
            None if self.plan().steps == 0 => vec![What::Whole],
            None => (0..self.plan().steps as u64)
                .filter(|step| !target.done_steps.contains(&step_name(*step)))
                .map(What::Step)
                .collect(),
        };
        if course.way == Way::Partial && target.items.is_none() {
            let dice = &mut state.dice;
            whats.truncate(dice.below(whats.len() as u64) as usize);
            let way = match dice.below(4) {
                0 => Way::Throttled(Some(dice.between(1, 5) * 1_000)),
                1 => Way::Denied,
                2 => Way::Garbage { carried_out: false },
                _ => Way::Unavailable(None),
            };
            course.failed = way.error("step", false);
        }
        for what in whats {
            if let What::Step(step) = what {
                course.done.push(step);
            }
            // A request without an answer may be carried out long after its sender has given up.
            let late = matches!(course.way, Way::Lost { .. }) && state.dice.percent(30);
            let most = if late { 20_000 } else { course.before_ms };
            let at = now + state.dice.between(0, most);
            let place = state.judge.moment(now).place;
            let effect = Effect {
                at,
                place,
                account,
                what,
            };
            state.judge.ledgers[self.index].effects.push(effect);
        }
    }

    /// The answer is read.
    fn answers(
        &self,
        cx: &Context,
        target: &Target,
        course: &Course,
        date: Timestamp,
    ) -> Result<Report, Error> {
        if let Some(error) = course.way.error("revoke", false) {
            self.heard(&error);
            if !matches!(course.way, Way::Lost { .. }) {
                cx.observe(Observation::ProviderTime(date));
            }
            return Err(error);
        }
        cx.observe(Observation::ProviderTime(date));
        let now = self.world.now();
        let outcome = match (course.quirk, &course.failed) {
            (Quirk::Unknown, _) => Outcome::SubjectNotFound,
            (Quirk::Leaves(at), _) if at <= now => Outcome::SubjectNotFound,
            (Quirk::Guest, _) => Outcome::Unsupported(guest()),
            (Quirk::Forbidden, _) => {
                return Err(Way::Denied.error("revoke", false).unwrap_or_else(cancelled));
            }
            (_, Some(error)) => {
                self.heard(error);
                self.partial(target, &course.done, error)
            }
            (_, None) => self.success(target, course),
        };
        Ok(Report::new(outcome).at(Some(date)))
    }

    /// A process hears that it must wait, if the answer says so.
    fn heard(&self, error: &Error) {
        let (ErrorKind::RateLimited, Retry::Safe { after: Some(after) }) =
            (error.kind(), error.retry())
        else {
            return;
        };
        let now = self.world.now();
        let judge = &mut self.world.state().judge;
        judge.hears_pause(now, self.index, self.life.id, after.as_millis() as u64);
    }

    fn success(&self, target: &Target, course: &Course) -> Outcome {
        let heard = Heard {
            order: target.order,
            account: target.account,
            items: target.items.clone(),
            by: self.life.id,
        };
        let ledger = &mut self.world.state().judge.ledgers[self.index];
        ledger.successes.push(heard);
        if course.nothing_to_do {
            return Outcome::NothingToRevoke;
        }
        let steps = course
            .done
            .iter()
            .map(|step| Step::new(step_name(*step), 1));
        Outcome::Revoked {
            ended: Ended::steps(steps.collect()),
        }
    }

    fn partial(&self, target: &Target, done: &[u64], error: &Error) -> Outcome {
        let failed = (0..self.plan().steps as u64)
            .filter(|step| !done.contains(step))
            .map(step_name)
            .filter(|name| !target.done_steps.contains(name))
            .map(|name| ItemFailure::new(name, None, error.for_another_call()))
            .collect();
        let steps = done.iter().map(|step| Step::new(step_name(*step), 1));
        Outcome::Partial {
            ended: Ended::steps(steps.collect()),
            failed,
        }
    }

    /// A call that changes nothing: its way, after its time. `Ok`: which single answers fail.
    async fn reads(&self, cx: &Context, role: Role, n: usize) -> Result<Vec<bool>, Error> {
        let world = &self.world;
        world.breathe(&self.life).await;
        pays(cx, &Cost::NOTHING).await?;
        self.life.goes_on().await;
        let (way, fails, short, ms, back_ms) = {
            let state = &mut *world.state();
            let now = world.now();
            let what = match role {
                Role::Resolve => "a look-up",
                _ => "an evidence read",
            };
            state.judge.reads(now, self.index, self.life.id, what);
            let plan = self.plan();
            let calm = state.calm;
            let dice = &mut state.dice;
            let way = plan.way(dice, role, now, calm);
            let single = if calm { 0 } else { plan.moods.single };
            let fails: Vec<bool> = (0..n).map(|_| dice.permille(single)).collect();
            let short = !calm && dice.permille(plan.moods.short);
            let (least, most) = if calm { (0, 5) } else { plan.latency_ms };
            let back_ms = dice.pick(&[0, 0, 1, 30]);
            (way, fails, short, dice.between(least, most), back_ms)
        };
        world.tell(self.life.id, || {
            format!("idp{}: {role:?} of {n}: {way:?}, {ms} ms", self.index)
        });
        if matches!(way, Way::Lost { hangs: true, .. }) {
            std::future::pending::<()>().await;
        }
        world.sleep(ms).await;
        let date = self.at(world.now());
        world.sleep(back_ms).await;
        self.life.goes_on().await;
        if let Some(error) = way.error("read", true) {
            self.heard(&error);
            return Err(error);
        }
        cx.observe(Observation::ProviderTime(date));
        let mut fails = fails;
        if short {
            fails.pop();
        }
        Ok(fails)
    }

    /// What one person of a read fails with.
    fn single(&self) -> Error {
        let dice = &mut self.world.state().dice;
        let way = match dice.below(3) {
            0 => Way::Garbage { carried_out: false },
            _ => Way::Unavailable(None),
        };
        way.error("read", true).unwrap_or_else(cancelled)
    }

    fn resolution(&self, subject: &Subject) -> Resolution {
        let name = Name::parse(subject.folded().as_str());
        let now = self.world.now();
        let mut account = Account::new(
            Name {
                spelling: 0,
                ..name
            }
            .text(),
            Name {
                spelling: 1,
                ..name
            }
            .text(),
        );
        account.spellings.push(
            Name {
                spelling: 2,
                ..name
            }
            .text(),
        );
        match self.world.scenario.quirk(self.index, name) {
            Quirk::Unknown => return Resolution::NotFound,
            Quirk::Leaves(at) if at <= now => return Resolution::NotFound,
            Quirk::Ambiguous if name.spelling != 0 => return Resolution::Ambiguous { count: 2 },
            Quirk::Guest => account.not_covered = Some(guest()),
            _ => {}
        }
        Resolution::Found(account)
    }

    fn proof(&self, id: &str) -> Proof {
        let name = Name::parse(id);
        let now = self.world.now();
        match self.world.scenario.quirk(self.index, name) {
            Quirk::Unknown => return Proof::SubjectMissing,
            Quirk::Leaves(at) if at <= now => return Proof::SubjectMissing,
            _ => {}
        }
        let plan = self.plan();
        let state = self.world.state();
        let ledger = &state.judge.ledgers[self.index];
        if plan.evidence == Proofs::Remaining {
            let items = ledger.remaining(name, plan.steps, now);
            return Proof::Remaining { items };
        }
        let at = ledger.watermark(name, now, plan.lag_ms);
        Proof::Watermark {
            at: at.map(|ms| self.at(ms)),
        }
    }
}

/// Pays for a request that leaves at once, as every connector does.
async fn pays(cx: &Context, cost: &Cost) -> Result<(), Error> {
    let mut paid = cx.pay(cost).await?;
    while !cx.may_leave(paid) {
        paid = cx.pay_again(cost).await?;
    }
    Ok(())
}

/// The end of a revocation, however it ends.
struct Landing<'a>(&'a Vendor, Name);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let Self(vendor, account) = self;
        let state = &mut *vendor.world.state();
        state.judge.lands(vendor.index, *account, vendor.life.id);
    }
}

fn step_name(step: u64) -> String {
    format!("step{step}")
}

fn guest() -> Unsupported {
    Unsupported::new("a guest", "ask their home tenant")
}

fn cancelled() -> Error {
    let retry = Retry::OutcomeUnknown;
    Error::new(ErrorKind::Cancelled, retry, "revoke", "cancelled")
}

#[async_trait]
impl RevocationProvider for Vendor {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        let idempotent = self.plan().idempotent;
        let scopes = vec![
            ScopeCapability::new(ScopeKind::Everything, idempotent),
            ScopeCapability::new(ScopeKind::Items, idempotent),
        ];
        let identifiers = vec![
            IdentifierKind::Email,
            IdentifierKind::UserPrincipalName,
            IdentifierKind::ObjectId,
        ];
        Capabilities::new(scopes, identifiers)
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let target = Target {
            account: Name::parse(request.subject.folded().as_str()),
            order: cx.order,
            items: None,
            done_steps: request.done_steps.clone(),
        };
        self.end(cx, target).await
    }
}

#[async_trait]
impl SessionInventory for Vendor {
    async fn list(&self, _: &Context, _: &str) -> Result<Vec<InventoryItem>, Error> {
        Ok(Vec::new())
    }

    async fn end(&self, cx: &Context, id: &str, items: &[ItemId]) -> Result<Report, Error> {
        let target = Target {
            account: Name::parse(id),
            order: cx.order,
            items: Some(items.iter().map(|item| item_number(&item.0)).collect()),
            done_steps: Vec::new(),
        };
        Vendor::end(self, cx, target).await
    }
}

#[async_trait]
impl Directory for Vendor {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let fails = self.reads(cx, Role::Resolve, subjects.len()).await?;
        let each = subjects.iter().zip(fails).map(|(subject, fails)| {
            if fails {
                Resolution::Failed(self.single())
            } else {
                self.resolution(subject)
            }
        });
        Ok(each.collect())
    }

    async fn expand(
        &self,
        _: &Context,
        _: &str,
        _: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }

    async fn everybody(&self, _: &Context, _: Option<&PageToken>) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }
}

#[async_trait]
impl Evidence for Vendor {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let fails = self.reads(cx, Role::Evidence, account_ids.len()).await?;
        let each = account_ids.iter().zip(fails).map(|(id, fails)| {
            if fails {
                Proof::Failed(self.single())
            } else {
                self.proof(id)
            }
        });
        Ok(each.collect())
    }
}
