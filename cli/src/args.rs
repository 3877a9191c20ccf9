//! The command line: what can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Ends every session a person has, at every provider, and proves it.
#[derive(Debug, Parser)]
#[command(
    name = "rescind",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  rescind revoke --sandbox --file examples/leavers.csv --note \"try it\" --yes --max-subjects 500
  rescind revoke ada@contoso.com --note \"laptop stolen, INC-4711\" --urgent
  rescind run                     continue everything that is open
  rescind orders show ID          what became of each job
  rescind audit verify            prove that nobody changed the record

Exit codes:
  0  every job confirmed or gone
  1  unexpected fault (store, I/O, bug)
  2  usage, configuration or input; nothing started
  3  finished, but some jobs are refused or parked, listed; or a check found something
  4  refused by a guard before anything was sent
  5  jobs still open; `rescind run` continues"
)]
pub(crate) struct Cli {
    /// What applies everywhere.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The configuration file [default: ./rescind.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "RESCIND_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// The folder that holds orders, outcomes and the audit [default: state_dir of the configuration]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// How to print the result
    #[arg(long, global = true, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// Work on simulated tenants inside this process; needs no configuration
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
    /// No progress, no remarks: only the result, and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More log on stderr; -vv for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log lines as JSON
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) log_json: bool,
    /// Colour on the terminal
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,
    /// How wide tables may be [default: the terminal's width]
    #[arg(
        long,
        global = true,
        env = "COLUMNS",
        hide_env_values = true,
        value_name = "N",
        hide = true
    )]
    pub(crate) columns: Option<String>,
    /// How the simulated tenants behave.
    #[command(flatten)]
    pub(crate) knobs: Knobs,
}

/// How the simulated tenants behave: for `--sandbox` and for `rescind sandbox`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "With --sandbox")]
pub(crate) struct Knobs {
    /// How many people the simulated tenants have
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub(crate) people: Option<u32>,
    /// How long each of their answers takes
    #[arg(long, global = true, value_name = "MS", hide_short_help = true)]
    pub(crate) latency_ms: Option<u64>,
    /// What goes wrong there, as `reset-after=2%,5xx-before=1%`
    #[arg(long, global = true, value_name = "SPEC", hide_short_help = true)]
    pub(crate) faults: Option<String>,
    /// `documented`, `none`, or calls per seconds as `100/1`
    #[arg(long, global = true, value_name = "QUOTA", hide_short_help = true)]
    pub(crate) quota: Option<String>,
    /// Makes the same tenants and the same faults again
    #[arg(long, global = true, value_name = "N", hide_short_help = true)]
    pub(crate) seed: Option<u64>,
    /// Where the ledger of what was really done is written, one JSON object a line
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) ledger: Option<PathBuf>,
}

impl Knobs {
    /// The first knob that was turned, for an error where there is no sandbox.
    pub(crate) fn turned(&self) -> Option<&'static str> {
        [
            (self.people.is_some(), "--people"),
            (self.latency_ms.is_some(), "--latency-ms"),
            (self.faults.is_some(), "--faults"),
            (self.quota.is_some(), "--quota"),
            (self.seed.is_some(), "--seed"),
            (self.ledger.is_some(), "--ledger"),
        ]
        .into_iter()
        .find_map(|(turned, flag)| turned.then_some(flag))
    }
}

/// How to print the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables for people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// End the sessions of people: plan, confirm, accept, run, report
    Revoke(Box<Revoke>),
    /// Continue everything that is open, and try parked jobs once
    Run(Run),
    /// List and end single grants and sessions
    #[command(subcommand)]
    Inventory(Inventory),
    /// What was asked for, and what became of each job
    #[command(subcommand)]
    Orders(Orders),
    /// The configured providers: roles, rights, quota, what a success leaves alive
    #[command(subcommand)]
    Providers(Providers),
    /// The record, and the proof that nobody changed it
    #[command(subcommand)]
    Audit(Audit),
    /// Check the configuration offline; print its JSON Schema
    #[command(subcommand)]
    Config(Config),
    /// The connectors in this build, with their settings and the rights they need
    Connectors(Connectors),
    /// Simulated Microsoft and Google tenants, until stopped
    Sandbox(Sandbox),
    /// Check that the books balance: accepted = confirmed + gone + open + parked + cancelled + refused
    Verify,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// `rescind revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Input is one identifier a line, CSV with a header, or JSON Lines. Columns: subject (or user, email, upn, id), optional
