//! A 2xx proves nothing by itself.

use rescind_core::error::ErrorKind;
use wiremock::matchers::any;

use crate::answer::is_unknown;
use crate::fixture::OddBody;
use crate::raw::{Manner, RawServer};
use crate::stage::{Kit, changes};
use crate::verdict::{Stop, Verdict, ensure};

/// An endless answer is let go of after this many bytes at the latest; the kernel's own buffers are in it.
const ENOUGH: usize = 24 << 20;

pub(crate) async fn odd_body_is_no_success(kit: Kit) -> Verdict {
    for body in OddBody::ALL {
        if kit.fixture.documents_as_success(body) {
            continue;
        }
        let when = format!("a 200 with {body:?}");
        let stage = kit.revoking().await?;
        stage.vendor.answer(changes(&kit), body.answer()).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_fail(
            &when,
            &[ErrorKind::InvalidResponse],
            "OutcomeUnknown",
            is_unknown,
        )?;

        let stage = kit.revoking().await?;
        stage.vendor.answer(any(), body.answer()).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_not_succeed(&format!("{when} to every request"))?;
        ensure!(
            !answer.errors().is_empty(),
            "{when} to every request: expected an error, got {}",
            answer.told()
        );
    }
    Ok(())
}

pub(crate) async fn refusal_in_a_200_is_no_success(kit: Kit) -> Verdict {
    let refusals = kit.fixture.refusals();
    if refusals.is_empty() {
        return Err(Stop::does_not_apply("the vendor refuses by status only"));
    }
    for (name, refusal) in refusals {
        let stage = kit.revoking().await?;
        stage.vendor.answer(changes(&kit), refusal).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_not_succeed(&format!("a 200 that says {name}"))?;
    }
    Ok(())
}

pub(crate) async fn endless_body_is_let_go(kit: Kit) -> Verdict {
    let flood = RawServer::start(Manner::Flood).await;
    let vendor = kit.vendor().await.with_api_at(flood.url());
    let stage = kit.stage_before(vendor)?.that_revokes()?;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_not_succeed("an answer that never ends")?;
    let (taken, requests) = (flood.bytes_sent(), flood.requests().max(1));
    ensure!(
        taken / requests <= ENOUGH,
        "{taken} bytes of {requests} endless answers were taken"
    );
    Ok(())
}
