//! What every store must keep, as cases that run against any implementation of the trait.
//!
//! An implementation supplies a [`Place`]; [`store_conformance!`](crate::store_conformance) makes a test of each case.

pub mod between;
pub mod crash;
pub mod intake;
pub mod record;
pub mod sharing;
pub mod states;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use rescind_core::clock::Clock;
use rescind_core::id::{JobKey, OrderId, OrderKey, ProviderName};
use rescind_core::job::{Job, JobState, Resolved, WaitReason};
use rescind_core::order::{Actor, Binding, Note, OrderDraft};
use rescind_core::provider::{ItemId, Scope};
use rescind_core::report::{Detail, EvidenceState, OutcomeName};
use rescind_core::store::{
    Acceptance, Act, Claim, Claimed, Next, Settlement, StagedJob, Store, StoreError,
};

/// Somewhere a store keeps its data. Opening it twice is what a second process does.
pub trait Place: Debug + Send + Sync {
    /// Opens the store, making it when it is not there.
    fn open(&self, clock: Arc<dyn Clock>) -> Arc<dyn Store>;
}

/// Makes a test of each case over the places that an expression makes.
#[macro_export]
macro_rules! store_conformance {
    ($place:expr) => {
        $crate::store_conformance! { @each $place;
            states::there_are_no_other_edges
            states::a_stale_token_changes_nothing
            states::a_paused_order_is_left_alone
            states::parked_jobs_come_back_once_asked
            states::a_parked_job_of_unknown_outcome_stays_unknown
            states::waiting_jobs_come_back_when_due
            sharing::one_attempt_runs_for_an_account
            sharing::a_later_success_is_shared
            sharing::an_earlier_start_is_not_shared
            sharing::single_items_are_not_shared
            sharing::the_rest_of_an_attempt_is_not_shared_as_a_whole
            sharing::an_attempt_without_a_call_counts_for_nobody
            sharing::single_items_speak_for_nobody_else
            sharing::an_account_is_known_once_resolved
            intake::a_plan_is_invisible_until_accepted
            intake::only_the_staged_plan_is_accepted
            intake::refusals_of_the_plan_are_counted
            intake::a_dropped_plan_leaves_nothing
            intake::another_process_orders_while_one_works
            between::a_job_taken_over_is_the_others
            between::a_job_claimed_twice_is_settled_once
            between::what_became_of_an_order_meanwhile_holds
            between::evidence_read_by_another_is_in
            between::a_success_of_another_is_heard_of
            crash::a_dead_workers_jobs_are_rescued
            crash::cancelling_during_a_run_loses_nothing
            crash::a_half_done_cancellation_is_finished
            crash::a_dead_cancellation_is_finished_in_passing
            crash::an_old_plan_is_swept
            record::every_step_is_in_a_verifiable_record
            record::a_story_told_of_many_is_told_of_each
            record::evidence_is_read_until_it_is_in
            record::a_lane_remembers
        }
    };
    (@each $place:expr; $($module:ident::$case:ident)*) => {$(
        #[tokio::test]
        async fn $case() {
            $crate::conformance::$module::$case(&$place).await;
        }
    )*};
}

/// A clock that stands still until it is told.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    fn start() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_790_000_000_000_000)))
    }

    /// Moves it.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).expect("a test's duration");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).expect("a test's time")
    }
}

/// One store under test, with the steps that every case is made of.
#[derive(Debug)]
pub struct Bench<'p> {
    place: &'p dyn Place,
    /// The time of the store.
    pub clock: Arc<HandClock>,
    /// The store.
    pub store: Arc<dyn Store>,
}

impl<'p> Bench<'p> {
    /// Opens a place.
    pub fn new(place: &'p dyn Place) -> Self {
        let clock = HandClock::start();
        let store = place.open(Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            place,
            clock,
            store,
        }
    }

