//! One lie, told to the whole engine with a real connector over real HTTP; the sandbox's ledger says what was done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rescind_azure_graph::AzureGraph;
use rescind_core::clock::{Clock, SystemClock};
use rescind_core::config::{HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector};
use rescind_core::engine::fleet::{ConfiguredProvider, Fleet, Quota};
use rescind_core::engine::{Engine, EngineParts, Goal, Stop};
use rescind_core::id::{ConnectorKind, OrderId, ProviderName};
use rescind_core::job::{Job, JobState};
use rescind_core::order::{Actor, Binding, Note, OrderDraft};
use rescind_core::store::{Acceptance, StagedJob, Store};
use rescind_google_admin::GoogleAdmin;
use rescind_sandbox::{Operation, Person, Sandbox};
use rescind_testkit::model_store::ModelStore;
use tokio::time::Instant;

use super::liar::Liar;
use super::shapes::{Lie, Vendor};

/// How long a lie is listened to at most; and one that only time-outs end (a request may take 35 seconds, and the
/// procedure at Google has four steps, none of which hides another), or one that the watermark has to settle, however
/// busy the machine is.
const PATIENCE: Duration = Duration::from_secs(40);
const LONG_PATIENCE: Duration = Duration::from_secs(200);

/// Calls after which no more is to be learnt from a lie that is repeated each time.
const ENOUGH_CALLS: u32 = 2;

/// How much earlier than the deed the order is accepted: watermarks are cut to the second.
const BEFORE: SignedDuration = SignedDuration::from_secs(3);

/// What a lie brought about for one person.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) state: JobState,
    /// What the ledger holds: times it was done, and whether all of it is.
    pub(super) times: u32,
    done: bool,
    /// What the job itself says: its attempts, why it waits, and its last error.
    pub(super) story: String,
}

impl Outcome {
    /// Called a success, and none.
    pub(super) fn is_false(&self) -> bool {
        self.state == JobState::Confirmed && !self.done
    }

    /// Done once, and known.
    pub(super) fn is_settled_by_proof(&self) -> bool {
        self.state == JobState::Confirmed && self.times == 1
    }
}

