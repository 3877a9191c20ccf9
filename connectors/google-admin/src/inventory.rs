//! Grants and app passwords one by one.

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::Timestamp;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::provider::{InventoryItem, ItemId, SessionInventory};
use rescind_core::report::{Outcome, Report};

use crate::classify::Refusal;
use crate::item::Item;
use crate::provider::Workspace;
use crate::revoke::{Gone, Procedure};
use crate::step::Step;
use crate::wire::{Asp, Token};

#[async_trait]
impl SessionInventory for Workspace {
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error> {
        let passwords = self
            .api
            .app_passwords(cx, account_id)
            .await
            .map_err(Refusal::into_error)?;
        let grants = self
            .api
            .grants(cx, account_id)
            .await
            .map_err(Refusal::into_error)?;
        let passwords = passwords.into_iter().map(app_password);
        Ok(passwords.chain(grants.into_iter().map(grant)).collect())
    }

    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error> {
        // All are read before the first one ends: a typo in the last must not leave half an order done.
        let items = items
            .iter()
            .map(Item::parse)
            .collect::<Result<HashSet<_>, _>>()?;
        let mut procedure = Procedure::new(&self.api, cx, account_id, false);
        for step in [Step::AppPasswords, Step::Grants] {
            let of_step: Vec<_> = items
                .iter()
                .filter(|item| item.step() == step)
                .cloned()
                .collect();
            if of_step.is_empty() {
                continue;
            }
            if let Err(Gone) = procedure.delete(step, of_step).await {
                return Ok(Report::new(Outcome::SubjectNotFound));
            }
        }
        procedure.finish()
    }
}

fn app_password(asp: Asp) -> InventoryItem {
    let title = asp.name.filter(|name| !name.is_empty());
    let mut item = InventoryItem::new(
        Item::AppPassword(asp.code_id).id(),
        "app-password",
        title.unwrap_or_else(|| "app password without a name".to_owned()),
    );
    item.created_at = instant(asp.creation_time);
    item.last_used_at = instant(asp.last_time_used);
    item
}

fn grant(token: Token) -> InventoryItem {
    let title = token.display_text.filter(|text| !text.is_empty());
    let mut item = InventoryItem::new(
        Item::Grant(token.client_id.clone()).id(),
        "grant",
        title.unwrap_or(token.client_id),
    );
    item.detail = token.scopes;
    if token.anonymous {
        item.detail
            .push("the application is not registered with Google".to_owned());
    }
    if token.native_app {
        item.detail.push("an application on a device".to_owned());
    }
    item
}

/// Google writes 0 for never.
fn instant(millis: i64) -> Option<Timestamp> {
    (millis > 0)
        .then(|| Timestamp::from_millisecond(millis).ok())
        .flatten()
}