    /// What a second process would hold.
    pub fn second(&self) -> Arc<dyn Store> {
        self.place.open(Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    /// The provider of all cases.
    pub fn provider() -> ProviderName {
        ProviderName::parse("entra").expect("a name")
    }

    /// Somebody's act.
    pub fn act(action: &'static str) -> Act {
        Act::new(Actor::new("maria", "os-user"), action).because("a test of the store")
    }

    /// A draft for one provider.
    pub fn draft() -> OrderDraft {
        let note = Note::parse("left the company", 1).expect("a note");
        let mut draft = OrderDraft::new(note, Actor::new("maria", "os-user"));
        draft.reference = Some("HR-7".to_owned());
        draft.bindings = vec![Binding {
            provider: Self::provider(),
            kind: "scripted".to_owned(),
            vendor_tenant: "contoso".to_owned(),
        }];
        draft
    }

    /// Stages and accepts an order for these people.
    pub async fn order(&self, people: &[&str]) -> (OrderId, OrderKey) {
        Self::order_at(&*self.store, people).await
    }

    /// The same, through another handle.
    pub async fn order_at(store: &dyn Store, people: &[&str]) -> (OrderId, OrderKey) {
        let draft = Self::draft();
        let id = draft.id;
        let key = store.begin(draft).await.expect("a plan begins");
        let jobs = people.iter().map(|name| StagedJob::new(*name, 0)).collect();
        store.stage(key, jobs).await.expect("its jobs are staged");
        let count = people.len() as u64;
        store
            .accept(key, Acceptance::new("c0ffee", count, count))
            .await
            .expect("it is accepted");
        (id, key)
    }

    /// Stages and accepts an order that ends single items of one person.
    pub async fn order_items(&self, name: &str, items: &[&str]) -> (OrderId, OrderKey) {
        let draft = Self::draft();
        let id = draft.id;
        let key = self.store.begin(draft).await.expect("a plan begins");
        let mut job = StagedJob::new(name, 0);
        job.scope = Scope::Items(
            items
                .iter()
                .map(|item| ItemId((*item).to_owned()))
                .collect(),
        );
        let staged = self.store.stage(key, vec![job]).await;
        staged.expect("its job is staged");
        let accepted = self
            .store
            .accept(key, Acceptance::new("c0ffee", 1, 1))
            .await;
        accepted.expect("it is accepted");
        (id, key)
    }

    /// The account of a person: two spellings of one have the same.
    pub fn account(name: &str) -> Resolved {
        Resolved {
            id: format!("id-{}", name.to_lowercase()),
            name: name.to_lowercase(),
        }
    }

    /// A claim for a call about a person.
    pub fn claim(job: JobKey, name: &str) -> Claim {
        Claim::new(job, Self::provider(), Some(Self::account(name)))
    }

    /// Claims one job.
    pub async fn claim_one(&self, claim: Claim) -> Claimed {
        let mut claimed = self.store.claim(vec![claim]).await.expect("a claim");
        assert_eq!(claimed.len(), 1, "one answer for each claim");
        claimed.remove(0)
    }

    /// Settles one job.
    pub async fn settle(&self, settlement: Settlement) -> bool {
        let held = self
            .store
            .settle(vec![settlement])
            .await
            .expect("a settlement");
        assert_eq!(held.len(), 1, "one answer for each settlement");
        held[0]
    }

    /// A success.
    pub fn confirmed(&self) -> Next {
        Next::Confirmed {
            effective_by: self.clock.now(),
            evidence_due: None,
            evidence: EvidenceState::None,
        }
    }

    /// A wait that ends in a minute.
    pub fn waiting(&self, why: WaitReason) -> Next {
        Next::Waiting {
            until: self.clock.now() + SignedDuration::from_mins(1),
            why,
        }
    }

    /// Every way out of running.
    pub fn ways_out(&self) -> [Next; 5] {
        [
            self.confirmed(),
            Next::Gone,
            Next::Refused,
            self.waiting(WaitReason::Transient),
            Next::Parked,
        ]
    }

    /// The story of a success.
    pub fn story() -> Detail {
        Detail {
            outcome: Some(OutcomeName::Revoked),
            vendor_request_id: Some("r-1".to_owned()),
            ..Detail::default()
        }
    }

    /// Takes an order's first job, alone in it, to a state.
    pub async fn bring(&self, order: OrderKey, name: &str, state: JobState) {
        let job = JobKey::new(order, 0);
        match state {
            JobState::Pending => return,
            JobState::Cancelled => {
                self.store
                    .cancel(order, Self::act("order_cancelled"))
                    .await
                    .expect("a cancellation");
                return;
            }
            _ => {}
        }
        let Claimed::Running { token, .. } = self.claim_one(Self::claim(job, name)).await else {
            panic!("a pending job is claimed");
        };
        if let Some(next) = self.ways_out().into_iter().find(|n| n.state() == state) {
            assert!(
                self.settle(Settlement::new(job, token, next, Self::story()))
                    .await
            );
        }
    }

    /// One job as reports see it.
    pub async fn job(&self, key: JobKey) -> Job {
        let after = key
            .seq()
            .checked_sub(1)
            .map(|seq| JobKey::new(key.order(), seq));
        let mut jobs = self
            .store
            .jobs(key.order(), &[], after, 1)
            .await
            .expect("a job");
        let job = jobs.pop().expect("the job exists");
        assert_eq!(job.key, key);
        job
    }

    /// The books of an order balance, and its counters say what its jobs say.
    pub async fn balanced(&self, id: OrderId) {
        let order = self.store.order(id).await.expect("the order");
        let recounted = self.store.recount(order.key).await.expect("a recount");
        assert!(recounted.balances(), "{recounted:?}");
        assert_eq!(order.counts, recounted, "counters and jobs agree");
        let mut summed = rescind_core::order::Counts::default();
        for (_, counts) in self.store.counts(order.key).await.expect("counts") {
            summed += counts;
        }
        assert_eq!(summed, recounted, "counters by provider and jobs agree");
    }
}

/// Whether an error says that the plan is none any more.
fn is_not_staged<T: Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotStaged))
}
