//! One call to Graph: which resource it means, what it costs, what becomes of it.

use super::answer::Answer;
use super::{READ_MEMBERS, READ_ORGANIZATION, READ_USERS, REVOKE, groups, users};
use crate::escape;
use crate::faults::Mishap;
use crate::ledger::Operation;
use crate::population::Person;
use crate::quota::Cost;
use crate::world::{Exchange, Noted};

/// One call, alone or inside of a batch.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// Still percent-encoded, without `/v1.0`.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// `ConsistencyLevel: eventual` was sent.
    pub(super) eventual: bool,
    pub(super) batch_item: Option<u8>,
    pub(super) rights: u16,
}

/// The resources this tenant knows.
enum Resource {
    Revoke(UserKey),
    User(UserKey),
    Users,
    UserCount,
    Organization,
    Groups,
    Group(String),
    Members { group: String, only_users: bool },
}

/// How a user is addressed: both forms differ in what they accept.
pub(super) struct UserKey {
    pub(super) name: String,
    /// `/users('…')` instead of `/users/…`.
    literal: bool,
}

impl Call<'_> {
    pub(super) fn answer(&self, ex: &mut Exchange<'_>) -> Answer {
        let resource = match self.resource() {
            Ok(resource) => resource,
            Err(segment) => return Answer::no_route(ex, &segment),
        };
        if let Resource::Revoke(key) = resource {
            return if self.method == "POST" {
                self.revoke(ex, &key)
            } else {
                Answer::error(
                    ex,
                    405,
                    "Request_BadRequest",
                    "Specified HTTP method is not allowed for the request target.",
                )
            };
        }
        if self.method != "GET" {
            return Answer::error(
                ex,
                405,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.",
            );
        }
        self.read(ex, resource)
    }

    fn resource(&self) -> Result<Resource, String> {
        let segments: Vec<String> = self
            .path
            .trim_start_matches('/')
            .split('/')
            .map(escape::segment)
            .collect();
        let names: Vec<&str> = segments.iter().map(String::as_str).collect();
        let key = |name: &str| UserKey {
            name: name.to_owned(),
            literal: false,
        };
        if let Some(literal) = key_literal(names[0], "users") {
            return match names[1..] {
                [] => Ok(Resource::User(literal)),
                ["revokeSignInSessions" | "microsoft.graph.revokeSignInSessions"] => {
                    Ok(Resource::Revoke(literal))
                }
                _ => Err(names[1..].join("/")),
            };
        }
        let group = key_literal(names[0], "groups");
        let names = match &group {
            Some(group) => [&["groups", group.name.as_str()], &names[1..]].concat(),
            None => names,
        };
        match names[..] {
            ["users"] => Ok(Resource::Users),
            ["users", "$count"] => Ok(Resource::UserCount),
            ["users", name] => Ok(Resource::User(key(name))),
            [
                "users",
                name,
                "revokeSignInSessions" | "microsoft.graph.revokeSignInSessions",
            ] => Ok(Resource::Revoke(key(name))),
            ["organization"] => Ok(Resource::Organization),
            ["groups"] => Ok(Resource::Groups),
            ["groups", group] => Ok(Resource::Group(group.to_owned())),
            ["groups", group, "transitiveMembers"] => Ok(Resource::Members {
                group: group.to_owned(),
                only_users: false,
            }),
            ["groups", group, "transitiveMembers", "microsoft.graph.user"] => {
                Ok(Resource::Members {
                    group: group.to_owned(),
                    only_users: true,
                })
            }
            _ => Err(self.path.to_owned()),
        }
    }

    fn revoke(&self, ex: &mut Exchange<'_>, key: &UserKey) -> Answer {
        let person = key.person(ex);
        let noted = |status, effect, early, at_ms| Noted {
            operation: Operation::Revoke,
            person,
            item: None,
            status,
            effect,
            early,
            batch_item: self.batch_item,
            at_ms,
        };
        let mishap = ex.call_mishap();
        let cost = Cost {
            units: 1,
            writes: 1,
        };
        let refused = match mishap {
            Some(Mishap::Throttled) => Err(ex.throttle_now(0)),
            _ => ex.admit(0, cost),
        };
        if let Err(refused) = refused {
            ex.note(noted(429, false, refused.early, None), Some(&key.name));
            return Answer::throttled(ex, refused);
        }
        let refusal = match mishap {
            Some(Mishap::ErrorBefore) => Some(Answer::unavailable(ex, server_error(ex))),
            Some(Mishap::Busy) => Some(Answer::unavailable(ex, 503)),
            Some(Mishap::EmptyBefore) => Some(Answer::empty()),
            Some(Mishap::FalseBefore) => Some(Answer::not_revoked()),
            _ if key.is_refused_form() => Some(dollar_in_segment(ex, key)),
            _ if self.rights & REVOKE == 0 => Some(Answer::denied(ex)),
            _ => match person {
                None => Some(Answer::not_found(ex, &key.name)),
                Some(person) if ex.is_denied(person) => Some(Answer::denied(ex)),
                Some(_) => None,
            },
        };
        if let Some(answer) = refusal {
            ex.note(noted(answer.status, false, false, None), Some(&key.name));
            return answer;
        }
        let now = ex.now_ms();
        // Guests sign in at their home tenant: the call says yes and ends nothing.
        let effect = person.filter(|person| !ex.people().is_guest(*person));
        if let Some(person) = effect {
            ex.world.state.revoke(person, now);
        }
        let answer = if mishap == Some(Mishap::ErrorAfter) {
            Answer::unavailable(ex, server_error(ex))
        } else {
            Answer::revoked()
        };
        ex.note(
            noted(answer.status, effect.is_some(), false, Some(now)),
            Some(&key.name),
        );
        answer
    }

    fn read(&self, ex: &mut Exchange<'_>, resource: Resource) -> Answer {
        let query = escape::pairs(self.query);
        let base: u32 = match &resource {
            Resource::Members { .. } => 5,
            Resource::Users | Resource::Groups => 2,
            _ => 1,
        };
        let top = escape::value(&query, "$top").and_then(|top| top.parse::<u32>().ok());
        let saved = u32::from(escape::value(&query, "$select").is_some())
            + u32::from(top.is_some_and(|top| top < 20));
        let units = base.saturating_sub(saved).max(1);
        let mishap = ex.call_mishap();
        if let Err(refused) = ex.admit(0, Cost { units, writes: 0 }) {
            ex.note(
                Noted {
                    operation: Operation::Read,
                    person: None,
                    item: None,
                    status: 429,
                    effect: false,
                    early: refused.early,
                    batch_item: self.batch_item,
                    at_ms: None,
                },
                None,
            );
            return Answer::throttled(ex, refused);
        }
        ex.count_read();
        match mishap {
            Some(Mishap::ErrorBefore | Mishap::ErrorAfter) => {
                return Answer::unavailable(ex, server_error(ex));
            }
            Some(Mishap::Busy) => return Answer::unavailable(ex, 503),
            _ => {}
        }
        let needed = match &resource {
            Resource::Organization => READ_ORGANIZATION | READ_USERS,
            Resource::Groups | Resource::Group(_) | Resource::Members { .. } => READ_MEMBERS,
            _ => READ_USERS,
        };
        if self.rights & needed == 0 {
            return Answer::denied(ex);
        }
        match resource {
            Resource::User(key) if key.is_refused_form() => dollar_in_segment(ex, &key),
            Resource::User(key) => users::one(ex, &key, &query, units),
            Resource::Users => users::list(ex, &query, units, self.eventual),
            Resource::UserCount if self.eventual => {
                Answer::plain(units, users::count(ex).to_string())
            }
            Resource::UserCount => Answer::error(
                ex,
                400,
                "Request_BadRequest",
                "$count is not currently supported.",
            ),
            Resource::Organization => users::organization(units),
            Resource::Groups => groups::list(ex, &query, units),
            Resource::Group(id) => groups::one(ex, &id, units),
            Resource::Members { group, only_users } => {
                if only_users && !self.eventual {
                    return Answer::error(
                        ex,
                        400,
                        "Request_UnsupportedQuery",
                        "OData cast requires the ConsistencyLevel header.",
                    );
                }
                groups::members(ex, &group, only_users, &query, units)
            }
            Resource::Revoke(_) => Answer::no_route(ex, "revokeSignInSessions"),
        }
    }
}