provider, optional note; a column named after a provider holds that provider's own identifier for the person.

Examples:
  rescind revoke ada@contoso.com --note \"laptop stolen\" --urgent
  rescind revoke --file leavers.csv --note \"leavers of November\" --reference HR-2231
  rescind revoke --group entra:Contractors --note \"contract ended\"
  cut -d, -f3 export.csv | rescind revoke --file - --note \"phishing\" --yes --max-subjects 400
  rescind revoke --file leavers.csv --note \"rehearsal\" --dry-run --output json")]
pub(crate) struct Revoke {
    /// Who: an e-mail address, sign-in name or the provider's own id
    #[arg(value_name = "SUBJECT")]
    pub(crate) subjects: Vec<String>,
    /// Read people from a file, or from standard input with `-`
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append)]
    pub(crate) file: Vec<PathBuf>,
    /// Everybody in a group of a provider, nested groups included
    #[arg(long, value_name = "PROVIDER:NAME_OR_ID")]
    pub(crate) group: Vec<String>,
    /// Only at this provider; may be repeated [default: every provider that may know the person]
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: Vec<String>,
    /// Why; the audit keeps it
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: String,
    /// Case or ticket number
    #[arg(long, value_name = "TICKET")]
    pub(crate) reference: Option<String>,
    /// Overtake bulk orders
    #[arg(long)]
    pub(crate) urgent: bool,
    /// Show the plan and stop; nothing is accepted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask; above the bulk threshold --max-subjects must state the size too
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Refuse when there are more people than this
    #[arg(long, value_name = "N")]
    pub(crate) max_subjects: Option<u64>,
    /// Leave out rows that cannot be read, and list them
    #[arg(long)]
    pub(crate) skip_bad_rows: bool,
    /// Do not read the providers' own evidence back
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Accept the order and leave; `rescind run` works on it
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `rescind run`
#[derive(Debug, Args)]
#[command(after_help = "\
Safe at any time: after a crash, a pause, or --no-wait. Only --order releases a paused order.

Examples:
  rescind run
  rescind run --order 0197f3c2-…")]
pub(crate) struct Run {
    /// Only this order; releases it when it is paused
    #[arg(long, value_name = "ID")]
    pub(crate) order: Option<String>,
}

/// `rescind inventory`
#[derive(Debug, Subcommand)]
pub(crate) enum Inventory {
    /// What can be named for a person: grants, app passwords, sessions
    #[command(
        after_help = "Example:\n  rescind inventory list ada@example.com --provider workspace"
    )]
    List {
        /// Who
        #[arg(required = true, value_name = "SUBJECT")]
        subjects: Vec<String>,
        /// Only at this provider [default: every provider that can name them]
        #[arg(long, value_name = "PROVIDER")]
        provider: Vec<String>,
    },
    /// End single items; an order like any other
    #[command(
        after_help = "Example:\n  rescind inventory end 1098…/grant:1234.apps.example --provider workspace --note \"unknown app\""
    )]
    End(InventoryEnd),
}

