//! A second, independent Graph server: it knows nobody by name, answers for `u<n>@contoso.com`, and judges what was
//! done to whom. Written from the vendor's documents, not from the connector.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How the server misbehaves.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Calls a second that are answered; the rest is throttled with `Retry-After: 1`.
    pub calls_per_second: Option<u32>,
    /// One connection in so many is reset before its request has an effect.
    pub reset_before: Option<u32>,
    /// One connection in so many is reset after its request had its effect.
    pub reset_after: Option<u32>,
    /// One revocation in so many answers 500 without an effect.
    pub fail_before: Option<u32>,
    /// One revocation in so many answers 500 with its effect.
    pub fail_after: Option<u32>,
    /// Every access token is void after so many requests.
    pub void_every: Option<u32>,
    /// How long each answer takes.
    pub latency: Duration,
    /// Accounts that are not there.
    pub missing: Range<u64>,
    /// Accounts that cannot be read now: 503.
    pub unreadable: Range<u64>,
    /// Accounts whose revocation is rejected: 400.
    pub rejected: Range<u64>,
    /// Accounts whose first revocation answers 503, without an effect.
    pub busy_once: Range<u64>,
}

/// What was really done.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Effective revocations by account number.
    pub revoked: HashMap<u64, u32>,
    /// All requests, items of a batch counted one by one.
    pub calls: u64,
    /// Throttled ones, after the first second.
    pub throttled_late: u64,
    /// Throttled ones.
    pub throttled: u64,
    /// Requests that came inside a `Retry-After`.
    pub early: u64,
    /// Access tokens handed out.
    pub tokens: u64,
    /// Reads and revocations that were let through, by second since the first call.
    pub by_second: Vec<(u32, u32)>,
}

/// One request to revoke, from the moment it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// About which account number.
    pub person: u64,
    /// In which life of the program, counted by whoever ends it.
    pub life: u32,
    /// When it had its effect, in microseconds since 1970.
    pub effect: Option<i64>,
    /// When its answer was handed to the connection, whether or not anybody was there to read it.
    pub answered: Option<Instant>,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    ledger: Ledger,
    asked: Vec<Asked>,
    life: u32,
    /// When the first request of this life came.
    awake: Option<Instant>,
    counter: u32,
    token_generation: u64,
    requests: u32,
    started: Option<Instant>,
    window: (Instant, u32),
    closed_until: Option<Instant>,
    watermarks: HashMap<u64, String>,
    was_busy: HashSet<u64>,
    revoked: watch::Sender<u64>,
    arrived: watch::Sender<u64>,
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct OtherGraph {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl OtherGraph {
    /// Starts it on a free loopback port, on the runtime of the caller.
    #[expect(
        clippy::unused_async,
        reason = "it starts tasks: only a caller on a runtime may call it"
    )]
    pub async fn start(behaviour: Behaviour) -> Self {
        Closed::at(SocketAddr::from(([127, 0, 0, 1], 0))).open(behaviour)
    }

    fn serve(listener: TcpListener, behaviour: Behaviour) -> Self {
        let addr = listener.local_addr().expect("a bound address");
        let state = Arc::new(Mutex::new(State {
            behaviour,
            ledger: Ledger::default(),
            asked: Vec::new(),
            life: 0,
            awake: None,
            counter: 0,
            token_generation: 0,
            requests: 0,
            started: None,
            window: (Instant::now(), 0),
            closed_until: None,
            watermarks: HashMap::new(),
            was_busy: HashSet::new(),
            revoked: watch::Sender::new(0),
            arrived: watch::Sender::new(0),
        }));
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (accepting, shared, serving) = (stop.clone(), Arc::clone(&state), tasks.clone());
        tasks.spawn(async move {
            loop {
                let stream = tokio::select! {
                    () = accepting.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                if let Ok((stream, _)) = stream {
                    serving.spawn(serve(stream, Arc::clone(&shared), accepting.clone()));
                }
            }
        });
        Self {
            addr,
            state,
            stop,
            tasks,
        }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many revocations had their effect so far.
    pub fn revocations(&self) -> u64 {
        *lock(&self.state).revoked.borrow()
    }

    /// How it misbehaves from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        lock(&self.state).behaviour = behaviour;
    }

    /// What was done since it was last asked.
    pub fn ledger(&self) -> Ledger {
        let mut state = lock(&self.state);
        std::mem::take(&mut state.ledger)
    }

    /// All requests to revoke since it started.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.state).asked.clone()
    }

    /// From now on requests belong to another life of the program. Answers when the first one of the last life came.
    pub fn next_life(&self) -> Option<Instant> {
        let mut state = lock(&self.state);
        state.life += 1;
        state.awake.take()
    }

    /// Waits until so many revocations had their effect.
    pub async fn revoked(&self, at_least: u64) {
        let mut revoked = lock(&self.state).revoked.subscribe();
        let reached = revoked.wait_for(|revoked| *revoked >= at_least);
        let _state = tokio::time::timeout(Duration::from_secs(120), reached)
            .await
            .expect("the program revokes people")
            .expect("the server lives");
    }

    /// Waits until one more request has come in, answered or not.
    pub async fn asked_again(&self) {
        let mut arrived = lock(&self.state).arrived.subscribe();
        let one_more = *arrived.borrow() + 1;
        let reached = arrived.wait_for(|arrived| *arrived >= one_more);
        let _state = tokio::time::timeout(Duration::from_secs(120), reached)
            .await
            .expect("the program asks")
            .expect("the server lives");
    }

    /// Stops it: when this returns, every connection is cut and new ones are refused. Answers what was done.
    pub async fn stop(self) -> (Ledger, Closed) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        (self.ledger(), Closed::at(self.addr))
    }

    /// Voids every access token handed out so far.
    pub fn void_tokens(&self) {
        lock(&self.state).token_generation += 1;
    }
}

