//! The JSON of `$batch`, written without copies and read without trust.
//!
//! After <https://learn.microsoft.com/graph/json-batching>.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use rescind_http::{object, retry_after_value};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// The most items Graph takes in one batch.
pub(crate) const MOST: usize = 20;

/// The ids of the items, in order.
const IDS: [&str; MOST] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17",
    "18", "19", "20",
];

#[derive(Serialize)]
pub(crate) struct BatchRequest<'a> {
    pub(crate) requests: Vec<ItemRequest<'a>>,
}

#[derive(Serialize)]
pub(crate) struct ItemRequest<'a> {
    id: &'static str,
    method: &'static str,
    url: &'a str,
    headers: ItemHeaders<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Empty>,
}

/// `{}`: a write item without body or content type is refused, although the single call needs neither.
#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ItemHeaders<'a> {
    #[serde(rename = "Content-Type", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(rename = "client-request-id")]
    client_request_id: &'a str,
    #[serde(
        rename = "x-ms-throttle-priority",
        skip_serializing_if = "Option::is_none"
    )]
    priority: Option<&'static str>,
}

impl<'a> ItemRequest<'a> {
    /// The `n`-th item, counted from 0.
    pub(crate) fn new(
        n: usize,
        writes: bool,
        url: &'a str,
        client_request_id: &'a str,
        urgent: bool,
    ) -> Self {
        Self {
            id: IDS[n],
            method: if writes { "POST" } else { "GET" },
            url,
            headers: ItemHeaders {
                content_type: writes.then_some("application/json"),
                client_request_id,
                priority: urgent.then_some("High"),
            },
            body: writes.then_some(Empty {}),
        }
    }
}

/// The answer to one item.
#[derive(Debug)]
pub(crate) struct ItemReply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) load: Option<f64>,
    pub(crate) request_id: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Sorts the answers to `n` items. `None` stands for an item that has no answer, or more than one, or a success beside an
/// error: which of two is true nobody can say. `Err` means that the whole is no batch answer.
pub(crate) fn read(
    body: &[u8],
    n: usize,
    date: Option<Timestamp>,
) -> Result<Vec<Option<ItemReply>>, serde_json::Error> {
    let answer: BatchAnswer<'_> = object(body)?;
    if answer.error.is_some() {
        return Ok(std::iter::repeat_with(|| None).take(n).collect());
    }
    let mut replies: Vec<Slot> = std::iter::repeat_with(|| Slot::Empty).take(n).collect();
    for raw in answer.responses {
        // One item of a wrong shape spoils itself only, and any other that claims its id.
        let Ok(item) = object::<ItemAnswer<'_>>(raw.get().as_bytes()) else {
            if !raw.get().starts_with('{') {
                // It is about nobody.
                continue;
            }
            // Where not even its ids can be read, it may be about anybody.
            let Ok(Ids(ids)) = serde_json::from_str(raw.get()) else {
                return Ok(std::iter::repeat_with(|| None).take(n).collect());
            };
            for place in ids.iter().filter_map(|id| place_of(id, n)) {
                replies[place] = Slot::Unclear;
            }
            continue;
        };
        if let Some(slot) = place_of(&item.id, n).and_then(|place| replies.get_mut(place)) {
            let contradicts_itself = item.error.is_some() && (200..300).contains(&item.status);
            *slot = match slot {
                _ if contradicts_itself => Slot::Unclear,
                Slot::Empty => Slot::Once(item.into_reply(date)),
                Slot::Once(_) | Slot::Unclear => Slot::Unclear,
            };
        }
    }
    Ok(replies
        .into_iter()
        .map(|slot| match slot {
            Slot::Once(reply) => Some(reply),
            Slot::Empty | Slot::Unclear => None,
        })
        .collect())
}

fn place_of(id: &str, n: usize) -> Option<usize> {
    IDS[..n].iter().position(|known| *known == id.trim())
}

/// How much of a limit is used, as the vendor writes it: a fraction of it, 1 or more where it is used up.
pub(crate) fn load_of(text: &str) -> Option<f64> {
    let load: f64 = text.trim().parse().ok()?;
    // `NaN` and `inf` parse, too.
    (load.is_finite() && load >= 0.0).then_some(load)
}

/// Every id of an item that cannot be read as a whole: it may name several.
struct Ids(Vec<String>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Item;

        impl<'de> Visitor<'de> for Item {
            type Value = Ids;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an item of a batch")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ids, A::Error> {
                let mut ids = Vec::new();
                while let Some((name, value)) = map.next_entry::<Cow<'de, str>, Value>()? {
                    match value {
                        Value::String(id) if name == "id" => ids.push(id),
                        Value::Number(id) if name == "id" => ids.push(id.to_string()),
                        _ => {}
                    }
                }
                Ok(Ids(ids))
            }
        }

        deserializer.deserialize_map(Item)
    }
}

enum Slot {
    Empty,
    Once(ItemReply),
    Unclear,
}

#[derive(Deserialize)]
struct BatchAnswer<'a> {
    #[serde(borrow)]
    responses: Vec<&'a RawValue>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ItemAnswer<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    status: u16,
    #[serde(borrow, default)]
    headers: AnswerHeaders<'a>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

