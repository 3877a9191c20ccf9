//! Groups and their transitive members: <https://learn.microsoft.com/graph/api/group-list-transitivemembers>.

use super::answer::Answer;
use super::filter::{Test, parse};
use super::users::{self, Page};
use crate::escape;
use crate::groups::Group;
use crate::json;
use crate::population::Person;
use crate::world::Exchange;

type Query = [(String, String)];

/// Groups, or those of one name. Names are not unique.
pub(super) fn list(ex: &Exchange<'_>, query: &Query, units: u32) -> Answer {
    let tests = match escape::value(query, "$filter") {
        None => None,
        Some(text) => match parse(text) {
            Some(tests) => Some(tests),
            None => {
                return Answer::error(
                    ex,
                    400,
                    "Request_UnsupportedQuery",
                    "Unsupported or invalid query filter clause specified for resource 'Group'.",
                );
            }
        },
    };
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(
        br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#groups","value":["#,
    );
    let mut found = json::List::new(&mut body);
    for group in Group::all() {
        let wanted = tests.as_ref().is_none_or(|tests| {
            tests.iter().any(|test| match test {
                Test::DisplayName(name) => group.name().eq_ignore_ascii_case(name),
                Test::Id(id) => group.object_id(ex.people()).eq_ignore_ascii_case(id),
                _ => false,
            })
        });
        if wanted {
            write(found.item(), ex, group);
        }
    }
    body.extend_from_slice(b"]}");
    Answer::ok(units, body)
}

pub(super) fn one(ex: &Exchange<'_>, id: &str, units: u32) -> Answer {
    match Group::by_object_id(ex.people(), id) {
        None => Answer::not_found(ex, id),
        Some(group) => {
            let mut body = Vec::new();
            write(&mut body, ex, group);
            Answer::ok(units, body)
        }
    }
}

/// Everybody in the group and in groups inside of it. Without the cast, the nested groups stand between the users.
pub(super) fn members(
    ex: &Exchange<'_>,
    id: &str,
    only_users: bool,
    query: &Query,
    units: u32,
) -> Answer {
    let Some(group) = Group::by_object_id(ex.people(), id) else {
        return Answer::not_found(ex, id);
    };
    let properties = match users::selected(query) {
        Ok(properties) => properties,
        Err(name) => return users::no_such_property(ex, name),
    };
    let Some(page_of) = Page::from(query) else {
        return users::bad_page(ex);
    };
    let people = ex.people();
    let state = &ex.world.state;
    let inside = |person: &Person| group.has(people, *person) && !state.is_gone(*person, true);
    let (found, next) = page_of.take((page_of.from..people.len()).map(Person).filter(inside));
    let path = if only_users {
        format!("/groups/{id}/transitiveMembers/microsoft.graph.user")
    } else {
        format!("/groups/{id}/transitiveMembers")
    };
    let next = next.map(|from| users::next_link(ex, &path, query, from));
    let total = (only_users && escape::value(query, "$count") == Some("true"))
        .then(|| people.everybody().filter(inside).count());
    if only_users {
        return users::page(ex, &found, &properties, next.as_deref(), total, units);
    }
    mixed(ex, group, &page_of, &found, next.as_deref(), units)
}

fn mixed(
    ex: &Exchange<'_>,
    group: Group,
    page_of: &Page,
    people: &[Person],
    next: Option<&str>,
    units: u32,
) -> Answer {
    let mut body = Vec::new();
    body.extend_from_slice(
        br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#directoryObjects""#,
    );
    if let Some(next) = next {
        body.extend_from_slice(b",\"@odata.nextLink\":");
        json::string(&mut body, next);
    }
    body.extend_from_slice(b",\"value\":[");
    let mut list = json::List::new(&mut body);
    if page_of.from == 0 {
        for nested in group.nested() {
            write(list.item(), ex, nested);
        }
    }
    for person in people {
        let out = list.item();
        out.extend_from_slice(b"{\"@odata.type\":\"#microsoft.graph.user\",\"id\":");
        json::string(out, &ex.people().object_id(*person));
        out.extend_from_slice(b",\"userPrincipalName\":");
        json::string(out, &ex.people().upn(*person));
        out.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Answer::ok(units, body)
}

fn write(out: &mut Vec<u8>, ex: &Exchange<'_>, group: Group) {
    out.extend_from_slice(b"{\"@odata.type\":\"#microsoft.graph.group\",\"id\":");
    json::string(out, &group.object_id(ex.people()));
    out.extend_from_slice(b",\"displayName\":");
    json::string(out, group.name());
    out.push(b'}');
}