/// A port that refuses connections, and that nobody else can take meanwhile.
#[derive(Debug)]
pub struct Closed(TcpSocket);

impl Closed {
    fn at(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a fresh socket");
        socket.bind(addr).expect("the loopback port is free");
        Self(socket)
    }

    /// The base URL of the server that will be there.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("a bound address"))
    }

    /// Starts a server that knows nothing of the one before it. Must be called on a runtime.
    pub fn open(self, behaviour: Behaviour) -> OtherGraph {
        OtherGraph::serve(self.0.listen(1024).expect("a bound socket"), behaviour)
    }
}

impl Drop for OtherGraph {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What no output of a program may ever show.
pub const ACCESS_TOKEN: &str = "access-token-of-the-test";

fn access_token(generation: u64) -> String {
    format!("{ACCESS_TOKEN}-{generation}")
}

/// The connection is cut: hyper drops the socket when the service fails.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { answer(request, &state).await }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        _ended = connection => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    state: &Mutex<State>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let path = parts
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let items = items_of(&parts.method, &path, &body);
    let sent = parts
        .headers
        .get("authorization")
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .unwrap_or_default();
    let life = sent
        .rsplit_once('.')
        .and_then(|(_, life)| life.parse().ok());
    let (latency, asked) = {
        let mut state = lock(state);
        state.arrived.send_modify(|arrived| *arrived += 1);
        state.awake.get_or_insert_with(Instant::now);
        (
            state.behaviour.latency,
            state.note(&items, life.unwrap_or_default()),
        )
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut state = lock(state);
    state.requests += 1;
    if let Some(every) = state.behaviour.void_every
        && state.requests.is_multiple_of(every)
    {
        state.token_generation += 1;
    }
    if path.ends_with("/oauth2/v2.0/token") {
        state.ledger.tokens += 1;
        // The life it was given to: what the dead have sent may be read late.
        let token = format!("{}.{}", access_token(state.token_generation), state.life);
        return Ok(json_answer(
            200,
            &[],
            &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}),
        ));
    }
    let expected = format!("{}.", access_token(state.token_generation));
    if !sent.starts_with(&expected) {
        let error = json!({"error": {"code": "InvalidAuthenticationToken", "message": "Access token is not valid."}});
        return Ok(json_answer(401, &[], &error));
    }
    let before = state.behaviour.reset_before;
    let after = state.behaviour.reset_after;
    if state.strikes(before) {
        return Err(Cut);
    }
    if items.len() > 20 {
        let error = json!({"error": {"code": "BadRequest", "message": "more than 20"}});
        return Ok(json_answer(400, &[], &error));
    }
    let mut answers: Vec<_> = items
        .iter()
        .zip(asked)
        .map(|(item, asked)| (item, state.one(&item.method, &item.url, asked)))
        .collect();
    let response = if path.ends_with("/$batch") {
        let responses: Vec<_> = answers
            .into_iter()
            .map(|(item, (status, headers, body))| {
                let headers: HashMap<_, _> = headers.into_iter().collect();
                json!({"id": item.id, "status": status, "headers": headers, "body": body})
            })
            .rev()
            .collect();
        json_answer(200, &[], &json!({ "responses": responses }))
    } else {
        let (_, (status, headers, body)) = answers.remove(0);
        json_answer(status, &headers, &body)
    };
    if state.strikes(after) {
        return Err(Cut);
    }
    Ok(response)
}

