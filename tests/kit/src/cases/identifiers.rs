//! An identifier is data: whatever is in it, the request stays the same request.

use rescind_core::provider::{Account, RevokeRequest};
use wiremock::Request;

use crate::fixture::Person;
use crate::stage::{Kit, Stage, in_time, subject, told};
use crate::verdict::{Stop, Verdict, ensure};
use crate::wire::Mould;

const HARMLESS: &str = "harmless-canary-0001";
const HARMLESS_ADDRESS: &str = "harmless-canary@example.com";

const HOSTILE: &[&str] = &[
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
    let moulds = moulds(&requests_to_revoke(&kit, HARMLESS).await?, HARMLESS)?;
    for hostile in HOSTILE {
        let sent = requests_to_revoke(&kit, hostile).await?;
        each_fits(&moulds, &sent, hostile)?;
    }
    Ok(())
}

pub(crate) async fn line_break_in_an_id_makes_no_second_line(kit: Kit) -> Verdict {
    let moulds = moulds(&requests_to_revoke(&kit, HARMLESS).await?, HARMLESS)?;
    let hostile = "a\r\nX-Admin: yes";
    let stage = kit.revoking().await?;
    stage.revoke(&by_id(&stage, hostile)).await?;
    let sent = stage.vendor.api_requests().await;
    each_fits(&moulds, &sent, hostile)?;
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
    let moulds = moulds(
        &requests_to_resolve(&kit, HARMLESS_ADDRESS).await?,
        HARMLESS_ADDRESS,
    )?;
    for hostile in HOSTILE {
        let hostile = format!("{hostile}@example.com");
        let sent = requests_to_resolve(&kit, &hostile).await?;
        each_fits(&moulds, &sent, &hostile)?;
    }
    Ok(())
}

pub(crate) async fn hostile_id_stays_one_in_evidence(kit: Kit) -> Verdict {
    let moulds = moulds(&requests_to_read(&kit, HARMLESS).await?, HARMLESS)?;
    for hostile in HOSTILE {
        let sent = requests_to_read(&kit, hostile).await?;
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

fn each_fits(moulds: &[Mould], sent: &[Request], hostile: &str) -> Verdict {
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

async fn requests_to_revoke(kit: &Kit, id: &str) -> Result<Vec<Request>, Stop> {
    let stage = kit.revoking().await?;
    stage.revoke(&by_id(&stage, id)).await?;
    Ok(stage.vendor.api_requests().await)
}

/// Somebody with this id; where there is no directory, the address is the id.
fn by_id(stage: &Stage, id: &str) -> Person {
    if stage.roles.directory.is_some() {
        return Person::new(id, HARMLESS_ADDRESS);
    }
    let readable: String = id.chars().filter(|c| !c.is_control()).collect();
    Person::new(id, readable)
}

async fn requests_to_resolve(kit: &Kit, address: &str) -> Result<Vec<Request>, Stop> {
    let stage = kit.revoking().await?;
    let directory = stage.directory()?;
    let _ = in_time(
        "resolve",
        directory.resolve(&stage.cx(), &[subject(address)]),
    )
    .await?;
    Ok(stage.vendor.api_requests().await)
}

async fn requests_to_read(kit: &Kit, id: &str) -> Result<Vec<Request>, Stop> {
    let stage = kit.revoking().await?;
    let evidence = stage.evidence()?;
    let _ = in_time("read", evidence.read(&stage.cx(), &[id.to_owned()])).await?;
    Ok(stage.vendor.api_requests().await)
}
