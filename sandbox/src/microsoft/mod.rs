//! The Entra tenant: the token endpoint and the part of Graph v1.0 that ends sessions, finds people and expands groups.

mod answer;
mod batch;
mod call;
mod filter;
mod groups;
mod token;
mod users;

use http::request::Parts;
use hyper::body::Bytes;

use self::answer::Answer;
use self::call::Call;
use crate::reply::Reply;
use crate::tokens::TokenFault;
use crate::world::Exchange;

pub(crate) use token::{is_token_path, token};

/// The tenant's id.
pub const MICROSOFT_TENANT_ID: &str = "6b1f0f6e-5d0c-4a53-9d5e-0c0f5a4d0b11";
/// The application that is registered in the tenant.
pub const MICROSOFT_CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret. It needs form encoding, as real ones do.
pub const MICROSOFT_CLIENT_SECRET: &str = "sandbox~only+not/a=secret&";

/// The rights the application was given.
pub(crate) const RIGHTS: [&str; 4] = [
    "User.RevokeSessions.All",
    "User.Read.All",
    "GroupMember.Read.All",
    "Organization.Read.All",
];
pub(crate) const REVOKE: u16 = 1;
pub(crate) const READ_USERS: u16 = 1 << 1;
pub(crate) const READ_MEMBERS: u16 = 1 << 2;
pub(crate) const READ_ORGANIZATION: u16 = 1 << 3;

/// The rights that are not withheld by a fault.
pub(crate) fn held_rights(ex: &Exchange<'_>) -> u16 {
    let missing = &ex.faults().missing_rights;
    RIGHTS
        .iter()
        .enumerate()
        .filter(|(_, right)| !missing.iter().any(|name| name == *right))
        .fold(0, |mask, (n, _)| mask | 1 << n)
}

/// Answers a request to Graph.
pub(crate) fn graph(ex: &mut Exchange<'_>, parts: &Parts, body: &Bytes) -> Reply {
    let client_request_id = header(parts, "client-request-id");
    let reply = match authenticate(ex, parts) {
        Err(fault) => unauthenticated(ex, fault),
        Ok(rights) => {
            let path = parts.uri.path();
            let path = path.strip_prefix("/v1.0").unwrap_or(path);
            if path == "/$batch" {
                batch::answer(ex, rights, parts, body)
            } else if parts.method == http::Method::POST
                && !parts.headers.contains_key(http::header::CONTENT_LENGTH)
                && !parts.headers.contains_key(http::header::TRANSFER_ENCODING)
            {
                Answer::error(ex, 411, "LengthRequired", "A content length is required.")
                    .into_reply(ex, 0)
            } else {
                let call = Call {
                    method: parts.method.as_str(),
                    path,
                    query: parts.uri.query().unwrap_or_default(),
                    eventual: header(parts, "consistencylevel")
                        .is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
                    batch_item: None,
                    rights,
                };
                call.answer(ex).into_reply(ex, 0)
            }
        }
    };
    let reply = reply.with(
        "request-id",
        &crate::ledger::request_id(ex.people(), ex.number),
    );
    match client_request_id {
        Some(id) => reply.with("client-request-id", id),
        None => reply,
    }
}

fn authenticate(ex: &Exchange<'_>, parts: &Parts) -> Result<u16, TokenFault> {
    let token =
        ex.world
            .tokens
            .check(header(parts, "authorization"), ex.tenant, ex.elapsed_ms())?;
    Ok(token.rights & held_rights(ex))
}

fn unauthenticated(ex: &Exchange<'_>, fault: TokenFault) -> Reply {
    let message = match fault {
        TokenFault::Missing => "Access token is empty.",
        TokenFault::Unknown => "Access token validation failure.",
        TokenFault::Expired => "Lifetime validation failed, the token is expired.",
    };
    Answer::error(ex, 401, "InvalidAuthenticationToken", message)
        .into_reply(ex, 0)
        .with(
            "www-authenticate",
            "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\"",
        )
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}
