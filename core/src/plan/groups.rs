//! Everybody in a group.

use std::fmt::Write as _;

use super::error::PlanError;
use super::summary::{GroupPlan, Skipped};
use crate::context::Priority;
use crate::engine::fleet::Member;
use crate::provider::Account;

/// Expands a group through its provider's lane, all pages.
///
/// # Errors
/// A group that cannot be read to its end, or that has nobody in it: never "nobody".
pub(super) async fn expand(
    member: &Member,
    group: &str,
    priority: Priority,
) -> Result<(Vec<Account>, GroupPlan), PlanError> {
    let page = member.expand(group, priority).await.map_err(|error| {
        let message = format!(
            "the group {group:?} at {} cannot be expanded: {}",
            member.name,
            error.message()
        );
        let wrong = PlanError::input(message);
        match error.hint() {
            Some(hint) => wrong.with_hint(hint),
            None => wrong,
        }
    })?;
    let skipped: Vec<Skipped> = page
        .skipped
        .into_iter()
        .map(|(why, count)| Skipped { why, count })
        .collect();
    if page.members.is_empty() {
        let mut message = format!(
            "the group {group:?} at {} has nobody to act on",
            member.name
        );
        for Skipped { why, count } in &skipped {
            let _ = write!(message, "; {count} left out: {why}");
        }
        return Err(PlanError::input(message));
    }
    let (name, id) = page
        .group
        .map_or((group.to_owned(), None), |(name, id)| (name, Some(id)));
    let plan = GroupPlan {
        provider: member.name.to_string(),
        name,
        id,
        people: page.members.len() as u64,
        skipped,
    };
    Ok((page.members, plan))
}
