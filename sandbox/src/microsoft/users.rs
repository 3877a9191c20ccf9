//! Reading users: <https://learn.microsoft.com/graph/api/user-get>, <https://learn.microsoft.com/graph/api/user-list>.

use super::answer::Answer;
use super::call::UserKey;
use super::filter::{self, Test};
use super::{MICROSOFT_TENANT_ID, filter::parse};
use crate::clock::rfc3339_secs;
use crate::escape;
use crate::json;
use crate::names::capital;
use crate::population::{MICROSOFT_DOMAIN, MICROSOFT_INITIAL_DOMAIN, Person};
use crate::world::Exchange;

type Query = [(String, String)];

/// What `$select` names; without it, the short default of the directory.
const DEFAULT: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

const SELECTABLE: [&str; 9] = [
    "userType",
    "accountEnabled",
    "externalUserState",
    "proxyAddresses",
    "signInSessionsValidFromDateTime",
    "createdDateTime",
    "onPremisesSyncEnabled",
    "otherMails",
    "creationType",
];

/// The properties asked for, or the name of one that does not exist.
pub(super) fn selected(query: &Query) -> Result<Vec<&str>, &str> {
    let Some(list) = escape::value(query, "$select") else {
        return Ok(DEFAULT.to_vec());
    };
    list.split(',')
        .map(str::trim)
        .map(|name| {
            let known = DEFAULT.contains(&name) || SELECTABLE.contains(&name);
            if known { Ok(name) } else { Err(name) }
        })
        .collect()
}

pub(super) fn no_such_property(ex: &Exchange<'_>, name: &str) -> Answer {
    Answer::error(
        ex,
        400,
        "BadRequest",
        &format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.user'."
        ),
    )
}

pub(super) fn one(ex: &Exchange<'_>, key: &UserKey, query: &Query, units: u32) -> Answer {
    let properties = match selected(query) {
        Ok(properties) => properties,
        Err(name) => return no_such_property(ex, name),
    };
    let Some(person) = key.person(ex) else {
        return Answer::not_found(ex, &key.name);
    };
    let mut body = Vec::with_capacity(512);
    body.extend_from_slice(
        br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users/$entity","#,
    );
    write_properties(&mut body, ex, person, &properties);
    body.push(b'}');
    Answer::ok(units, body)
}

/// Everybody, a page at a time, or those a filter finds.
pub(super) fn list(ex: &Exchange<'_>, query: &Query, units: u32, eventual: bool) -> Answer {
    let properties = match selected(query) {
        Ok(properties) => properties,
        Err(name) => return no_such_property(ex, name),
    };
    let state = &ex.world.state;
    if let Some(text) = escape::value(query, "$filter") {
        let Some(tests) = parse(text) else {
            return Answer::error(
                ex,
                400,
                "Request_UnsupportedQuery",
                "Unsupported or invalid query filter clause specified for resource 'User'.",
            );
        };
        let mut found: Vec<Person> = tests.iter().flat_map(|test| matching(ex, test)).collect();
        found.sort_unstable();
        found.dedup();
        found.retain(|person| !state.is_gone(*person, true));
        return page(ex, &found, &properties, None, None, units);
    }
    let Some(page_of) = Page::from(query) else {
        return bad_page(ex);
    };
    let everybody = (page_of.from..ex.people().len())
        .map(Person)
        .filter(|person| !state.is_gone(*person, true));
    let (people, next) = page_of.take(everybody);
    let next = next.map(|from| next_link(ex, "/users", query, from));
    let total = (eventual && escape::value(query, "$count") == Some("true")).then(|| count(ex));
    page(ex, &people, &properties, next.as_deref(), total, units)
}

/// How many users there are.
pub(super) fn count(ex: &Exchange<'_>) -> usize {
    let state = &ex.world.state;
    ex.people()
        .everybody()
        .filter(|person| !state.is_gone(*person, true))
        .count()
}

pub(super) fn organization(units: u32) -> Answer {
    let body = format!(
        r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#organization","value":[{{"id":"{MICROSOFT_TENANT_ID}","displayName":"Contoso (sandbox)","verifiedDomains":[{{"capabilities":"Email","isDefault":false,"isInitial":true,"name":"{MICROSOFT_INITIAL_DOMAIN}","type":"Managed"}},{{"capabilities":"Email","isDefault":true,"isInitial":false,"name":"{MICROSOFT_DOMAIN}","type":"Managed"}}]}}]}}"#
    );
    Answer::ok(units, body.into_bytes())
}

/// Which part of a listing is asked for.
pub(super) struct Page {
    pub(super) from: u32,
    top: usize,
}

impl Page {
    /// `None`: `$top` or `$skiptoken` makes no sense.
    pub(super) fn from(query: &Query) -> Option<Self> {
        let top = match escape::value(query, "$top") {
            None => 100,
            Some(text) => text.parse().ok().filter(|top| (1..=999).contains(top))?,
        };
        let from = match escape::value(query, "$skiptoken") {
            None => 0,
            Some(text) => u32::from_str_radix(text.strip_prefix("p")?, 16).ok()?,
        };
        Some(Self { from, top })
    }

