//! Jobs in memory, in the order in which they are served: urgent orders first, the orders of a class in turn.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::orders::OpenOrder;
use crate::context::Priority;
use crate::id::{JobKey, OrderKey};
use crate::job::{Resolved, WaitReason};
use crate::provider::Account;
use crate::store::ReadyJob;

/// One pending job in memory. It moves from stage to stage, so what is large stays where it is.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: Box<ReadyJob>,
    pub(super) order: Arc<OpenOrder>,
    /// Who it is, once that is known.
    pub(super) account: Option<Arc<Account>>,
    /// Look-ups for it that failed.
    pub(super) lookups: u32,
    /// Look-ups and readings for it that nobody understood.
    pub(super) strange: u32,
    /// Whether it may go out again although it may have been carried out.
    pub(super) checked: bool,
    /// Whether it came back from waiting: such jobs have a share of the window of their own.
    pub(super) woken: bool,
    /// Whether the lane's retry budget has paid for it.
    pub(super) paid_retry: bool,
}

impl Work {
    pub(super) fn new(job: ReadyJob, order: Arc<OpenOrder>) -> Self {
        Self {
            job: Box::new(job),
            order,
            account: None,
            lookups: 0,
            strange: 0,
            checked: false,
            woken: false,
            paid_retry: false,
        }
    }

    pub(super) fn key(&self) -> JobKey {
        self.job.key
    }

    /// Tells subjects apart: the jobs of one account are about one.
    pub(super) fn subject(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.account {
            Some(account) => account.id.hash(&mut hasher),
            None => self.job.subject.hash(&mut hasher),
        }
        hasher.finish()
    }

    pub(super) fn priority(&self) -> Priority {
        if self.order.urgent {
            Priority::Urgent
        } else {
            Priority::Normal
        }
    }

    /// The account as a claim names it.
    pub(super) fn resolved(&self) -> Option<Resolved> {
        self.account.as_ref().map(|account| Resolved {
            id: account.id.clone(),
            name: account.name.clone(),
        })
    }

    /// Whether it may have been carried out, and no evidence said otherwise.
    pub(super) fn is_unknown(&self) -> bool {
        self.job.waited == Some(WaitReason::Unknown) && !self.checked
    }

    /// Whether this is not its first try: a retry draws on the lane's retry budget.
    pub(super) fn is_retry(&self) -> bool {
        matches!(
            self.job.waited,
            Some(WaitReason::Transient | WaitReason::Unknown)
        )
    }
}

/// A queue that serves urgent orders first and the orders of a class in turn.
#[derive(Debug, Default)]
pub(super) struct Queue {
    urgent: Turns,
    normal: Turns,
}

impl Queue {
    pub(super) fn push(&mut self, work: Work) {
        self.of(work.order.urgent).push(work, false);
    }

    /// Back to the head of its order: it is served next when the order's turn comes.
    pub(super) fn push_front(&mut self, work: Work) {
        self.of(work.order.urgent).push(work, true);
    }

    /// The next one whose order `may` be served.
    pub(super) fn pop(&mut self, may: impl Fn(&OpenOrder) -> bool) -> Option<Work> {
        self.urgent.pop(&may).or_else(|| self.normal.pop(&may))
    }

    /// Up to `n` of one class.
    pub(super) fn pop_some(&mut self, n: usize) -> Vec<Work> {
        let turns = if self.urgent.len > 0 {
            &mut self.urgent
        } else {
            &mut self.normal
        };
        std::iter::from_fn(|| turns.pop(&|_| true))
            .take(n)
            .collect()
    }

    pub(super) fn has_urgent(&self) -> bool {
        self.urgent.len > 0
    }

    pub(super) fn len(&self) -> usize {
        self.urgent.len + self.normal.len
    }

    /// Takes out everything that `leaves`.
    pub(super) fn remove(&mut self, leaves: impl Fn(&OpenOrder) -> bool) -> Vec<Work> {
        let mut removed = self.urgent.remove(&leaves);
        removed.extend(self.normal.remove(&leaves));
        removed
    }

    fn of(&mut self, urgent: bool) -> &mut Turns {
        if urgent {
            &mut self.urgent
        } else {
            &mut self.normal
        }
    }
}

#[derive(Debug, Default)]
struct Turns {
    /// Orders that have something waiting, the next one first.
    order: VecDeque<OrderKey>,
    queues: HashMap<OrderKey, VecDeque<Work>>,
    len: usize,
}

impl Turns {
    fn push(&mut self, work: Work, front: bool) {
        let key = work.order.key;
        let queue = self.queues.entry(key).or_default();
        if queue.is_empty() {
            self.order.push_back(key);
        }
        if front {
            queue.push_front(work);
        } else {
            queue.push_back(work);
        }
        self.len += 1;
    }

    fn pop(&mut self, may: &impl Fn(&OpenOrder) -> bool) -> Option<Work> {
        for _ in 0..self.order.len() {
            let key = self.order.pop_front()?;
            let Some(queue) = self.queues.get_mut(&key) else {
                continue;
            };
            let served = match queue.front() {
                Some(next) if may(&next.order) => queue.pop_front(),
                _ => None,
            };
            if queue.is_empty() {
                self.queues.remove(&key);
            } else {
                self.order.push_back(key);
            }
            if served.is_some() {
                self.len -= 1;
                return served;
            }
        }
        None
    }

    fn remove(&mut self, leaves: &impl Fn(&OpenOrder) -> bool) -> Vec<Work> {
        let mut removed = Vec::new();
        self.queues.retain(|_, queue| {
            let leave = queue.front().is_none_or(|next| leaves(&next.order));
            if leave {
                removed.extend(queue.drain(..));
            }
            !leave
        });
        self.order.retain(|key| self.queues.contains_key(key));
        self.len -= removed.len();
        removed
    }
}
