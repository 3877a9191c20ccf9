//! One provider at work: its lane, and its roles behind the wrappers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::asking::{LookUp, Proving, ask};
use super::fleet::{ConfiguredProvider, Quota};
use super::gate::Gate;
use super::lane::{Lane, LaneFault, LaneSettings, Permit, Role};
use super::protected::Protected;
use super::reads::reported;
use crate::budget::{Budget, Cost};
use crate::clock::Clock;
use crate::connector::Roles;
use crate::context::{Context, LanePort, Priority};
use crate::error::{Error, ErrorKind, Retry};
use crate::id::{ConnectorKind, ProviderName};
use crate::layer::{self, LayerSettings, LogKey, Protection};
use crate::order::Binding;
use crate::provider::{
    Account, Capabilities, Descriptor, InventoryItem, MemberPage, PageToken, ProbeReport, Proof,
    Resolution, ScopeKind,
};
use crate::store::{Spent, Store, StoreError};
use crate::subject::{Subject, fold};

/// One provider at work.
#[non_exhaustive]
pub struct Member {
    /// Its name in the configuration.
    pub name: ProviderName,
    /// Its connector.
    pub kind: ConnectorKind,
    /// What its connector says it is.
    pub descriptor: Descriptor,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Its quota and health.
    pub lane: Lane,
    /// Its roles, each behind the wrappers.
    pub roles: Roles,
    /// The domains of the people it may know; empty: anybody.
    pub domains: Vec<String>,
    /// How many people may be in the calls of one role at once.
    pub max_in_flight: u32,
    /// The budgets its requests are paid from, as documented or as configured.
    pub budgets: Vec<Budget>,
    /// Whether only its own answers set the pace.
    pub unlimited: bool,
    protected: Arc<Protected>,
    clock: Arc<dyn Clock>,
    port: Arc<dyn LanePort>,
    /// The same for calls that only read.
    reads: Arc<dyn LanePort>,
    /// What its lane knows of other processes.
    known: Mutex<Left>,
    seen: Mutex<HashMap<String, Account>>,
    /// How often somebody was asked about alone.
    turns: AtomicUsize,
}

/// How many accounts a member keeps in mind between a plan and its run: more than a plan ever looks up.
const MAX_SEEN: usize = 1_000;

/// How many read calls of the planner are under way at once in one lane.
const READS_AT_ONCE: usize = 8;

impl Member {
    pub(super) async fn open(
        provider: ConfiguredProvider,
        store: &dyn Store,
        clock: &Arc<dyn Clock>,
        log_key: &LogKey,
        seed: u64,
    ) -> Result<Option<Self>, StoreError> {
        let Some(revocation) = &provider.roles.revocation else {
            return Ok(None);
        };
        let descriptor = revocation.descriptor().clone();
        let capabilities = revocation.capabilities();
        let max_in_flight = provider.max_in_flight.unwrap_or(descriptor.max_in_flight);
        let budgets = provider.quota.apply(&descriptor.budgets);
        let unlimited = provider.quota == Quota::Unlimited;
        let left = left_by_others(store, &provider.name, &budgets, clock.now()).await?;
        let mut settings = LaneSettings::new(provider.name.clone(), budgets.clone(), max_in_flight);
        settings.unlimited = unlimited;
        settings.claims_ahead = Gate::ahead(max_in_flight);
        settings.seed = seed;
        let lane = Lane::open(
            settings,
            Arc::clone(clock),
            left.memory.as_deref(),
            &left.spent,
        );
        let protected = Arc::new(Protected::default());
        let protection: Arc<dyn Protection> = Arc::clone(&protected) as _;
        let layers = LayerSettings::new(
            provider.name.clone(),
            provider.kind.clone(),
            descriptor.timeout,
            protection,
            log_key.clone(),
        );
        Ok(Some(Self {
            name: provider.name,
            kind: provider.kind,
            descriptor,
            capabilities,
            roles: layer::build(provider.roles, &layers),
            domains: provider.domains,
            max_in_flight,
            budgets,
            unlimited,
            protected,
            clock: Arc::clone(clock),
            port: Arc::new(lane.clone()),
            reads: lane.for_reads(),
            lane,
            known: Mutex::new(left),
            seen: Mutex::default(),
            turns: AtomicUsize::default(),
        }))
    }

