//! Answers that say something else than the documented yes.

use super::super::wire::{Asked, Said};
use super::Behind::{self, Doubt};
use super::{Tell, whole};

/// A 200 whose JSON body is this text.
macro_rules! json {
    ($body:expr) => {
        |_: &Asked, _: Said| whole(&Said::json($body))
    };
}

const LOGIN: &str = "<!DOCTYPE html><html><title>Sign in to your account</title></html>";

/// Told to every connector.
pub(super) const BOTH: &[(&str, Behind, Tell)] = &[
    ("200 with HTML", Doubt, |_, _| {
        whole(&Said::new("200 OK", Some("text/html"), LOGIN))
    }),
    ("200 with HTML, said to be JSON", Doubt, json!(LOGIN)),
    ("200 with XML", Doubt, |_, _| {
        whole(&Said::new(
            "200 OK",
            Some("application/xml"),
            "<value>true</value>",
        ))
    }),
    (
        "200 with an error inside",
        Doubt,
        json!(r#"{"error":{"code":"Failed","message":"no"}}"#),
    ),
    (
        "200 with an error list inside",
        Doubt,
        json!(r#"{"error":{"code":403,"errors":[{"reason":"forbidden"}]}}"#),
    ),
    ("200 with a plain word", Doubt, |_, _| {
        whole(&Said::new("200 OK", Some("text/plain"), "OK"))
    }),
    ("200 with null", Doubt, json!("null")),
    ("200 with false", Doubt, json!("false")),
    ("200 with a bare true", Doubt, json!("true")),
    ("200 with a list", Doubt, json!("[true]")),
    ("200 with a number", Doubt, json!("1")),
    ("200 with a string", Doubt, json!("\"true\"")),
    ("200 with NUL bytes", Doubt, |_, _| {
        whole(&Said::json("\0\0\0\0"))
    }),
    ("200 with invalid UTF-8", Doubt, |_, _| {
        whole(&Said::new(
            "200 OK",
            Some("application/json"),
            b"{\"value\":\xff}".to_vec(),
        ))
    }),
    ("200 with UTF-16", Doubt, |_, _| {
        let wide = "{\"value\":true}".encode_utf16().flat_map(u16::to_le_bytes);
        whole(&Said::new(
            "200 OK",
            Some("application/json"),
            wide.collect::<Vec<_>>(),
        ))
    }),
    ("200 with brackets without end", Doubt, |_, _| {
        whole(&Said::json(&"[".repeat(100_000)))
    }),
    ("200 with three megabytes around the yes", Doubt, |_, _| {
        let padding = " ".repeat(3 << 20);
        whole(&Said::json(&format!("{{\"value\":true{padding}}}")))
    }),
    (
        "200 that promises a job",
        Doubt,
        json!(r#"{"status":"accepted","jobId":"17"}"#),
    ),
];

/// Told where the documented yes is `{"value": true}`.
pub(super) const ENTRA: &[(&str, Behind, Tell)] = &[
    ("200 with white space", Doubt, json!(" \r\n\t ")),
    ("202, perhaps later", Doubt, |_, honest| {
        whole(&Said {
            status: "202 Accepted".into(),
            ..honest
        })
    }),
    ("206, a part of it", Doubt, |_, honest| {
        whole(&Said {
            status: "206 Partial Content".into(),
            ..honest
        })
    }),
    ("value false", Doubt, json!(r#"{"value":false}"#)),
    ("value \"true\"", Doubt, json!(r#"{"value":"true"}"#)),
    ("value \"false\"", Doubt, json!(r#"{"value":"false"}"#)),
    ("value 1", Doubt, json!(r#"{"value":1}"#)),
    ("value null", Doubt, json!(r#"{"value":null}"#)),
    ("value a list", Doubt, json!(r#"{"value":[true]}"#)),
    (
        "value an object",
        Doubt,
        json!(r#"{"value":{"value":true}}"#),
    ),
    (
        "value under another name",
        Doubt,
        json!(r#"{"Value":true,"result":true}"#),
    ),
    ("value deeper down", Doubt, json!(r#"{"d":{"value":true}}"#)),
    ("an empty object", Doubt, json!("{}")),
    ("an empty 200", Doubt, |_, _| whole(&Said::json(""))),
    (
        "yes, then no",
        Doubt,
        json!(r#"{"value":true,"value":false}"#),
    ),
    (
        "no, then yes",
        Doubt,
        json!(r#"{"value":false,"value":true}"#),
    ),
    (
        "yes with an error beside it",
        Doubt,
        json!(r#"{"value":true,"error":{"code":"x","message":"no"}}"#),
    ),
    (
        "yes with more after it",
        Doubt,
        json!(r#"{"value":true}<html>"#),
    ),
    ("yes twice", Doubt, json!(r#"{"value":true}{"value":true}"#)),
    ("yes, cut", Doubt, json!(r#"{"value":t"#)),
    (
        "yes with a comment",
        Doubt,
        json!("{\"value\":true}// or not"),
    ),
    (
        "yes behind a guard prefix",
        Doubt,
        json!(")]}'\n{\"value\":true}"),
    ),
    ("205", Doubt, |_, honest| {
        whole(&Said {
            status: "205 Reset Content".into(),
            ..honest
        })
    }),
    ("299", Doubt, |_, honest| {
        whole(&Said {
            status: "299 Perhaps".into(),
            ..honest
        })
    }),
];

/// Told where the documented yes is an empty body.
pub(super) const WORKSPACE: &[(&str, Behind, Tell)] = &[
    (
        "an object that is not empty",
        Doubt,
        json!(r#"{"done":false}"#),
    ),
    (
        "an error by name",
        Doubt,
        json!(r#"{"error":{"status":"PERMISSION_DENIED","code":403}}"#),
    ),
    ("an empty list", Doubt, json!("[]")),
    ("a page of a captive portal", Doubt, |_, _| {
        whole(&Said::new(
            "203 Non-Authoritative Information",
            Some("text/html"),
            LOGIN,
        ))
    }),
];
