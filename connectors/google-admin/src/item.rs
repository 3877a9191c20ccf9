//! What can be named and ended singly: grants and app passwords.

use std::fmt;

use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::ItemId;

use crate::step::Step;

/// One grant or app password of a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// What the person allowed one application, by its client id (or, of an anonymous application, any text).
    Grant(String),
    /// An application-specific password, by its number.
    AppPassword(i64),
}

impl Item {
    /// Reads the id that `inventory list` printed.
    pub(crate) fn parse(id: &ItemId) -> Result<Self, Error> {
        let item = match id.0.split_once(':') {
            Some(("grant", client_id)) if !client_id.is_empty() => {
                Some(Self::Grant(client_id.to_owned()))
            }
            Some(("app-password", code_id)) => code_id.parse().ok().map(Self::AppPassword),
            _ => None,
        };
        item.ok_or_else(|| {
            Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "inventory.end",
                "this is not the id of a grant or app password; nothing was sent",
            )
            .with_hint("ids look like grant:<client id> and app-password:<number>")
        })
    }

    pub(crate) fn id(&self) -> ItemId {
        ItemId(self.to_string())
    }

    /// The step that ends things of this kind.
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::Grant(_) => Step::Grants,
            Self::AppPassword(_) => Step::AppPasswords,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(client_id) => write!(f, "grant:{client_id}"),
            Self::AppPassword(code_id) => write!(f, "app-password:{code_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_was_printed() {
        for item in [
            Item::Grant("1234-abc.apps.googleusercontent.com".into()),
            Item::Grant("a/b:c d".into()),
            Item::AppPassword(7),
        ] {
            assert_eq!(Item::parse(&item.id()).expect("its own id"), item);
        }
    }

    #[test]
    fn anything_else_is_no_item() {
        for text in [
            "",
            "grant",
            "grant:",
            "app-password:",
            "app-password:x",
            "session:1",
        ] {
            let error = Item::parse(&ItemId(text.to_owned())).expect_err(text);
            assert_eq!(error.retry(), Retry::Never, "{text}");
        }
    }
}
