//! Everything a request may touch.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::clock::Clock;
use crate::dice;
use crate::faults::{Faults, Mishap, TenantFaults};
use crate::ledger::{Entry, Ledger, Operation, Record, stamp};
use crate::options::SandboxOptions;
use crate::population::{Person, Population};
use crate::quota::{Cost, Gate, Quota, Refused};
use crate::state::State;
use crate::tenant::Tenant;
use crate::tokens::Tokens;

/// What can be turned while the sandbox runs.
#[derive(Debug)]
pub(crate) struct Knobs {
    pub(crate) faults: Faults,
    pub(crate) latency: Duration,
    set_at_ms: u64,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) population: Population,
    pub(crate) state: State,
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    knobs: RwLock<Arc<Knobs>>,
    gates: [Mutex<Gates>; 2],
    requests: AtomicU32,
    per_tenant: [Counters; 2],
}

#[derive(Debug)]
struct Gates {
    quota: Quota,
    by_caller: HashMap<u32, Gate>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    calls: AtomicU64,
    writes: AtomicU64,
    in_flight: AtomicUsize,
}

impl World {
    pub(crate) fn new(options: &SandboxOptions) -> Self {
        let population = Population::new(options.seed, options.people);
        let gates = || {
            Mutex::new(Gates {
                quota: options.quota,
                by_caller: HashMap::new(),
            })
        };
        let world = Self {
            population,
            state: State::new(population),
            ledger: Ledger::new(population, options.ledger_sync),
            clock: Clock::start(),
            tokens: Tokens::default(),
            knobs: RwLock::new(Arc::new(Knobs {
                faults: Faults::default(),
                latency: Duration::ZERO,
                set_at_ms: 0,
            })),
            gates: [gates(), gates()],
            requests: AtomicU32::new(0),
            per_tenant: Default::default(),
        };
        world.turn(
            options.faults.clone(),
            Duration::from_millis(options.latency_ms),
        );
        world
    }

    pub(crate) fn knobs(&self) -> Arc<Knobs> {
        Arc::clone(&self.knobs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// New faults from now on; accounts they delete stay deleted.
    pub(crate) fn turn(&self, faults: Faults, latency: Duration) {
        for tenant in Tenant::BOTH {
            for name in &faults.of(tenant).deleted {
                let at_microsoft = tenant == Tenant::Microsoft;
                if let Some(person) = self.anybody(tenant, name) {
                    self.state.delete_account(person, at_microsoft);
                }
            }
        }
        let knobs = Arc::new(Knobs {
            faults,
            latency,
            set_at_ms: self.clock.elapsed_ms(),
        });
        *self.knobs.write().unwrap_or_else(PoisonError::into_inner) = knobs;
    }

    /// A new quota, with full buckets.
    pub(crate) fn set_quota(&self, quota: Quota) {
        for gates in &self.gates {
            *gates.lock().unwrap_or_else(PoisonError::into_inner) = Gates {
                quota,
                by_caller: HashMap::new(),
            };
        }
    }

    /// Whoever has this name at a tenant, deleted or not.
    pub(crate) fn anybody(&self, tenant: Tenant, name: &str) -> Option<Person> {
        let people = &self.population;
        match tenant {
            Tenant::Microsoft => people
                .by_upn(name)
                .or_else(|| people.by_object_id(name))
                .or_else(|| people.by_alias(name)),
            Tenant::Google => people.by_google_key(name),
        }
    }

    fn counters(&self, tenant: Tenant) -> &Counters {
        &self.per_tenant[tenant.index()]
    }

    fn with_gate<T>(&self, tenant: Tenant, caller: u32, act: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates[tenant.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let quota = gates.quota;
        let people = self.population.len();
        act(gates
            .by_caller
            .entry(caller)
            .or_insert_with(|| Gate::new(quota, tenant, people)))
    }
}

/// One HTTP request on its way through a tenant.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub(crate) world: &'a World,
    pub(crate) knobs: Arc<Knobs>,
    pub(crate) tenant: Tenant,
    /// The number of the HTTP request, from 1.
    pub(crate) number: u32,
    /// The number of the request at this tenant, from 1.
    pub(crate) number_here: u64,
    /// Scheme and authority the caller used; links to further pages start with it.
    pub(crate) origin: String,
    arrived_ms: u64,
    records: Vec<Record>,
    reads: u64,
}

impl<'a> Exchange<'a> {
    pub(crate) fn begin(world: &'a World, tenant: Tenant, origin: String) -> Self {
        let counters = world.counters(tenant);
        counters.in_flight.fetch_add(1, Relaxed);
        world.ledger.count_request();
        Self {
            world,
            knobs: world.knobs(),
            tenant,
            number: world.requests.fetch_add(1, Relaxed) + 1,
            number_here: counters.requests.fetch_add(1, Relaxed) + 1,
            origin,
            arrived_ms: world.clock.elapsed_ms(),
            records: Vec::new(),
            reads: 0,
        }
    }

    pub(crate) fn people(&self) -> &'a Population {
        &self.world.population
    }

    pub(crate) fn faults(&self) -> &TenantFaults {
        self.knobs.faults.of(self.tenant)
    }

    /// Unix time in milliseconds on the tenant's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.world.clock.wall_ms() + self.faults().skew_ms
    }

