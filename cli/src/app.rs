//! What a command works with: configuration, state folder, providers, printer.

use std::path::PathBuf;
use std::sync::Arc;

use indicatif::MultiProgress;
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::config::{Config, ConfigSources, Loaded};
use rescind_core::connector::Registry;
use rescind_core::engine::fleet::Fleet;
use rescind_core::id::{OrderId, ProviderName};
use rescind_core::order::{Actor, Order};
use rescind_core::store::{Purpose, Store, StoreError, check_bindings};
use rescind_store::StateFolder;

use crate::args::Global;
use crate::embedded::Embedded;
use crate::error::Failure;
use crate::output::{Printer, remark};

/// The folder of an embedded sandbox, state and ledger.
pub(crate) const SANDBOX_STATE: &str = "./sandbox-state";

/// What every command is given.
pub(crate) struct App {
    /// The flags that apply everywhere.
    pub(crate) global: Global,
    /// The connectors of this build.
    pub(crate) registry: Registry,
    /// Where data goes.
    pub(crate) printer: Printer,
    /// The progress bars, which log lines must not tear.
    pub(crate) bars: MultiProgress,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// Who is at the keyboard.
    pub(crate) actor: Actor,
}

/// Everything that works on providers needs.
pub(crate) struct World {
    /// The configuration.
    pub(crate) config: Config,
    /// The state folder.
    pub(crate) folder: Arc<StateFolder>,
    /// The durable side.
    pub(crate) store: Arc<dyn Store>,
    /// The configured providers with their lanes.
    pub(crate) fleet: Arc<Fleet>,
    /// Keeps the simulated tenants alive.
    pub(crate) sandbox: Option<Embedded>,
}

impl App {
    /// What every command is given.
    pub(crate) fn new(global: Global, registry: Registry, bars: MultiProgress) -> Self {
        // Not a number: as if it were not said; shells export it as they like.
        let columns = global
            .columns
            .as_deref()
            .and_then(|columns| columns.parse().ok());
        let printer = Printer::new(global.output, global.color, columns);
        Self {
            global,
            registry,
            printer,
            bars,
            clock: Arc::new(SystemClock),
            actor: crate::actor::current(),
        }
    }

    /// A remark on stderr, unless `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.global.quiet {
            remark(text);
        }
    }

    /// Where the configuration comes from: file, environment, flags.
    pub(crate) fn sources(&self) -> Result<ConfigSources, Failure> {
        let mut sources = ConfigSources::new()
            .with_file(self.global.config.clone())
            .with_default_file("./rescind.toml")
            .with_env(std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            }));
        if let Some(dir) = &self.global.state_dir {
            sources = sources.with_flag("state_dir", "--state-dir", dir.display().to_string());
        }
        if sources.path().is_none() {
            return Err(Failure::usage("there is no configuration: ./rescind.toml is not here, and --config names no other")
                .with_hint("try it with --sandbox, which needs none; or start from examples/rescind.toml"));
        }
        Ok(sources)
    }

    /// Opens everything that work on providers needs; with `--sandbox`, starts the simulated tenants and takes their
    /// configuration.
    pub(crate) async fn world(&self) -> Result<World, Failure> {
        let (sources, sandbox) = if self.global.sandbox {
            let (embedded, toml) =
                Embedded::start(&self.global.knobs, self.global.state_dir.clone()).await?;
            (
                ConfigSources::from_toml("the sandbox's configuration", toml),
                Some(embedded),
            )
        } else {
            (self.sources()?, None)
        };
        let Loaded {
            config,
            providers,
            warnings,
            ..
        } = Config::load_all(&sources, &self.registry, &self.clock)?;
        for warning in warnings {
            self.say(&format!("warning: {warning}"));
        }
        let folder = Arc::new(StateFolder::open(
            &config.state_dir,
            Purpose {
                sandbox: sandbox.is_some(),
            },
        )?);
        if let Some(path) = &config.audit.checkpoint_copy {
            folder.set_checkpoint_copy(path);
        }
        let store: Arc<dyn Store> = folder.store();
        let fleet =
            Arc::new(Fleet::open(providers, store.as_ref(), Arc::clone(&self.clock)).await?);
        Ok(World {
            config,
            folder,
            store,
            fleet,
            sandbox,
        })
    }

    /// How many visible characters a note needs, where a configuration says so.
    pub(crate) fn min_note_chars(&self) -> usize {
        let config = self
            .sources()
            .ok()
            .and_then(|sources| Config::load(&sources).ok());
        config.map_or(1, |config| config.guards.min_note_chars)
    }

    /// Opens the state folder alone, for commands that only read it; needs a configuration only to find it.
    pub(crate) fn state(&self) -> Result<(Arc<StateFolder>, Arc<dyn Store>), Failure> {
        let dir = match self.global.state_dir.clone() {
            Some(dir) => dir,
            None if self.global.sandbox => PathBuf::from(SANDBOX_STATE),
            None => Config::state_dir(&self.sources()?)?,
        };
        if !StateFolder::exists(&dir) {
            return Err(
                Failure::usage(format!("there is no state in {}", dir.display()))
                    .with_hint("nothing was ordered there yet; --state-dir names another folder"),
            );
        }
        // A folder is read whoever it was made for; only work must not mix the two.
        let folder = match StateFolder::open(&dir, Purpose { sandbox: false }) {
            Err(StoreError::Foreign(_)) => StateFolder::open(&dir, Purpose { sandbox: true })?,
            opened => opened?,
        };
        let folder = Arc::new(folder);
        let store = folder.store();
        Ok((folder, store))
    }
}

impl World {
    /// Stops what runs behind it and writes the last of it down.
    pub(crate) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await;
        }
    }

    /// Refuses when open orders were accepted for other tenants than are configured now.
    pub(crate) async fn check_open_orders(&self) -> Result<(), Failure> {
        let open = self.store.open_orders().await?;
        check_bindings(&open, &self.fleet.bindings())
            .map_err(|message| Failure::new(crate::exit::Exit::Usage, "other_tenant", message))
    }

    /// Reads provider names from flags.
    pub(crate) fn providers(&self, names: &[String]) -> Result<Vec<ProviderName>, Failure> {
        names
            .iter()
            .map(|name| {
                let known = || {
                    self.fleet
                        .members()
                        .iter()
                        .map(|member| member.name.to_string())
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                ProviderName::parse(name)
                    .ok()
                    .filter(|name| self.fleet.get(name).is_some())
                    .ok_or_else(|| {
                        Failure::usage(format!(
                            "there is no provider {name:?} in the configuration"
                        ))
                        .with_hint(format!("it has {}", known()))
                    })
            })
            .collect()
    }
}

/// Reads an order id, and the order.
pub(crate) async fn find_order(store: &dyn Store, id: &str) -> Result<Order, Failure> {
    let id: OrderId = id
        .parse()
        .map_err(|error| Failure::usage(format!("{error}")))?;
    Ok(store.order(id).await?)
}
