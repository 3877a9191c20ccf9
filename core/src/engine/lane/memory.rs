//! What a lane remembers across processes.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::later;
use crate::engine::pacer::{Learnt, PauseReason};

/// No pause is longer, whatever a wall clock did meanwhile.
const MOST_PAUSE: Duration = Duration::from_secs(3600);

/// A pace learnt longer ago than this says little.
const PACE_KEEPS: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<PauseReason>,
    #[serde(default)]
    in_a_row: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_per_sec: Option<f64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reads_count: bool,
}

pub(super) fn write(learnt: &Learnt, now: Timestamp) -> String {
    let memory = Memory {
        at: now,
        paused_until: learnt.pause.map(|(rest, _)| later(now, rest)),
        why: learnt.pause.map(|(_, why)| why),
        in_a_row: learnt.in_a_row,
        rate_per_sec: learnt.rate,
        reads_count: learnt.reads_count,
    };
    serde_json::to_string(&memory).unwrap_or_default()
}

/// Reads what a former process wrote; what cannot be read is not remembered.
pub(super) fn read(text: &str, now: Timestamp) -> Learnt {
    let Ok(memory) = serde_json::from_str::<Memory>(text) else {
        return Learnt::default();
    };
    let age = now.duration_since(memory.at);
    let pause = memory.paused_until.zip(memory.why).map(|(until, why)| {
        let rest = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        (rest.min(MOST_PAUSE), why)
    });
    let fresh = Duration::try_from(age).unwrap_or_default() < PACE_KEEPS;
    Learnt {
        pause,
        in_a_row: memory.in_a_row,
        rate: memory
            .rate_per_sec
            .filter(|rate| fresh && rate.is_finite() && *rate > 0.0),
        reads_count: memory.reads_count,
    }
}
