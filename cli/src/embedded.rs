//! The simulated tenants inside this process, for `--sandbox`.

use std::path::{Path, PathBuf};

use rescind_core::store::Purpose;
use rescind_sandbox::{Sandbox, SandboxOptions};
use rescind_store::StateFolder;

use crate::app::SANDBOX_STATE;
use crate::args::Knobs;
use crate::error::Failure;
use crate::output::remark;

/// Running tenants; they stop when this is closed or dropped.
pub(crate) struct Embedded {
    sandbox: Sandbox,
}

impl Embedded {
    /// Starts the tenants on a free loopback port. Answers them and the configuration that leads to them.
    pub(crate) async fn start(
        knobs: &Knobs,
        state_dir: Option<PathBuf>,
    ) -> Result<(Self, String), Failure> {
        let state_dir = state_dir.unwrap_or_else(|| PathBuf::from(SANDBOX_STATE));
        // Before anything is written: the folder may hold orders of real tenants.
        if StateFolder::exists(&state_dir) {
            StateFolder::open(&state_dir, Purpose { sandbox: true })?;
        }
        refuse_foreign(&state_dir)?;
        let mut options = options(knobs)?;
        options.ledger_sync = true;
        options
            .ledger
            .get_or_insert_with(|| state_dir.join("ledger.jsonl"));
        std::fs::create_dir_all(&state_dir)?;
        let sandbox = Sandbox::start(options).await?;
        sandbox.write_files(&state_dir)?;
        let toml = sandbox.config_toml(&state_dir);
        Ok((Self { sandbox }, toml))
    }

    /// Writes the last of the ledger and stops.
    pub(crate) async fn close(self) {
        if let Err(error) = self.sandbox.shutdown().await {
            remark(&format!("the sandbox's ledger is incomplete: {error}"));
        }
    }
}

/// Refuses a folder with files of somebody else, before anything is written to it.
pub(crate) fn refuse_foreign(folder: &Path) -> Result<(), Failure> {
    rescind_sandbox::refuse_foreign(folder).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(error.to_string())
            .with_hint("the sandbox needs a folder of its own; nothing was written"),
        _ => error.into(),
    })
}

/// The knobs on top of a first look: a little latency and one moment of throttling.
fn options(knobs: &Knobs) -> Result<SandboxOptions, Failure> {
    turned(SandboxOptions::first_run(), knobs)
}

/// The knobs on top of tenants where nothing goes wrong.
pub(crate) fn quiet_options(knobs: &Knobs) -> Result<SandboxOptions, Failure> {
    turned(SandboxOptions::default(), knobs)
}

fn turned(mut options: SandboxOptions, knobs: &Knobs) -> Result<SandboxOptions, Failure> {
    let wrong = |flag: &str, error: String| Failure::usage(format!("{flag}: {error}"));
    if let Some(people) = knobs.people {
        options.people = people;
    }
    if let Some(latency) = knobs.latency_ms {
        options.latency_ms = latency;
    }
    if let Some(seed) = knobs.seed {
        options.seed = seed;
    }
    if let Some(quota) = &knobs.quota {
        options.quota = quota
            .parse()
            .map_err(|error| wrong("--quota", format!("{error}")))?;
    }
    if let Some(faults) = &knobs.faults {
        options.faults = faults
            .parse()
            .map_err(|error| wrong("--faults", format!("{error}")))?;
    }
    options.ledger.clone_from(&knobs.ledger);
    Ok(options)
}
