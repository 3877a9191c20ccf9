//! `proof`: runs one instrument, prints its verdict, exits 1 when a goal is missed.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rescind_proof::machine::Machine;
use rescind_proof::report::Verdict;
use rescind_proof::{
    audit, crash, hostile, lies, power_cut, protected, seed, simulate, speed, throttle,
};

/// Breaks rescind on purpose, many times, and says what came of it.
#[derive(Debug, Parser)]
#[command(name = "proof", version)]
struct Arguments {
    #[command(subcommand)]
    instrument: Instrument,
}

#[derive(Debug, Subcommand)]
enum Instrument {
    /// Tampers with exported records; two verifiers must name the place, and a million entries take three seconds.
    Audit {
        #[command(flatten)]
        options: audit::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// Kills the program at random instants over a large batch; nobody is lost, nothing false is said, nothing on disk is
    /// repeated.
    Crash {
        #[command(flatten)]
        options: crash::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// Feeds hostile bytes to everything that reads, and hostile texts to everything that prints.
    Hostile {
        #[command(flatten)]
        options: hostile::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// Tells both connectors every answer that is not the documented yes; nothing may be confirmed that was not done.
    Lies {
        #[command(flatten)]
        options: lies::Options,
    },
    /// The facts that stand under every verdict, alone.
    Machine,
    /// One turn of the loop that `speed` compares with.
    #[command(hide = true)]
    BareLoop(speed::BareLoop),
    /// Cuts the power under the engine and its store, at any write, and looks what is left.
    PowerCut {
        #[command(flatten)]
        options: power_cut::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// Random plans that mean protected people under every spelling; the providers' ledgers must know of no call.
    Protected {
        #[command(flatten)]
        options: protected::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// Planner, engine, lanes and a model of the store under a million seeds; each decides everything that happens.
    Simulate {
        #[command(flatten)]
        options: simulate::Options,
        #[command(flatten)]
        seed: Seed,
    },
    /// People a second from start to exit beside a bare loop, intake, start-up, memory. Wants a quiet machine.
    Speed {
        #[command(flatten)]
        options: speed::Options,
    },
    /// The whole engine against simulated providers that throttle, under a paused clock; their ledgers judge.
    Throttle {
        #[command(flatten)]
        options: throttle::Options,
        #[command(flatten)]
        seed: Seed,
    },
}

#[derive(Debug, clap::Args)]
struct Seed {
    /// Repeats a run; printed by every run.
    #[arg(long)]
    seed: Option<u64>,
}

impl Seed {
    fn or_fresh(&self) -> u64 {
        let seed = seed::or_fresh(self.seed);
        let _ = writeln!(std::io::stderr(), "seed {seed}");
        seed
    }
}

/// Prints a verdict; an instrument that could not do its work has failed.
fn tell(verdict: std::io::Result<Verdict>) -> ExitCode {
    match verdict {
        Ok(verdict) => {
            let _ = writeln!(std::io::stdout(), "{verdict}");
            ExitCode::from(u8::from(!verdict.met()))
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "the instrument failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().instrument {
        Instrument::Audit { options, seed } => tell(audit::run(&options, seed.or_fresh())),
        Instrument::Crash { options, seed } => tell(crash::run(&options, seed.or_fresh())),
        Instrument::Hostile { options, seed } => tell(hostile::run(&options, seed.or_fresh())),
        Instrument::Lies { options } => tell(lies::run_alone(options)),
        Instrument::Machine => {
            let facts = Machine::look(&std::env::temp_dir());
            let _ = writeln!(std::io::stdout(), "{facts}");
            ExitCode::SUCCESS
        }
        Instrument::PowerCut { options, seed } => tell(power_cut::prove(&options, seed.or_fresh())),
        Instrument::Protected { options, seed } => {
            tell(Ok(protected::run(&options, seed.or_fresh())))
        }
        Instrument::Simulate { options, seed } => match options.replay {
            Some(seed) => simulate::replay(seed),
            None => tell(Ok(simulate::run(&options, seed.or_fresh()))),
        },
        Instrument::Speed { options } => tell(speed::run(&options)),
        Instrument::BareLoop(options) => match speed::bare_loop(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "the loop failed: {error}");
                ExitCode::FAILURE
            }
        },
        Instrument::Throttle { options, seed } => {
            tell(Ok(throttle::run(&options, seed.or_fresh())))
        }
    }
}
