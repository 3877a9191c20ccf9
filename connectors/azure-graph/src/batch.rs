//! Joins concurrent calls into one request.
//!
//! A batch leaves when it holds 20 items, when every call in flight already waits in it, or after 2 ms. It travels in a
//! task of its own: a caller that is cancelled takes nobody else with it. Each item has paid before it joins and gets an
//! answer of its own; batching saves round trips, never quota.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rescind_core::budget::Cost;
use rescind_core::context::{Context, LanePort, Observation, Paid, Priority};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{CorrelationId, OrderId};
use rescind_http::{Effect, Request, StatusCode};
use tokio::sync::{Notify, oneshot};

use crate::answer::{GraphAnswer, Verdict};
use crate::batch_wire::{self, BatchRequest, ItemReply, ItemRequest, MOST};
use crate::graph::Graph;

/// The longest an item waits for company.
const LINGER: Duration = Duration::from_millis(2);

/// Joins calls of one kind: all of them write, or all of them read, at the same cost.
#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    graph: Graph,
    effect: Effect,
    cost: Cost,
    /// Calls in flight, whether they pay, wait in the batch, or wait for an answer.
    calls: AtomicUsize,
    waiting: Mutex<Waiting>,
    /// Rung when the last call in flight has joined.
    all_wait: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    items: Vec<Item>,
    /// Which batch is filling: a task that waits for one that has left finds another number.
    round: u64,
}

#[derive(Debug)]
struct Item {
    operation: &'static str,
    path: String,
    correlation: CorrelationId,
    order: Option<OrderId>,
    priority: Priority,
    lane: Arc<dyn LanePort>,
    paid: Paid,
    reply: oneshot::Sender<Reply>,
}

/// What comes back to a caller: its answer, and its path for a repeat.
#[derive(Debug)]
struct Reply {
    answer: Result<GraphAnswer, Error>,
    path: String,
}

impl Item {
    /// Answers. A caller that is gone wants no answer.
    fn reply(self, answer: Result<GraphAnswer, Error>) {
        let path = self.path;
        let _ = self.reply.send(Reply { answer, path });
    }
}

/// Counts a call in flight for as long as it lives.
struct Call<'a>(&'a AtomicUsize);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Batcher {
    pub(crate) fn new(graph: Graph, effect: Effect, cost: Cost) -> Self {
        Self {
            inner: Arc::new(Inner {
                graph,
                effect,
                cost,
                calls: AtomicUsize::new(0),
                waiting: Mutex::default(),
                all_wait: Notify::new(),
            }),
        }
    }

    /// Pays, and sends `path` (relative to the API's version, encoded) alone or in company.
    ///
    /// # Errors
    /// As [`Graph::send`]. Cancelled or dropped after it has joined, a write may have been carried out.
    pub(crate) async fn call(
        &self,
        cx: &Context,
        operation: &'static str,
        path: String,
    ) -> Result<GraphAnswer, Error> {
        let inner = &self.inner;
        inner.calls.fetch_add(1, Ordering::AcqRel);
        let _call = Call(&inner.calls);
        let paid = cx.pay(&inner.cost).await?;
        let (reply, answer) = oneshot::channel();
        self.join(Item {
            operation,
            path,
            correlation: cx.correlation,
            order: cx.order,
            priority: cx.priority,
            lane: cx.lane(),
            paid,
            reply,
        });
        let retry = inner.effect.retry_after_sending();
        let lost = |kind, message| Error::new(kind, retry, operation, message);
        let Reply { answer, path } = tokio::select! {
            biased;
            reply = answer => reply.map_err(|_| lost(ErrorKind::Unexpected, "the batch was given up"))?,
            () = cx.cancel.cancelled() => {
                return Err(lost(ErrorKind::Cancelled, "stopped before the answer came"));
            }
        };
        let answer = answer?;
        // The token was refused for this item alone: by itself it is renewed and repeated as every single request.
        if answer.status == StatusCode::UNAUTHORIZED {
            let request = self.inner.single(operation, &path);
            // Boxed, or every call would carry the room for a whole exchange that hardly any has.
            return Box::pin(inner.graph.send(cx, inner.cost, request)).await;
        }
        Ok(answer)
    }

