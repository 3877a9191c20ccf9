//! The Directory API: <https://developers.google.com/workspace/admin/directory/reference/rest/v1>.

use http::Method;
use http::request::Parts;

use super::{READ_MEMBERS, READ_USERS, SECURITY, error, members, security, users};
use crate::escape;
use crate::faults::Mishap;
use crate::groups::Group;
use crate::ledger::Operation;
use crate::population::{GOOGLE_DOMAIN, Person};
use crate::quota::Cost;
use crate::reply::Reply;
use crate::tokens::Token;
use crate::world::{Exchange, Noted};

/// What a request asks for, with its keys decoded.
pub(super) enum Ask {
    User(String),
    Users,
    Grants(String),
    Grant(String, String),
    AppPasswords(String),
    BackupCodes(String),
    Members(String),
    Write(Write),
}

/// A request that changes something.
pub(super) struct Write {
    pub(super) operation: Operation,
    pub(super) user: String,
    /// Client id or code id.
    pub(super) item: String,
}

/// Answers a request to the Directory API.
pub(crate) fn directory(ex: &mut Exchange<'_>, parts: &Parts) -> Reply {
    let authorization = parts
        .headers
        .get(http::header::AUTHORIZATION)
        .and_then(|header| header.to_str().ok());
    let checked = ex
        .world
        .tokens
        .check(authorization, ex.tenant, ex.elapsed_ms());
    let Ok(token) = checked else {
        tracing::debug!(request = ex.number, ?checked, "a token is refused");
        return error::status(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
        );
    };
    let Some(ask) = ask(parts) else {
        return Reply::html(404);
    };
    let query = escape::pairs(parts.uri.query().unwrap_or_default());
    match ask {
        Ask::Write(write) => change(ex, token, &write),
        ask => read(ex, token, &ask, &query),
    }
}

fn ask(parts: &Parts) -> Option<Ask> {
    let path = parts.uri.path().strip_prefix("/admin/directory/v1/")?;
    let segments: Vec<String> = path.split('/').map(escape::segment).collect();
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let write = |operation, user: &str, item: &str| {
        Ask::Write(Write {
            operation,
            user: user.to_owned(),
            item: item.to_owned(),
        })
    };
    let ask = match (&parts.method, &names[..]) {
        (&Method::GET, ["users"]) => Ask::Users,
        (&Method::GET, ["users", user]) => Ask::User((*user).to_owned()),
        (&Method::GET, ["users", user, "tokens"]) => Ask::Grants((*user).to_owned()),
        (&Method::GET, ["users", user, "tokens", client]) => {
            Ask::Grant((*user).to_owned(), (*client).to_owned())
        }
        (&Method::GET, ["users", user, "asps"]) => Ask::AppPasswords((*user).to_owned()),
        (&Method::GET, ["users", user, "verificationCodes"]) => {
            Ask::BackupCodes((*user).to_owned())
        }
        (&Method::GET, ["groups", group, "members"]) => Ask::Members((*group).to_owned()),
        (&Method::POST, ["users", user, "signOut"]) => write(Operation::SignOut, user, ""),
        (&Method::DELETE, ["users", user, "tokens", client]) => {
            write(Operation::DeleteGrant, user, client)
        }
        (&Method::DELETE, ["users", user, "asps", code]) => {
            write(Operation::DeleteAppPassword, user, code)
        }
        (&Method::POST, ["users", user, "verificationCodes", "invalidate"]) => {
            write(Operation::InvalidateBackupCodes, user, "")
        }
        _ => return None,
    };
    Some(ask)
}

fn change(ex: &mut Exchange<'_>, token: Token, write: &Write) -> Reply {
    let person = find(ex, &write.user).ok();
    let item = security::item(write);
    let noted = |status, effect, at_ms| Noted {
        operation: write.operation,
        person,
        item,
        status,
        effect,
        early: false,
        batch_item: None,
        at_ms,
    };
    let mishap = ex.call_mishap();
    let refusal = refusal(ex, token, SECURITY, mishap, 1).or_else(|| match find(ex, &write.user) {
        Err(reply) => Some(reply),
        Ok(person) if ex.is_denied(person) => Some(error::not_authorized()),
        Ok(_) if mishap == Some(Mishap::FalseBefore) => Some(Reply::json(
            200,
            &br#"{"kind":"admin#directory#operation","done":false}"#[..],
        )),
        Ok(person) => security::refusal(ex, person, write),
    });
    if let Some(reply) = refusal {
        ex.note(noted(reply.status, false, None), Some(&write.user));
        return reply;
    }
    let now = ex.now_ms();
    let done = person.map_or(Err(error::no_such_user()), |person| {
        security::carry_out(ex, person, write, item, now)
    });
    let (reply, effect) = match done {
        Ok(()) if mishap == Some(Mishap::ErrorAfter) => (error::backend(server_error(ex)), true),
        Ok(()) => (Reply::new(204, crate::reply::JSON, &b""[..]), true),
        Err(reply) => (reply, false),
    };
    ex.note(noted(reply.status, effect, Some(now)), Some(&write.user));
    reply
}

