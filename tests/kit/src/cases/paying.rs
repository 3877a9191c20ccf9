//! Every request is paid before it leaves, and is sent once.

use std::future::Future;

use wiremock::matchers::any;

use crate::fixture::OddBody;
use crate::stage::{Kit, Stage, budgets_of, changes, subject, told};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn unpaid_revocation_sends_nothing(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?.allowing(0);
    stage.has_budgets()?;
    let person = stage.person(0);
    until_it_waits(&stage, "revoke", stage.revoke(&person)).await?;
    stage.nothing_was_sent("a lane that never pays").await
}

pub(crate) async fn unpaid_reading_sends_nothing(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?.allowing(0);
    stage.has_budgets()?;
    if stage.roles.names() == ["revocation"] {
        return Err(Stop::does_not_apply("the connector only revokes"));
    }
    let cx = stage.cx();
    let person = stage.person(0);
    if let Ok(directory) = stage.directory() {
        let subjects = [subject(&person.address)];
        until_it_waits(&stage, "resolve", directory.resolve(&cx, &subjects)).await?;
        until_it_waits(&stage, "everybody", directory.everybody(&cx, None)).await?;
        stage.nothing_was_sent("reading the directory").await?;
    }
    if let Ok(evidence) = stage.evidence() {
        let ids = [person.id.clone()];
        until_it_waits(&stage, "read", evidence.read(&cx, &ids)).await?;
        stage.nothing_was_sent("reading evidence").await?;
    }
    if let Ok(inventory) = stage.inventory() {
        until_it_waits(&stage, "list", inventory.list(&cx, &person.id)).await?;
        stage.nothing_was_sent("listing single items").await?;
    }
    Ok(())
}

/// Grants one payment after the other: whenever the connector waits for the next, no more was sent than was paid.
pub(crate) async fn each_request_is_paid_before_it_leaves(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?.allowing(0);
    stage.has_budgets()?;
    let person = stage.person(0);
    let mut revoking = std::pin::pin!(stage.revoke(&person));
    let mut allowed = 0;
    let answer = loop {
        let answered = tokio::select! {
            biased;
            answer = &mut revoking => Some(answer?),
            () = stage.port.somebody_waits() => None,
        };
        let sent = stage.vendor.api_requests().await;
        let paid = stage.port.requests_paid();
        ensure!(
            sent.len() <= paid,
            "{} requests left, {paid} were paid: {}",
            sent.len(),
            told(&sent)
        );
        if let Some(answer) = answered {
            break answer;
        }
        allowed += 1;
        ensure!(allowed < 1000, "a revocation that never stops paying");
        stage.port.allow(allowed);
        // The one who waits takes the payment before anybody asks again whether somebody waits.
        tokio::task::yield_now().await;
    };
    answer.must_succeed("a known person, paid one request at a time")
}

/// Between a payment and its request a token is fetched or company waited for; what the lane learns meanwhile counts.
pub(crate) async fn a_lane_that_shuts_voids_a_payment(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?.shutting_after_the_first_payment();
    stage.has_budgets()?;
    let person = stage.person(0);
    let mut revoking = std::pin::pin!(stage.revoke(&person));
    tokio::select! {
        biased;
        _ = &mut revoking => {}
        () = stage.port.somebody_waits() => {}
    }
    stage.nothing_was_sent("a lane that has shut").await?;
    stage.port.allow(usize::MAX);
    revoking.await?.must_succeed("a payment made anew")
}

pub(crate) async fn payments_name_declared_budgets(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    stage.has_budgets()?;
    let declared: Vec<_> = stage
        .revocation
        .descriptor()
        .budgets
        .iter()
        .map(|budget| budget.name)
        .collect();
    let person = stage.person(0);
    let cx = stage.cx();
    if let Ok(directory) = stage.directory() {
        let _ = stage
            .in_time(
                "resolve",
                directory.resolve(&cx, &[subject(&person.address)]),
            )
            .await?;
    }
    stage
        .revoke(&person)
        .await?
        .must_succeed("a known person")?;
    if let Ok(evidence) = stage.evidence() {
        let _ = stage
            .in_time("read", evidence.read(&cx, &[person.id]))
            .await?;
    }
    for budget in budgets_of(&stage.port.payments()) {
        ensure!(
            declared.contains(&budget),
            "a payment draws on {budget}, which is not declared: a lane takes nothing for it"
        );
    }
    Ok(())
}

pub(crate) async fn first_costs_are_what_is_paid(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    stage.has_budgets()?;
    stage
        .revoke(&stage.person(0))
        .await?
        .must_succeed("a known person")?;
    let promised = stage.revocation.descriptor().first_cost.revoke;
    let payments = stage.port.payments();
    ensure!(
        payments.first() == Some(&promised),
        "the descriptor says the first request of a revocation costs {promised:?}, paid was {:?}",
        payments.first()
    );
    Ok(())
}

pub(crate) async fn nothing_is_repeated(kit: Kit) -> Verdict {
    for status in [400, 403, 408, 429, 500, 503, 504] {
        let stage = kit.revoking().await?;
        let answer = stage.fixture().error_answer(status);
        stage.vendor.answer(any(), answer).await;
        stage.revoke(&stage.person(0)).await?;
        sent_once(&stage, &format!("status {status}")).await?;
    }
    let stage = kit.revoking().await?;
    stage
        .vendor
        .answer(changes(&kit), OddBody::Html.answer())
        .await;
    stage.revoke(&stage.person(0)).await?;
    sent_once(&stage, "a 200 that is no answer").await
}

/// A procedure may read a list again; what changes something leaves once.
async fn sent_once(stage: &Stage, when: &str) -> Verdict {
    let sent = stage.vendor.api_requests().await;
    let mut seen = Vec::new();
    for request in stage.writes(&sent) {
        let this = (&request.method, &request.url);
        ensure!(
            !seen.contains(&this),
            "{when}: {} {} was sent twice; repeating is the lane's affair",
            this.0,
            request.url.path()
        );
        seen.push(this);
    }
    Ok(())
}

/// Runs a call until it waits for a payment; a call that ends without one must not have sent anything, which the caller
/// looks at.
async fn until_it_waits<T>(stage: &Stage, what: &str, call: impl Future<Output = T>) -> Verdict {
    stage
        .in_time(what, async {
            tokio::select! {
                biased;
                _ = call => {}
                () = stage.port.somebody_waits() => {}
            }
        })
        .await
}
