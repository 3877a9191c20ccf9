//! The sandbox's own door, `/_sandbox/…`: read the ledger, turn the knobs. No vendor has it.

use std::time::Duration;

use http::Method;
use http::request::Parts;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::escape;
use crate::faults::Faults;
use crate::quota::Quota;
use crate::reply::{Reply, TEXT};
use crate::tenant::Tenant;
use crate::world::World;

const MOST_LINES: usize = 100_000;

/// What `POST /_sandbox/knobs` may turn; what is not named stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    faults: Option<String>,
    quota: Option<String>,
    latency_ms: Option<u64>,
}

pub(crate) fn answer(world: &World, parts: &Parts, body: &Bytes) -> Reply {
    let query = escape::pairs(parts.uri.query().unwrap_or_default());
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/_sandbox/ledger") => {
            let number = |name| escape::value(&query, name).and_then(|text| text.parse().ok());
            let after = number("after").unwrap_or(0);
            let many = number("many").map_or(MOST_LINES, |many| many as usize);
            let lines = world.ledger.lines(after, many.min(MOST_LINES));
            Reply::new(200, "application/x-ndjson", lines)
        }
        (&Method::GET, "/_sandbox/summary") => match serde_json::to_vec(&world.ledger.summary()) {
            Ok(body) => Reply::json(200, body),
            Err(error) => problem(500, &error.to_string()),
        },
        (&Method::GET, "/_sandbox/leavers.csv") => Reply::new(
            200,
            "text/csv; charset=utf-8",
            crate::leavers::csv(&world.population).into_bytes(),
        ),
        (&Method::POST, "/_sandbox/void-tokens") => {
            for tenant in Tenant::BOTH {
                world.tokens.void(tenant);
            }
            Reply::new(204, TEXT, &b""[..])
        }
        (&Method::POST, "/_sandbox/knobs") => match turn(world, body) {
            Ok(()) => Reply::new(204, TEXT, &b""[..]),
            Err(reason) => problem(400, &reason),
        },
        _ => problem(404, "no such door; see docs/sandbox.md"),
    }
}

fn turn(world: &World, body: &Bytes) -> Result<(), String> {
    let turn: Turn = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let now = world.knobs();
    let faults = match turn.faults {
        Some(text) => text.parse::<Faults>().map_err(|error| error.to_string())?,
        None => now.faults.clone(),
    };
    let quota = turn
        .quota
        .map(|text| text.parse::<Quota>().map_err(|error| error.to_string()))
        .transpose()?;
    let latency = turn.latency_ms.map_or(now.latency, Duration::from_millis);
    world.turn(faults, latency);
    if let Some(quota) = quota {
        world.set_quota(quota);
    }
    Ok(())
}

fn problem(status: u16, reason: &str) -> Reply {
    Reply::json(status, json!({ "error": reason }).to_string().into_bytes())
}
