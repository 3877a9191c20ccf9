//! `rescind providers`: what is configured, and whether it can work.

use futures_util::future::join_all;
use rescind_core::context::Priority;
use rescind_core::engine::fleet::Member;
use rescind_core::provider::{Finding, FindingLevel};
use serde::Serialize;

use crate::app::{App, World};
use crate::args::{Output, Providers};
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::{cell, job::word};
use crate::progress::duration;

#[derive(Serialize)]
struct Line {
    name: String,
    kind: String,
    vendor_tenant: String,
    roles: Vec<&'static str>,
    scopes: Vec<String>,
    quota: Vec<String>,
    max_in_flight: u32,
    domains: Vec<String>,
    effective_within_secs: u64,
    residual: Vec<rescind_core::report::Residual>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refuses: Option<rescind_core::report::Unsupported>,
    rights: Vec<String>,
}

#[derive(Serialize)]
struct Checked {
    name: String,
    kind: String,
    well: bool,
    findings: Vec<Finding>,
}

/// Runs one of the provider commands.
pub(crate) async fn run(options: Providers, app: &mut App) -> Result<Exit, Failure> {
    let world = app.world().await?;
    let exit = match options {
        Providers::List => list(app, &world),
        Providers::Check { providers } => check(app, &world, &providers).await,
    };
    world.close().await;
    exit
}

fn list(app: &mut App, world: &World) -> Result<Exit, Failure> {
    let lines: Vec<_> = world
        .fleet
        .members()
        .iter()
        .map(|member| line(app, member))
        .collect();
    if app.printer.format() != Output::Text {
        let row = |line: &Line| {
            vec![
                line.name.clone(),
                line.kind.clone(),
                line.vendor_tenant.clone(),
                line.roles.join(" "),
                line.quota.join("; "),
                line.rights.join(" "),
            ]
        };
        let header = ["name", "kind", "vendor tenant", "roles", "quota", "rights"];
        app.printer
            .list("rescind.providers/1", &lines, &header, row, "")?;
        return Ok(Exit::Done);
    }
    for line in &lines {
        app.printer.line(&format!(
            "{}  {}  {}",
            line.name,
            line.kind,
            cell::terminal(&line.vendor_tenant)
        ))?;
        app.printer
            .line(&format!("  roles       {}", line.roles.join(", ")))?;
        if let Some(refuses) = &line.refuses {
            app.printer.line(&format!(
                "  refuses     {}; {}",
                refuses.reason, refuses.remedy
            ))?;
            continue;
        }
        let quota = if line.quota.is_empty() {
            "none documented: the answers set the pace".to_owned()
        } else {
            line.quota.join(", ")
        };
        app.printer.line(&format!(
            "  quota       {quota}; {} people in flight",
            line.max_in_flight
        ))?;
        app.printer
            .line(&format!("  rights      {}", line.rights.join(", ")))?;
        let within = duration(std::time::Duration::from_secs(line.effective_within_secs));
        app.printer
            .line(&format!("  in force    within {within} of a success"))?;
        for residual in &line.residual {
            let most = residual
                .up_to_secs
                .map(|secs| duration(std::time::Duration::from_secs(secs)));
            let most = most
                .map(|most| format!(" (up to {most})"))
                .unwrap_or_default();
            app.printer
                .line(&format!("  left alive  {}{most}", residual.what))?;
        }
    }
    if lines.is_empty() {
        app.printer.line("No providers are configured.")?;
    }
    Ok(Exit::Done)
}

fn line(app: &App, member: &Member) -> Line {
    let descriptor = &member.descriptor;
    let info = app
        .registry
        .get(&member.kind)
        .map(rescind_core::connector::Connector::describe);
    Line {
        name: member.name.to_string(),
        kind: member.kind.to_string(),
        vendor_tenant: descriptor.vendor_tenant.clone(),
        roles: member.roles.names(),
        scopes: member
            .capabilities
            .scopes
            .iter()
            .map(|scope| word(scope.scope))
            .collect(),
        quota: quota(member),
        max_in_flight: member.max_in_flight,
        domains: member.domains.clone(),
        effective_within_secs: descriptor.effective_within.as_secs(),
        residual: descriptor.residual.clone(),
        refuses: member.capabilities.refuses.clone(),
        rights: info
            .map(|info| {
                info.permissions
                    .iter()
                    .map(|right| right.name.to_owned())
                    .collect()
            })
            .unwrap_or_default(),
    }
}

fn quota(member: &Member) -> Vec<String> {
    if member.unlimited {
        return vec!["unlimited: only the answers set the pace".to_owned()];
    }
    member
        .budgets
        .iter()
        .map(|budget| {
            format!(
                "{} {} in {}",
                budget.units,
                budget.name,
                duration(budget.per)
            )
        })
        .collect()
}

async fn check(app: &mut App, world: &World, names: &[String]) -> Result<Exit, Failure> {
    let names = world.providers(names)?;
    let members: Vec<_> = world
        .fleet
        .members()
        .iter()
        .filter(|member| names.is_empty() || names.contains(&member.name))
        .collect();
    let checked: Vec<_> = join_all(members.into_iter().map(probe)).await;
    let well = checked.iter().all(|checked| checked.well);
    if app.printer.format() == Output::Text {
        for checked in &checked {
            let verdict = if checked.well {
                "can work"
            } else {
                "CANNOT WORK"
            };
            app.printer
                .line(&format!("{} ({}): {verdict}", checked.name, checked.kind))?;
            for finding in &checked.findings {
                let mark = match finding.level {
                    FindingLevel::Good => "ok     ",
                    FindingLevel::Warning => "warning",
                    FindingLevel::Fault => "FAULT  ",
                };
                app.printer.line(&format!(
                    "  {mark}  {}: {}",
                    finding.what,
                    cell::terminal(&finding.message)
                ))?;
                if let Some(hint) = &finding.hint {
                    app.printer
                        .line(&format!("           -> {}", cell::terminal(hint)))?;
                }
            }
        }
    } else {
        let row = |checked: &Checked| {
            let faults: Vec<_> = checked
                .findings
                .iter()
                .filter(|finding| finding.level != FindingLevel::Good)
                .map(|finding| format!("{}: {}", finding.what, finding.message))
                .collect();
            vec![
                checked.name.clone(),
                checked.kind.clone(),
                checked.well.to_string(),
                faults.join("; "),
            ]
        };
        app.printer.list(
            "rescind.providers.check/1",
            &checked,
            &["name", "kind", "well", "findings"],
            row,
            "",
        )?;
    }
    Ok(if well { Exit::Done } else { Exit::Unfulfilled })
}

async fn probe(member: &std::sync::Arc<Member>) -> Checked {
    let (name, kind) = (member.name.to_string(), member.kind.to_string());
    let findings = match member.probe(Priority::Urgent).await {
        Ok(report) => report.findings,
        Err(error) => {
            let mut finding = Finding::new(FindingLevel::Fault, error.operation(), error.message());
            finding.hint = error.hint().map(str::to_owned);
            vec![finding]
        }
    };
    let well = findings
        .iter()
        .all(|finding| finding.level != FindingLevel::Fault);
    Checked {
        name,
        kind,
        well,
        findings,
    }
}
