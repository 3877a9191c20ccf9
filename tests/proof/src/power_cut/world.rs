//! One world: people, their provider, and a machine that works on orders and loses power on the way, up to three times.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rescind_core::clock::Clock;
use rescind_core::engine::fleet::Fleet;
use rescind_core::engine::{Ended, Engine, EngineError, EngineParts, Goal, Stop};
use rescind_core::id::OrderId;
use rescind_core::order::{Actor, Binding, Note, OrderDraft};
use rescind_core::store::{Acceptance, Purpose, StagedJob, Store, StoreError};
use rescind_power_cut::{Disk, DiskOptions};
use rescind_store::{Ed25519Signer, SqliteStore};
use tokio::time::{sleep, timeout};

use super::flaw::{Flaw, Hasty};
use super::hourglass::{Hands, Hourglass};
use super::judge::{Judge, Violation};
use super::people::People;
use super::witness::{Told, Witness};
use crate::chance::Chance;

/// The database on the disk.
pub(super) const DATABASE: &str = "rescind.db";

/// The key that signs checkpoints; it lies beside the database and is synced when it is made.
const KEY: [u8; 32] = [7; 32];

/// No order of a world takes this long by the provider's clock.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long a machine takes to start again.
const START: Duration = Duration::from_secs(40);

/// What a world is made of.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) seed: u64,
    pub(super) flaw: Flaw,
    /// The operation of the first cut is among so many; 0: the power fails when all is done.
    pub(super) operations: usize,
    /// A database in which nothing was done yet.
    pub(super) fresh: Arc<Vec<(String, Vec<u8>)>>,
    /// A folder of this world's own.
    pub(super) folder: PathBuf,
}

/// What came of a world.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) cuts: u64,
    pub(super) jobs: u64,
    pub(super) in_flight: u64,
    pub(super) calls: u64,
    pub(super) repeated: u64,
    /// Operations until the first cut.
    pub(super) operations: u64,
    pub(super) violations: Vec<Violation>,
}

/// A database in which nothing was done yet.
pub(super) fn fresh() -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let disk = Disk::new(DiskOptions::default());
    let clock: Arc<dyn Clock> = Arc::new(rescind_core::clock::SystemClock);
    drop(open(&disk, &clock, None)?);
    Ok(disk.files())
}

pub(super) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(&KEY).expect("32 bytes are a seed")
}

pub(super) fn open(
    disk: &Disk,
    clock: &Arc<dyn Clock>,
    copy: Option<&Path>,
) -> Result<SqliteStore, StoreError> {
    SqliteStore::open_at(
        &disk.uri(DATABASE),
        &Purpose { sandbox: true },
        Arc::new(signer()),
        Arc::clone(clock),
        copy,
    )
}

/// Plays a world from its beginning to its end.
pub(super) fn play(terms: &Terms) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async { World::new(terms).play().await })
}

pub(super) struct World {
    terms: Terms,
    chance: Chance,
    hourglass: Hourglass,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) people: People,
    pub(super) copy: PathBuf,
    pub(super) told: Arc<Mutex<Told>>,
    /// How often an engine was started.
    pub(super) runs: u64,
}

impl World {
    fn new(terms: &Terms) -> Self {
        let mut chance = Chance::seeded(terms.seed);
        let origin = "2026-03-01T09:00:00Z".parse().expect("a time");
        let hands = Hands::at(origin);
        let clock: Arc<dyn Clock> = Arc::clone(&hands) as _;
        Self {
            people: People::new(&mut chance, &clock),
            copy: terms.folder.join("checkpoints"),
            terms: terms.clone(),
            chance,
            hourglass: Hourglass::turn(hands),
            clock,
            told: Arc::default(),
            runs: 0,
        }
    }

    async fn play(mut self) -> Outcome {
        let mut options = DiskOptions::default();
        options.normal = self.terms.flaw == Flaw::Normal;
        options.cut_at = match self.terms.operations {
            0 => None,
            operations => Some(1 + self.chance.below(operations) as u64),
        };
        let mut disk = Disk::of(&self.terms.fresh, options);
        let mut judge = Judge::default();
        let mut outcome = Outcome::default();
        // Whoever works ends with an error when the power fails; what it was does not matter.
        let _ = self.work(&disk).await;
        disk.cut();
        outcome.operations = disk.operations();
        outcome.cuts = 1;
        let again = self.chance.below(3) as u64;
        for life in 1.. {
            judge.power_failed(&self);
            let found = disk.after_power_loss(self.chance.bits());
            let last = life > again;
            options.cut_at = (!last && self.terms.operations > 1)
                .then(|| 1 + self.chance.below(self.terms.operations / 2) as u64);
            // A look first, by a machine that does not fail: it changes nothing that the next one finds.
            // A machine takes a while to start.
            self.hourglass.pass(START).await;
            let watch = self.hourglass.watch();
            watch.hold(judge.look(&self, &found, life)).await;
            disk = Disk::of(&found, options);
            let ended = self.go_on(&disk).await;
            if disk.is_dead() {
                outcome.cuts += 1;
                continue;
            }
            // The judge's own work is no occasion for a cut.
            let left = Disk::of(&disk.files(), DiskOptions::default());
            watch.hold(judge.end(&self, &left, ended, life)).await;
            break;
        }
        outcome.jobs = judge.jobs;
        outcome.in_flight = judge.in_flight();
        outcome.calls = judge.calls;
        outcome.repeated = judge.repeated;
        outcome.violations = judge.violations;
        outcome
    }

