//! Many at once: exactly one answer for each, in order; lists that are complete and stay at home.

use std::collections::BTreeSet;

use rescind_core::provider::{PageToken, Proof, Resolution};
use rescind_core::subject::Subject;
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

use crate::fixture::OddBody;
use crate::stage::{Kit, Stage, subject};
use crate::verdict::{Stop, Verdict, ensure};

/// No group of a fixture has as many pages.
const MANY_PAGES: usize = 100;

pub(crate) async fn resolve_answers_each_in_order(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let directory = stage.directory()?;
    let (a, b, nobody) = (stage.person(0), stage.person(1), stage.fixture().nobody());
    let asked = [&b, &nobody, &a, &b];
    let subjects: Vec<Subject> = asked.iter().map(|who| subject(&who.address)).collect();
    let found = stage
        .in_time("resolve", directory.resolve(&stage.cx(), &subjects))
        .await?
        .map_err(|error| Stop::broken(format!("a well-behaved vendor: {error:?}")))?;
    ensure!(
        found.len() == asked.len(),
        "{} subjects, {} answers",
        asked.len(),
        found.len()
    );
    for (n, (who, resolution)) in asked.iter().zip(&found).enumerate() {
        let right = match resolution {
            Resolution::Found(account) => account.id == who.id,
            Resolution::NotFound => **who == nobody,
            _ => false,
        };
        ensure!(
            right,
            "answer {n} of {} is not about subject {n}: {resolution:?}",
            asked.len()
        );
    }
    let none = stage
        .in_time("resolve", directory.resolve(&stage.cx(), &[]))
        .await?;
    ensure!(
        none.is_ok_and(|answers| answers.is_empty()),
        "no subject, but an answer or an error"
    );
    Ok(())
}

pub(crate) async fn outage_does_not_look_like_nobody(kit: Kit) -> Verdict {
    let troubles = [
        ("a 503", ResponseTemplate::new(503)),
        ("a page for people", OddBody::Html.answer()),
        ("an empty 200", OddBody::Empty.answer()),
        (
            "a proxy's 404",
            ResponseTemplate::new(404).set_body_raw("<h1>Not Found</h1>", "text/html"),
        ),
    ];
    for (trouble, answer) in troubles {
        if trouble.contains("404") && kit.fixture.any_404_means_nobody() {
            continue;
        }
        let stage = kit.revoking().await?;
        let directory = stage.directory()?;
        stage.vendor.answer(any(), answer).await;
        let subjects = [
            subject(&stage.person(0).address),
            subject(&stage.person(1).address),
        ];
        let resolved = stage
            .in_time("resolve", directory.resolve(&stage.cx(), &subjects))
            .await?;
        let Ok(resolutions) = resolved else { continue };
        ensure!(
            resolutions.len() == 2
                && resolutions
                    .iter()
                    .all(|resolution| matches!(resolution, Resolution::Failed(_))),
            "{trouble}: expected an error, or a failure for each, got {resolutions:?}"
        );
    }
    Ok(())
}

pub(crate) async fn evidence_answers_each_in_order(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let evidence = stage.evidence()?;
    let (a, b, nobody) = (stage.person(0), stage.person(1), stage.fixture().nobody());
    for asked in [[&a, &nobody, &b, &a], [&nobody, &b, &a, &nobody]] {
        let ids: Vec<String> = asked.iter().map(|who| who.id.clone()).collect();
        let proofs = stage
            .in_time("read", evidence.read(&stage.cx(), &ids))
            .await?
            .map_err(|error| Stop::broken(format!("a well-behaved vendor: {error:?}")))?;
        ensure!(
            proofs.len() == asked.len(),
            "{} accounts, {} proofs",
            asked.len(),
            proofs.len()
        );
        for (n, (who, proof)) in asked.iter().zip(&proofs).enumerate() {
            let missing = matches!(proof, Proof::SubjectMissing | Proof::Failed(_));
            ensure!(
                missing == (**who == nobody),
                "proof {n} of {} is not about account {n}: {proof:?}",
                asked.len()
            );
        }
    }
    let none = stage
        .in_time("read", evidence.read(&stage.cx(), &[]))
        .await?;
    ensure!(
        none.is_ok_and(|proofs| proofs.is_empty()),
        "no account, but a proof or an error"
    );
    Ok(())
}

