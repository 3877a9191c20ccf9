//! Answers to a `$batch` of three that do not say three times yes.

use serde_json::{Value, json};

use super::super::wire::{Asked, Said};
use super::Behind::{self, Doubt, Refusal};
use super::{Sent, Tell, whole};

/// The true batch, after this twist.
macro_rules! twist {
    ($twist:expr) => {
        |asked: &Asked, honest: Said| twisted(asked, honest, $twist)
    };
}

/// Each item, after this twist; its place is told too.
macro_rules! each {
    ($twist:expr) => {
        |asked: &Asked, honest: Said| {
            twisted(asked, honest, |batch: &mut Value| {
                let twist: fn(usize, &mut Value) = $twist;
                let items = batch["responses"].as_array_mut();
                for (n, item) in items.into_iter().flatten().enumerate() {
                    twist(n, item);
                }
            })
        }
    };
}

pub(super) const ENTRA: &[(&str, Behind, Tell)] = &[
    (
        "batch without its answers",
        Doubt,
        twist!(|batch| batch["responses"] = json!([])),
    ),
    (
        "batch with null for answers",
        Doubt,
        twist!(|batch| batch["responses"] = Value::Null),
    ),
    (
        "batch with an object for answers",
        Doubt,
        twist!(|batch| batch["responses"] = json!({"0": true})),
    ),
    (
        "batch with nothing in it",
        Doubt,
        twist!(|batch| *batch = json!({})),
    ),
    (
        "batch with a plain yes",
        Doubt,
        twist!(|batch| *batch = json!({"value": true})),
    ),
    (
        "batch with every id doubled, yes and no",
        Doubt,
        twist!(|batch| {
            let items = batch["responses"].as_array().cloned().unwrap_or_default();
            let no = items.iter().cloned().map(|mut item| {
                item["status"] = json!(500);
                item
            });
            batch["responses"] = items.iter().cloned().chain(no).collect();
        }),
    ),
    (
        "batch with every id doubled, twice yes",
        Doubt,
        twist!(|batch| {
            let items = batch["responses"].as_array().cloned().unwrap_or_default();
            batch["responses"] = items.iter().chain(&items).cloned().collect();
        }),
    ),
    (
        "batch with one id for all",
        Doubt,
        each!(|_, item| item["id"] = json!("0")),
    ),
    (
        "batch with ids of nobody",
        Doubt,
        each!(|n, item| item["id"] = json!(format!("{}", n + 50))),
    ),
    (
        "batch without ids",
        Doubt,
        each!(|_, item| item["id"] = Value::Null),
    ),
    (
        "batch with statuses as text",
        Doubt,
        each!(|_, item| item["status"] = json!("200")),
    ),
    (
        "batch without statuses",
        Doubt,
        each!(|_, item| item["status"] = Value::Null),
    ),
    (
        "batch with status 0",
        Doubt,
        each!(|_, item| item["status"] = json!(0)),
    ),
    (
        "batch with bodies as text",
        Doubt,
        each!(|_, item| item["body"] = json!("{\"value\":true}")),
    ),
    (
        "batch without bodies",
        Doubt,
        each!(|_, item| item["body"] = Value::Null),
    ),
    (
        "batch of value false",
        Doubt,
        each!(|_, item| item["body"] = json!({"value": false})),
    ),
    (
        "batch of value \"true\"",
        Doubt,
        each!(|_, item| item["body"] = json!({"value": "true"})),
    ),
    (
        "batch of errors under 200",
        Doubt,
        each!(|_, item| item["body"] = json!({"error": {"code": "x", "message": "no"}})),
    ),
    (
        "batch of 202",
        Doubt,
        each!(|_, item| item["status"] = json!(202)),
    ),
    (
        "batch of 302",
        Refusal,
        each!(|_, item| item["status"] = json!(302)),
    ),
    (
        "batch of 500",
        Doubt,
        each!(|_, item| item["status"] = json!(500)),
    ),
    ("batch under 207", Doubt, |_, honest| {
        whole(&Said {
            status: "207 Multi-Status".into(),
            ..honest
        })
    }),
    ("batch under 500", Doubt, |_, honest| {
        whole(&Said {
            status: "500 Internal Server Error".into(),
            ..honest
        })
    }),
    ("batch, cut", Doubt, |_, mut honest| {
        honest.body.truncate(honest.body.len() / 2);
        whole(&honest)
    }),
    ("batch as HTML", Doubt, |_, _| {
        whole(&Said::new("200 OK", Some("text/html"), "<html></html>"))
    }),
];

fn twisted(asked: &Asked, honest: Said, twist: impl FnOnce(&mut Value)) -> Sent {
    // What is left of a batch may come alone.
    if !asked.path.ends_with("/$batch") {
        return whole(&Said::new("200 OK", Some("text/html"), "<html></html>"));
    }
    let mut batch: Value = serde_json::from_slice(&honest.body).unwrap_or_default();
    twist(&mut batch);
    whole(&Said {
        body: batch.to_string().into_bytes(),
        ..honest
    })
}
