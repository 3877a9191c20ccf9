//! `rescind sandbox`: simulated tenants for people who want to try, and for tests.

use std::time::Duration;

use rescind_sandbox::Sandbox;
use serde::Serialize;

use crate::app::App;
use crate::args::{Output, Sandbox as Options};
use crate::embedded;
use crate::error::Failure;
use crate::exit::Exit;

#[derive(Serialize)]
struct Started {
    schema: &'static str,
    address: String,
    config: String,
    leavers: String,
    ledger: String,
}

/// Runs the tenants until a signal, or for as long as was asked.
pub(crate) async fn run(options: Options, app: &mut App) -> Result<Exit, Failure> {
    if !options.listen.ip().is_loopback() {
        return Err(
            Failure::usage(format!("{} is not a loopback address", options.listen))
                .with_hint("the sandbox hands out secrets freely; it listens on this machine only"),
        );
    }
    let mut tenants = embedded::quiet_options(&app.global.knobs)?;
    tenants.listen = options.listen;
    embedded::refuse_foreign(&options.files)?;
    let sandbox = Sandbox::start(tenants).await?;
    sandbox.write_files(&options.files)?;
    let (config, leavers) = (
        options.files.join("rescind.toml"),
        options.files.join("leavers.csv"),
    );
    let started = Started {
        schema: "rescind.sandbox/1",
        address: sandbox.addr().to_string(),
        config: config.display().to_string(),
        leavers: leavers.display().to_string(),
        ledger: format!("http://{}/_sandbox/ledger", sandbox.addr()),
    };
    if app.printer.format() == Output::Text {
        app.printer.line(&format!(
            "# Simulated tenants on {}; stop with Ctrl-C.",
            started.address
        ))?;
        app.printer.line(&format!("# Ledger: {}", started.ledger))?;
        app.printer.line(&format!(
            "# This configuration is in {}, people to revoke in {}. Try:",
            started.config, started.leavers
        ))?;
        app.printer.line(&format!(
            "#   rescind revoke --config {} --file {} --note \"try it\" --yes --max-subjects 1000\n",
            started.config, started.leavers
        ))?;
        app.printer.line(&std::fs::read_to_string(&config)?)?;
    } else {
        app.printer.json_line(&started)?;
    }
    app.printer.finish()?;
    let stop = crate::stop::on_signals(true);
    let limit = options
        .stop_after
        .map_or(Duration::MAX, Duration::from_secs);
    let _elapsed = tokio::time::timeout(limit, stop.drain.cancelled()).await;
    sandbox.shutdown().await?;
    Ok(Exit::Done)
}
