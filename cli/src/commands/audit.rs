//! `rescind audit`: the record, and the proof that nobody changed it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use rescind_core::audit::export::{self, ExportWriter, Header};
use rescind_core::audit::note::{self, PublicKey};
use rescind_core::audit::verify::Verdict;
use rescind_core::audit::{AuditEntry, Checkpoint};
use rescind_core::config::Config;
use rescind_core::store::Store;
use rescind_store::{Ed25519, Mismatch, StateFolder};
use serde::Serialize;

use crate::app::App;
use crate::args::{Audit, Output};
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::cell;

/// How many entries are read at a time.
const PAGE: usize = 2000;

/// Runs one of the audit commands.
pub(crate) async fn run(options: Audit, app: &mut App) -> Result<Exit, Failure> {
    match options {
        Audit::List {
            after,
            limit,
            order,
        } => list(app, after, limit, order.as_deref()).await,
        Audit::Show { seq } => show(app, seq).await,
        Audit::Verify {
            file: Some(file),
            public_key,
            checkpoints,
        } => {
            let copied = read_copied(checkpoints.as_deref())?;
            let verdict = verify_file(&file, public_key.as_deref(), &copied)?;
            print_verdict(app, &verdict, None, public_key.is_some())
        }
        Audit::Verify {
            file: None,
            public_key,
            checkpoints,
        } => {
            let copied = match checkpoints {
                None => configured_copy(app)?,
                given => read_copied(given.as_deref())?,
            };
            let (folder, store) = app.state()?;
            let given = public_key.as_deref().map(read_key).transpose()?;
            let key = given.clone().unwrap_or_else(|| folder.public_key().clone());
            let (verdict, mismatch) =
                rescind_store::verify(store.as_ref(), &key, copied, app.clock.now()).await?;
            print_verdict(app, &verdict, mismatch.as_ref(), given.is_some())
        }
        Audit::Export { redact } => {
            let (folder, store) = app.state()?;
            export(app, &folder, store.as_ref(), redact).await
        }
    }
}

async fn list(app: &mut App, after: u64, limit: u64, order: Option<&str>) -> Result<Exit, Failure> {
    let (_folder, store) = app.state()?;
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut last = after;
    while (entries.len() as u64) < limit {
        let page = store.audit(last, PAGE).await?;
        let Some(newest) = page.last() else { break };
        last = newest.seq;
        entries.extend(
            page.into_iter()
                .filter(|entry| order.is_none() || entry.order.as_deref() == order),
        );
    }
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let row = |entry: &AuditEntry| {
        vec![
            entry.seq.to_string(),
            entry.at.strftime("%F %T").to_string(),
            opening(entry, "actor"),
            entry.action.clone(),
            about(entry),
            entry.outcome.clone().unwrap_or_default(),
            opening(entry, "note"),
        ]
    };
    let header = [
        "entry", "at (UTC)", "actor", "action", "about", "outcome", "note",
    ];
    app.printer.list(
        "rescind.audit/1",
        &entries,
        &header,
        row,
        "The record is empty.",
    )?;
    if app.printer.format() == Output::Text && entries.len() as u64 == limit && limit > 0 {
        let next = entries.last().map_or(after, |entry| entry.seq);
        app.say(&format!("More: rescind audit list --after {next}"));
    }
    Ok(Exit::Done)
}

fn opening(entry: &AuditEntry, field: &str) -> String {
    if let Some(opening) = entry.openings.iter().find(|opening| opening.field == field) {
        return opening.value.clone();
    }
    let committed = entry.commitments.iter().any(|(name, _)| name == field);
    if committed {
        "(erased)".to_owned()
    } else {
        String::new()
    }
}

fn about(entry: &AuditEntry) -> String {
    let subject = opening(entry, "subject");
    let provider = entry.provider.as_deref().unwrap_or_default();
    match (subject.is_empty(), entry.jobs.len()) {
        (false, _) => format!("{subject} at {provider}"),
        (true, 0) => entry.order.clone().unwrap_or_default(),
        (true, jobs) => format!("{jobs} jobs at {provider}"),
    }
}

