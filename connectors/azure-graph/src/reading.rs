//! What the vendor's bytes are read as, for tests that feed hostile ones in. No part of the crate's interface.

use rescind_core::error::Error;
use rescind_core::provider::{MemberPage, PageToken, Proof, Resolution};
use rescind_core::report::Outcome;
use rescind_http::{Effect, FreshToken, StatusCode};
use secrecy::SecretString;

use crate::answer::GraphAnswer;
use crate::{batch, directory, evidence, group, revoke, token};

/// What an answer to `revokeSignInSessions` means for the person.
pub fn revoked(status: StatusCode, body: &[u8]) -> Result<Outcome, Error> {
    revoke::outcome(answer(revoke::OPERATION, Effect::Write, status, body))
}

/// What the body of a `$batch` answer means for each of `n` people, and the load it tells.
pub fn revoked_together(body: &[u8], n: usize) -> (Vec<Result<Outcome, Error>>, Option<f64>) {
    let outer = answer("$batch", Effect::Write, StatusCode::OK, body);
    let (answers, load) = batch::sorted(Effect::Write, &vec![revoke::OPERATION; n], &outer);
    let outcomes = answers
        .into_iter()
        .map(|answer| revoke::outcome(answer?))
        .collect();
    (outcomes, load)
}

/// Whom an answer to a read of `key` is about.
pub fn resolved(status: StatusCode, body: &[u8], key: &str) -> Result<Resolution, Error> {
    directory::found_by_key(answer("users.get", Effect::Read, status, body), key)
}

/// The people of a page of a group, in a walk that is at `page`.
pub fn members(body: &[u8], page: Option<&PageToken>) -> Result<MemberPage, Error> {
    let answer = answer(
        "groups.transitiveMembers",
        Effect::Read,
        StatusCode::OK,
        body,
    );
    group::members_of(answer, page)
}

/// Whom an answer to a search for `mail` is about.
pub fn searched(status: StatusCode, body: &[u8], mail: &str) -> Result<Resolution, Error> {
    directory::found_by_search(answer("users.list", Effect::Read, status, body), mail)
}

/// What an answer to a read of the account `id` proves.
pub fn proved(status: StatusCode, body: &[u8], id: &str) -> Result<Proof, Error> {
    evidence::proof_of(answer("users.get", Effect::Read, status, body), id)
}

/// Which group an answer to a search by name is about, by its id.
pub fn group(status: StatusCode, body: &[u8]) -> Result<String, Error> {
    group::group_of(answer("groups.get", Effect::Read, status, body))
}

/// The token in an answer of the token endpoint.
pub fn token(status: StatusCode, body: &[u8]) -> Result<FreshToken, Error> {
    rescind_http::reading::granted(status, body, token::hint)
}

/// The rights that an access token names.
pub fn rights(token: &SecretString) -> Vec<String> {
    token::claims(token).map_or_else(Vec::new, |claims| claims.roles)
}

fn answer(operation: &'static str, effect: Effect, status: StatusCode, body: &[u8]) -> GraphAnswer {
    GraphAnswer {
        operation,
        effect,
        status,
        body: body.to_vec(),
        retry_after: None,
        date: None,
        request_id: None,
    }
}