impl UserKey {
    /// Object id or user principal name; nothing else addresses a user.
    pub(super) fn person(&self, ex: &Exchange<'_>) -> Option<Person> {
        let people = ex.people();
        people
            .by_object_id(&self.name)
            .or_else(|| people.by_upn(&self.name))
            .filter(|person| !ex.world.state.is_gone(*person, true))
    }

    /// A name that begins with `$` is understood in the literal form only.
    fn is_refused_form(&self) -> bool {
        !self.literal && self.name.starts_with('$')
    }
}

fn key_literal(segment: &str, collection: &str) -> Option<UserKey> {
    let inner = segment
        .strip_prefix(collection)?
        .strip_prefix("('")?
        .strip_suffix("')")?;
    Some(UserKey {
        name: inner.replace("''", "'"),
        literal: true,
    })
}

fn dollar_in_segment(ex: &Exchange<'_>, key: &UserKey) -> Answer {
    Answer::error(
        ex,
        400,
        "Request_BadRequest",
        &format!(
            "The request URI is not valid: the segment '{}' begins with '$'.",
            key.name
        ),
    )
}

/// 500, 502 and 504 in turn.
fn server_error(ex: &Exchange<'_>) -> u16 {
    [500, 502, 504][(ex.number_here % 3) as usize]
}
