//! A store that passes everything on to another, but for the five answers that somebody is told of.

/// Implements [`Store`](rescind_core::store::Store) for a type whose `inner` is one. `accept`, `claim`, `settle`,
/// `record_evidence` and `counts` are its own; all others go through its `ask`.
macro_rules! passing_store {
    ($type:ty { $($own:tt)* }) => {
        passing_store! { @ $type { $($own)* }
            fn begin(draft: OrderDraft) -> OrderKey;
            fn stage(order: OrderKey, jobs: Vec<StagedJob>) -> ();
            fn discard(order: OrderKey) -> ();
            fn record_denied(act: Act) -> ();
            fn recover() -> u64;
            fn open_orders() -> Vec<Order>;
            fn change_mark() -> u64;
            fn peek(order: OrderKey, provider: &ProviderName, after: Option<JobKey>, limit: usize) -> Vec<ReadyJob>;
            fn wake(provider: &ProviderName, now: Timestamp, limit: usize) -> Vec<ReadyJob>;
            fn next_due(provider: &ProviderName) -> NextDue;
            fn evidence_due(
                provider: &ProviderName, now: Timestamp, limit: usize, in_flight: &[JobKey]
            ) -> Vec<EvidenceDue>;
            fn was_resolved(provider: &ProviderName, spellings: &[String]) -> Vec<bool>;
            fn spent(provider: &ProviderName, since: Timestamp) -> Vec<Spent>;
            fn load_lane(provider: &ProviderName) -> Option<String>;
            fn save_lane(provider: &ProviderName, memory: String) -> ();
            fn pause(order: OrderKey, why: String, act: Act) -> ();
            fn release(order: OrderKey, act: Act) -> ();
            fn unpark(order: Option<OrderKey>, act: Act) -> u64;
            fn cancel(order: OrderKey, act: Act) -> u64;
            fn finish_cancels() -> u64;
            fn order(id: OrderId) -> Order;
            fn orders(before: Option<OrderKey>, limit: usize) -> Vec<Order>;
            fn jobs(order: OrderKey, states: &[JobState], after: Option<JobKey>, limit: usize) -> Vec<Job>;
            fn recount(order: OrderKey) -> Counts;
            fn audit(after: u64, limit: usize) -> Vec<AuditEntry>;
            fn checkpoints() -> Vec<Checkpoint>;
            fn checkpoint() -> ();
        }
    };
    (@ $type:ty { $($own:tt)* } $(fn $name:ident($($argument:ident: $of:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl Store for $type {
            $(async fn $name(&self, $($argument: $of),*) -> Result<$answer, StoreError> {
                self.ask(self.inner.$name($($argument),*)).await
            })*
            $($own)*
        }
    };
}

pub(super) use passing_store;