    /// Tells the lane what other processes have left since it was opened. What it has met itself meanwhile still holds.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn take_over(&self, store: &dyn Store) -> Result<(), StoreError> {
        let now = self.clock.now();
        let left = left_by_others(store, &self.name, &self.budgets, now).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let news = left.since(&known);
        self.lane.take_over(news.memory.as_deref(), &news.spent);
        *known = left;
        Ok(())
    }

    /// A context that pays through this member's lane.
    pub fn context(&self, priority: Priority) -> Context {
        Context::new(Arc::clone(&self.port)).with_priority(priority)
    }

    /// A context that pays through this member's lane and ends with `cancel`.
    pub(super) fn context_until(&self, priority: Priority, cancel: CancellationToken) -> Context {
        Context::cancelled_by(Arc::clone(&self.port), cancel).with_priority(priority)
    }

    /// What an order to this provider is bound to.
    pub fn binding(&self) -> Binding {
        Binding {
            provider: self.name.clone(),
            kind: self.kind.to_string(),
            vendor_tenant: self.descriptor.vendor_tenant.clone(),
        }
    }

    /// Whether a repeat of a revocation does no harm.
    pub(super) fn is_idempotent(&self, scope: ScopeKind) -> bool {
        let capability = self.capabilities.scope(scope);
        capability.is_some_and(|capability| capability.idempotent)
    }

    /// The protected list as it reads at this provider.
    pub fn protected(&self) -> &Arc<Protected> {
        &self.protected
    }

    /// Looks up subjects, in calls of the size the connector likes best, each admitted by the lane and reported back
    /// to it: exactly one answer for each, in order. Cancel-safe.
    ///
    /// # Errors
    /// The first call that failed as a whole, or the fault the lane has; `ConfigInvalid` where the provider has no
    /// directory.
    pub async fn resolve(
        &self,
        subjects: &[Subject],
        priority: Priority,
    ) -> Result<Vec<Resolution>, Error> {
        let size = self.descriptor.subjects_per_read.max(1);
        let calls: Vec<_> = subjects
            .chunks(size)
            .map(|chunk| self.resolve_chunk(chunk, priority))
            .collect();
        let answers: Vec<Vec<Resolution>> = stream::iter(calls)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// One call of [`Member::resolve`]: at most as many subjects as one read takes, as [`ask`] does. Keeps in mind who was
    /// found.
    pub(super) async fn resolve_chunk(
        &self,
        subjects: &[Subject],
        priority: Priority,
    ) -> Result<Vec<Resolution>, Error> {
        let answers = ask::<LookUp>(self, subjects, priority).await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for answer in &answers {
            if let Resolution::Found(account) = answer
                && seen.len() < MAX_SEEN
            {
                seen.insert(account.id.clone(), account.clone());
            }
        }
        Ok(answers)
    }

    /// Reads the evidence of accounts, at most as many as one read takes, as [`ask`] does.
    ///
    /// # Errors
    /// The call's as a whole, or the fault the lane has; `ConfigInvalid` where the provider has no evidence.
    pub(super) async fn prove(
        &self,
        ids: &[String],
        priority: Priority,
    ) -> Result<Vec<Proof>, Error> {
        ask::<Proving>(self, ids, priority).await
    }

    /// Another number each time.
    pub(super) fn turn(&self) -> usize {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// The id of an account that the provider has found before, and that is not called any of these: another one each time,
    /// or one that cannot be read either would be asked about for ever.
    pub(super) fn witness(&self, asked: &[String]) -> Option<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |account: &&Account| {
            let spellings = [&account.id, &account.name].into_iter();
            let mut spellings = spellings.chain(&account.spellings);
            !spellings.any(|s| asked.contains(&fold(s)))
        };
        let others: Vec<&Account> = seen.values().filter(is_other).collect();
        let turn = self.turn().checked_rem(others.len())?;
        Some(others[turn].id.clone())
    }

    /// Every member of a group, all pages, nested groups included.
    ///
    /// # Errors
    /// As [`Member::resolve`]; and `InvalidResponse` when the pages go in circles.
    pub async fn expand(&self, group: &str, priority: Priority) -> Result<MemberPage, Error> {
        self.all_pages(Some(group), priority).await
    }

    /// Everybody the provider knows, all pages.
    ///
    /// # Errors
    /// As [`Member::expand`].
    pub async fn everybody(&self, priority: Priority) -> Result<MemberPage, Error> {
        self.all_pages(None, priority).await
    }

    /// What an earlier look-up of this process said about an account, if it is still in mind.
    pub(super) fn recall(&self, id: &str) -> Option<Account> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(id).cloned()
    }

    async fn all_pages(
        &self,
        group: Option<&str>,
        priority: Priority,
    ) -> Result<MemberPage, Error> {
        let Some(directory) = &self.roles.directory else {
            return Err(no_directory());
        };
        let mut all = MemberPage::default();
        let mut been = HashSet::new();
        loop {
            let (permit, cx) = self.admit(Role::Other, Cost::NOTHING, 1, priority).await?;
            let page = match group {
                Some(group) => directory.expand(&cx, group, all.next.as_ref()).await,
                None => directory.everybody(&cx, all.next.as_ref()).await,
            };
            let page = reported(permit, page)?;
            all.members.extend(page.members);
            for (why, count) in page.skipped {
                match all.skipped.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, sum)) => *sum += count,
                    None => all.skipped.push((why, count)),
                }
            }
            all.group = all.group.or(page.group);
            all.next = page.next;
            match &all.next {
                None => return Ok(all),
                Some(PageToken(next)) if !been.insert(next.clone()) => {
                    return Err(Error::new(
                        ErrorKind::InvalidResponse,
                        Retry::Safe { after: None },
                        "list",
                        "the provider's pages lead back to one already read",
                    ));
                }
                Some(_) => {}
            }
        }
    }

    /// Credentials and rights, changing nothing.
    ///
    /// # Errors
    /// When nothing can be said; a missing right is a finding of the report.
    pub async fn probe(&self, priority: Priority) -> Result<ProbeReport, Error> {
        let Some(revocation) = &self.roles.revocation else {
            return Err(no_role("probe", "this provider ends no sessions"));
        };
        let (permit, cx) = self.admit(Role::Other, Cost::NOTHING, 1, priority).await?;
        reported(permit, revocation.probe(&cx).await)
    }

    /// Everything that can be named for one account.
    ///
    /// # Errors
    /// Those of the provider; `ConfigInvalid` where it has no inventory.
    pub async fn items(
        &self,
        account_id: &str,
        priority: Priority,
    ) -> Result<Vec<InventoryItem>, Error> {
        let Some(inventory) = &self.roles.inventory else {
            return Err(no_role(
                "inventory",
                "this provider cannot name single sessions or grants",
            ));
        };
        let (permit, cx) = self.admit(Role::Other, Cost::NOTHING, 1, priority).await?;
        reported(permit, inventory.list(&cx, account_id).await)
    }

    /// Waits until the lane lets one read leave, its first request paid.
    pub(super) async fn admit(
        &self,
        role: Role,
        cost: Cost,
        people: u32,
        priority: Priority,
    ) -> Result<(Permit, Context), Error> {
        let permit = self.lane.admit(role, &cost, people, priority).await;
        let permit = permit.map_err(|fault| stopped(&fault))?;
        let cx = Context::new(Arc::clone(&self.reads))
            .with_priority(priority)
            .prepaid(cost, permit.paid());
        Ok((permit, cx))
    }
}

