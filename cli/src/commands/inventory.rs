//! `rescind inventory`: single grants, passwords and sessions.

use rescind_core::context::Priority;
use rescind_core::engine::fleet::Member;
use rescind_core::id::ProviderName;
use rescind_core::plan::items::ItemRef;
use rescind_core::provider::{InventoryItem, Resolution};
use rescind_core::subject::Subject;
use serde::Serialize;

use super::work::{self, Consent};
use crate::app::{App, World};
use crate::args::{Inventory, InventoryEnd, Output};
use crate::error::Failure;
use crate::exit::Exit;

#[derive(Serialize)]
struct Line {
    item: String,
    subject: String,
    account: String,
    provider: String,
    #[serde(flatten)]
    what: InventoryItem,
}

/// Runs one of the inventory commands.
pub(crate) async fn run(options: Inventory, app: &mut App) -> Result<Exit, Failure> {
    match options {
        Inventory::List { subjects, provider } => {
            let world = app.world().await?;
            let exit = list(app, &world, &subjects, &provider).await;
            world.close().await;
            exit
        }
        Inventory::End(options) => end(options, app).await,
    }
}

async fn list(
    app: &mut App,
    world: &World,
    subjects: &[String],
    names: &[String],
) -> Result<Exit, Failure> {
    let names = world.providers(names)?;
    let members: Vec<_> = world
        .fleet
        .members()
        .iter()
        .filter(|member| {
            if names.is_empty() {
                member.roles.inventory.is_some()
            } else {
                names.contains(&member.name)
            }
        })
        .collect();
    if let Some(without) = members
        .iter()
        .find(|member| member.roles.inventory.is_none())
    {
        return Err(Failure::usage(format!(
            "{} cannot name single sessions or grants",
            without.name
        ))
        .with_hint("`rescind providers list` shows which providers have the role inventory"));
    }
    let subjects = subjects
        .iter()
        .map(|text| Subject::parse(text).map_err(|error| Failure::usage(error.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut lines, mut missing) = (Vec::new(), false);
    for member in members {
        for (subject, resolution) in subjects.iter().zip(
            member
                .resolve(&subjects, Priority::Urgent)
                .await
                .map_err(|error| provider_failure(&error))?,
        ) {
            let account = match resolution {
                Resolution::Found(account) => account,
                other => {
                    missing = true;
                    app.say(&format!(
                        "{} at {}: {}",
                        subject.given(),
                        member.name,
                        why_not(other)
                    ));
                    continue;
                }
            };
            let items = member
                .items(&account.id, Priority::Urgent)
                .await
                .map_err(|error| provider_failure(&error))?;
            lines.extend(items.into_iter().map(|what| Line {
                item: ItemRef::new(&account.id, &what.id).to_string(),
                subject: subject.given().to_owned(),
                account: account.name.clone(),
                provider: member.name.to_string(),
                what,
            }));
        }
    }
    let row = |line: &Line| {
        let day = |at: Option<jiff::Timestamp>| {
            at.map(|at| at.strftime("%F").to_string())
                .unwrap_or_default()
        };
        vec![
            line.item.clone(),
            line.account.clone(),
            line.provider.clone(),
            line.what.kind.clone(),
            line.what.title.clone(),
            day(line.what.created_at),
            day(line.what.last_used_at),
        ]
    };
    let header = [
        "item",
        "account",
        "provider",
        "kind",
        "title",
        "created",
        "last used",
    ];
    app.printer.list(
        "rescind.inventory/1",
        &lines,
        &header,
        row,
        "Nothing that can be named is alive.",
    )?;
    if app.printer.format() == Output::Text && !lines.is_empty() {
        app.printer
            .line("\nEnd one: rescind inventory end ITEM --provider P --note TEXT")?;
    }
    Ok(if missing {
        Exit::Unfulfilled
    } else {
        Exit::Done
    })
}

fn why_not(resolution: Resolution) -> String {
    match resolution {
        Resolution::Ambiguous { count } => {
            format!("{count} accounts answer to it; name one by its id")
        }
        Resolution::Failed(error) => error.message().to_owned(),
        _ => "not found; check the spelling".to_owned(),
    }
}

fn provider_failure(error: &rescind_core::error::Error) -> Failure {
    let failure = Failure::new(Exit::Fault, "provider", error.to_string());
    match error.hint() {
        Some(hint) => failure.with_hint(hint.to_owned()),
        None => failure,
    }
}

async fn end(options: InventoryEnd, app: &mut App) -> Result<Exit, Failure> {
    let world = app.world().await?;
    let provider = named(&world, &options.provider)?;
    let items = options
        .items
        .iter()
        .map(|text| {
            text.parse::<ItemRef>()
                .map_err(|error| Failure::usage(error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let request = work::request(app, &options.note, options.reference)?.for_items(provider, items);
    let consent = Consent {
        yes: options.yes,
        max_subjects: options.max_subjects,
        no_wait: options.no_wait,
        dry_run: options.dry_run,
    };
    work::order(app, world, request, consent).await
}

fn named(world: &World, name: &str) -> Result<ProviderName, Failure> {
    let name = world.providers(&[name.to_owned()])?.remove(0);
    match world
        .fleet
        .get(&name)
        .map(|member: &std::sync::Arc<Member>| member.roles.inventory.is_some())
    {
        Some(true) => Ok(name),
        _ => Err(
            Failure::usage(format!("{name} cannot end single sessions or grants")).with_hint(
                "`rescind providers list` shows which providers have the role inventory",
            ),
        ),
    }
}