    fn join(&self, item: Item) {
        let inner = &self.inner;
        let mut waiting = inner.waiting();
        waiting.items.push(item);
        match waiting.items.len() {
            MOST => {
                let items = waiting.take();
                drop(waiting);
                tokio::spawn(Arc::clone(inner).depart(items));
            }
            1 => {
                let round = waiting.round;
                drop(waiting);
                tokio::spawn(Arc::clone(inner).gather(round));
            }
            joined => {
                drop(waiting);
                if joined >= inner.calls.load(Ordering::Acquire) {
                    inner.all_wait.notify_one();
                }
            }
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Vec<Item> {
        self.round += 1;
        std::mem::replace(&mut self.items, Vec::with_capacity(MOST))
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for company for the batch of this round, then sends it.
    async fn gather(self: Arc<Self>, round: u64) {
        let linger = tokio::time::sleep(LINGER);
        tokio::pin!(linger);
        loop {
            // Calls that were dispatched together with the first one get to join before it is found alone.
            tokio::task::yield_now().await;
            {
                let waiting = self.waiting();
                if waiting.round != round {
                    return;
                }
                if waiting.items.len() >= self.calls.load(Ordering::Acquire) {
                    break;
                }
            }
            tokio::select! {
                () = &mut linger => break,
                () = self.all_wait.notified() => {}
            }
        }
        let items = {
            let mut waiting = self.waiting();
            if waiting.round != round {
                return;
            }
            waiting.take()
        };
        self.depart(items).await;
    }

    /// Sends what is left once those who gave up are out.
    async fn depart(self: Arc<Self>, mut items: Vec<Item>) {
        items.retain(|item| !item.reply.is_closed());
        let Some(first) = items.first() else { return };
        // The most urgent item lends the batch its place in the queue, the first its name and its lane. One item of an
        // order is enough to keep the batch from waiting through a pause that voids what was paid for it.
        let priority = items.iter().map(|item| item.priority).min();
        let mut cx = Context::new(Arc::clone(&first.lane))
            .with_priority(priority.unwrap_or(Priority::Normal));
        cx.correlation = first.correlation;
        cx.order = items.iter().find_map(|item| item.order);
        let first = first.paid;
        if items.len() == 1 {
            self.send_one(&cx, items).await;
        } else {
            // The oldest receipt is the first that a pause voids.
            let paid = items.iter().map(|item| item.paid).min();
            let paid = paid.unwrap_or(first);
            self.send_all(&cx, paid, items).await;
        }
    }

    async fn send_one(&self, cx: &Context, items: Vec<Item>) {
        for item in items {
            let request = self.single(item.operation, &item.path);
            let answer = self
                .graph
                .send_paid(cx, item.paid, self.cost, request)
                .await;
            item.reply(answer);
        }
    }

    async fn send_all(&self, cx: &Context, paid: Paid, items: Vec<Item>) {
        let mut names = [[0; 36]; MOST];
        let requests = items
            .iter()
            .zip(&mut names)
            .enumerate()
            .map(|(n, (item, name))| {
                let urgent = item.priority == Priority::Urgent;
                let name = item.correlation.encode(name);
                ItemRequest::new(n, self.effect == Effect::Write, &item.path, name, urgent)
            })
            .collect();
        let mut request =
            Request::post("$batch", self.graph.url("/$batch")).json(&BatchRequest { requests });
        if self.effect == Effect::Read {
            request = request.reading();
        }
        let cost = self.cost.times(items.len() as u32);
        let answer = self.graph.send_paid(cx, paid, cost, request).await;
        let answer = answer.and_then(whole);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                for item in items {
                    item.reply(Err(error.for_another_call()));
                }
                return;
            }
        };
        let operations: Vec<_> = items.iter().map(|item| item.operation).collect();
        let (answers, load) = sorted(self.effect, &operations, &answer);
        for (item, own) in items.into_iter().zip(answers) {
            item.reply(own);
        }
        if let Some(load) = load {
            cx.observe(Observation::Load(load));
        }
    }

    fn single(&self, operation: &'static str, path: &str) -> Request {
        let url = self.graph.url(path);
        match self.effect {
            Effect::Write => Request::post(operation, url).json(&serde_json::Map::new()),
            Effect::Read => Request::get(operation, url),
        }
    }
}

/// Each item's own answer, with what it shares with the whole batch, and the heaviest load that any of them tells.
pub(crate) fn sorted(
    effect: Effect,
    operations: &[&'static str],
    outer: &GraphAnswer,
) -> (Vec<Result<GraphAnswer, Error>>, Option<f64>) {
    let replies = batch_wire::read(&outer.body, operations.len(), outer.date).unwrap_or_default();
    let mut load: Option<f64> = None;
    let mut replies = replies.into_iter();
    let mut answers = Vec::with_capacity(operations.len());
    for operation in operations {
        let reply = replies.next().flatten();
        if let Some(seen) = reply.as_ref().and_then(|reply| reply.load) {
            load = Some(load.map_or(seen, |load| load.max(seen)));
        }
        answers.push(own(effect, operation, reply, outer));
    }
    (answers, load)
}

fn own(
    effect: Effect,
    operation: &'static str,
    reply: Option<ItemReply>,
    outer: &GraphAnswer,
) -> Result<GraphAnswer, Error> {
    let lost = |message: &str| {
        Error::new(
            ErrorKind::InvalidResponse,
            effect.retry_after_sending(),
            operation,
            message,
        )
        .with_vendor_request_id(outer.request_id.clone())
    };
    let reply =
        reply.ok_or_else(|| lost("the batch's answer does not hold exactly one for this item"))?;
    let status = StatusCode::from_u16(reply.status)
        .map_err(|_| lost("the item's status is no HTTP status"))?;
    if status.is_redirection() {
        return Err(Error::new(
            ErrorKind::InvalidResponse,
            Retry::Never,
            operation,
            format!("the item was answered with a redirect ({status})"),
        ));
    }
    Ok(GraphAnswer {
        operation,
        effect,
        status,
        body: reply.body,
        retry_after: reply.retry_after,
        date: outer.date,
        request_id: reply.request_id.or_else(|| outer.request_id.clone()),
    })
}

/// What fails for the batch as a whole fails for each of its items; an outer 200 says nothing about them yet.
fn whole(answer: GraphAnswer) -> Result<GraphAnswer, Error> {
    let operation = answer.operation;
    match answer.verdict("that its requests need")? {
        Verdict::Answered(answer) if answer.status == StatusCode::OK => Ok(answer),
        Verdict::Answered(answer) => Err(answer.unrecognised("a batch is answered with 200")),
        Verdict::Missing => Err(Error::new(
            ErrorKind::Unexpected,
            Retry::Never,
            operation,
            "Microsoft Graph knows no $batch here: check graph_url",
        )),
    }
}