/// What working processes have left of a lane: its memory, and what was spent there within its longest budget.
#[derive(Debug)]
struct Left {
    memory: Option<String>,
    spent: Vec<Spent>,
}

impl Left {
    /// What is new against `known`.
    fn since(&self, known: &Self) -> Self {
        let before = |row: &Spent| {
            let same = |old: &&Spent| old.at == row.at && old.budget == row.budget;
            known.spent.iter().find(same).map_or(0, |old| old.units)
        };
        let mut spent = self.spent.clone();
        for row in &mut spent {
            row.units = row.units.saturating_sub(before(row));
        }
        spent.retain(|row| row.units > 0);
        let memory = self.memory.clone();
        Self {
            memory: memory.filter(|_| self.memory != known.memory),
            spent,
        }
    }
}

async fn left_by_others(
    store: &dyn Store,
    provider: &ProviderName,
    budgets: &[Budget],
    now: Timestamp,
) -> Result<Left, StoreError> {
    let longest = budgets.iter().map(|budget| budget.per).max();
    let since = now.checked_sub(longest.unwrap_or_default()).unwrap_or(now);
    Ok(Left {
        memory: store.load_lane(provider).await?,
        spent: store.spent(provider, since).await?,
    })
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("max_in_flight", &self.max_in_flight)
            .finish_non_exhaustive()
    }
}

/// What a call is told that was not made because its lane has stopped.
fn stopped(fault: &LaneFault) -> Error {
    let error = Error::new(
        ErrorKind::Cancelled,
        Retry::Safe { after: None },
        "admit",
        format!("the lane has stopped: {}", fault.error.message),
    );
    match &fault.error.hint {
        Some(hint) => error.with_hint(hint.clone()),
        None => error,
    }
}

/// What is said where people cannot be looked up.
pub(super) const NO_DIRECTORY: &str = "this provider cannot look people up";

fn no_directory() -> Error {
    no_role("resolve", NO_DIRECTORY)
}

pub(super) fn no_role(operation: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, Retry::Never, operation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>(_: &T) {}

    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn reads_can_be_spawned(member: &Member) {
        is_send(&member.resolve(&[], Priority::Normal));
        is_send(&member.expand("", Priority::Normal));
        is_send(&member.everybody(Priority::Normal));
    }
}
