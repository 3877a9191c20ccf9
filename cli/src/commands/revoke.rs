//! `rescind revoke`: the main job.

use rescind_core::plan::{Input, PlanRequest};

use super::work::{self, Consent};
use crate::app::App;
use crate::args::Revoke;
use crate::error::Failure;
use crate::exit::Exit;

/// Plans, asks, accepts, works, reports.
pub(crate) async fn run(options: Revoke, app: &mut App) -> Result<Exit, Failure> {
    if options.subjects.is_empty() && options.file.is_empty() && options.group.is_empty() {
        return Err(Failure::usage("nobody was named").with_hint(
            "give subjects as arguments, --file FILE (or - for standard input), or --group PROVIDER:NAME",
        ));
    }
    // A blank note is wrong usage whatever the configuration says, so it is told before anything is opened.
    let request = work::request(app, &options.note, options.reference.clone())?;
    let world = app.world().await?;
    let request = fill(request, &options, &world)?;
    let consent = Consent {
        yes: options.yes,
        max_subjects: options.max_subjects,
        no_wait: options.no_wait,
        dry_run: options.dry_run,
    };
    work::order(app, world, request, consent).await
}

fn fill(
    mut request: PlanRequest,
    options: &Revoke,
    world: &crate::app::World,
) -> Result<PlanRequest, Failure> {
    request.providers = world.providers(&options.provider)?;
    request.urgent = options.urgent;
    request.verify = !options.no_verify;
    request.skip_bad_rows = options.skip_bad_rows;
    if !options.subjects.is_empty() {
        request
            .inputs
            .push(Input::Arguments(options.subjects.clone()));
    }
    for file in &options.file {
        request.inputs.push(if file.as_os_str() == "-" {
            Input::Stdin
        } else {
            Input::File(file.clone())
        });
    }
    for group in &options.group {
        let (provider, name) = group.split_once(':').ok_or_else(|| {
            Failure::usage(format!("{group:?} is no group"))
                .with_hint("write --group PROVIDER:NAME_OR_ID, as --group entra:Contractors")
        })?;
        let provider = world.providers(&[provider.to_owned()])?.remove(0);
        request.inputs.push(Input::Group {
            provider,
            group: name.to_owned(),
        });
    }
    Ok(request)
}
