//! HTTP over loopback: takes connections, sends each request to its tenant, and lets the request's mishap happen.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin;
use crate::clock::http_date;
use crate::connection::Connection;
use crate::faults::Mishap;
use crate::google;
use crate::microsoft;
use crate::reply::{Reply, ReplyBody};
use crate::tenant::Tenant;
use crate::world::{Exchange, World};

const LARGEST_BODY: usize = 4 << 20;
/// A stalled answer never comes; a caller without a time limit is let go after this long.
const STALL: Duration = Duration::from_secs(600);
const GOODBYE: Duration = Duration::from_millis(500);

/// Serves until `stop`.
pub(crate) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(connection(stream, Arc::clone(&world), stop.clone()));
            }
            Err(error) => {
                // Out of file handles, mostly: let some connections end first.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, world: Arc<World>, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers may wait");
    }
    let (stream, reset) = Connection::new(stream);
    let service = service_fn(|request| answer(&world, &reset, request));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection broke"),
        None => {
            serving.as_mut().graceful_shutdown();
            if tokio::time::timeout(GOODBYE, serving).await.is_err() {
                tracing::debug!("a connection was cut at the end");
            }
        }
    }
}

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer, on purpose")
    }
}

impl std::error::Error for NoAnswer {}

/// Who is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    MicrosoftToken,
    Graph,
    GoogleToken,
    Directory,
    Sandbox,
}

impl Door {
    fn of(path: &str) -> Option<Self> {
        if path.starts_with("/v1.0/") {
            Some(Self::Graph)
        } else if path.starts_with("/admin/directory/v1/") {
            Some(Self::Directory)
        } else if path == "/token" {
            Some(Self::GoogleToken)
        } else if path.starts_with("/_sandbox/") {
            Some(Self::Sandbox)
        } else if microsoft::is_token_path(path) {
            Some(Self::MicrosoftToken)
        } else {
            None
        }
    }

    fn tenant(self) -> Tenant {
        match self {
            Self::MicrosoftToken | Self::Graph | Self::Sandbox => Tenant::Microsoft,
            Self::GoogleToken | Self::Directory => Tenant::Google,
        }
    }
}

async fn answer(
    world: &World,
    reset: &AtomicBool,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let door = Door::of(parts.uri.path());
    let date = |skew: i64| http_date(world.clock.wall_ms() + skew);
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        return Ok(Reply::html(413).into_response(&date(0), false));
    };
    let body = body.to_bytes();
    let Some(door) = door else {
        return Ok(Reply::html(404).into_response(&date(0), false));
    };
    if door == Door::Sandbox {
        return Ok(admin::answer(world, &parts, &body).into_response(&date(0), false));
    }

    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut ex = Exchange::begin(world, door.tenant(), format!("http://{host}"));
    let skew = ex.faults().skew_ms;
    if !ex.knobs.latency.is_zero() {
        tokio::time::sleep(ex.knobs.latency).await;
    }
    if ex.is_out() {
        let reply = Reply::new(503, crate::reply::TEXT, &b"Service Unavailable"[..]);
        return Ok(reply.into_response(&date(skew), false));
    }
    let api = matches!(door, Door::Graph | Door::Directory);
    let mishap = ex.request_mishap().filter(|_| api);
    match mishap {
        Some(Mishap::ResetBefore) => {
            reset.store(true, Relaxed);
            return Err(NoAnswer);
        }
        Some(Mishap::StallBefore) => {
            tokio::time::sleep(STALL).await;
            return Err(NoAnswer);
        }
        Some(Mishap::HtmlBefore) => {
            return Ok(Reply::html(200).into_response(&date(skew), false));
        }
        _ => {}
    }
    if api
        && let Some(every) = ex.faults().void_tokens_every
        && ex.number_here.is_multiple_of(every)
    {
        tracing::debug!(request = ex.number, "every token of the tenant ends");
        world.tokens.void(door.tenant());
    }
    let reply = act(&mut ex, door, &parts, &body);
    let unanswered = matches!(mishap, Some(Mishap::ResetAfter | Mishap::StallAfter));
    ex.write_down(unanswered);
    let date = date(skew);
    match mishap {
        Some(Mishap::ResetAfter) => {
            reset.store(true, Relaxed);
            Err(NoAnswer)
        }
        Some(Mishap::StallAfter) => {
            tokio::time::sleep(STALL).await;
            Err(NoAnswer)
        }
        Some(Mishap::HtmlAfter) => Ok(Reply::html(200).into_response(&date, false)),
        Some(Mishap::CutAfter) => Ok(reply.into_response(&date, true)),
        _ => Ok(reply.into_response(&date, false)),
    }
}

fn act(ex: &mut Exchange<'_>, door: Door, parts: &Parts, body: &Bytes) -> Reply {
    match door {
        Door::MicrosoftToken => microsoft::token(ex, parts, body),
        Door::Graph => microsoft::graph(ex, parts, body),
        Door::GoogleToken => google::token(ex, body),
        Door::Directory => google::directory(ex, parts),
        Door::Sandbox => Reply::html(404),
    }
}
