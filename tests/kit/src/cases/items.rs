//! Single grants, passwords and sessions.

use std::collections::BTreeSet;

use rescind_core::provider::ItemId;
use wiremock::matchers::any;
use wiremock::{Request, ResponseTemplate};

use crate::answer::Answer;
use crate::cases::identifiers::{HARMLESS, HOSTILE, each_fits};
use crate::fixture::OddBody;
use crate::stage::{Kit, Stage};
use crate::verdict::{Stop, Verdict, ensure};
use crate::wire::Mould;

pub(crate) async fn items_are_listed_and_ended(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let items = listed(&stage).await?;
    let ids: BTreeSet<_> = items.iter().map(|id| &id.0).collect();
    ensure!(ids.len() == items.len(), "two items have the same id");
    for item in &items {
        let seen = stage.vendor.api_requests().await.len();
        let answer = end(&stage, std::slice::from_ref(item)).await?;
        answer.must_succeed(&format!("ending the listed item {:?}", item.0))?;
        let sent = stage.api_requests_after(seen).await;
        ensure!(
            !stage.writes(&sent).is_empty(),
            "the item {:?} is said to have ended, but nothing that changes anything was sent",
            item.0
        );
    }
    Ok(())
}

pub(crate) async fn outage_is_no_empty_list(kit: Kit) -> Verdict {
    for (trouble, answer) in [
        ("a 503", ResponseTemplate::new(503)),
        ("a page for people", OddBody::Html.answer()),
        ("an answer cut short", OddBody::CutJson.answer()),
    ] {
        let stage = kit.revoking().await?;
        let inventory = stage.inventory()?;
        stage.vendor.answer(any(), answer).await;
        let (cx, person) = (stage.cx(), stage.person(0));
        let list = stage
            .in_time("list", inventory.list(&cx, &person.id))
            .await?;
        ensure!(list.is_err(), "{trouble}: expected an error, got {list:?}");
    }
    Ok(())
}

/// Item ids have a form that only the connector knows, so listed ones are lengthened.
pub(crate) async fn hostile_item_id_stays_one_identifier(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let mut tried = false;
    for item in listed(&stage).await? {
        let sent = requests_to_end(&stage, &item, HARMLESS).await?;
        let moulds: Vec<_> = sent
            .iter()
            .filter_map(|request| Mould::of(request, HARMLESS))
            .collect();
        if moulds.is_empty() {
            continue;
        }
        tried = true;
        // A dot segment is one only when nothing stands before it.
        for hostile in HOSTILE.iter().filter(|hostile| **hostile != "..") {
            let sent = requests_to_end(&stage, &item, hostile).await?;
            each_fits(&moulds, &sent, hostile)?;
        }
    }
    if !tried {
        return Err(Stop::does_not_apply("no item id takes any other text"));
    }
    Ok(())
}

async fn requests_to_end(stage: &Stage, item: &ItemId, more: &str) -> Result<Vec<Request>, Stop> {
    let seen = stage.vendor.api_requests().await.len();
    end(stage, &[ItemId(format!("{}{more}", item.0))]).await?;
    let sent = stage.api_requests_after(seen).await;
    Ok(stage.writes(&sent).into_iter().cloned().collect())
}

async fn listed(stage: &Stage) -> Result<Vec<ItemId>, Stop> {
    let inventory = stage.inventory()?;
    let person = stage.person(0);
    let items = stage
        .in_time("list", inventory.list(&stage.cx(), &person.id))
        .await?
        .map_err(|error| Stop::broken(format!("a well-behaved vendor: {error:?}")))?;
    ensure!(
        !items.is_empty(),
        "the fixture's first person has nothing to list"
    );
    for item in &items {
        ensure!(
            !item.kind.is_empty() && !item.title.is_empty(),
            "the item {:?} has no kind or no title",
            item.id.0
        );
    }
    Ok(items.into_iter().map(|item| item.id).collect())
}

async fn end(stage: &Stage, items: &[ItemId]) -> Result<Answer, Stop> {
    let inventory = stage.inventory()?;
    let (cx, person) = (stage.cx(), stage.person(0));
    stage
        .in_time("end", inventory.end(&cx, &person.id, items))
        .await
        .map(Answer)
}