/// One request, alone or in a batch.
struct Item {
    id: Value,
    method: String,
    url: String,
}

fn items_of(method: &Method, path: &str, body: &[u8]) -> Vec<Item> {
    if !path.ends_with("/$batch") {
        return vec![Item {
            id: Value::Null,
            method: method.to_string(),
            url: path.trim_start_matches("/v1.0").to_owned(),
        }];
    }
    let batch: Value = serde_json::from_slice(body).unwrap_or_default();
    let items = batch["requests"].as_array().cloned().unwrap_or_default();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|item| Item {
            id: item["id"].clone(),
            method: text(item, "method"),
            url: text(item, "url"),
        })
        .collect()
}

fn json_answer(
    status: u16,
    headers: &[(&'static str, String)],
    body: &Value,
) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a valid response")
}

type Answer = (u16, Vec<(&'static str, String)>, Value);

impl State {
    fn strikes(&mut self, one_in: Option<u32>) -> bool {
        let Some(one_in) = one_in else { return false };
        // A fixed multiplier scatters the strikes without a random source, so that a run repeats.
        self.counter = self
            .counter
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        (self.counter >> 8).is_multiple_of(one_in)
    }

    fn throttled(&mut self) -> bool {
        let Some(limit) = self.behaviour.calls_per_second else {
            return false;
        };
        let now = Instant::now();
        let started = *self.started.get_or_insert(now);
        if self.closed_until.is_some_and(|until| now < until) {
            self.ledger.early += 1;
        }
        if now.duration_since(self.window.0) >= Duration::from_secs(1) {
            self.window = (now, 0);
        }
        self.window.1 += 1;
        if self.window.1 <= limit {
            return false;
        }
        self.ledger.throttled += 1;
        if now.duration_since(started) > Duration::from_secs(1) {
            self.ledger.throttled_late += 1;
        }
        // Requests that were under way when the answer left are not early: allow them a moment.
        self.closed_until = Some(now + Duration::from_secs(1));
        true
    }

    /// Writes down who is asked to be revoked, before anything is done. Answers the place of each in `asked`.
    fn note(&mut self, items: &[Item], life: u32) -> Vec<Option<usize>> {
        let places = items.iter().map(|item| {
            let person = number_in(&item.url).filter(|_| item.method == "POST")?;
            self.asked.push(Asked {
                person,
                life,
                effect: None,
                answered: None,
            });
            Some(self.asked.len() - 1)
        });
        places.collect()
    }

    fn one(&mut self, method: &str, url: &str, asked: Option<usize>) -> Answer {
        let answer = self.answer(method, url, asked);
        if let Some(asked) = asked {
            self.asked[asked].answered = Some(Instant::now());
        }
        answer
    }

    fn answer(&mut self, method: &str, url: &str, asked: Option<usize>) -> Answer {
        self.ledger.calls += 1;
        if self.throttled() {
            let error = json!({"error": {"code": "TooManyRequests", "message": "Please retry again later."}});
            return (429, vec![("Retry-After", "1".to_owned())], error);
        }
        if url.contains("$filter") || url.contains("%24filter") {
            return (200, Vec::new(), json!({"value": []}));
        }
        let there = number_in(url).filter(|number| !self.behaviour.missing.contains(number));
        let Some(number) = there else {
            let error = json!({"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}});
            return (404, Vec::new(), error);
        };
        let second = self
            .started
            .map_or(0, |started| started.elapsed().as_secs() as usize);
        if self.ledger.by_second.len() <= second {
            self.ledger.by_second.resize(second + 1, (0, 0));
        }
        let busy = json!({"error": {"code": "serviceNotAvailable", "message": "busy on purpose"}});
        if method == "GET" {
            if self.behaviour.unreadable.contains(&number) {
                return (503, Vec::new(), busy);
            }
            self.ledger.by_second[second].0 += 1;
            return (200, Vec::new(), self.account(number));
        }
        let (before, after) = (self.behaviour.fail_before, self.behaviour.fail_after);
        let broken =
            json!({"error": {"code": "InternalServerError", "message": "broken on purpose"}});
        self.ledger.by_second[second].1 += 1;
        if self.behaviour.rejected.contains(&number) {
            let error =
                json!({"error": {"code": "Request_BadRequest", "message": "rejected on purpose"}});
            return (400, Vec::new(), error);
        }
        if self.behaviour.busy_once.contains(&number) && self.was_busy.insert(number) {
            return (503, Vec::new(), busy);
        }
        if self.strikes(before) {
            return (500, Vec::new(), broken);
        }
        *self.ledger.revoked.entry(number).or_default() += 1;
        let now = since_1970();
        self.watermarks.insert(number, timestamp(now.as_secs()));
        if let Some(asked) = asked {
            self.asked[asked].effect = Some(now.as_micros() as i64);
        }
        self.revoked.send_modify(|revoked| *revoked += 1);
        if self.strikes(after) {
            return (500, Vec::new(), broken);
        }
        (
            200,
            Vec::new(),
            json!({"@odata.context": "x#Edm.Boolean", "value": true}),
        )
    }

    fn account(&self, number: u64) -> Value {
        json!({
            "id": id_of(number),
            "userPrincipalName": format!("u{number}@contoso.com"),
            "mail": format!("u{number}@contoso.com"),
            "userType": "Member",
            "accountEnabled": false,
            "externalUserState": null,
            "signInSessionsValidFromDateTime": self.watermarks.get(&number),
        })
    }
}

/// The object id of an account number.
pub fn id_of(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The account number in `/users('u7@contoso.com')/…`, `/users/u7%40contoso.com` or with an object id.
fn number_in(url: &str) -> Option<u64> {
    let url = url
        .replace("%40", "@")
        .replace("%27", "'")
        .replace("%28", "(")
        .replace("%29", ")");
    if let Some(at) = url.find("@contoso.com") {
        let digits: String = url[..at]
            .chars()
            .rev()
            .take_while(char::is_ascii_digit)
            .collect();
        let digits: String = digits.chars().rev().collect();
        let before = url[..at - digits.len()].chars().last();
        return digits.parse().ok().filter(|_| before == Some('u'));
    }
    let at = url.find("00000000-0000-4000-8000-")?;
    u64::from_str_radix(url.get(at + 24..at + 36)?, 16).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server has a clock of its own"
)]
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
}

fn timestamp(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest % 3600 / 60,
        rest % 60
    )
}

/// Days since 1970 as a date, by counting years and months.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}
