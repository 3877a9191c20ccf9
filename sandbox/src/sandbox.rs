//! A running sandbox.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Faults;
use crate::files;
use crate::groups::Group;
use crate::leavers;
use crate::ledger::{Entry, Operation, Summary};
use crate::options::SandboxOptions;
use crate::population::{Person, Population};
use crate::quota::Quota;
use crate::server;
use crate::tenant::Tenant;
use crate::world::World;

const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Both simulated tenants, serving until [`shutdown`](Self::shutdown) or drop.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    world: Arc<World>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sandbox {
    /// Starts serving on the current Tokio runtime. Before it returns, connections are accepted.
    ///
    /// # Errors
    /// The address cannot be listened on, or the ledger's file cannot be opened, read, or tells of another population.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let world = Arc::new(World::new(&options));
        if let Some(path) = &options.ledger {
            world.ledger.open(path, &world.state)?;
        }
        let listener = TcpListener::bind(options.listen).await?;
        let addr = listener.local_addr()?;
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        tasks.spawn(server::serve(
            listener,
            Arc::clone(&world),
            tasks.clone(),
            stop.clone(),
        ));
        tasks.spawn(flush_often(Arc::clone(&world), stop.clone()));
        Ok(Self {
            addr,
            world,
            tasks,
            stop,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and the address: the base of every URL here.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Who lives in the tenants.
    pub fn people(&self) -> &Population {
        &self.world.population
    }

    /// Whether the person is in a group of this name, nested groups included.
    pub fn is_in_group(&self, name: &str, person: Person) -> bool {
        Group::all().any(|group| group.name() == name && group.has(&self.world.population, person))
    }

    /// A list of leavers as CSV: columns `subject` (Microsoft) and `workspace` (Google), a typo, a guest, a protected
    /// account and one person twice among them.
    pub fn people_csv(&self) -> String {
        leavers::csv(&self.world.population)
    }

    /// A ready `rescind.toml` for a program whose state and secrets lie in `folder`; [`write_files`](Self::write_files)
    /// puts the secrets there.
    pub fn config_toml(&self, folder: &Path) -> String {
        files::config_toml(&self.world, self.addr, folder)
    }

    /// Writes `rescind.toml`, `leavers.csv`, `sa.json` and `entra-client-secret` into `folder`, the secrets with mode 0600.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when one of them is there and no sandbox wrote it: nothing was touched. Other kinds
    /// when the folder cannot be written.
    pub fn write_files(&self, folder: &Path) -> io::Result<()> {
        files::write(&self.world, self.addr, folder)
    }

    /// The service account's key file as JSON.
    pub fn service_account_key(&self) -> String {
        files::service_account_key(self.addr)
    }

    /// Every entry of the ledger, oldest first.
    pub fn ledger(&self) -> Vec<Entry> {
        self.world.ledger.entries()
    }

    /// The ledger as text: one JSON object a line, as in its file.
    pub fn ledger_lines(&self) -> String {
        let lines = self.world.ledger.lines(0, usize::MAX);
        String::from_utf8_lossy(&lines).into_owned()
    }

    /// Numbers over the whole ledger.
    pub fn summary(&self) -> Summary {
        self.world.ledger.summary()
    }

    /// How often an operation had an effect, for each person by index.
    pub fn effects(&self, operation: Operation) -> Vec<u32> {
        let mut counts = vec![0; self.world.population.len() as usize];
        for entry in self.ledger() {
            if entry.effect
                && entry.operation == operation
                && let Some(person) = entry.person
            {
                counts[person.index() as usize] += 1;
            }
        }
        counts
    }

    /// Whether Google still holds anything for the person: grants, application passwords or backup codes.
    pub fn holds_anything(&self, person: Person) -> bool {
        let state = &self.world.state;
        state.grants(person) != 0
            || state.app_passwords(person) != 0
            || state.has_backup_codes(person)
    }

    /// Ends every access token: the next call of everybody is answered 401.
    pub fn void_tokens(&self) {
        for tenant in Tenant::BOTH {
            self.world.tokens.void(tenant);
        }
    }

    /// New faults from now on. Outages count from this moment; deleted accounts stay deleted.
    pub fn set_faults(&self, faults: Faults) {
        let latency = self.world.knobs().latency;
        self.world.turn(faults, latency);
    }

    /// A new quota from now on, with full buckets.
    pub fn set_quota(&self, quota: Quota) {
        self.world.set_quota(quota);
    }

    /// Stops serving, waits for what is being answered (at most half a second), writes the ledger.
    ///
    /// # Errors
    /// The ledger's file could not be written, now or earlier.
    pub async fn shutdown(self) -> io::Result<()> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.world.ledger.flush()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Err(error) = self.world.ledger.flush() {
            tracing::error!(%error, "the ledger is incomplete");
        }
    }
}

async fn flush_often(world: Arc<World>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FLUSH_EVERY) => {}
        }
        if let Err(error) = world.ledger.flush() {
            tracing::error!(%error, "the ledger is incomplete");
            return;
        }
    }
}
