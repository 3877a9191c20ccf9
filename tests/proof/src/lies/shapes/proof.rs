//! Lies about what a tenant knows: the watermark, and who is who. The deed itself is answered with a page of HTML and not
//! done, so that the proof alone would have to confirm.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::wire::{Asked, Said};
use super::Behind::{self, Doubt};
use super::{Sent, Tell, whole};

const WATERMARK: &str = "signInSessionsValidFromDateTime";

/// The true answer with another watermark.
macro_rules! watermark {
    ($value:expr) => {
        |_: &Asked, honest: Said| {
            twisted(honest, |user: &mut Value| {
                let value: fn(&Value) -> Value = $value;
                let told = value(&user[WATERMARK]);
                user[WATERMARK] = told;
            })
        }
    };
}

pub(super) const ENTRA: &[(&str, Behind, Tell)] = &[
    (
        "a watermark a day ahead",
        Doubt,
        watermark!(|_| json!(from_now(24))),
    ),
    (
        "a watermark an hour ahead",
        Doubt,
        watermark!(|_| json!(from_now(1))),
    ),
    (
        "a watermark at the end of time",
        Doubt,
        watermark!(|_| json!("9999-12-31T23:59:59Z")),
    ),
    (
        "a watermark without a zone",
        Doubt,
        watermark!(|_| json!("2999-01-01T00:00:00")),
    ),
    (
        "a watermark as a number",
        Doubt,
        watermark!(|_| json!(4_102_444_800_u64)),
    ),
    (
        "a watermark as a list",
        Doubt,
        watermark!(|was| json!([was])),
    ),
    (
        "a watermark of words",
        Doubt,
        watermark!(|_| json!("just now")),
    ),
    ("no watermark", Doubt, watermark!(|_| Value::Null)),
    ("an empty watermark", Doubt, watermark!(|_| json!(""))),
    ("somebody else's watermark", Doubt, |_, honest| {
        twisted(honest, |user| {
            user["id"] = json!("00000000-0000-4000-8000-000000000000");
            user[WATERMARK] = json!(from_now(0));
        })
    }),
    ("a watermark page of HTML", Doubt, |_, _| {
        whole(&Said::new("200 OK", Some("text/html"), "<html></html>"))
    }),
];

/// Told by a tenant whose every `Date` is a day behind its watermarks: carried to that clock, yesterday's watermark looks
/// newer than today's order.
pub(super) const A_DAY_BEHIND: &[(&str, Behind, Tell)] = &[
    (
        "yesterday's watermark, clock a day behind",
        Doubt,
        watermark!(|_| json!(from_now(-12))),
    ),
    (
        "today's watermark, clock a day behind",
        Doubt,
        watermark!(|_| json!(from_now(-1))),
    ),
];

/// Batches of look-ups whose answers changed places.
pub(super) const DIRECTORY: &[(&str, Behind, Tell)] =
    &[("batch of look-ups, bodies in turn", Doubt, |_, honest| {
        let Ok(mut batch) = serde_json::from_slice::<Value>(&honest.body) else {
            return whole(&honest);
        };
        if let Some(items) = batch["responses"].as_array_mut()
            && let Some(last) = items.len().checked_sub(1)
        {
            let first = items[0]["body"].clone();
            for n in 0..last {
                items[n]["body"] = items[n + 1]["body"].clone();
            }
            items[last]["body"] = first;
        }
        whole(&Said {
            body: batch.to_string().into_bytes(),
            ..honest
        })
    })];

fn from_now(hours: i64) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a liar beside the product, on the real clock"
    )]
    let now = Timestamp::now();
    now.checked_add(SignedDuration::from_hours(hours))
        .map_or_else(
            |_| String::new(),
            |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
}

/// Every person in the answer, single or inside of a batch, after this twist.
fn twisted(honest: Said, twist: impl Fn(&mut Value)) -> Sent {
    let mut answer: Value = serde_json::from_slice(&honest.body).unwrap_or_default();
    match answer["responses"].as_array_mut() {
        Some(items) => items.iter_mut().for_each(|item| twist(&mut item["body"])),
        None => twist(&mut answer),
    }
    whole(&Said {
        body: answer.to_string().into_bytes(),
        ..honest
    })
}
