//! The experiments of the long form: what each does, and what it must show.

use super::Options;
use super::claims::{
    bulk, dead_lane, outage, restarts_at_the_quota, restarts_in_a_pause, restarts_in_windows,
};
use super::rates::{self, Rate};
use crate::report::Verdict;

/// People of the experiment with a dead lane.
const PEOPLE_OF_EIGHT: usize = 3_000;

/// People of the experiment with a process that dies every minute.
const PEOPLE_OF_RESTARTS: usize = 12_000;

/// People of the same where windows are counted: nine of them, and so little of the tenth that nobody gets what the end of
/// a window keeps for urgent people.
const PEOPLE_OF_WINDOWS: usize = 22_000;

/// One of them.
#[derive(Debug, Clone)]
pub(super) enum Experiment {
    Rate(Box<Rate>),
    Bulk(usize),
    DeadLane,
    Outage(u64),
    RestartsInAPause,
    RestartsAtTheQuota,
    RestartsInWindows,
}

/// What must never happen, whatever the experiment is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Never {
    /// Requests that came in while the provider had asked to be left alone.
    pub(super) early: u64,
    /// Confirmed in our books beyond what the provider ended.
    pub(super) false_confirmations: u64,
}

impl Experiment {
    /// All of them, in the order in which they are told. Those that take long come last.
    pub(super) fn all(options: &Options) -> Vec<Self> {
        let mut all: Vec<_> = rates::all()
            .into_iter()
            .map(|rate| Self::Rate(Box::new(rate)))
            .collect();
        all.extend([
            Self::Bulk(options.people),
            Self::DeadLane,
            Self::Outage(options.outage_hours),
            Self::RestartsInAPause,
            Self::RestartsAtTheQuota,
            Self::RestartsInWindows,
        ]);
        let only = options.only.as_deref();
        all.retain(|one| only.is_none_or(|part| one.name().contains(part)));
        all
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Rate(rate) => rate.name.to_owned(),
            Self::Bulk(people) => format!("{people} people at Graph's quota"),
            Self::DeadLane => "one dead lane of eight".to_owned(),
            Self::Outage(hours) => format!("outage of {hours} h"),
            Self::RestartsInAPause => "100 restarts inside a pause".to_owned(),
            Self::RestartsAtTheQuota => "a restart a minute at Graph's quota".to_owned(),
            Self::RestartsInWindows => "a restart a minute at Google's quota".to_owned(),
        }
    }

    /// Does it, and adds to the verdict what came of it.
    pub(super) fn run(&self, seed: u64, verdict: &mut Verdict) -> Never {
        let name = self.name();
        let mut never = Never::default();
        match self {
            Self::Rate(rate) => {
                let found = rate.run(seed);
                let name = |what| format!("{name}, {} s: {what}", rate.lasts.as_secs());
                let percent = |part: f64| part * 100.0;
                verdict.at_least(
                    name("of the ideal"),
                    percent(found.of_ideal),
                    percent(rate.least),
                    "%",
                );
                verdict.at_most(
                    name("refused"),
                    percent(found.refused),
                    percent(rate.most_refused),
                    "%",
                );
                never.early = u64::from(found.early);
                never.false_confirmations = found.false_confirmations as u64;
            }
            Self::Bulk(people) => {
                let found = bulk(*people, seed);
                let of_minimum = format!("{name}: of the minimum");
                verdict.at_most(of_minimum, found.of_minimum, 1.03, "");
                verdict.none(format!("{name}: refused"), u64::from(found.refused));
                verdict.none(format!("{name}: left out"), found.left_out as u64);
                let waited = found.urgent_after.as_secs_f64();
                verdict.at_most("an urgent person meanwhile", waited, 1.0, "s");
            }
            Self::DeadLane => {
                let longer = (dead_lane(PEOPLE_OF_EIGHT, seed) - 1.0) * 100.0;
                verdict.at_most(format!("{name}: the others take longer"), longer, 2.0, "%");
            }
            Self::Outage(hours) => {
                let found = outage(*hours, seed);
                verdict.none(format!("{name}: parked"), found.parked as u64);
                let between = found.least_between.as_secs_f64();
                verdict.at_least(format!("{name}: between two calls"), between, 30.0, "s");
                let after = found
                    .all_after
                    .map_or(f64::INFINITY, |after| after.as_secs_f64());
                let everybody = format!("{name}: everybody after its end");
                verdict.at_most(everybody, after, 660.0, "s");
            }
            Self::RestartsInAPause => {
                let found = restarts_in_a_pause(seed);
                verdict.none(format!("{name}: early calls"), u64::from(found.early));
                let unfinished = u64::from(found.of_minimum > 1.0);
                verdict.none(format!("{name}: unfinished"), unfinished);
            }
            Self::RestartsAtTheQuota | Self::RestartsInWindows => {
                let found = match self {
                    Self::RestartsInWindows => restarts_in_windows(PEOPLE_OF_WINDOWS, seed),
                    _ => restarts_at_the_quota(PEOPLE_OF_RESTARTS, seed),
                };
                verdict.none(format!("{name}: refused"), u64::from(found.refused));
                let of_minimum = format!("{name}: of the minimum");
                verdict.at_most(of_minimum, found.of_minimum, 1.03, "");
            }
        }
        never
    }
}