    /// A machine's first life: orders are accepted and worked on, in one process or two.
    async fn work(&mut self, disk: &Disk) -> Result<(), EngineError> {
        self.people.hear(disk);
        let processes = 1 + self.chance.below(2);
        for process in 0..processes {
            let store = self.store(disk)?;
            let everybody = self.people.manners.keys().cloned().collect::<Vec<_>>();
            let first = self.order(&store, &everybody).await?;
            let some: Vec<String> = everybody
                .into_iter()
                .filter(|_| self.chance.one_in(3))
                .collect();
            let goal = if process == 0 && self.chance.one_in(2) {
                Goal::Order(first)
            } else {
                Goal::Everything
            };
            let waits = [(); 3].map(|()| Duration::from_millis(self.chance.below(500) as u64));
            let engine = self.engine(&store).await?;
            let stop = Stop::new();
            if self.chance.one_in(4) {
                let (drain, when) = (stop.drain.clone(), self.chance.below(800) as u64);
                tokio::spawn(async move {
                    sleep(Duration::from_millis(when)).await;
                    drain.cancel();
                });
            }
            let meanwhile = async {
                sleep(waits[0]).await;
                // Another process orders, and the one that works hears of it.
                let other = self.store(disk)?;
                self.order(&other, &some).await?;
                drop(other);
                sleep(waits[1]).await;
                store.checkpoint().await?;
                sleep(waits[2]).await;
                self.hourglass.watch().hold(fold(disk)).await;
                Ok::<(), EngineError>(())
            };
            let ran = async { timeout(PATIENCE, engine.run(goal, &stop)).await };
            let (ran, others) = tokio::join!(ran, meanwhile);
            others?;
            if let Ok(ran) = ran {
                ran?;
            }
            drop((engine, store));
            settle_down().await;
        }
        Ok(())
    }

    /// What a person does when the power is back: `rescind run`.
    async fn go_on(&mut self, disk: &Disk) -> Result<Option<Ended>, EngineError> {
        self.people.hear(disk);
        self.runs += 1;
        let store = self.store(disk)?;
        let engine = self.engine(&store).await?;
        let ended = timeout(PATIENCE, engine.run(Goal::Everything, &Stop::new())).await;
        drop((engine, store));
        settle_down().await;
        ended.ok().transpose()
    }

    /// The store as the engine has it: the product's, broken perhaps, and heard by a witness.
    fn store(&self, disk: &Disk) -> Result<Arc<dyn Store>, StoreError> {
        let store: Arc<dyn Store> = Arc::new(open(disk, &self.clock, Some(&self.copy))?);
        let store: Arc<dyn Store> = match self.terms.flaw {
            Flaw::None | Flaw::Normal => store,
            flaw => Arc::new(Hasty::new(store, flaw)),
        };
        let told = Arc::clone(&self.told);
        let watch = self.hourglass.watch();
        Ok(Arc::new(Witness::new(store, disk.clone(), told, watch)))
    }

    async fn engine(&self, store: &Arc<dyn Store>) -> Result<Engine, StoreError> {
        let providers = vec![self.people.provider.configured()];
        let (clock, seed) = (Arc::clone(&self.clock), self.terms.seed);
        let fleet = Fleet::open_seeded(providers, store.as_ref(), Arc::clone(&clock), seed).await?;
        let parts = EngineParts::new(Arc::clone(store), Arc::new(fleet), clock, actor())
            .with_canary(false)
            .with_seed(seed);
        Ok(Engine::new(parts))
    }

    /// Stages and accepts an order for these accounts.
    async fn order(
        &self,
        store: &Arc<dyn Store>,
        accounts: &[String],
    ) -> Result<OrderId, StoreError> {
        let note = Note::parse("the power fails", 1).expect("a note");
        let mut draft = OrderDraft::new(note, actor());
        let configured = self.people.provider.configured();
        draft.bindings = vec![Binding {
            provider: configured.name,
            kind: configured.kind.to_string(),
            vendor_tenant: "scripted-tenant".to_owned(),
        }];
        let id = draft.id;
        let key = store.begin(draft).await?;
        let (one, two) = accounts.split_at(accounts.len() / 2);
        for part in [one, two] {
            let job = |account: &String| StagedJob::new(format!("{account}@example.com"), 0);
            store.stage(key, part.iter().map(job).collect()).await?;
        }
        let people = accounts.len() as u64;
        store
            .accept(key, Acceptance::new("c0ffee", people, people))
            .await?;
        Ok(id)
    }
}

fn actor() -> Actor {
    Actor::new("maria", "test")
}

/// Folds the log into the database while others work, as a commit does that finds the log long.
async fn fold(disk: &Disk) {
    let uri = disk.uri(DATABASE);
    let folded = tokio::task::spawn_blocking(move || {
        let conn = rusqlite::Connection::open(uri)?;
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    });
    // A machine without power folds nothing.
    let _ = folded.await;
}

/// Lets the tasks of an engine that was dropped go, and with them their hold on the store.
async fn settle_down() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}
