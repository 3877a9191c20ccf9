//! What travels with every call to a provider.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::budget::Cost;
use crate::error::{Error, ErrorKind, Retry};
use crate::id::{CorrelationId, OrderId};

/// Who goes first when a lane has less to give than is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Work of an urgent order.
    Urgent,
    /// Everything else that revokes or must be known to revoke.
    Normal,
    /// Reading evidence back: yields to revocations.
    Evidence,
}

/// What a connector noticed in an answer and the lane wants to know.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Observation {
    /// The vendor's clock when it answered (`Date`).
    ProviderTime(Timestamp),
    /// How much of a limit is used, where the vendor says so before it throttles (Graph's
    /// `x-ms-throttle-limit-percentage`, 0.8 to 1.8).
    Load(f64),
    /// One request of a call was throttled although the call goes on (an item of a batch, a step of a procedure).
    Throttled {
        /// What the vendor asked for.
        after: Option<Duration>,
    },
    /// A budget turned out to be larger or smaller than first assumed (Graph: resource units by tenant size).
    BudgetIs {
        /// Its name.
        budget: &'static str,
        /// Its size.
        units: u32,
    },
}

/// The lane, as a connector sees it.
#[async_trait]
pub trait LanePort: fmt::Debug + Send + Sync + 'static {
    /// Waits until the lane can afford `cost`, and spends it. Cancel-safe: a dropped wait spends nothing.
    async fn pay(&self, cost: &Cost, priority: Priority) -> Result<(), Error>;

    /// Tells the lane what an answer showed. Never blocks.
    fn observe(&self, observation: Observation);

    /// When the lane last shut (a throttle, an outage): what was paid before it may no longer leave.
    fn shut_at(&self) -> Option<Instant> {
        None
    }
}

/// The receipt for one request. It is good until the lane shuts: see [`Context::may_leave`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paid {
    at: Instant,
}

impl Paid {
    /// For a payment made at `at`.
    pub fn at(at: Instant) -> Self {
        Self { at }
    }
}

/// Travels with every call: who asked, until when, and the purse that every request is paid from.
///
/// A provider never invents a deadline and never sleeps.
pub struct Context {
    /// Ties the call to its log lines; sent to the vendor where a header exists.
    pub correlation: CorrelationId,
    /// The order it is made for; `None` for a probe.
    pub order: Option<OrderId>,
    /// Who goes first.
    pub priority: Priority,
    /// Ends the call early. A request that was sent all the same has an unknown outcome.
    pub cancel: CancellationToken,
    port: Arc<dyn LanePort>,
    purse: Arc<Mutex<Purse>>,
    /// What leaves by it is none of the call's own requests.
    is_aside: bool,
}

#[derive(Debug, Default)]
struct Purse {
    prepaid: Cost,
    prepaid_at: Option<Instant>,
    /// When anything was paid last: on that leaves what costs nothing more.
    paid_at: Option<Instant>,
    /// Whether any request of this call has left.
    has_left: bool,
    waited: Duration,
    waiting_since: Vec<Instant>,
}

impl Context {
    /// A context that pays through `port`.
    pub fn new(port: Arc<dyn LanePort>) -> Self {
        Self::cancelled_by(port, CancellationToken::new())
    }

    /// A context that pays through `port` and ends with `cancel`.
    pub fn cancelled_by(port: Arc<dyn LanePort>, cancel: CancellationToken) -> Self {
        Self {
            correlation: CorrelationId::new(),
            order: None,
            priority: Priority::Normal,
            cancel,
            port,
            purse: Arc::default(),
            is_aside: false,
        }
    }

    /// For an order.
    #[must_use]
    pub fn for_order(mut self, order: OrderId) -> Self {
        self.order = Some(order);
        self
    }

    /// With a place in the queue.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Ends with `cancel`.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// With its first request paid already: the lane does that before it dispatches a call.
    #[must_use]
    pub fn prepaid(self, cost: Cost, paid: Paid) -> Self {
        {
            let mut purse = self.purse();
            purse.prepaid = cost;
            purse.prepaid_at = Some(paid.at);
            purse.paid_at = Some(paid.at);
        }
        self
    }

