//! JSON batching: <https://learn.microsoft.com/graph/json-batching>.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use http::request::Parts;
use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::answer::Answer;
use super::call::Call;
use crate::dice;
use crate::reply::Reply;
use crate::world::Exchange;

const MOST_ITEMS: usize = 20;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    requests: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(default)]
    headers: ItemHeaders,
    #[serde(default)]
    body: Option<IgnoredAny>,
}

/// What the tenant looks at among an item's headers.
#[derive(Default)]
struct ItemHeaders {
    content_type: bool,
    eventual: bool,
}

impl<'de> Deserialize<'de> for ItemHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = ItemHeaders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of header names and texts")
            }

            fn visit_unit<E>(self) -> Result<ItemHeaders, E> {
                Ok(ItemHeaders::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ItemHeaders, A::Error> {
                let mut seen = ItemHeaders::default();
                while let Some((name, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    if name.0.eq_ignore_ascii_case("content-type") {
                        seen.content_type = true;
                    } else if name.0.eq_ignore_ascii_case("consistencylevel") {
                        seen.eventual = value.0.eq_ignore_ascii_case("eventual");
                    }
                }
                Ok(seen)
            }
        }
        deserializer.deserialize_any(Look)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn answer(ex: &mut Exchange<'_>, rights: u16, parts: &Parts, body: &Bytes) -> Reply {
    match items(parts, body) {
        Err(message) => Answer::error(ex, 400, "BadRequest", &message).into_reply(ex, 0),
        Ok(batch) => Reply::json(200, responses(ex, rights, &batch.requests)),
    }
}

fn items<'b>(parts: &Parts, body: &'b Bytes) -> Result<Batch<'b>, String> {
    if parts.method != http::Method::POST {
        return Err("A batch is sent with POST.".to_owned());
    }
    let batch: Batch<'_> = serde_json::from_slice(body)
        .map_err(|error| format!("Invalid batch payload format: {error}"))?;
    let many = batch.requests.len();
    if many == 0 {
        return Err("Invalid batch payload format.".to_owned());
    }
    if many > MOST_ITEMS {
        return Err(format!(
            "Number of batch request steps exceeds the maximum value of {MOST_ITEMS}."
        ));
    }
    let mut seen = HashSet::with_capacity(many);
    for item in &batch.requests {
        if item.id.is_empty() || item.url.is_empty() || item.method.is_empty() {
            return Err("Request id, method and url are required.".to_owned());
        }
        if !seen.insert(item.id.to_ascii_lowercase()) {
            return Err(format!(
                "Request Id {} has to be unique in a batch.",
                item.id
            ));
        }
    }
    Ok(batch)
}

/// Answers come in an order of the tenant's own, as they may.
fn responses(ex: &mut Exchange<'_>, rights: u16, items: &[Item<'_>]) -> Vec<u8> {
    let answers: Vec<Answer> = items
        .iter()
        .enumerate()
        .map(|(place, item)| one(ex, rights, place, item))
        .collect();
    let warning = ex.quota_warning(0);
    let turn = dice::bits(ex.people().seed(), 0x54, u64::from(ex.number)) as usize % items.len();
    let mut out = Vec::with_capacity(64 + items.len() * 256);
    out.extend_from_slice(b"{\"responses\":[");
    for step in 0..items.len() {
        if step > 0 {
            out.push(b',');
        }
        let place = (turn + step) % items.len();
        answers[place].write_item(&mut out, &items[place].id, warning);
    }
    out.extend_from_slice(b"]}");
    out
}

fn one(ex: &mut Exchange<'_>, rights: u16, place: usize, item: &Item<'_>) -> Answer {
    let writes = item.method != "GET" && item.method != "DELETE";
    if writes && !(item.headers.content_type && item.body.is_some()) {
        let message = format!(
            "Write request id : {} does not contain Content-Type header or body.",
            item.id
        );
        return Answer::error(ex, 400, "BadRequest", &message);
    }
    // What follows a bare `#` is a fragment and never reaches the directory.
    let url = item.url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.trim_matches('/') == "$batch" {
        return Answer::error(ex, 400, "BadRequest", "A batch may not hold a batch.");
    }
    Call {
        method: &item.method,
        path,
        query,
        eventual: item.headers.eventual,
        batch_item: Some(place as u8),
        rights,
    }
    .answer(ex)
}
