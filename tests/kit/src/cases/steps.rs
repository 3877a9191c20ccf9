//! A procedure of several steps: nothing is hidden, nothing is done twice.

use rescind_core::report::Outcome;
use wiremock::Request;

use crate::stage::{Kit, Stage, told};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn each_step_is_told(kit: Kit) -> Verdict {
    let stage = with_steps(&kit).await?;
    let answer = stage.revoke(&stage.person(0)).await?;
    let Some(Outcome::Revoked { ended } | Outcome::Accepted { ended }) = answer.outcome() else {
        return Err(Stop::broken(format!(
            "a known person: expected Revoked or Accepted, got {}",
            answer.told()
        )));
    };
    let named: Vec<_> = ended.steps.iter().map(|step| step.name.as_str()).collect();
    ensure!(
        named == stage.fixture().steps(),
        "the steps are {:?}, told were {named:?}",
        stage.fixture().steps()
    );
    Ok(())
}

pub(crate) async fn failed_step_hides_no_other(kit: Kit) -> Verdict {
    for step in with_steps(&kit).await?.fixture().steps() {
        let stage = kit.revoking().await?;
        let fixture = kit.fixture.clone();
        let broken = stage.fixture().error_answer(500);
        let of_step = move |request: &Request| fixture.step_of(request) == Some(step);
        stage.vendor.answer(of_step, broken).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        let Some(Outcome::Partial { ended, failed, .. }) = answer.outcome() else {
            return Err(Stop::broken(format!(
                "the step {step} fails: expected Partial, got {}",
                answer.told()
            )));
        };
        ensure!(
            !failed.is_empty() && failed.iter().all(|part| part.step == *step),
            "the step {step} fails, but the report blames {:?}",
            failed.iter().map(|part| &part.step).collect::<Vec<_>>()
        );
        for other in stage.fixture().steps() {
            let done = ended.steps.iter().any(|told| told.name == *other);
            ensure!(
                done || other == step,
                "the step {step} fails, and the step {other} is not told of"
            );
        }
    }
    Ok(())
}

pub(crate) async fn done_steps_are_not_repeated(kit: Kit) -> Verdict {
    let stage = with_steps(&kit).await?;
    let steps = stage.fixture().steps();
    let (done, left) = steps.split_at(1);
    let mut request = stage.request(&stage.person(0));
    request.done_steps = done.iter().map(|&step| step.to_owned()).collect();
    let answer = stage.revoke_with(&stage.cx(), &request).await?;
    answer.must_succeed("what was left of a procedure")?;
    let sent = stage.vendor.api_requests().await;
    for step in done {
        ensure!(
            !sent.iter().any(|request| is_of(&stage, request, step)),
            "the step {step} was done, and was sent again: {}",
            told(&sent)
        );
    }
    for step in left {
        ensure!(
            sent.iter().any(|request| is_of(&stage, request, step)),
            "the step {step} was left, and was not sent: {}",
            told(&sent)
        );
    }
    Ok(())
}

fn is_of(stage: &Stage, request: &Request, step: &str) -> bool {
    stage.fixture().step_of(request) == Some(step)
}

async fn with_steps(kit: &Kit) -> Result<Stage, Stop> {
    let stage = kit.revoking().await?;
    if stage.fixture().steps().len() < 2 {
        return Err(Stop::does_not_apply("a revocation is a single step"));
    }
    Ok(stage)
}