    /// Pays for one request before it leaves; `connectors/http` calls it for every request of every role. What the
    /// lane has paid in advance is used up first. Waits as long as the lane has to; ends with [`ErrorKind::Cancelled`]
    /// and [`Retry::Safe`] when the call is cancelled meanwhile. Cancel-safe.
    pub async fn pay(&self, cost: &Cost) -> Result<Paid, Error> {
        let (rest, before) = {
            let mut purse = self.purse();
            let rest = cost.less(&purse.prepaid);
            purse.prepaid = purse.prepaid.less(cost);
            let before = if cost.is_nothing() {
                purse.paid_at
            } else {
                purse.prepaid_at
            };
            (rest, before)
        };
        if rest.is_nothing() {
            return Ok(Paid::at(before.unwrap_or_else(Instant::now)));
        }
        self.pay_now(&rest).await
    }

    /// Whether a request that was paid then may leave now. Between the two a token may have been fetched, an intent
    /// brought to disk, company waited for; if the lane has shut meanwhile, the request would be a call inside of the
    /// pause that the provider asked for. It then pays again, with [`Context::pay_again`].
    pub fn may_leave(&self, paid: Paid) -> bool {
        let may = self.port.shut_at().is_none_or(|shut| paid.at > shut);
        self.purse().has_left |= may && !self.is_aside;
        may
    }

    /// Pays for a request whose first payment the lane has voided; what was prepaid does not count. Otherwise as
    /// [`Context::pay`].
    ///
    /// A revocation of which nothing has left yet does not wait here: its job goes back, so that it can be called off
    /// and checked against the protected list until it really leaves.
    pub async fn pay_again(&self, cost: &Cost) -> Result<Paid, Error> {
        if self.order.is_some() && !self.purse().has_left {
            return Err(Error::new(
                ErrorKind::Cancelled,
                Retry::Safe { after: None },
                "pay",
                "the lane has shut before the call could leave",
            ));
        }
        self.pay_now(cost).await
    }

    async fn pay_now(&self, cost: &Cost) -> Result<Paid, Error> {
        let _waiting = Waiting::begin(self);
        tokio::select! {
            biased;
            paid = self.port.pay(cost, self.priority) => {
                paid?;
                let now = Instant::now();
                self.purse().paid_at = Some(now);
                Ok(Paid::at(now))
            }
            () = self.cancel.cancelled() => Err(Error::new(
                ErrorKind::Cancelled,
                Retry::Safe { after: None },
                "pay",
                "stopped while waiting for the provider's quota",
            )),
        }
    }

    /// The same call, for what it needs before its own requests can leave, such as an access token. That such a thing was
    /// fetched does not mean that anything of the call has left.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self {
            correlation: self.correlation,
            order: self.order,
            priority: self.priority,
            cancel: self.cancel.clone(),
            port: Arc::clone(&self.port),
            purse: Arc::clone(&self.purse),
            is_aside: true,
        }
    }

    /// Tells the lane what an answer showed.
    pub fn observe(&self, observation: Observation) {
        self.port.observe(observation);
    }

    /// The lane this call pays to, for a connector that joins several calls into one request.
    pub fn lane(&self) -> Arc<dyn LanePort> {
        Arc::clone(&self.port)
    }

    /// How long this call has waited for quota so far: time that no time-out counts. Waits of several requests that
    /// overlap count once each; the longest current one is included.
    pub fn waited(&self) -> Duration {
        let purse = self.purse();
        let current = purse.waiting_since.first().map(Instant::elapsed);
        purse.waited + current.unwrap_or_default()
    }

    fn purse(&self) -> std::sync::MutexGuard<'_, Purse> {
        self.purse.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("correlation", &self.correlation)
            .field("order", &self.order)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// Adds the time it lived to the call's waited time; concurrent waits of one call count from the first to the last.
struct Waiting<'a>(&'a Context);

impl<'a> Waiting<'a> {
    fn begin(cx: &'a Context) -> Self {
        cx.purse().waiting_since.push(Instant::now());
        Self(cx)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut purse = self.0.purse();
        if purse.waiting_since.len() == 1 {
            let since = purse.waiting_since[0];
            purse.waited += since.elapsed();
        }
        // All waits of a call are alike, so which entry leaves does not matter while the first is kept.
        if purse.waiting_since.len() > 1 {
            purse.waiting_since.pop();
        } else {
            purse.waiting_since.clear();
        }
    }
}
