//! An identifier is data: whatever is in it, the request stays the same request.

use rescind_core::provider::{Account, RevokeRequest};
use rescind_core::subject::IdentifierKind;
use wiremock::Request;

use crate::fixture::Person;
use crate::stage::{Kit, Stage, subject, told};
use crate::verdict::{Stop, Verdict, ensure};
use crate::wire::Mould;

pub(super) const HARMLESS: &str = "harmless-canary-0001";
const HARMLESS_ADDRESS: &str = "harmless-canary@example.com";

pub(super) const HOSTILE: &[&str] = &[
    "../../admin",
    "..",
    "a/b",
    "a#b",
    "a?x=1",
    "a&b=c",
    "a%2fb",
    "a%00b",
    "o'brien",
    "a\"b",
    "a;b",
    "a b",
    "a+b",
    "a\\b",
    "a{b}",
    "ä-ö",
    "$x",
];

pub(crate) async fn hostile_id_stays_one_identifier(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let (harmless, sent) = requests_to_revoke(&stage, HARMLESS).await?;
    let moulds = moulds(&sent, &harmless)?;
    for hostile in HOSTILE {
        let (hostile, sent) = requests_to_revoke(&stage, hostile).await?;
        each_fits(&moulds, &sent, &hostile)?;
    }
    Ok(())
}

pub(crate) async fn line_break_in_an_id_makes_no_second_line(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    if stage.roles.directory.is_none() {
        return Err(Stop::does_not_apply(
            "no subject holds a line break, and no directory brings an id that may",
        ));
    }
    let (harmless, sent) = requests_to_revoke(&stage, HARMLESS).await?;
    let moulds = moulds(&sent, &harmless)?;
    let (hostile, sent) = requests_to_revoke(&stage, "a\r\nX-Admin: yes").await?;
    each_fits(&moulds, &sent, &hostile)?;
    for request in &sent {
        ensure!(
            !request.headers.contains_key("x-admin"),
            "a line break in an id became a header"
        );
    }
    Ok(())
}

pub(crate) async fn empty_id_sends_nothing(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    stage.directory()?;
    let request =
        RevokeRequest::new(subject(HARMLESS)).for_account(Account::new("", HARMLESS_ADDRESS));
    let answer = stage.revoke_with(&stage.cx(), &request).await?;
    answer.must_not_succeed("an account with an empty id")?;
    stage.nothing_was_sent("an account with an empty id").await
}

pub(crate) async fn hostile_address_stays_one_identifier(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let sent = requests_to_resolve(&stage, HARMLESS_ADDRESS).await?;
    let moulds = moulds(&sent, HARMLESS_ADDRESS)?;
    for hostile in HOSTILE {
        let hostile = format!("{hostile}@example.com");
        let sent = requests_to_resolve(&stage, &hostile).await?;
        each_fits(&moulds, &sent, &hostile)?;
    }
    Ok(())
}

pub(crate) async fn hostile_id_stays_one_in_evidence(kit: Kit) -> Verdict {
    let stage = kit.revoking().await?;
    let moulds = moulds(&requests_to_read(&stage, HARMLESS).await?, HARMLESS)?;
    for hostile in HOSTILE {
        let sent = requests_to_read(&stage, hostile).await?;
        each_fits(&moulds, &sent, hostile)?;
    }
    Ok(())
}

fn moulds(requests: &[Request], harmless: &str) -> Result<Vec<Mould>, Stop> {
    let moulds: Vec<_> = requests
        .iter()
        .filter_map(|request| Mould::of(request, harmless))
        .collect();
    ensure!(
        !moulds.is_empty(),
        "no request names the person it is made for: {}",
        told(requests)
    );
    Ok(moulds)
}

pub(super) fn each_fits(moulds: &[Mould], sent: &[Request], hostile: &str) -> Verdict {
    for request in sent {
        ensure!(
            moulds.iter().any(|mould| mould.fits(request, hostile)),
            "the identifier {hostile:?} changed the request: {} {}",
            request.method,
            request.url
        );
    }
    Ok(())
}

/// What is sent to revoke somebody of this name, and how the name is spelled in it: the vendor's id where there is a
/// directory, a subject of a declared kind where not.
async fn requests_to_revoke(stage: &Stage, name: &str) -> Result<(String, Vec<Request>), Stop> {
    let seen = stage.vendor.api_requests().await.len();
    let identifiers = stage.revocation.capabilities().identifiers;
    let by_id = stage.roles.directory.is_some() || identifiers == [IdentifierKind::ObjectId];
    let (spelling, person) = if by_id {
        (name.to_owned(), Person::new(name, HARMLESS_ADDRESS))
    } else {
        let address = format!("{name}@example.com");
        (address.clone(), Person::new(name, address))
    };
    stage.revoke(&person).await?;
    Ok((spelling, stage.api_requests_after(seen).await))
}

async fn requests_to_resolve(stage: &Stage, address: &str) -> Result<Vec<Request>, Stop> {
    let directory = stage.directory()?;
    let seen = stage.vendor.api_requests().await.len();
    let (cx, subjects) = (stage.cx(), [subject(address)]);
    let _ = stage
        .in_time("resolve", directory.resolve(&cx, &subjects))
        .await?;
    Ok(stage.api_requests_after(seen).await)
}

async fn requests_to_read(stage: &Stage, id: &str) -> Result<Vec<Request>, Stop> {
    let evidence = stage.evidence()?;
    let seen = stage.vendor.api_requests().await.len();
    let (cx, ids) = (stage.cx(), [id.to_owned()]);
    let _ = stage.in_time("read", evidence.read(&cx, &ids)).await?;
    Ok(stage.api_requests_after(seen).await)
}