    pub(crate) fn elapsed_ms(&self) -> u64 {
        self.world.clock.elapsed_ms()
    }

    pub(crate) fn is_out(&self) -> bool {
        let since = self.elapsed_ms().saturating_sub(self.knobs.set_at_ms);
        self.faults().is_out(Duration::from_millis(since))
    }

    /// How many requests the tenant is working on, this one included.
    pub(crate) fn in_flight(&self) -> usize {
        self.world.counters(self.tenant).in_flight.load(Relaxed)
    }

    pub(crate) fn request_mishap(&self) -> Option<Mishap> {
        self.faults()
            .for_request(self.people().seed(), self.number_here)
    }

    /// Draws the next call's mishap; a batch draws once for each item.
    pub(crate) fn call_mishap(&self) -> Option<Mishap> {
        let number = self.world.counters(self.tenant).calls.fetch_add(1, Relaxed) + 1;
        self.faults().for_call(self.people().seed(), number)
    }

    /// Takes the cost of a call from the quota; a fault may close the tenant just now.
    pub(crate) fn admit(&self, caller: u32, cost: Cost) -> Result<(), Refused> {
        let closes = if cost.writes > 0 {
            let number = self
                .world
                .counters(self.tenant)
                .writes
                .fetch_add(1, Relaxed)
                + 1;
            self.faults()
                .throttles
                .iter()
                .find(|throttle| throttle.at == number)
                .map(|throttle| throttle.closed)
        } else {
            None
        };
        self.world.with_gate(self.tenant, caller, |gate| {
            let now = self.elapsed_ms();
            if let Some(closed) = closes {
                gate.close(now, closed.as_millis() as u64);
            }
            gate.admit(now, self.arrived_ms, cost)
        })
    }

    /// Closes the tenant for writes for a second and refuses: the `throttle` fault.
    pub(crate) fn throttle_now(&self, caller: u32) -> Refused {
        self.world.with_gate(self.tenant, caller, |gate| {
            let now = self.elapsed_ms();
            gate.close(now, 1000);
            Refused {
                limit: crate::quota::Limit::Writes,
                retry_after_secs: 1,
                early: false,
            }
        })
    }

    pub(crate) fn quota_warning(&self, caller: u32) -> Option<f64> {
        self.world
            .with_gate(self.tenant, caller, |gate| gate.warning())
    }

    /// Whether the tenant refuses to let anybody touch this person.
    pub(crate) fn is_denied(&self, person: Person) -> bool {
        let faults = self.faults();
        let by_chance = faults.denied_share > 0.0
            && dice::fraction(self.people().seed(), 0x53, u64::from(person.index()))
                < faults.denied_share;
        by_chance
            || faults
                .denied
                .iter()
                .any(|name| self.world.anybody(self.tenant, name) == Some(person))
    }

    pub(crate) fn count_read(&mut self) {
        self.reads += 1;
    }

    /// Notes a call for the ledger; it is written before the answer leaves.
    pub(crate) fn note(&mut self, call: Noted, given: Option<&str>) {
        let (at_ms, elapsed_ms) = stamp(&self.world.clock, self.faults().skew_ms);
        self.records.push(Record {
            entry: Entry {
                at_ms: call.at_ms.unwrap_or(at_ms),
                elapsed_ms,
                tenant: self.tenant,
                operation: call.operation,
                person: call.person,
                item: call.item,
                status: call.status,
                effect: call.effect,
                early: call.early,
                request: self.number,
                batch_item: call.batch_item,
            },
            given: given
                .filter(|_| call.person.is_none())
                .map(|text| text.chars().take(320).collect()),
        });
    }

    /// Writes the ledger. `unanswered`: no status ever reached the caller.
    pub(crate) fn write_down(&mut self, unanswered: bool) {
        let mut records = std::mem::take(&mut self.records);
        if unanswered {
            for record in &mut records {
                record.entry.status = 0;
            }
        }
        if self.reads > 0 {
            self.world.ledger.count_reads(self.reads);
            self.reads = 0;
        }
        self.world.ledger.record(records);
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.world
            .counters(self.tenant)
            .in_flight
            .fetch_sub(1, Relaxed);
        self.write_down(true);
    }
}

/// What became of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted {
    pub(crate) operation: Operation,
    pub(crate) person: Option<Person>,
    pub(crate) item: Option<u8>,
    pub(crate) status: u16,
    pub(crate) effect: bool,
    pub(crate) early: bool,
    pub(crate) batch_item: Option<u8>,
    /// The instant the tenant gave to the effect.
    pub(crate) at_ms: Option<i64>,
}
