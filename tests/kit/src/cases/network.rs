//! What the way to the vendor can do to a request.

use rescind_core::error::ErrorKind;
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

use crate::answer::is_safe;
use crate::gate::Gate;
use crate::raw::{Manner, RawServer, nobody_listens};
use crate::stage::{Kit, Stage, changes};
use crate::verdict::{Stop, Verdict, ensure};
use tokio_util::sync::CancellationToken;

pub(crate) async fn refused_connection_is_safe(kit: Kit) -> Verdict {
    let vendor = kit.vendor().await.with_api_at(nobody_listens().await);
    let stage = kit.stage_before(vendor)?.that_revokes()?;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_fail("nobody listens", &[ErrorKind::Unavailable], "Safe", is_safe)
}

pub(crate) async fn lost_answer_leaves_the_outcome_unknown(kit: Kit) -> Verdict {
    for manner in [Manner::HangUp, Manner::Cut] {
        let server = RawServer::start(manner).await;
        let vendor = kit.vendor().await.with_api_at(server.url());
        let stage = kit.stage_before(vendor)?.that_revokes()?;
        let answer = stage.revoke(&stage.person(0)).await?;
        let when = format!("a server whose manner is {manner:?}");
        answer.must_not_succeed(&when)?;
        ensure!(
            !answer.errors().is_empty(),
            "{when}: expected an error, got {}",
            answer.told()
        );
        ensure!(
            server.writes() == 0 || answer.may_have_been_carried_out(),
            "{when}: something that changes something was sent, so the outcome is unknown, got {}",
            answer.told()
        );
    }
    Ok(())
}

pub(crate) async fn redirect_is_not_followed(kit: Kit) -> Verdict {
    for status in [301, 302, 307, 308] {
        let stage = kit.revoking().await?;
        let redirect = redirect(status, &stage);
        stage.vendor.answer(any(), redirect).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_not_succeed(&format!("a {status} to another server"))?;
        did_not_stray(&stage, &format!("a {status} of the API")).await?;
    }
    Ok(())
}

pub(crate) async fn token_redirect_is_not_followed(kit: Kit) -> Verdict {
    for status in [302, 307] {
        let stage = kit.revoking().await?;
        let redirect = redirect(status, &stage);
        stage.vendor.answer_login(redirect).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        if stage.vendor.login_requests().await == 0 {
            return Err(Stop::does_not_apply("the connector asks for no token"));
        }
        answer.must_not_succeed(&format!("a {status} of the token endpoint"))?;
        did_not_stray(&stage, &format!("a {status} of the token endpoint")).await?;
    }
    Ok(())
}

pub(crate) async fn cancel_while_paying_is_safe(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?.allowing(0);
    stage.has_budgets()?;
    let cancel = CancellationToken::new();
    let (cx, request) = (stage.cx_until(&cancel), stage.request(&stage.person(0)));
    let answer = cancelled(&stage, &cancel, stage.port.somebody_waits(), &cx, &request).await?;
    answer.must_fail(
        "cancelled while waiting for quota",
        &[ErrorKind::Cancelled],
        "Safe",
        is_safe,
    )?;
    stage.nothing_was_sent("cancelled before it was paid").await
}

pub(crate) async fn cancel_after_sending_is_unknown(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let hung = stage.vendor.hang(changes(&kit)).await;
    let cancel = CancellationToken::new();
    let (cx, request) = (stage.cx_until(&cancel), stage.request(&stage.person(0)));
    let answer = cancelled(&stage, &cancel, hung.one_received(), &cx, &request).await?;
    ensure!(
        hung.received() > 0,
        "nothing that changes something was sent, got {}",
        answer.told()
    );
    answer.must_not_succeed("cancelled while the answer is awaited")?;
    ensure!(
        answer.may_have_been_carried_out(),
        "cancelled after sending: expected an error with retry OutcomeUnknown, got {}",
        answer.told()
    );
    Ok(())
}

pub(crate) async fn cancel_ends_a_dripping_answer(kit: Kit) -> Verdict {
    let drip = RawServer::start(Manner::Drip).await;
    let vendor = kit.vendor().await.with_api_at(drip.url());
    let stage = kit.stage_before(vendor)?.that_revokes()?;
    let cancel = CancellationToken::new();
    let (cx, request) = (stage.cx_until(&cancel), stage.request(&stage.person(0)));
    let answer = cancelled(&stage, &cancel, drip.request_read(), &cx, &request).await?;
    answer.must_not_succeed("cancelled in the middle of an answer")
}

pub(crate) async fn one_cancelled_caller_takes_nobody_along(kit: Kit) -> Verdict {
    let vendor = kit.vendor().await;
    let gate = Gate::before(*vendor.api().address()).await;
    let stage = kit
        .stage_before(vendor.with_api_at(gate.url()))?
        .that_revokes()?;
    let cancel = CancellationToken::new();
    let leaver = stage.cx_until(&cancel);
    let requests = [0, 1, 2].map(|n| stage.request(&stage.person(n)));
    let (stays, cx) = (stage.cx(), stage.cx());
    let conductor = async {
        gate.request_waits().await;
        cancel.cancel();
    };
    let leave_then_open = async {
        let answer = stage.revoke_with(&leaver, &requests[0]).await;
        gate.open();
        answer
    };
    let (left, second, third, ()) = tokio::join!(
        leave_then_open,
        stage.revoke_with(&stays, &requests[1]),
        stage.revoke_with(&cx, &requests[2]),
        conductor,
    );
    left?.must_not_succeed("the caller who was cancelled")?;
    second?.must_succeed("a caller beside one who was cancelled")?;
    third?.must_succeed("a caller beside one who was cancelled")
}

pub(crate) async fn many_calls_share_one_token(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let calls = (0..20).map(|n| {
        let stage = &stage;
        async move { stage.revoke(&stage.person(n)).await }
    });
    for answer in futures_util::future::join_all(calls).await {
        answer?.must_succeed("one of 20 at once")?;
    }
    match stage.vendor.login_requests().await {
        0 => Err(Stop::does_not_apply("the connector asks for no token")),
        1 => Ok(()),
        many => Err(Stop::broken(format!(
            "20 calls at once asked for {many} tokens"
        ))),
    }
}

/// Revokes, cancels once `when` is there, and waits for the answer, but not for long.
async fn cancelled(
    stage: &Stage,
    cancel: &CancellationToken,
    when: impl Future<Output = ()>,
    cx: &rescind_core::context::Context,
    request: &rescind_core::provider::RevokeRequest,
) -> Result<crate::answer::Answer, Stop> {
    let mut call = std::pin::pin!(stage.revoke_with(cx, request));
    tokio::select! {
        biased;
        answer = &mut call => return answer,
        () = when => cancel.cancel(),
    }
    stage.in_time("revoke, once cancelled,", call).await?
}

fn redirect(status: u16, stage: &Stage) -> ResponseTemplate {
    let there = format!("{}/stolen", stage.vendor.elsewhere_url());
    ResponseTemplate::new(status).insert_header("Location", there)
}

async fn did_not_stray(stage: &Stage, when: &str) -> Verdict {
    let strayed = stage.vendor.strayed_requests().await;
    ensure!(
        strayed == 0,
        "{when} was followed: {strayed} requests reached another server"
    );
    Ok(())
}
