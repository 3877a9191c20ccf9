//! What must not be seen is not seen: not in `Debug`, not in errors, not in logs.

use std::error::Error as _;
use std::fmt::Write;

use rescind_core::error::Error;
use wiremock::ResponseTemplate;
use wiremock::matchers::any;

use crate::captured::Captured;
use crate::raw::nobody_listens;
use crate::stage::{Kit, Stage, subject};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn debug_shows_no_secret(kit: Kit) -> Verdict {
    let stage = kit.stage().await?;
    let before = format!("{:#?}", stage.roles);
    shows_no_secret(&stage, "Debug of a fresh provider", &before)?;
    if let Ok(stage) = stage.that_revokes() {
        stage.revoke(&stage.person(0)).await?;
        let after = format!("{:#?}", stage.roles);
        shows_no_secret(&stage, "Debug of a provider that has been used", &after)?;
        shows_no_address(&stage, "Debug of a provider that has been used", &after)?;
    }
    Ok(())
}

pub(crate) async fn errors_show_neither_secret_nor_address(kit: Kit) -> Verdict {
    let mut seen = 0;
    for trouble in Trouble::ALL {
        let (stage, errors) = meet(&kit, trouble).await?;
        for error in errors {
            seen += 1;
            let what = format!("an error of {trouble:?}");
            shows_no_secret(&stage, &what, &error)?;
            shows_no_address(&stage, &what, &error)?;
        }
    }
    ensure!(seen > 0, "not one error came of all the trouble");
    Ok(())
}

pub(crate) async fn logs_show_neither_secret_nor_address(kit: Kit) -> Verdict {
    let captured = Captured::begin();
    let stage = kit.revoking().await?;
    let person = stage.person(0);
    let cx = stage.cx();
    let _ = stage.in_time("probe", stage.revocation.probe(&cx)).await?;
    if let Ok(directory) = stage.directory() {
        let subjects = [subject(&person.address)];
        let _ = stage
            .in_time("resolve", directory.resolve(&cx, &subjects))
            .await?;
    }
    stage.revoke(&person).await?;
    if let Ok(evidence) = stage.evidence() {
        let _ = stage
            .in_time("read", evidence.read(&cx, &[person.id]))
            .await?;
    }
    shows_no_secret(&stage, "the log of a good day", &captured.text())?;
    shows_no_address(&stage, "the log of a good day", &captured.text())?;
    for trouble in Trouble::ALL {
        let (stage, _) = meet(&kit, trouble).await?;
        let what = format!("the log of {trouble:?}");
        shows_no_secret(&stage, &what, &captured.text())?;
        shows_no_address(&stage, &what, &captured.text())?;
    }
    Ok(())
}

/// Ways in which a vendor's answer may lead a secret or an address into an error.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Echo(u16),
    LoginEcho(u16),
    NobodyListens,
}

impl Trouble {
    const ALL: [Self; 9] = [
        Self::Echo(200),
        Self::Echo(400),
        Self::Echo(401),
        Self::Echo(403),
        Self::Echo(429),
        Self::Echo(500),
        Self::LoginEcho(400),
        Self::LoginEcho(500),
        Self::NobodyListens,
    ];
}

/// Meets trouble, and returns every error in every form in which it can be seen.
async fn meet(kit: &Kit, trouble: Trouble) -> Result<(Stage, Vec<String>), Stop> {
    let vendor = match trouble {
        Trouble::NobodyListens => kit.vendor().await.with_api_at(nobody_listens().await),
        _ => kit.vendor().await,
    };
    let stage = kit.stage_before(vendor)?.that_revokes()?;
    let person = stage.person(0);
    match trouble {
        Trouble::Echo(status) => stage.vendor.answer(any(), echo(&stage, status)).await,
        Trouble::LoginEcho(status) => stage.vendor.answer_login(echo(&stage, status)).await,
        Trouble::NobodyListens => {}
    }
    let mut seen = Vec::new();
    let answer = stage.revoke(&person).await?;
    seen.push(answer.told());
    seen.extend(answer.errors().into_iter().map(all_forms));
    let cx = stage.cx();
    if let Err(error) = stage.in_time("probe", stage.revocation.probe(&cx)).await? {
        seen.push(all_forms(&error));
    }
    if let Ok(directory) = stage.directory() {
        let subjects = [subject(&person.address)];
        match stage
            .in_time("resolve", directory.resolve(&cx, &subjects))
            .await?
        {
            Ok(resolutions) => seen.push(format!("{resolutions:?}")),
            Err(error) => seen.push(all_forms(&error)),
        }
    }
    if let Ok(evidence) = stage.evidence() {
        let ids = [person.id.clone()];
        match stage.in_time("read", evidence.read(&cx, &ids)).await? {
            Ok(proofs) => seen.push(format!("{proofs:?}")),
            Err(error) => seen.push(all_forms(&error)),
        }
    }
    if let Ok(inventory) = stage.inventory()
        && let Err(error) = stage
            .in_time("list", inventory.list(&cx, &person.id))
            .await?
    {
        seen.push(all_forms(&error));
    }
    Ok((stage, seen))
}

/// A vendor that repeats what it was told, in the places where vendors put messages.
fn echo(stage: &Stage, status: u16) -> ResponseTemplate {
    let said = format!(
        "{} may not; authorization was: Bearer {}; secret was: {}",
        stage.person(0).address,
        crate::canary::TOKEN,
        crate::canary::SECRET
    );
    ResponseTemplate::new(status).set_body_json(serde_json::json!({
        "error": {
            "code": "Echo",
            "message": said,
            "errors": [{"domain": "global", "reason": "echo", "message": said}],
        },
        "error_description": said,
        "message": said,
        "detail": said,
    }))
}

fn all_forms(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.to_record());
    if let Some(id) = error.vendor_request_id() {
        let _ = write!(text, " {id}");
    }
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, " {cause} {cause:?}");
        source = cause.source();
    }
    text
}

fn shows_no_secret(stage: &Stage, what: &str, text: &str) -> Verdict {
    for secret in stage.vendor.secrets() {
        if let Some(at) = text.find(&secret) {
            let line = text[..at].lines().count();
            return Err(Stop::broken(format!(
                "{what} shows a secret (line {line}): {}",
                excerpt(text, at).replace(&secret, "<the secret>")
            )));
        }
    }
    Ok(())
}

fn shows_no_address(stage: &Stage, what: &str, text: &str) -> Verdict {
    for person in stage.fixture().people() {
        let encoded = person.address.replace('@', "%40");
        for spelling in [person.address, encoded] {
            if let Some(at) = text.find(&spelling) {
                return Err(Stop::broken(format!(
                    "{what} shows an address: {}",
                    excerpt(text, at)
                )));
            }
        }
    }
    Ok(())
}

/// The line around a find, bounded.
fn excerpt(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let mut end = line.len().min(at - start + 200);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}
