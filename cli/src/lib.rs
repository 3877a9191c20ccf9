//! The command line of `rescind`: it parses, calls the core, and prints. A program with other connectors calls
//! [`run`] with its own [`Registry`].

mod actor;
mod app;
mod args;
mod commands;
pub mod connectors;
mod embedded;
mod error;
mod exit;
#[cfg(test)]
mod generated;
mod lock;
mod log;
mod output;
mod progress;
mod secrecy;
#[doc(hidden)]
pub mod shown;
mod stop;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use indicatif::MultiProgress;
use rescind_core::connector::Registry;

use crate::app::App;
use crate::args::{Cli, Command, Output};
use crate::error::Failure;
use crate::exit::Exit;

/// Runs one command line (the program's own name first) with the connectors of `registry`.
///
/// Prints data to stdout and everything else to stderr; the exit codes are those of `rescind --help`.
pub fn run(registry: Registry, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    secrecy::keep_memory();
    secrecy::keep_panics_quiet();
    let args: Vec<_> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args).into(),
    };
    // Two TLS providers in one tree would otherwise be a panic at the first connection.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let bars = MultiProgress::new();
    log::start(&cli.global, &bars);
    let json = matches!(cli.global.output, Output::Json | Output::Jsonl);
    let mut app = App::new(cli.global, registry, bars);
    let result = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let work = AssertUnwindSafe(|| runtime.block_on(dispatch(cli.command, &mut app)));
            // The hook has said where; nothing of the command is looked at any more but what it printed.
            let result = panic::catch_unwind(work).unwrap_or_else(|_| Err(broken()));
            // A reader of standard input may sit in a read for ever; nothing waits for it.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(error.into()),
    };
    let result = result.and_then(|exit| {
        app.printer.finish()?;
        Ok(exit)
    });
    result.unwrap_or_else(|failure| failure.print(json)).into()
}

fn broken() -> Failure {
    Failure::fault("a bug ended the command").with_hint(
        "what was accepted is on disk: `rescind orders list` shows it, `rescind run` continues it",
    )
}

async fn dispatch(command: Command, app: &mut App) -> Result<Exit, Failure> {
    if let Some(knob) = app.global.knobs.turned()
        && !app.global.sandbox
        && !matches!(command, Command::Sandbox(_))
    {
        return Err(Failure::usage(format!(
            "{knob} shapes the simulated tenants, and there are none here"
        ))
        .with_hint("add --sandbox, or start them with `rescind sandbox`"));
    }
    match command {
        Command::Revoke(options) => commands::revoke::run(*options, app).await,
        Command::Run(options) => commands::run::run(options, app).await,
        Command::Inventory(options) => commands::inventory::run(options, app).await,
        Command::Orders(options) => commands::orders::run(options, app).await,
        Command::Providers(options) => commands::providers::run(options, app).await,
        Command::Audit(options) => commands::audit::run(options, app).await,
        Command::Config(options) => commands::config::run(&options, app),
        Command::Connectors(options) => {
            commands::connectors::run(&options, &app.registry, &mut app.printer)
        }
        Command::Sandbox(options) => commands::sandbox::run(options, app).await,
        Command::Verify => {
            let (_folder, store) = app.state()?;
            commands::verify::run(store.as_ref(), &mut app.printer).await
        }
        Command::Completions { shell } => {
            commands::completions::completions(shell, &mut app.printer)
        }
        Command::Man => commands::completions::man(&mut app.printer),
    }
}

/// Prints what the parser says; help and version are no errors.
fn usage(error: &clap::Error, args: &[OsString]) -> Exit {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _closed = error.print();
        return Exit::Done;
    }
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let asked = |format: &str| {
        words
            .iter()
            .any(|word| *word == format!("--output={format}"))
            || words
                .windows(2)
                .any(|pair| pair[0] == "--output" && pair[1] == format)
    };
    if asked("json") || asked("jsonl") {
        let text = error.render().to_string();
        // Up to the usage: the first line may only announce what the next ones name.
        let message = text
            .lines()
            .map(str::trim)
            .take_while(|line| {
                !line.starts_with("Usage:") && !line.starts_with("For more information")
            })
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let message = message.trim_start_matches("error: ").to_owned();
        return Failure::usage(message)
            .with_hint("`rescind --help` shows what can be asked for")
            .print(true);
    }
    let _closed = error.print();
    Exit::Usage
}