    /// One page, and where the next one starts when there is one.
    pub(super) fn take(&self, people: impl Iterator<Item = Person>) -> (Vec<Person>, Option<u32>) {
        let mut page: Vec<Person> = people.take(self.top + 1).collect();
        let next = (page.len() > self.top)
            .then(|| page.pop())
            .flatten()
            .map(|person| person.0);
        (page, next)
    }
}

pub(super) fn bad_page(ex: &Exchange<'_>) -> Answer {
    Answer::error(
        ex,
        400,
        "Request_BadRequest",
        "Invalid page size or skip token specified.",
    )
}

/// The link to the next page: the same query with a skip token.
pub(super) fn next_link(ex: &Exchange<'_>, path: &str, query: &Query, from: u32) -> String {
    let mut link = url::form_urlencoded::Serializer::new(format!("{}/v1.0{path}?", ex.origin));
    for (name, value) in query.iter().filter(|(name, _)| name != "$skiptoken") {
        link.append_pair(name, value);
    }
    link.append_pair("$skiptoken", &format!("p{from:x}"));
    link.finish()
}

/// A collection of users as a body.
pub(super) fn page(
    ex: &Exchange<'_>,
    people: &[Person],
    properties: &[&str],
    next: Option<&str>,
    total: Option<usize>,
    units: u32,
) -> Answer {
    let mut body = Vec::with_capacity(128 + people.len() * 192);
    body.extend_from_slice(
        br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users""#,
    );
    if let Some(total) = total {
        body.extend_from_slice(b",\"@odata.count\":");
        json::number(&mut body, total as u64);
    }
    if let Some(next) = next {
        body.extend_from_slice(b",\"@odata.nextLink\":");
        json::string(&mut body, next);
    }
    body.extend_from_slice(b",\"value\":[");
    let mut list = json::List::new(&mut body);
    for person in people {
        let item = list.item();
        item.push(b'{');
        write_properties(item, ex, *person, properties);
        item.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Answer::ok(units, body)
}

fn matching(ex: &Exchange<'_>, test: &Test) -> Vec<Person> {
    let people = ex.people();
    match test {
        filter::Test::Id(id) => people.by_object_id(id).into_iter().collect(),
        Test::Mail(mail) => people.by_mail(mail),
        Test::UserPrincipalName(upn) => people.by_upn(upn).into_iter().collect(),
        // The prefix tells the primary address from the others, by its case.
        Test::ProxyAddress(address) => match address.split_once(':') {
            Some(("SMTP", mail)) => people
                .by_mail(mail)
                .into_iter()
                .filter(|person| has_own_mail(ex, *person))
                .collect(),
            Some(("smtp", alias)) => people.by_alias(alias).into_iter().collect(),
            _ => Vec::new(),
        },
        Test::DisplayName(name) => people
            .everybody()
            .filter(|person| people.display_name(*person).eq_ignore_ascii_case(name))
            .collect(),
    }
}

/// A shared `mail` is nobody's proxy address: those are unique in a tenant.
fn has_own_mail(ex: &Exchange<'_>, person: Person) -> bool {
    let people = ex.people();
    people.mail(person) == people.upn(person)
}

fn write_properties(out: &mut Vec<u8>, ex: &Exchange<'_>, person: Person, properties: &[&str]) {
    let people = ex.people();
    let mut list = json::List::new(out);
    for property in properties {
        let out = list.item();
        json::string(out, property);
        out.push(b':');
        match *property {
            "id" => json::string(out, &people.object_id(person)),
            "userPrincipalName" => json::string(out, &people.upn(person)),
            "mail" => json::string(out, &people.mail(person)),
            "displayName" => json::string(out, &people.display_name(person)),
            "givenName" => {
                let name = people.display_name(person);
                json::string(out, &capital(name.split(' ').next().unwrap_or_default()));
            }
            "surname" => {
                let name = people.display_name(person);
                json::optional(out, name.split_once(' ').map(|(_, last)| last));
            }
            "userType" => {
                let kind = if people.is_guest(person) {
                    "Guest"
                } else {
                    "Member"
                };
                json::string(out, kind);
            }
            "externalUserState" => {
                json::optional(out, people.is_guest(person).then_some("Accepted"));
            }
            "accountEnabled" => {
                let enabled: &[u8] = if people.is_disabled(person) {
                    b"false"
                } else {
                    b"true"
                };
                out.extend_from_slice(enabled);
            }
            "proxyAddresses" => {
                out.push(b'[');
                let mut addresses = json::List::new(out);
                if has_own_mail(ex, person) {
                    json::string(addresses.item(), &format!("SMTP:{}", people.mail(person)));
                }
                if let Some(alias) = people.alias(person) {
                    json::string(addresses.item(), &format!("smtp:{alias}"));
                }
                out.push(b']');
            }
            "signInSessionsValidFromDateTime" => {
                let lag = ex.faults().lag.as_millis() as i64;
                let at = ex.world.state.watermark_ms(person, ex.now_ms(), lag);
                json::string(out, &rfc3339_secs(at));
            }
            "createdDateTime" => {
                json::string(out, &rfc3339_secs(people.initial_watermark_ms(person)));
            }
            "businessPhones" | "otherMails" => out.extend_from_slice(b"[]"),
            _ => out.extend_from_slice(b"null"),
        }
    }
}
