//! Single items of an inventory: how they are named, and the order that ends them.

use std::fmt;
use std::str::FromStr;

use crate::provider::ItemId;

/// An item and the account it belongs to, as `inventory list` prints it and `inventory end` takes it:
/// `ACCOUNT/ITEM`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemRef {
    account: String,
    item: ItemId,
}

/// Why a text names no item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no item; `rescind inventory list` shows them as ACCOUNT/ITEM")]
pub struct NoItem {
    text: String,
}

impl ItemRef {
    /// An item of the account of this id.
    pub fn new(account_id: &str, item: &ItemId) -> Self {
        Self {
            account: account_id.to_owned(),
            item: item.clone(),
        }
    }

    /// The provider's own id of the account.
    pub fn account_id(&self) -> &str {
        &self.account
    }

    /// The item within the account.
    pub fn item(&self) -> &ItemId {
        &self.item
    }
}

impl fmt::Display for ItemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An account's id may hold a slash; an item's may hold anything, as it comes last.
        let account = self.account.replace('%', "%25").replace('/', "%2F");
        write!(f, "{account}/{}", self.item.0)
    }
}

impl FromStr for ItemRef {
    type Err = NoItem;

    fn from_str(text: &str) -> Result<Self, NoItem> {
        let parts = text.split_once('/');
        match parts {
            Some((account, item)) if !account.is_empty() && !item.is_empty() => Ok(Self {
                account: account.replace("%2F", "/").replace("%25", "%"),
                item: ItemId(item.to_owned()),
            }),
            _ => Err(NoItem {
                text: text.chars().take(80).collect(),
            }),
        }
    }
}

/// The items of each account, accounts and items in the order they were named, each once.
pub(super) fn by_account(items: Vec<ItemRef>) -> Vec<(String, Vec<ItemId>)> {
    let mut accounts: Vec<(String, Vec<ItemId>)> = Vec::new();
    for ItemRef { account, item } in items {
        match accounts.iter_mut().find(|(known, _)| *known == account) {
            Some((_, items)) if items.contains(&item) => {}
            Some((_, items)) => items.push(item),
            None => accounts.push((account, vec![item])),
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_is_printed() {
        for (account, item) in [
            ("42", "grant:client/7"),
            ("a/b%2F", "x"),
            ("9f-1", "session 4%2F"),
        ] {
            let item = ItemRef::new(account, &ItemId(item.to_owned()));
            assert_eq!(item.to_string().parse(), Ok(item));
        }
        for bad in ["", "42", "/x", "42/"] {
            assert!(bad.parse::<ItemRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn items_of_one_account_are_one_job() {
        let items = ["1/a", "2/a", "1/b", "1/a"].map(|text| text.parse().expect("is an item"));
        let id = |text: &str| ItemId(text.to_owned());
        assert_eq!(
            by_account(items.to_vec()),
            [
                ("1".to_owned(), vec![id("a"), id("b")]),
                ("2".to_owned(), vec![id("a")])
            ]
        );
    }
}
