//! Bulk work through a real lane against a simulated provider.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rescind_testkit::limiter::Limiter;
use tokio::time::{Instant, sleep};

use crate::budget::{Budget, Cost};
use crate::clock::TimerClock;
use crate::context::{LanePort, Observation, Priority};
use crate::engine::pacer::Dice;
use crate::id::ProviderName;

use super::super::{Lane, LaneSettings, Permit, Role, Verdict};

pub(super) const COST: Cost = Cost::of("calls", 1);

/// One experiment.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) limiter: Limiter,
    pub(super) budgets: Vec<Budget>,
    /// Round trip, the least and the most, in milliseconds.
    pub(super) latency: (u64, u64),
    pub(super) at_once: u32,
    /// Whether answers say how much of the limit is used.
    pub(super) tells_load: bool,
    /// The part of the requests that is refused whatever their pace.
    pub(super) noise: f64,
    /// Items of one native batch.
    pub(super) batch: u32,
    pub(super) lasts: Duration,
    pub(super) seed: u64,
}

/// What came of it, by the provider's own ledger.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) accepted: u32,
    pub(super) refused: u32,
    /// Refused after the first second, but for those on their way when the first refusal came back.
    pub(super) refused_late: u32,
    /// Requests that came while the provider had asked for silence.
    pub(super) early: u32,
    silent: (Duration, Duration),
    /// When the first refusal came back.
    first: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) ledger: Ledger,
    pub(super) of_ideal: f64,
    pub(super) throttled: f64,
}

impl Run {
    pub(super) fn new(name: &'static str, limiter: Limiter) -> Self {
        Self {
            name,
            limiter,
            budgets: Vec::new(),
            latency: (20, 100),
            at_once: 640,
            noise: 0.0,
            batch: 1,
            tells_load: false,
            lasts: Duration::from_secs(900),
            seed: 1,
        }
    }

    pub(super) fn knowing(mut self, budget: Budget) -> Self {
        self.budgets = vec![budget];
        self
    }

    pub(super) fn latency(mut self, least: u64, most: u64) -> Self {
        self.latency = (least, most);
        self
    }

    pub(super) fn batch(mut self, items: u32) -> Self {
        self.batch = items;
        self
    }

    pub(super) fn noise(mut self, part: f64) -> Self {
        self.noise = part;
        self
    }

    pub(super) fn telling_load(mut self) -> Self {
        self.tells_load = true;
        self
    }

    pub(super) fn at_once(mut self, people: u32) -> Self {
        self.at_once = people;
        self
    }

    pub(super) fn lasts(mut self, secs: u64) -> Self {
        self.lasts = Duration::from_secs(secs);
        self
    }

    pub(super) fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub(super) fn lane(&self) -> Lane {
        let name = ProviderName::parse("lab").unwrap();
        let mut settings = LaneSettings::new(name, self.budgets.clone(), self.at_once);
        settings.seed = self.seed;
        let clock = TimerClock::starting_at("2026-08-18T12:00:00Z".parse().unwrap());
        Lane::open(settings, Arc::new(clock), None, &[])
    }

    /// Runs it on a paused runtime of its own.
    pub(super) fn go(&self) -> Found {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(self.bulk())
    }

    async fn bulk(&self) -> Found {
        let lane = self.lane();
        let world = Arc::new(World {
            start: Instant::now(),
            limiter: Mutex::new(self.limiter.clone()),
            ledger: Mutex::default(),
            noise: self.noise,
            dice: Mutex::new(Dice::new(self.seed ^ 0xbabe)),
            told: self.tells_load.then(|| lane.clone()),
        });
        let mut dice = Dice::new(self.seed ^ 0xfeed);
        let end = world.start + self.lasts;
        loop {
            let admitted =
                tokio::time::timeout_at(end, lane.admit(Role::Revoke, &COST, 1, Priority::Normal));
            let Ok(Ok(first)) = admitted.await else {
                break;
            };
            let mut group = vec![first];
            while (group.len() as u32) < self.batch
                && let Some(more) = lane.try_admit(Role::Revoke, &COST, 1, Priority::Normal)
            {
                group.push(more);
            }
            let (least, most) = self.latency;
            let rtt = least as f64 + (most - least) as f64 * dice.roll();
            let half = Duration::from_secs_f64(rtt / 2000.0);
            tokio::spawn(world.clone().call(group, half));
        }
        let ledger = world.ledger.lock().unwrap().clone();
        Found {
            of_ideal: f64::from(ledger.accepted) / self.limiter.ideal(self.lasts),
            throttled: f64::from(ledger.refused_late) / f64::from(ledger.accepted + ledger.refused),
            ledger,
        }
    }
}

struct World {
    start: Instant,
    limiter: Mutex<Limiter>,
    ledger: Mutex<Ledger>,
    noise: f64,
    dice: Mutex<Dice>,
    told: Option<Lane>,
}

impl World {
    async fn call(self: Arc<Self>, group: Vec<Permit>, half: Duration) {
        let left = self.start.elapsed();
        sleep(half).await;
        let verdicts: Vec<_> = {
            let now = self.start.elapsed();
            let mut limiter = self.limiter.lock().unwrap();
            let mut dice = self.dice.lock().unwrap();
            let answer = |_| {
                if dice.roll() < self.noise {
                    return Err(None);
                }
                limiter.arrive(now)
            };
            group.iter().map(answer).collect()
        };
        {
            let now = self.start.elapsed();
            let mut ledger = self.ledger.lock().unwrap();
            for verdict in &verdicts {
                ledger.early += u32::from(ledger.silent.0 < left && left < ledger.silent.1);
                if verdict.is_ok() {
                    ledger.accepted += 1;
                    continue;
                }
                ledger.refused += 1;
                let blast = ledger.first.is_none_or(|first| left < first);
                ledger.refused_late += u32::from(now > Duration::from_secs(1) && !blast);
            }
        }
        let used = self.limiter.lock().unwrap().used();
        sleep(half).await;
        if let Some(lane) = &self.told
            && used >= 0.8
        {
            lane.observe(Observation::Load(used));
        }
        for (permit, verdict) in group.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => permit.done(&Verdict::Served),
                Err(after) => {
                    let mut ledger = self.ledger.lock().unwrap();
                    let now = self.start.elapsed();
                    let until = ledger.silent.1.max(now + after.unwrap_or_default());
                    ledger.silent = (now, until);
                    ledger.first.get_or_insert(now);
                    drop(ledger);
                    permit.done(&Verdict::Throttled { after });
                }
            }
        }
    }
}
