//! Reading users.

use serde_json::{Value, json};

use super::error;
use crate::clock::rfc3339_ms;
use crate::escape;
use crate::population::{GOOGLE_DOMAIN, Person};
use crate::reply::Reply;
use crate::world::Exchange;

pub(super) fn one(ex: &Exchange<'_>, person: Person) -> Reply {
    Reply::json(200, describe(ex, person).to_string().into_bytes())
}

/// Everybody, a page at a time: `customer=my_customer` or `domain=…`.
pub(super) fn list(ex: &Exchange<'_>, query: &[(String, String)]) -> Reply {
    let customer = escape::value(query, "customer");
    let domain = escape::value(query, "domain");
    let known = customer == Some("my_customer")
        || domain.is_some_and(|domain| domain.eq_ignore_ascii_case(GOOGLE_DOMAIN));
    if !known {
        return error::reason(400, "badRequest", "Bad Request");
    }
    let people = ex.people();
    let wanted: Box<dyn Fn(Person) -> bool> = match escape::value(query, "query") {
        None => Box::new(|_| true),
        Some("isSuspended=false") => Box::new(|person| !people.is_disabled(person)),
        Some("isSuspended=true") => Box::new(|person| people.is_disabled(person)),
        Some(text) => match text
            .strip_prefix("email:")
            .or_else(|| text.strip_prefix("email="))
        {
            Some(email) => {
                let found = people.by_google_key(email.trim_matches('\''));
                Box::new(move |person| found == Some(person))
            }
            None => return error::reason(400, "invalid", "Invalid Input: query"),
        },
    };
    let Some((from, many)) = page(query, 100, 500) else {
        return error::reason(400, "invalid", "Invalid Input: pageToken or maxResults");
    };
    let state = &ex.world.state;
    let mut found: Vec<Person> = (from..people.len())
        .map(Person)
        .filter(|person| people.google_email(*person).is_some())
        .filter(|person| !state.is_gone(*person, false) && wanted(*person))
        .take(many + 1)
        .collect();
    let next = (found.len() > many).then(|| found.pop()).flatten();
    let mut body = json!({"kind": "admin#directory#users", "etag": "\"sandbox\""});
    if !found.is_empty() {
        body["users"] = found.iter().map(|person| describe(ex, *person)).collect();
    }
    if let Some(next) = next {
        body["nextPageToken"] = json!(page_token(next.index()));
    }
    Reply::json(200, body.to_string().into_bytes())
}

/// Where a page starts and how long it is; `None`: that makes no sense.
pub(super) fn page(query: &[(String, String)], usual: usize, most: usize) -> Option<(u32, usize)> {
    let many = match escape::value(query, "maxResults") {
        None => usual,
        Some(text) => text.parse().ok().filter(|many| (1..=most).contains(many))?,
    };
    let from = match escape::value(query, "pageToken") {
        None => 0,
        Some(text) => u32::from_str_radix(text.strip_prefix("sandbox-")?, 16).ok()?,
    };
    Some((from, many))
}

pub(super) fn page_token(from: u32) -> String {
    format!("sandbox-{from:x}")
}

fn describe(ex: &Exchange<'_>, person: Person) -> Value {
    let people = ex.people();
    let name = people.display_name(person);
    let (given, family) = name.split_once(' ').unwrap_or((&name, ""));
    let last_login = ex
        .world
        .state
        .signed_out_ms(person)
        .unwrap_or_else(|| people.initial_watermark_ms(person));
    let suspended = people.is_disabled(person);
    let mut user = json!({
        "kind": "admin#directory#user",
        "id": people.google_id(person),
        "etag": "\"sandbox\"",
        "primaryEmail": people.google_email(person),
        "name": {"givenName": given, "familyName": family, "fullName": name},
        "isAdmin": person == Person::ADMIN || person == Person::BREAK_GLASS,
        "isDelegatedAdmin": false,
        "lastLoginTime": rfc3339_ms(last_login),
        "creationTime": rfc3339_ms(people.initial_watermark_ms(person)),
        "suspended": suspended,
        "archived": false,
        "customerId": "C0sandbox",
        "orgUnitPath": "/Staff",
        "isEnrolledIn2Sv": true,
        "isMailboxSetup": true,
    });
    if let Some(alias) = people.google_alias(person) {
        user["aliases"] = json!([alias]);
    }
    if suspended {
        user["suspensionReason"] = json!("ADMIN");
    }
    user
}
