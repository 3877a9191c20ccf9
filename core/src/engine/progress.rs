//! Where a run stands, for people who watch.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::fleet::Fleet;
use super::lane::LaneFault;
use super::pacer::PauseReason;
use crate::id::ProviderName;
use crate::order::Counts;

/// Over how long a rate is measured.
const RATE_OVER: Duration = Duration::from_secs(10);

/// Where the goal of a run stands, by provider. Only what is written counts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Board {
    /// A line for each provider that has jobs of the goal, in the order they were first seen.
    pub lanes: Vec<LaneBoard>,
}

/// Where one provider stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneBoard {
    /// Which.
    pub provider: ProviderName,
    /// How many jobs are in which state.
    pub counts: Counts,
    /// Jobs that came to an end a second, over the last ten seconds.
    pub rate_per_sec: Option<f64>,
    /// How long the open jobs take at this rate.
    pub eta: Option<Duration>,
    /// Until when nothing leaves.
    pub paused_until: Option<Timestamp>,
    /// Why nothing leaves.
    pub why: Option<PauseReason>,
    /// People in calls.
    pub in_flight: u32,
    /// What a person must mend first.
    pub fault: Option<LaneFault>,
    seen: VecDeque<(Timestamp, u64)>,
}

impl LaneBoard {
    fn new(provider: ProviderName) -> Self {
        Self {
            provider,
            counts: Counts::default(),
            rate_per_sec: None,
            eta: None,
            paused_until: None,
            why: None,
            in_flight: 0,
            fault: None,
            seen: VecDeque::new(),
        }
    }

    /// Jobs that are not open any more.
    pub fn done(&self) -> u64 {
        self.counts.accepted - self.counts.open
    }

    fn measure(&mut self, now: Timestamp) {
        self.seen.push_back((now, self.done()));
        while self.seen.len() > 2 && age(self.seen[1].0, now) >= RATE_OVER {
            self.seen.pop_front();
        }
        let Some((since, before)) = self.seen.front().copied() else {
            return;
        };
        let elapsed = age(since, now).as_secs_f64();
        if elapsed > 0.0 {
            let rate = self.done().saturating_sub(before) as f64 / elapsed;
            self.rate_per_sec = Some(rate);
            self.eta = (rate > 0.0)
                .then(|| Duration::try_from_secs_f64(self.counts.open as f64 / rate).ok())
                .flatten();
        }
    }
}

impl Board {
    /// Takes in fresh counts.
    pub(super) fn show(
        &mut self,
        counts: impl IntoIterator<Item = (ProviderName, Counts)>,
        now: Timestamp,
    ) {
        for lane in &mut self.lanes {
            lane.counts = Counts::default();
        }
        for (provider, counts) in counts {
            let known = self.lanes.iter().position(|lane| lane.provider == provider);
            let at = known.unwrap_or_else(|| {
                self.lanes.push(LaneBoard::new(provider));
                self.lanes.len() - 1
            });
            self.lanes[at].counts += counts;
        }
        for lane in &mut self.lanes {
            lane.measure(now);
        }
    }

    /// Adds what the lanes say of themselves.
    pub(super) fn look_at_lanes(&mut self, fleet: &Fleet) {
        for lane in &mut self.lanes {
            if let Some(member) = fleet.get(&lane.provider) {
                let status = member.lane.status();
                lane.paused_until = status.paused_until;
                lane.why = status.why;
                lane.in_flight = status.in_flight;
                lane.fault = status.fault;
            }
        }
    }
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}
