//! How a user, a group and a filter stand in a URL.
//!
//! A key literal, `users('…')`, takes every id and sign-in name: with `#EXT#`, with a leading `$`, with `'` (doubled).
//! See <https://learn.microsoft.com/graph/api/user-get>.

use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::push_encoded;

/// What is read of a user when resolving.
pub(crate) const USER_FIELDS: &str = "id,userPrincipalName,mail,userType,accountEnabled,externalUserState,\
                                      signInSessionsValidFromDateTime,proxyAddresses";

/// `/users('…')` and what follows it, relative to the API's version.
pub(crate) fn user(key: &str, rest: &str) -> Result<String, Error> {
    if key.is_empty() {
        return Err(unaddressable());
    }
    let mut path = String::with_capacity(key.len() + rest.len() + 24);
    path.push_str("/users('");
    push_encoded(&mut path, &doubled(key));
    path.push_str("')");
    path.push_str(rest);
    Ok(path)
}

/// `/groups/…` and what follows it; groups are addressed by object id alone.
pub(crate) fn group(id: &str, rest: &str) -> Result<String, Error> {
    if !is_object_id(id) {
        return Err(unaddressable());
    }
    Ok(format!("/groups/{id}{rest}"))
}

fn unaddressable() -> Error {
    Error::new(
        ErrorKind::Unexpected,
        Retry::Never,
        "address",
        "the identifier is empty or no object id; nothing was sent",
    )
}

/// Users by their main mail address.
pub(crate) fn users_by_mail(address: &str) -> String {
    users_where(&format!("mail eq '{}'", doubled(address)))
}

/// Users by an alias: the vendor writes the main one with `SMTP:` and the others with `smtp:`.
pub(crate) fn users_by_alias(address: &str) -> String {
    let address = doubled(address);
    users_where(&format!(
        "proxyAddresses/any(p:p eq 'smtp:{address}') or proxyAddresses/any(p:p eq 'SMTP:{address}')"
    ))
}

fn users_where(filter: &str) -> String {
    let mut path = format!("/users?$select={USER_FIELDS}&$filter=");
    push_encoded(&mut path, filter);
    path
}

/// The content of a string literal.
pub(crate) fn doubled(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\'') {
        text.replace('\'', "''").into()
    } else {
        text.into()
    }
}

/// Whether a text has the form of an object id.
pub(crate) fn is_object_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stays_one_key() {
        for (key, expected) in [
            (
                "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
                "/users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/x",
            ),
            ("ada@contoso.com", "/users('ada%40contoso.com')/x"),
            ("$x@contoso.com", "/users('%24x%40contoso.com')/x"),
            (
                "o'brien@contoso.com",
                "/users('o%27%27brien%40contoso.com')/x",
            ),
            (
                "a_b.com#EXT#@c.onmicrosoft.com",
                "/users('a_b.com%23EXT%23%40c.onmicrosoft.com')/x",
            ),
            ("../a')/b?c", "/users('..%2Fa%27%27%29%2Fb%3Fc')/x"),
        ] {
            assert_eq!(user(key, "/x").expect("a path"), expected);
        }
        assert!(user("", "/x").is_err());
    }

    #[test]
    fn a_filter_cannot_be_broken_out_of() {
        let path = users_by_mail("a' or 1 eq 1 or mail eq 'b@contoso.com");
        assert!(path.ends_with(
            "mail%20eq%20%27a%27%27%20or%201%20eq%201%20or%20mail%20eq%20%27%27b%40contoso.com%27"
        ));
    }
}