pub(crate) async fn outage_proves_nothing(kit: Kit) -> Verdict {
    let troubles = [
        ("a 503", ResponseTemplate::new(503)),
        ("a page for people", OddBody::Html.answer()),
        ("an answer cut short", OddBody::CutJson.answer()),
    ];
    for (trouble, answer) in troubles {
        let stage = kit.revoking().await?;
        let evidence = stage.evidence()?;
        stage.vendor.answer(any(), answer).await;
        let ids = [stage.person(0).id];
        let Ok(proofs) = stage
            .in_time("read", evidence.read(&stage.cx(), &ids))
            .await?
        else {
            continue;
        };
        ensure!(
            matches!(proofs.as_slice(), [Proof::Failed(_)]),
            "{trouble}: expected an error or a failure, got {proofs:?}"
        );
    }
    Ok(())
}

pub(crate) async fn group_is_listed_whole(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let directory = stage.directory()?;
    let group = stage
        .fixture()
        .group()
        .ok_or_else(|| Stop::does_not_apply("the fixture has no group"))?;
    let mut listed = Vec::new();
    let mut page = None;
    let mut pages = 0;
    loop {
        let got = stage
            .in_time(
                "expand",
                directory.expand(&stage.cx(), &group.name, page.as_ref()),
            )
            .await?
            .map_err(|error| Stop::broken(format!("page {pages} of a group: {error:?}")))?;
        pages += 1;
        listed.extend(got.members.into_iter().map(|member| member.id));
        page = got.next;
        if page.is_none() {
            break;
        }
        ensure!(pages < MANY_PAGES, "a group that never ends");
    }
    ensure!(pages >= 2, "the fixture's group has one page only");
    let expected: BTreeSet<_> = group.member_ids.iter().cloned().collect();
    ensure!(
        listed.len() == expected.len()
            && listed.iter().cloned().collect::<BTreeSet<_>>() == expected,
        "the group has the members {expected:?}, listed were {listed:?}"
    );
    Ok(())
}

pub(crate) async fn group_outage_is_no_empty_group(kit: Kit) -> Verdict {
    let group = kit
        .fixture
        .group()
        .ok_or_else(|| Stop::does_not_apply("the fixture has no group"))?;
    for (trouble, answer) in [
        ("a 503", ResponseTemplate::new(503)),
        ("an empty 200", OddBody::Empty.answer()),
        ("a page for people", OddBody::Html.answer()),
        ("an answer cut short", OddBody::CutJson.answer()),
    ] {
        let stage = kit.revoking().await?;
        let directory = stage.directory()?;
        stage.vendor.answer(any(), answer).await;
        let page = stage
            .in_time("expand", directory.expand(&stage.cx(), &group.name, None))
            .await?;
        ensure!(page.is_err(), "{trouble}: expected an error, got {page:?}");
    }
    Ok(())
}

pub(crate) async fn page_link_to_another_host_is_not_followed(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let directory = stage.directory()?;
    let Some(group) = stage
        .fixture()
        .group_that_leads_elsewhere(&stage.vendor)
        .await
    else {
        return Err(Stop::does_not_apply(
            "the vendor's pages are not linked by URL",
        ));
    };
    let first = stage
        .in_time("expand", directory.expand(&stage.cx(), &group, None))
        .await?;
    let refused = match first {
        Err(_) => true,
        Ok(page) => follow(&stage, &group, page.next).await?,
    };
    let strayed = stage.vendor.strayed_requests().await;
    ensure!(
        strayed == 0,
        "a page link was followed to another host, {strayed} requests reached it"
    );
    ensure!(
        refused,
        "a page link to another host was dropped in silence: the rest of the group is missing"
    );
    Ok(())
}

/// Whether the next page is refused.
async fn follow(stage: &Stage, group: &str, next: Option<PageToken>) -> Result<bool, Stop> {
    let Some(next) = next else { return Ok(false) };
    let directory = stage.directory()?;
    let page = stage
        .in_time("expand", directory.expand(&stage.cx(), group, Some(&next)))
        .await?;
    Ok(page.is_err())
}
