//! Who is in a group.

use serde_json::{Value, json};

use super::error;
use super::users::{page, page_token};
use crate::escape;
use crate::groups::Group;
use crate::population::Person;
use crate::reply::Reply;
use crate::world::Exchange;

/// The place in a listing where the nested groups end and the people begin.
const GROUPS_FIRST: u32 = 16;

/// Members, a page at a time; `includeDerivedMembership=true` looks into nested groups.
pub(super) fn list(ex: &Exchange<'_>, key: &str, query: &[(String, String)]) -> Reply {
    let Some(group) = Group::by_google_key(key) else {
        return error::reason(404, "notFound", "Resource Not Found: groupKey");
    };
    let Some((from, many)) = page(query, 200, 200) else {
        return error::reason(400, "invalid", "Invalid Input: pageToken or maxResults");
    };
    let derived = escape::value(query, "includeDerivedMembership") == Some("true");
    let people = ex.people();
    let state = &ex.world.state;
    let inside = |person: Person| {
        people.google_email(person).is_some()
            && !state.is_gone(person, false)
            && if derived {
                group.has(people, person)
            } else {
                group.has_direct(people, person)
            }
    };
    let nested: Vec<Group> = if derived {
        Vec::new()
    } else {
        group.nested().collect()
    };
    let before = nested
        .iter()
        .enumerate()
        .map(|(n, group)| (n as u32, of_group(*group)));
    let whole = group
        .is_whole_account()
        .then(|| (GROUPS_FIRST - 1, whole_account()));
    let persons = (from.saturating_sub(GROUPS_FIRST)..people.len())
        .map(Person)
        .filter(|person| inside(*person))
        .map(|person| (GROUPS_FIRST + person.index(), of_person(ex, person)));
    let mut found: Vec<(u32, Value)> = before
        .chain(whole)
        .filter(|(place, _)| *place >= from)
        .chain(persons)
        .take(many + 1)
        .collect();
    let next = (found.len() > many).then(|| found.pop()).flatten();
    let mut body = json!({"kind": "admin#directory#members", "etag": "\"sandbox\""});
    if !found.is_empty() {
        body["members"] = found.into_iter().map(|(_, member)| member).collect();
    }
    if let Some((place, _)) = next {
        body["nextPageToken"] = json!(page_token(place));
    }
    Reply::json(200, body.to_string().into_bytes())
}

fn of_person(ex: &Exchange<'_>, person: Person) -> Value {
    let people = ex.people();
    let status = if people.is_disabled(person) {
        "SUSPENDED"
    } else {
        "ACTIVE"
    };
    json!({
        "kind": "admin#directory#member",
        "id": people.google_id(person),
        "email": people.google_email(person),
        "role": "MEMBER",
        "type": "USER",
        "status": status,
    })
}

fn of_group(group: Group) -> Value {
    json!({
        "kind": "admin#directory#member",
        "id": group.google_id(),
        "email": group.google_email(),
        "role": "MEMBER",
        "type": "GROUP",
        "status": "ACTIVE",
    })
}

fn whole_account() -> Value {
    json!({"kind": "admin#directory#member", "id": "C0sandbox", "role": "MEMBER", "type": "CUSTOMER"})
}
