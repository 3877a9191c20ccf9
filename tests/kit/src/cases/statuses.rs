//! What each status of an answer means.

use std::time::Duration;

use rescind_core::clock::{Clock, SystemClock};
use rescind_core::error::{ErrorKind, Retry};
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

use crate::answer::{Answer, is_never, is_safe, is_unknown};
use crate::stage::{Kit, Stage, changes};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn renews_the_token_once_and_repeats(kit: Kit) -> Verdict {
    let (stage, requests, logins) = after_one_success(&kit).await?;
    let refused = stage.fixture().error_answer(401);
    stage.vendor.answer_times(1, any(), refused).await;
    let seen = stage.vendor.api_requests().await.len();
    let answer = stage.revoke(&stage.person(0)).await?;
    if logins == 0 {
        return answer.must_fail(
            "a 401 where no token can be renewed",
            &[ErrorKind::Unauthenticated],
            "Never",
            is_never,
        );
    }
    answer.must_succeed("a 401 that a new token heals")?;
    let renewed = stage.vendor.login_requests().await - logins;
    ensure!(
        renewed == 1,
        "one 401, and {renewed} new tokens were asked for"
    );
    let sent = stage.api_requests_after(seen).await.len();
    ensure!(
        sent == requests + 1,
        "one 401: expected {requests} requests and one repeat, {sent} were sent"
    );
    Ok(())
}

pub(crate) async fn gives_up_after_one_renewal(kit: Kit) -> Verdict {
    let (stage, _, logins) = after_one_success(&kit).await?;
    stage
        .vendor
        .answer(any(), stage.fixture().error_answer(401))
        .await;
    let seen = stage.vendor.api_requests().await.len();
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_fail(
        "401 whatever the token",
        &[ErrorKind::Unauthenticated],
        "Never",
        is_never,
    )?;
    let sent = stage.api_requests_after(seen).await;
    for request in &sent {
        let same =
            |other: &&wiremock::Request| other.method == request.method && other.url == request.url;
        let times = sent.iter().filter(same).count();
        ensure!(
            times <= 2,
            "401 whatever the token: {} {} was sent {times} times, two are allowed",
            request.method,
            request.url.path()
        );
    }
    let renewed = stage.vendor.login_requests().await - logins;
    ensure!(
        renewed <= sent.len().div_ceil(2),
        "{} requests met 401, and {renewed} new tokens were asked for",
        sent.len()
    );
    Ok(())
}

pub(crate) async fn refused_credentials_are_for_a_person(kit: Kit) -> Verdict {
    let stage = with_token_endpoint(&kit).await?;
    let refused = ResponseTemplate::new(401)
        .set_body_json(serde_json::json!({"error": "invalid_client", "error_description": "no"}));
    stage.vendor.answer_login(refused).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_fail(
        "credentials that the token endpoint refuses",
        &[ErrorKind::Unauthenticated],
        "Never",
        is_never,
    )?;
    stage.nothing_was_sent("without a token").await
}

pub(crate) async fn token_outage_is_safe(kit: Kit) -> Verdict {
    let stage = with_token_endpoint(&kit).await?;
    stage.vendor.answer_login(ResponseTemplate::new(503)).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_fail(
        "a token endpoint that is down",
        &[ErrorKind::Unavailable, ErrorKind::RateLimited],
        "Safe",
        is_safe,
    )?;
    stage.nothing_was_sent("without a token").await
}

pub(crate) async fn forbidden_is_never_repeated(kit: Kit) -> Verdict {
    let (stage, answer) = everything_answers(&kit, 403).await?;
    answer.must_fail("a 403", &[ErrorKind::PermissionDenied], "Never", is_never)?;
    let renewed = stage.vendor.login_requests().await;
    ensure!(
        renewed <= 1,
        "a 403 is no reason to renew a token, {renewed} were asked for"
    );
    Ok(())
}