/// Tells one lie about these people and says what came of it; none if the engine did not come back in time.
pub(super) async fn tell(
    sandbox: &Sandbox,
    folder: &std::path::Path,
    lie: Lie,
    effect: bool,
    people: &[Person],
) -> Option<Vec<Outcome>> {
    let liar = Liar::start(sandbox.addr(), lie, effect)
        .await
        .expect("loopback has a free port");
    let clock = Arc::new(Late::default());
    let store = Arc::new(ModelStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
    let provider = provider(sandbox, folder, lie.vendor, &liar.url());
    accept(&store, &provider, &names(sandbox, lie.vendor, people)).await;
    clock.catch_up();
    let ended = run(&store, provider, clock, lie, effect).await;
    let outcomes = store
        .all_jobs()
        .iter()
        .zip(people)
        .map(|(job, person)| outcome(sandbox, lie.vendor, job, *person))
        .collect();
    ended.then_some(outcomes)
}

/// Whether the engine came back.
async fn run(
    store: &Arc<ModelStore>,
    provider: ConfiguredProvider,
    clock: Arc<Late>,
    lie: Lie,
    effect: bool,
) -> bool {
    let clock: Arc<dyn Clock> = clock;
    let dynamic: Arc<dyn Store> = Arc::clone(store) as _;
    let fleet = Fleet::open(vec![provider], dynamic.as_ref(), Arc::clone(&clock))
        .await
        .expect("the fleet opens");
    let parts = EngineParts::new(dynamic, Arc::new(fleet), clock, actor()).with_canary(false);
    let engine = Engine::new(parts);
    let stop = Stop::new();
    let halt = stop.clone();
    let mut running = tokio::spawn(async move { engine.run(Goal::Everything, &stop).await });
    let calls = if lie.slow && !effect { 1 } else { ENOUGH_CALLS };
    let patience = if lie.slow || (effect && lie.leaves_doubt()) {
        LONG_PATIENCE
    } else {
        PATIENCE
    };
    let deadline = Instant::now() + patience;
    let is_over = |job: &Job| match job.state {
        JobState::Running | JobState::Pending => false,
        JobState::Parked => true,
        _ => job.state.is_terminal() || job.attempts >= calls,
    };
    while Instant::now() < deadline && !store.all_jobs().iter().all(is_over) {
        if running.is_finished() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let in_a_call = |job: &Job| job.state == JobState::Running;
    let hangs = lie.slow && store.all_jobs().iter().any(in_a_call);
    halt.drain.cancel();
    let back = tokio::time::timeout(Duration::from_secs(30), &mut running).await;
    back.is_ok() && !hangs
}

fn outcome(sandbox: &Sandbox, vendor: Vendor, job: &Job, person: Person) -> Outcome {
    let times = |operation| sandbox.effects(operation)[person.index() as usize];
    let (times, done) = match vendor {
        Vendor::Entra => {
            let times = times(Operation::Revoke);
            (times, times > 0)
        }
        Vendor::Workspace => {
            let times = times(Operation::SignOut);
            (times, times > 0 && !sandbox.holds_anything(person))
        }
    };
    Outcome {
        state: job.state,
        times,
        done,
        story: story(job),
    }
}

fn story(job: &Job) -> String {
    let why = job.waiting.map(|why| format!(", waits: {why:?}"));
    let error = job.detail.error.as_ref();
    let error = error.map(|error| format!(", {:?}: {}", error.kind, error.message));
    let (why, error) = (why.unwrap_or_default(), error.unwrap_or_default());
    format!("{} attempts{why}{error}", job.attempts)
}

fn names(sandbox: &Sandbox, vendor: Vendor, people: &[Person]) -> Vec<String> {
    let population = sandbox.people();
    let name = |person: &Person| match vendor {
        Vendor::Entra => population.upn(*person),
        Vendor::Workspace => population.google_email(*person).unwrap_or_default(),
    };
    people.iter().map(name).collect()
}

/// The real connector, pointed at the liar.
fn provider(
    sandbox: &Sandbox,
    folder: &std::path::Path,
    vendor: Vendor,
    url: &str,
) -> ConfiguredProvider {
    let text = sandbox
        .config_toml(folder)
        .replace(&sandbox.base_url(), url);
    let header = format!("[providers.{}.settings]\n", vendor.name());
    let table = text.split_once(&header).map_or("", |(_, rest)| rest);
    let settings = Settings::from_toml(table.split("\n[").next().unwrap_or_default());
    let name = ProviderName::parse(vendor.name()).expect("a name");
    let http = HttpSettings::default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let cx = BuildContext::new(&name, &settings, &http, clock);
    let connector: &dyn Connector = match vendor {
        Vendor::Entra => &AzureGraph,
        Vendor::Workspace => &GoogleAdmin,
    };
    let roles = connector.build(&cx).expect("the sandbox's own settings");
    let kind: ConnectorKind = connector.kind();
    ConfiguredProvider::new(name, kind, roles).with_quota(Quota::Unlimited)
}

async fn accept(store: &ModelStore, provider: &ConfiguredProvider, names: &[String]) -> OrderId {
    let note = Note::parse("what a liar says", 1).expect("a note");
    let mut draft = OrderDraft::new(note, actor());
    let descriptor = provider
        .roles
        .revocation
        .as_ref()
        .map(|role| role.descriptor().vendor_tenant.clone());
    draft.bindings = vec![Binding {
        provider: provider.name.clone(),
        kind: provider.kind.to_string(),
        vendor_tenant: descriptor.unwrap_or_default(),
    }];
    let id = draft.id;
    let key = store.begin(draft).await.expect("the model begins");
    let jobs = names.iter().map(|name| StagedJob::new(name.clone(), 0));
    store
        .stage(key, jobs.collect())
        .await
        .expect("the model stages");
    let count = names.len() as u64;
    store
        .accept(key, Acceptance::new("hash", count, count))
        .await
        .expect("the model accepts");
    id
}

fn actor() -> Actor {
    Actor::new("maria", "test")
}

/// The real clock, behind until it is told to catch up.
#[derive(Debug, Default)]
struct Late {
    caught_up: AtomicBool,
}

impl Late {
    fn catch_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }
}

impl Clock for Late {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        if self.caught_up.load(Ordering::Acquire) {
            now
        } else {
            now.checked_sub(BEFORE).unwrap_or(now)
        }
    }
}