async fn show(app: &mut App, seq: u64) -> Result<Exit, Failure> {
    let (_folder, store) = app.state()?;
    let entry = store
        .audit(seq.saturating_sub(1), 1)
        .await?
        .pop()
        .filter(|entry| entry.seq == seq);
    let Some(entry) = entry else {
        return Err(Failure::usage(format!("the record has no entry {seq}")));
    };
    if app.printer.format() != Output::Text {
        app.printer.json(&entry)?;
        return Ok(Exit::Done);
    }
    let mut lines = vec![
        ("entry", entry.seq.to_string()),
        ("at", entry.at.to_string()),
        ("action", entry.action.clone()),
    ];
    lines.extend(entry.order.clone().map(|order| ("order", order)));
    lines.extend(
        entry
            .provider
            .clone()
            .map(|provider| ("provider", provider)),
    );
    if !entry.jobs.is_empty() {
        let jobs: Vec<_> = entry.jobs.iter().map(ToString::to_string).collect();
        lines.push(("jobs", jobs.join(" ")));
    }
    lines.extend(entry.outcome.clone().map(|outcome| ("outcome", outcome)));
    lines.extend(entry.detail.clone().map(|detail| ("detail", detail)));
    for (name, value) in &lines {
        app.printer
            .line(&format!("{name:10} {}", cell::terminal(value)))?;
    }
    for (field, commitment) in &entry.commitments {
        app.printer.line(&format!(
            "{field:10} {}",
            cell::terminal(&opening(&entry, field))
        ))?;
        app.printer
            .line(&format!("           committed as {commitment}"))?;
    }
    app.printer
        .line(&format!("previous   {}", entry.previous))?;
    app.printer.line(&format!("hash       {}", entry.hash))?;
    Ok(Exit::Done)
}

fn read_key(text: &str) -> Result<PublicKey, Failure> {
    text.parse()
        .map_err(|error| Failure::usage(format!("{error}")))
}

fn read_copied(file: Option<&Path>) -> Result<Vec<Checkpoint>, Failure> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let text = std::fs::read(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    // A power failure may cut a note off in the middle of a character.
    note::read_copies(&String::from_utf8_lossy(&text)).ok_or_else(|| {
        Failure::usage(format!(
            "{} is not a file of signed checkpoints",
            file.display()
        ))
    })
}

fn verify_file(file: &Path, key: Option<&str>, copied: &[Checkpoint]) -> Result<Verdict, Failure> {
    let key = key.map(read_key).transpose()?;
    let input = File::open(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    Ok(export::verify(
        BufReader::new(input),
        key.as_ref(),
        copied,
        &Ed25519,
    )?)
}

/// The configured copy of the checkpoints; a folder that was named by hand may be another's.
fn configured_copy(app: &App) -> Result<Vec<Checkpoint>, Failure> {
    if app.global.sandbox || app.global.state_dir.is_some() {
        return Ok(Vec::new());
    }
    let config = app
        .sources()
        .ok()
        .and_then(|sources| Config::load(&sources).ok());
    let Some(copy) = config.and_then(|config| config.audit.checkpoint_copy) else {
        return Ok(Vec::new());
    };
    if !copy.exists() {
        app.say(&format!(
            "warning: audit.checkpoint_copy is not there: {}",
            copy.display()
        ));
        return Ok(Vec::new());
    }
    read_copied(Some(&copy))
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    whole: bool,
    #[serde(flatten)]
    verdict: &'a Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    mismatch: Option<&'a Mismatch>,
    message: String,
}

fn print_verdict(
    app: &mut App,
    verdict: &Verdict,
    mismatch: Option<&Mismatch>,
    key_given: bool,
) -> Result<Exit, Failure> {
    let whole = verdict.is_whole() && mismatch.is_none();
    let message = match (&verdict.fault, mismatch) {
        (None, Some(mismatch)) => {
            format!("The state folder is NOT what its record says: {mismatch}.")
        }
        (None, None) => format!(
            "The record is whole: {} entries in one chain, {} of them under {} signed checkpoints.",
            verdict.entries, verdict.covered, verdict.checkpoints
        ),
        (Some(fault), _) => format!("The record was CHANGED: {fault}."),
    };
    if app.printer.format() == Output::Text {
        app.printer.line(&message)?;
        if verdict.erased > 0 {
            app.printer.line(&format!(
                "{} personal values are erased; their commitments still verify.",
                verdict.erased
            ))?;
        }
        if whole && !key_given {
            app.printer.line("Checked with the key kept beside the record; --public-key proves it against a key kept elsewhere.")?;
        }
        if !whole {
            app.printer.line("Keep a copy of the state folder as it is, and compare it with the checkpoints kept outside (audit.checkpoint_copy).")?;
        }
    } else {
        app.printer.json(&Line {
            schema: "rescind.audit.verify/1",
            whole,
            verdict,
            mismatch,
            message,
        })?;
    }
    Ok(if whole { Exit::Done } else { Exit::Unfulfilled })
}

async fn export(
    app: &mut App,
    folder: &StateFolder,
    store: &dyn Store,
    redact: bool,
) -> Result<Exit, Failure> {
    store.checkpoint().await?;
    let header = Header::new(folder.public_key(), redact);
    let checkpoints = store.checkpoints().await?;
    let mut writer = ExportWriter::begin(&mut app.printer, &header, &checkpoints)?;
    let mut after = 0;
    loop {
        let page = store.audit(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        writer.entries(page)?;
    }
    writer.finish()?;
    Ok(Exit::Done)
}