/// `rescind inventory end`
#[derive(Debug, Args)]
pub(crate) struct InventoryEnd {
    /// Items as `inventory list` prints them
    #[arg(required = true, value_name = "ITEM")]
    pub(crate) items: Vec<String>,
    /// Where
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: String,
    /// Why; the audit keeps it
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: String,
    /// Case or ticket number
    #[arg(long, value_name = "TICKET")]
    pub(crate) reference: Option<String>,
    /// Show the plan and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Refuse when there are more people than this
    #[arg(long, value_name = "N")]
    pub(crate) max_subjects: Option<u64>,
    /// Accept the order and leave
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `rescind orders`
#[derive(Debug, Subcommand)]
pub(crate) enum Orders {
    /// Orders, newest first
    List {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// Only orders with something open, parked or paused
        #[arg(long)]
        unfinished: bool,
    },
    /// One order with each of its jobs
    Show {
        /// The order
        id: String,
        /// Only jobs in these states
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        state: Vec<String>,
    },
    /// Follow a running order to its end
    Watch {
        /// The order
        id: String,
    },
    /// Every job of an order, for a spreadsheet or another program
    #[command(after_help = "Example:\n  rescind orders export ID --output csv > result.csv")]
    Export {
        /// The order
        id: String,
    },
    /// Try parked jobs again, and refused ones in a new order
    Retry {
        /// The order
        id: String,
        /// Why; the audit keeps it [default: the order's own note]
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Refuse when there are more people than this
        #[arg(long, value_name = "N")]
        max_subjects: Option<u64>,
        /// Accept and leave; `rescind run` works on it
        #[arg(long)]
        no_wait: bool,
    },
    /// Call an order off; calls already made stay made
    Cancel {
        /// The order
        id: String,
        /// Why; the audit keeps it
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
}

/// `rescind providers`
#[derive(Debug, Subcommand)]
pub(crate) enum Providers {
    /// What is configured; sends nothing
    List,
    /// Credentials and rights, changing nothing
    Check {
        /// Which [default: all]
        #[arg(value_name = "PROVIDER")]
        providers: Vec<String>,
    },
}

/// `rescind audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Entries, oldest first
    List {
        /// Only entries after this one
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: u64,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
        /// Only entries about this order
        #[arg(long, value_name = "ID")]
        order: Option<String>,
    },
    /// One entry, whole
    Show {
        /// Its number
        seq: u64,
    },
    /// Prove that nobody changed the record
    #[command(after_help = "\
Without --file it reads the state folder: the chain and its signed checkpoints, then every order and job beside \
them, which must be what the record says; and the configured audit.checkpoint_copy, unless --checkpoints names \
another file. With --sandbox or --state-dir the configuration is not asked: such a folder may be another's, so name \
its copy with --checkpoints. With --file there are no orders and jobs to compare. Safe while somebody works on the \
folder.

Exit 0: whole. Exit 3: changed, with the place.

Examples:
  rescind audit verify
  rescind audit verify --checkpoints /mnt/worm/rescind.checkpoints --public-key \"$KEY\"
  rescind audit verify --file audit.jsonl --public-key \"$KEY\"")]
    Verify {
        /// Check an exported file instead of the state folder
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The public key it must be signed with, as `audit export` prints it
        #[arg(long, value_name = "KEY")]
        public_key: Option<String>,
        /// Checkpoints kept elsewhere (`audit.checkpoint_copy`): they show whether the end was cut off
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
    },
    /// The whole record, for `verify_audit.py` or an auditor
    Export {
        /// Without names, notes and subjects
        #[arg(long)]
        redact: bool,
    },
}

/// `rescind config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Every problem of the configuration, with its line; no network
    Check,
    /// JSON Schema of the configuration
    Schema,
}

/// `rescind connectors`
#[derive(Debug, Args)]
pub(crate) struct Connectors {
    /// The whole documentation of one kind
    pub(crate) kind: Option<String>,
}

/// `rescind sandbox`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rescind sandbox --listen 127.0.0.1:8800 --ledger ledger.jsonl
  rescind sandbox --people 10000 --latency-ms 50 --quota 100/1 --faults reset-after=2%,5xx-before=1%")]
pub(crate) struct Sandbox {
    /// Where to listen; loopback only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Write rescind.toml, its secrets and leavers.csv into this folder
    #[arg(long, value_name = "DIR", default_value = "./sandbox-files")]
    pub(crate) files: PathBuf,
    /// Stop by itself after this many seconds
    #[arg(long, value_name = "SECS")]
    pub(crate) stop_after: Option<u64>,
}
