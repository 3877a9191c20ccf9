//! What a connector says when the vendor does as documented.

use rescind_core::error::{ErrorKind, Retry};
use rescind_core::provider::RevokeRequest;
use rescind_core::report::Outcome;
use rescind_core::subject::{Identifier, IdentifierKind, Subject};
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

use crate::stage::{Kit, subject, told};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn revocation_succeeds(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let answer = stage.revoke(&stage.person(0)).await?;
    let Some(Outcome::Revoked { ended } | Outcome::Accepted { ended }) = answer.outcome() else {
        return Err(Stop::broken(format!(
            "a known person: expected Revoked or Accepted, got {}",
            answer.told()
        )));
    };
    ensure!(
        !ended.steps.is_empty(),
        "the report names no step: what was ended?"
    );
    let sent = stage.vendor.api_requests().await;
    ensure!(
        !stage.writes(&sent).is_empty(),
        "a success, but nothing that changes anything was sent: {}",
        told(&sent)
    );
    Ok(())
}

pub(crate) async fn success_tells_the_providers_time(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    stage.evidence()?;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_succeed("a known person")?;
    let told = answer.0.is_ok_and(|report| report.provider_time.is_some());
    ensure!(
        told,
        "the report has no provider_time, so no evidence can be compared with it"
    );
    Ok(())
}

pub(crate) async fn second_revocation_succeeds(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    for time in ["first", "second"] {
        let answer = stage.revoke(&stage.person(0)).await?;
        answer.must_succeed(&format!("the {time} revocation of the same person"))?;
    }
    Ok(())
}

pub(crate) async fn unknown_subject_is_not_found(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let nobody = stage.fixture().nobody();
    let answer = stage.revoke(&nobody).await?;
    ensure!(
        matches!(answer.outcome(), Some(Outcome::SubjectNotFound)),
        "somebody unknown: expected SubjectNotFound, got {}",
        answer.told()
    );
    Ok(())
}

pub(crate) async fn unrecognised_404_is_not_nobody(kit: Kit) -> Verdict {
    if kit.fixture.any_404_means_nobody() {
        return Err(Stop::does_not_apply("the vendor says so with any 404"));
    }
    let stage = kit.revoking().await?;
    let page =
        ResponseTemplate::new(404).set_body_raw("<h1>404 Not Found</h1><hr>a proxy", "text/html");
    stage.vendor.answer(any(), page).await;
    let answer = stage.revoke(&stage.person(0)).await?;
    answer.must_not_succeed("a 404 from a proxy")?;
    ensure!(
        !matches!(answer.outcome(), Some(Outcome::SubjectNotFound)),
        "a 404 that is not the vendor's own is taken for a person who does not exist"
    );
    Ok(())
}

pub(crate) async fn undeclared_identifier_sends_nothing(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let declared = stage.revocation.capabilities().identifiers;
    let all = [
        Identifier::Email {
            email: "somebody@example.com".to_owned(),
        },
        Identifier::UserPrincipalName {
            upn: "somebody@example.com".to_owned(),
        },
        Identifier::ObjectId {
            id: "1234567890".to_owned(),
        },
        Identifier::IssSub {
            iss: "https://issuer.example.com".to_owned(),
            sub: "somebody".to_owned(),
        },
    ];
    let undeclared: Vec<_> = all
        .into_iter()
        .filter(|identifier| !declared.contains(&identifier.kind()))
        .collect();
    if undeclared.is_empty() {
        return Err(Stop::does_not_apply("every identifier is understood"));
    }
    for identifier in undeclared {
        let kind: IdentifierKind = identifier.kind();
        let named = Subject::typed(identifier).expect("the kit's own identifiers are readable");
        let answer = stage
            .revoke_with(&stage.cx(), &RevokeRequest::new(named))
            .await?;
        answer.must_not_succeed(&format!("an identifier of kind {kind:?}, not declared"))?;
        stage
            .nothing_was_sent(&format!("an identifier of kind {kind:?}, not declared"))
            .await?;
    }
    Ok(())
}

pub(crate) async fn refusal_sends_nothing(kit: Kit) -> Verdict {
    let stage = kit.stage().await?;
    if stage.revocation.capabilities().refuses.is_none() {
        return Err(Stop::does_not_apply("the connector revokes"));
    }
    let request = RevokeRequest::new(subject("ada@example.com"));
    let answer = stage.revoke_with(&stage.cx(), &request).await?;
    let Some(Outcome::Unsupported(why)) = answer.outcome() else {
        return Err(Stop::broken(format!(
            "expected Unsupported, got {}",
            answer.told()
        )));
    };
    ensure!(
        !why.reason.is_empty() && !why.remedy.is_empty(),
        "a refusal without a reason or a remedy"
    );
    let probe = stage
        .in_time("probe", stage.revocation.probe(&stage.cx()))
        .await?;
    ensure!(
        !probe.is_ok_and(|report| report.is_well()),
        "a probe of a connector that refuses everything finds nothing to say"
    );
    stage.nothing_was_sent("a connector that refuses").await?;
    let logins = stage.vendor.login_requests().await;
    ensure!(logins == 0, "a connector that refuses asked for a token");
    Ok(())
}

pub(crate) async fn probe_changes_nothing(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let report = stage
        .in_time("probe", stage.revocation.probe(&stage.cx()))
        .await?
        .map_err(|error| Stop::broken(format!("a well-behaved vendor: {error:?}")))?;
    ensure!(
        report.is_well(),
        "a well-behaved vendor, but the probe finds a fault: {:?}",
        report.findings
    );
    ensure!(
        !report.findings.is_empty(),
        "the probe found nothing at all"
    );
    let sent = stage.vendor.api_requests().await;
    let writes = stage.writes(&sent);
    ensure!(
        writes.is_empty(),
        "a probe sent something that can change something: {}",
        told(&sent)
    );
    Ok(())
}

pub(crate) async fn probe_tells_refused_credentials(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let refused = stage.fixture().error_answer(401);
    stage.vendor.answer(any(), refused.clone()).await;
    stage.vendor.answer_login(refused).await;
    match stage
        .in_time("probe", stage.revocation.probe(&stage.cx()))
        .await?
    {
        Ok(report) => ensure!(
            !report.is_well(),
            "refused credentials, and the probe finds nothing wrong"
        ),
        Err(error) => ensure!(
            error.kind() == ErrorKind::Unauthenticated && error.retry() == Retry::Never,
            "refused credentials: expected Unauthenticated and Never, got {error:?}"
        ),
    }
    Ok(())
}