impl ItemAnswer<'_> {
    fn into_reply(self, date: Option<Timestamp>) -> ItemReply {
        let headers = self.headers;
        ItemReply {
            status: self.status,
            retry_after: headers
                .retry_after
                .and_then(|text| retry_after_value(&text, date)),
            load: headers.load.and_then(|text| load_of(&text)),
            request_id: headers.request_id.map(Cow::into_owned),
            body: match self.body.map(RawValue::get) {
                None | Some("null") => Vec::new(),
                Some(json) => json.as_bytes().to_vec(),
            },
        }
    }
}

/// The three headers of an item we want, found without regard to case; the others are skipped.
#[derive(Default)]
struct AnswerHeaders<'a> {
    retry_after: Option<Cow<'a, str>>,
    load: Option<Cow<'a, str>>,
    request_id: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for AnswerHeaders<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Headers;

        impl<'de> Visitor<'de> for Headers {
            type Value = AnswerHeaders<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of headers")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(AnswerHeaders::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut headers = AnswerHeaders::default();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let slot = if name.eq_ignore_ascii_case("retry-after") {
                        &mut headers.retry_after
                    } else if name.eq_ignore_ascii_case("x-ms-throttle-limit-percentage") {
                        &mut headers.load
                    } else if name.eq_ignore_ascii_case("request-id") {
                        &mut headers.request_id
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    // A number in place of a text is understood as well.
                    let raw = map.next_value::<&'de RawValue>()?.get();
                    *slot = match serde_json::from_str::<Cow<'de, str>>(raw) {
                        Ok(text) => Some(text),
                        Err(_) => Some(Cow::Borrowed(raw)),
                    };
                }
                Ok(headers)
            }
        }

        deserializer.deserialize_any(Headers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statuses(json: &str, n: usize) -> Vec<Option<u16>> {
        read(json.as_bytes(), n, None)
            .expect("a batch answer")
            .iter()
            .map(|reply| reply.as_ref().map(|reply| reply.status))
            .collect()
    }

    #[test]
    fn answers_are_matched_by_id_in_any_order() {
        let json = r#"{"responses":[{"id":"2","status":429},{"id":" 1","status":200,"body":{"value":true}}]}"#;
        assert_eq!(statuses(json, 2), [Some(200), Some(429)]);
    }

    #[test]
    fn an_item_answered_twice_or_never_is_not_answered() {
        let json = r#"{"responses":[{"id":"1","status":200},{"id":"1","status":404},{"id":"3","status":200},
            {"id":"3","status":200},{"id":"3","status":200},{"id":"99","status":200},{"id":4,"status":200},
            {"id":"5"},{"id":"6","status":"200"},7,null]}"#;
        assert_eq!(statuses(json, 6), [None; 6]);
    }

    #[test]
    fn an_answer_beside_one_that_cannot_be_read_is_no_answer() {
        for second in [
            r#"{"id":"1","status":"500"}"#,
            r#"{"id":1,"status":500}"#,
            r#"{"id":"1 ","status":70000}"#,
            r#"{"id":"1"}"#,
            r#"{"id":"1","id":"2","status":204}"#,
            r#"{"id":"2","id":"1","status":204}"#,
            r#"{"id":"1","status":404,"body\ud800":{}}"#,
            r#"{"id\ud800":"1","status":"404"}"#,
        ] {
            let first = r#"{"id":"1","status":200,"body":{"value":true}}"#;
            for json in [
                format!(r#"{{"responses":[{first},{second}]}}"#),
                format!(r#"{{"responses":[{second},{first}]}}"#),
            ] {
                assert_eq!(statuses(&json, 2), [None; 2], "{json}");
            }
        }
    }

    #[test]
    fn an_answer_that_is_not_utf_8_is_no_answer() {
        let body = b"{\"skipped\":\"\xff\",\"responses\":[{\"id\":\"1\",\"status\":204}]}";
        assert!(read(body, 1, None).is_err());
    }

    #[test]
    fn a_load_is_a_number() {
        for (text, load) in [
            ("0.8", Some(0.8)),
            (" 1.7 ", Some(1.7)),
            ("NaN", None),
            ("inf", None),
            ("1e999", None),
            ("-1", None),
            ("much", None),
        ] {
            assert_eq!(load_of(text), load, "{text}");
        }
    }

    #[test]
    fn headers_of_an_item_are_found_whatever_their_case() {
        let json = r#"{"responses":[{"id":"1","status":429,"headers":{"RETRY-after":"7","x":[1],
            "X-MS-Throttle-Limit-Percentage":1.2,"request-id":"r-1"},"body":null},
            {"id":"2","status":429,"headers":{"Retry-After":9}},{"id":"3","status":204,"headers":null}]}"#;
        let replies = read(json.as_bytes(), 3, None).expect("a batch answer");
        let reply = |n: usize| replies[n].as_ref().expect("an answer");
        assert_eq!(reply(0).retry_after, Some(Duration::from_secs(7)));
        assert_eq!(reply(0).load, Some(1.2));
        assert_eq!(reply(0).request_id.as_deref(), Some("r-1"));
        assert_eq!(reply(1).retry_after, Some(Duration::from_secs(9)));
        assert!(reply(2).body.is_empty());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 20, None);
        }
    }
}
