//! The judge's own books: what the store has committed, job by job, as its calls went by.

use std::collections::BTreeMap;

use rescind_core::id::{JobKey, OrderId, OrderKey};
use rescind_core::job::JobState;
use rescind_core::provider::Scope;
use rescind_core::store::StagedJob;

use super::scenario::Name;

/// Which process.
pub(super) type ProcessId = u32;

/// An instant, and a place in the order of events for those of one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: u64,
    pub(super) place: u64,
}

#[derive(Debug)]
pub(super) struct OrderBook {
    pub(super) key: OrderKey,
    pub(super) id: OrderId,
    /// T.
    pub(super) accepted: Option<Moment>,
    pub(super) jobs: Vec<JobBook>,
    pub(super) cancelled_at: Option<u64>,
    pub(super) paused_at: Option<u64>,
}

#[derive(Debug)]
pub(super) struct JobBook {
    pub(super) state: JobState,
    pub(super) vendor: usize,
    pub(super) given: Name,
    /// Which items, if not everything.
    pub(super) items: Option<Vec<u64>>,
    pub(super) account: Option<Name>,
    pub(super) calls: bool,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) orders: BTreeMap<OrderKey, OrderBook>,
    /// The last time anybody but the working process wrote.
    pub(super) touched_at: u64,
}

impl Books {
    pub(super) fn begin(&mut self, key: OrderKey, id: OrderId) {
        let book = OrderBook {
            key,
            id,
            accepted: None,
            jobs: Vec::new(),
            cancelled_at: None,
            paused_at: None,
        };
        self.orders.insert(key, book);
    }

    pub(super) fn stage(&mut self, key: OrderKey, jobs: &[StagedJob], vendors: &[usize]) {
        let Some(order) = self.orders.get_mut(&key) else {
            return;
        };
        for staged in jobs {
            order.jobs.push(JobBook {
                state: match staged.refused {
                    Some(_) => JobState::Refused,
                    None => JobState::Pending,
                },
                vendor: vendors[usize::from(staged.binding)],
                given: Name::parse(&staged.subject),
                items: match &staged.scope {
                    Scope::Everything => None,
                    Scope::Items(items) => Some(items.iter().map(|i| item_number(&i.0)).collect()),
                },
                account: None,
                calls: false,
            });
        }
    }

    pub(super) fn job(&mut self, key: JobKey) -> Option<&mut JobBook> {
        let order = self.orders.get_mut(&key.order())?;
        order.jobs.get_mut(key.seq() as usize)
    }

    pub(super) fn order_of(&self, id: OrderId) -> Option<&OrderBook> {
        self.orders.values().find(|order| order.id == id)
    }

    /// Moves every job of some orders that is in one of `from`. Answers how many.
    pub(super) fn move_all(
        &mut self,
        which: impl Fn(&OrderBook) -> bool,
        from: &[JobState],
        to: JobState,
    ) -> u64 {
        let mut moved = 0;
        for order in self.orders.values_mut().filter(|order| which(order)) {
            if order.accepted.is_none() {
                continue;
            }
            for job in &mut order.jobs {
                if from.contains(&job.state) {
                    job.state = to;
                    moved += 1;
                }
            }
        }
        moved
    }

    /// What is rescued at a start: running jobs wait, or are written off with their order.
    pub(super) fn rescue(&mut self) -> u64 {
        let running = [JobState::Running];
        let off = self.move_all(
            |order| order.cancelled_at.is_some(),
            &running,
            JobState::Cancelled,
        );
        off + self.move_all(|_| true, &running, JobState::Waiting)
    }

    /// Whether a job runs that an account's call is made for.
    pub(super) fn is_running(&self, vendor: usize, account: Name) -> bool {
        self.orders
            .values()
            .flat_map(|order| &order.jobs)
            .any(|job| {
                job.state == JobState::Running
                    && job.calls
                    && job.vendor == vendor
                    && job.account == Some(account)
            })
    }
}

impl OrderBook {
    pub(super) fn open(&self) -> usize {
        self.jobs.iter().filter(|job| job.state.is_open()).count()
    }
}

/// `item2` is 2.
pub(super) fn item_number(text: &str) -> u64 {
    text.strip_prefix("item")
        .and_then(|n| n.parse().ok())
        .unwrap_or(u64::MAX)
}