pub(crate) async fn throttle_in_seconds(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let busy = stage
        .fixture()
        .error_answer(429)
        .insert_header("Retry-After", "17");
    stage.vendor.answer(any(), busy).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    let asked = Duration::from_secs(17);
    answer.must_fail(
        "a 429 with Retry-After: 17",
        &[ErrorKind::RateLimited],
        "Safe after 17 s",
        |retry| retry == Retry::Safe { after: Some(asked) },
    )
}

pub(crate) async fn throttle_until_a_date(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let now = SystemClock.now();
    let busy = stage
        .fixture()
        .error_answer(429)
        .insert_header("Date", http_date(now))
        .insert_header("Retry-After", http_date(now + Duration::from_secs(90)));
    stage.vendor.answer(any(), busy).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    // The wait counts from the answer's own date, or from our clock a moment later.
    let about = Duration::from_secs(60)..=Duration::from_secs(92);
    answer.must_fail(
        "a 429 with Retry-After: a date 90 s ahead",
        &[ErrorKind::RateLimited],
        "Safe after about 90 s",
        |retry| matches!(retry, Retry::Safe { after: Some(after) } if about.contains(&after)),
    )
}

pub(crate) async fn throttle_without_a_time(kit: Kit) -> Verdict {
    let (_, answer) = everything_answers(&kit, 429).await?;
    answer.must_fail(
        "a 429 without Retry-After",
        &[ErrorKind::RateLimited],
        "Safe, the lane chooses when",
        |retry| retry == Retry::Safe { after: None },
    )
}

pub(crate) async fn unavailable_is_safe(kit: Kit) -> Verdict {
    let (_, answer) = everything_answers(&kit, 503).await?;
    answer.must_fail(
        "a 503",
        &[ErrorKind::Unavailable, ErrorKind::RateLimited],
        "Safe",
        is_safe,
    )
}

pub(crate) async fn server_error_leaves_the_outcome_unknown(kit: Kit) -> Verdict {
    for status in [408, 500, 502, 504] {
        let stage = kit.revoking().await?;
        let answer = stage.fixture().error_answer(status);
        stage.vendor.answer(changes(&kit), answer).await;
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_fail(
            &format!("status {status} to a request that changes something"),
            &[ErrorKind::Unavailable, ErrorKind::Timeout],
            "OutcomeUnknown",
            is_unknown,
        )?;
    }
    Ok(())
}

pub(crate) async fn other_client_errors_are_permanent(kit: Kit) -> Verdict {
    for status in [400, 405, 422] {
        let (_, answer) = everything_answers(&kit, status).await?;
        answer.must_not_succeed(&format!("status {status}"))?;
        let errors = answer.errors();
        ensure!(
            !errors.is_empty() && errors.iter().all(|error| is_never(error.retry())),
            "status {status}: expected an error that is never repeated, got {}",
            answer.told()
        );
    }
    Ok(())
}

async fn everything_answers(kit: &Kit, status: u16) -> Result<(Stage, Answer), Stop> {
    let stage = kit.revoking().await?;
    let answer = stage.fixture().error_answer(status);
    stage.vendor.answer(any(), answer).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    Ok((stage, answer))
}

/// A stage after one successful revocation, with the requests it took and the tokens it asked for.
async fn after_one_success(kit: &Kit) -> Result<(Stage, usize, usize), Stop> {
    let stage = kit.revoking().await?;
    stage
        .revoke(&stage.person(0))
        .await?
        .must_succeed("a known person")?;
    let requests = stage.vendor.api_requests().await.len();
    let logins = stage.vendor.login_requests().await;
    Ok((stage, requests, logins))
}

/// A fresh stage of a connector that is known to ask for tokens.
async fn with_token_endpoint(kit: &Kit) -> Result<Stage, Stop> {
    let (_, _, logins) = after_one_success(kit).await?;
    if logins == 0 {
        return Err(Stop::does_not_apply("the connector asks for no token"));
    }
    kit.revoking().await
}

fn http_date(at: jiff::Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
