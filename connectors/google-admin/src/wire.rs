//! Requests and answers exactly as the Directory API has them on the wire.
//!
//! <https://developers.google.com/workspace/admin/directory/reference/rest>. Lists are absent when they are empty, and
//! 64-bit numbers are JSON strings. The `kind` of a list is what tells an empty list from an answer that is none.

use serde::{Deserialize, Deserializer};

/// A list that says what it is.
pub(crate) trait Kinded {
    /// What `kind` must say.
    const KIND: &'static str;
    fn kind(&self) -> Option<&str>;
}

macro_rules! kinded {
    ($($answer:ty = $kind:literal),* $(,)?) => {$(
        impl Kinded for $answer {
            const KIND: &'static str = $kind;
            fn kind(&self) -> Option<&str> {
                self.kind.as_deref()
            }
        }
    )*};
}

kinded! {
    UserList = "admin#directory#users",
    TokenList = "admin#directory#tokenList",
    AspList = "admin#directory#aspList",
    MemberList = "admin#directory#members",
}

/// `users.get`, and one entry of `users.list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) primary_email: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) aliases: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) non_editable_aliases: Vec<String>,
    #[serde(default)]
    pub(crate) suspended: bool,
    #[serde(default)]
    pub(crate) archived: bool,
}

/// `users.list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserList {
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) users: Vec<User>,
    pub(crate) next_page_token: Option<String>,
}

/// `tokens.list`. Not paged.
#[derive(Deserialize)]
pub(crate) struct TokenList {
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) items: Vec<Token>,
}

/// A grant: what a person allowed one application.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) display_text: Option<String>,
    #[serde(default)]
    pub(crate) anonymous: bool,
    #[serde(default)]
    pub(crate) native_app: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) scopes: Vec<String>,
}

/// `asps.list`. Not paged.
#[derive(Deserialize)]
pub(crate) struct AspList {
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) items: Vec<Asp>,
}

/// An application-specific password, without the password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asp {
    #[serde(deserialize_with = "number")]
    pub(crate) code_id: i64,
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Milliseconds since 1970; 0 where unknown.
    #[serde(default, deserialize_with = "number")]
    pub(crate) creation_time: i64,
    /// Milliseconds since 1970; 0 when never used.
    #[serde(default, deserialize_with = "number")]
    pub(crate) last_time_used: i64,
}

/// `members.list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberList {
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) members: Vec<Member>,
    pub(crate) next_page_token: Option<String>,
}

/// One member of a group. A member outside the account has no more than an address.
#[derive(Deserialize)]
pub(crate) struct Member {
    pub(crate) id: Option<String>,
    pub(crate) email: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) status: Option<String>,
}

/// A list that may also be `null`.
fn nullable<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number, or the string that JSON makes of a 64-bit one.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text
            .parse()
            .map_err(|_| serde::de::Error::custom("not a whole number")),
    }
}
