//! `rescind config`: offline validation, and the schema.

use rescind_core::config::{Config, config_schema};
use serde::Serialize;

use crate::app::App;
use crate::args::{Config as Options, Output};
use crate::error::Failure;
use crate::exit::Exit;

#[derive(Serialize)]
struct Verdict {
    schema: &'static str,
    valid: bool,
    providers: Vec<String>,
    warnings: Vec<String>,
}

/// Runs one of the configuration commands.
pub(crate) fn run(options: &Options, app: &mut App) -> Result<Exit, Failure> {
    match options {
        Options::Check => check(app),
        Options::Schema => {
            app.printer.json(&config_schema(&app.registry))?;
            Ok(Exit::Done)
        }
    }
}

fn check(app: &mut App) -> Result<Exit, Failure> {
    let loaded = Config::load_all(&app.sources()?, &app.registry, &app.clock)?;
    let verdict = Verdict {
        schema: "rescind.config.check/1",
        valid: true,
        providers: loaded
            .providers
            .iter()
            .map(|provider| provider.name.to_string())
            .collect(),
        warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
    };
    if app.printer.format() != Output::Text {
        app.printer.json(&verdict)?;
        return Ok(Exit::Done);
    }
    app.printer.line(&format!(
        "The configuration is valid: {} providers ({}).",
        verdict.providers.len(),
        verdict.providers.join(", ")
    ))?;
    for warning in &verdict.warnings {
        app.printer.line(&format!("warning: {warning}"))?;
    }
    app.printer
        .line("Whether the providers agree: rescind providers check")?;
    Ok(Exit::Done)
}
