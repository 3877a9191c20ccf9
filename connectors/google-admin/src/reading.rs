//! What the vendor's bytes are read as, for tests that feed hostile ones in. No part of the crate's interface.

use rescind_core::error::Error;
use rescind_core::provider::{Account, MemberPage, PageToken};
use rescind_http::{FreshToken, StatusCode};
use secrecy::SecretString;

use crate::api::{listed, parsed};
use crate::classify::{Call, Refusal, Seen, classify};
use crate::directory::{Place, everybody_of, found, members_of};
use crate::key::ServiceAccount;
use crate::token;
use crate::wire::{AspList, MemberList, TokenList, UserList};

/// The methods whose answers are read.
pub const METHODS: [&str; 9] = [
    Call::UsersGet.name(),
    Call::UsersList.name(),
    Call::MembersList.name(),
    Call::TokensList.name(),
    Call::TokensDelete.name(),
    Call::AspsList.name(),
    Call::AspsDelete.name(),
    Call::InvalidateCodes.name(),
    Call::SignOut.name(),
];

/// What an answer means.
#[derive(Debug)]
pub enum Meaning {
    /// Done, or a read whose body is still to be read.
    Done,
    /// There is no such person.
    UserMissing(Error),
    /// The address is of another account.
    DomainMissing(Error),
    /// The item is not there, or perhaps not.
    ItemMissing(Error),
    /// No usable answer.
    Failed(Error),
}

/// Whether a method of [`METHODS`] changes anything.
pub fn writes(method: &str) -> bool {
    call(method).effect() == rescind_http::Effect::Write
}

/// What an answer to a method of [`METHODS`] means.
pub fn meaning(method: &str, status: StatusCode, body: &[u8]) -> Meaning {
    let seen = Seen {
        status,
        retry_after: None,
        body,
    };
    match classify(call(method), seen) {
        Ok(()) => Meaning::Done,
        Err(Refusal::UserMissing(error)) => Meaning::UserMissing(error),
        Err(Refusal::DomainMissing(error)) => Meaning::DomainMissing(error),
        Err(Refusal::ItemMissing(error) | Refusal::PerhapsMissing(error)) => {
            Meaning::ItemMissing(error)
        }
        Err(Refusal::Failed(error)) => Meaning::Failed(error),
    }
}

/// The account that a 200 to a look-up of `key` names.
pub fn person(body: &[u8], key: &str, by_id: bool) -> Result<Account, Error> {
    let user = parsed(Call::UsersGet, StatusCode::OK, body).map_err(Refusal::into_error)?;
    found(user, key, by_id)
}

/// The people of a page of a group, in a walk that is at `page`.
pub fn members(body: &[u8], page: Option<&PageToken>) -> Result<MemberPage, Error> {
    let list = listed::<MemberList>(Call::MembersList, StatusCode::OK, body);
    let place = Place::read(Call::MembersList.name(), page)?;
    members_of(list.map_err(Refusal::into_error)?, &place)
}

/// The people of a page of everybody, in a walk that is at `page`.
pub fn everybody(body: &[u8], page: Option<&PageToken>) -> Result<MemberPage, Error> {
    let list = listed::<UserList>(Call::UsersList, StatusCode::OK, body);
    let place = Place::read(Call::UsersList.name(), page)?;
    everybody_of(list.map_err(Refusal::into_error)?, &place)
}

/// The token in an answer of the token endpoint.
pub fn token(status: StatusCode, body: &[u8]) -> Result<FreshToken, Error> {
    rescind_http::reading::exchanged(status, body, token::hint)
}

/// Whether a text is a key that can sign, and why not.
pub fn key(json: &SecretString) -> Result<(), String> {
    ServiceAccount::parse(json).map(drop)
}

/// How many grants a list names.
pub fn grants(body: &[u8]) -> Result<usize, Error> {
    let list = listed::<TokenList>(Call::TokensList, StatusCode::OK, body);
    list.map(|list| list.items.len())
        .map_err(Refusal::into_error)
}

/// How many app passwords a list names.
pub fn app_passwords(body: &[u8]) -> Result<usize, Error> {
    let list = listed::<AspList>(Call::AspsList, StatusCode::OK, body);
    list.map(|list| list.items.len())
        .map_err(Refusal::into_error)
}

fn call(method: &str) -> Call {
    let all = [
        Call::UsersGet,
        Call::UsersList,
        Call::MembersList,
        Call::TokensList,
        Call::TokensDelete,
        Call::AspsList,
        Call::AspsDelete,
        Call::InvalidateCodes,
        Call::SignOut,
    ];
    *all.iter()
        .find(|call| call.name() == method)
        .expect("one of the methods")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_not_utf_8_is_no_list() {
        let body = b"{\"etag\":\"\xff\",\"kind\":\"admin#directory#tokenList\"}";
        assert!(grants(body).is_err());
    }
}