fn read(ex: &mut Exchange<'_>, token: Token, ask: &Ask, query: &[(String, String)]) -> Reply {
    let needed = match ask {
        Ask::User(_) | Ask::Users => READ_USERS,
        Ask::Members(_) => READ_MEMBERS,
        _ => SECURITY,
    };
    let mishap = ex.call_mishap();
    if let Some(reply) = refusal(ex, token, needed, mishap, 0) {
        if matches!(reply.status, 403 | 429) {
            ex.note(
                Noted {
                    operation: Operation::Read,
                    person: None,
                    item: None,
                    status: reply.status,
                    effect: false,
                    early: false,
                    batch_item: None,
                    at_ms: None,
                },
                None,
            );
        }
        return reply;
    }
    ex.count_read();
    let answered = match ask {
        Ask::Users => Ok(users::list(ex, query)),
        Ask::User(key) => find(ex, key).map(|person| users::one(ex, person)),
        Ask::Grants(key) => find(ex, key).map(|person| security::grants(ex, person)),
        Ask::Grant(key, client) => find(ex, key).map(|person| security::grant(ex, person, client)),
        Ask::AppPasswords(key) => find(ex, key).map(|person| security::app_passwords(ex, person)),
        Ask::BackupCodes(key) => find(ex, key).map(|person| security::backup_codes(ex, person)),
        Ask::Members(key) => Ok(members::list(ex, key, query)),
        Ask::Write(_) => Err(Reply::html(404)),
    };
    answered.unwrap_or_else(|reply| reply)
}

/// What stands before every call: mishaps, quota, concurrency, scopes, and who the caller is.
fn refusal(
    ex: &Exchange<'_>,
    token: Token,
    needed: u16,
    mishap: Option<Mishap>,
    writes: u32,
) -> Option<Reply> {
    let too_fast = || {
        error::reason(
            403,
            "userRateLimitExceeded",
            "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user'.",
        )
    };
    match mishap {
        Some(Mishap::ErrorBefore) => return Some(error::backend(server_error(ex))),
        Some(Mishap::ErrorAfter) if writes == 0 => return Some(error::backend(server_error(ex))),
        Some(Mishap::Busy) => return Some(error::backend(503)),
        Some(Mishap::PlainText) => return Some(error::plain_text(ex.number_here)),
        Some(Mishap::Throttled) => {
            ex.throttle_now(token.caller);
            return Some(too_fast());
        }
        _ => {}
    }
    if ex
        .faults()
        .in_flight_cap
        .is_some_and(|cap| ex.in_flight() > cap)
    {
        return Some(error::reason(
            429,
            "rateLimitExceeded",
            "Rate Limit Exceeded",
        ));
    }
    if ex.admit(token.caller, Cost { units: 1, writes }).is_err() {
        return Some(too_fast());
    }
    if token.rights & needed == 0 {
        return Some(error::status(
            403,
            "PERMISSION_DENIED",
            "Request had insufficient authentication scopes.",
        ));
    }
    let administrators = [
        Person::ADMIN,
        Person::BREAK_GLASS,
        Person::SECOND_BREAK_GLASS,
    ];
    let is_admin = administrators
        .iter()
        .any(|admin| admin.index() == token.caller);
    let role_is_missing = needed == SECURITY
        && ex
            .faults()
            .missing_rights
            .iter()
            .any(|name| name == "User Security Management");
    (!is_admin || role_is_missing).then(error::not_authorized)
}

/// The person behind a `userKey`, or the answer that says there is none.
pub(super) fn find(ex: &Exchange<'_>, key: &str) -> Result<Person, Reply> {
    if Group::by_google_key(key).is_some() {
        return Err(error::reason(
            400,
            "badRequest",
            "Type not supported: userKey",
        ));
    }
    let foreign = key
        .rsplit_once('@')
        .is_some_and(|(_, domain)| !domain.eq_ignore_ascii_case(GOOGLE_DOMAIN));
    if foreign {
        return Err(error::reason(404, "notFound", "Domain not found."));
    }
    ex.people()
        .by_google_key(key)
        .filter(|person| !ex.world.state.is_gone(*person, false))
        .ok_or_else(error::no_such_user)
}

/// 500, 502 and 504 in turn.
fn server_error(ex: &Exchange<'_>) -> u16 {
    [500, 502, 504][(ex.number_here % 3) as usize]
}
