//! `proof`: runs one instrument, prints its verdict, exits 1 when a goal is missed.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rescind_proof::machine::Machine;

/// Breaks rescind on purpose, many times, and says what came of it.
#[derive(Debug, Parser)]
#[command(name = "proof", version)]
struct Arguments {
    #[command(subcommand)]
    instrument: Instrument,
}

#[derive(Debug, Subcommand)]
enum Instrument {
    /// The facts that stand under every verdict, alone.
    Machine,
}

fn main() -> ExitCode {
    match Arguments::parse().instrument {
        Instrument::Machine => {
            let facts = Machine::look(&std::env::temp_dir());
            let _ = writeln!(std::io::stdout(), "{facts}");
            ExitCode::SUCCESS
        }
    }
}
