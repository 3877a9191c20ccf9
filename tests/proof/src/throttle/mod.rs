//! The whole engine against simulated providers that throttle as vendors do, under a paused clock: days in minutes.
//!
//! The judge is the provider's own ledger: what came in, when, what was refused, what was told to wait.

mod claims;
mod rates;
mod vendor;
mod world;

use std::io::Write as _;

use crate::machine::Machine;
use crate::report::Verdict;

pub use claims::{
    Bulk, Outage, Restarts, bulk, dead_lane, outage, restarts_at_the_quota, restarts_in_a_pause,
};
pub use rates::{Rated, flawed};
pub use vendor::Flaw;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// People of the large order.
    #[arg(long, default_value_t = 100_000)]
    pub people: usize,
    /// Hours of the outage.
    #[arg(long, default_value_t = 24)]
    pub outage_hours: u64,
    /// Only the limits whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
}

/// The long form.
#[must_use]
pub fn run(options: &Options, seed: u64) -> Verdict {
    let mut verdict = Verdict::new("throttle", Some(seed), Machine::look(&std::env::temp_dir()));
    rates(&mut verdict, options.only.as_deref(), seed);
    if options.only.is_none() {
        others(&mut verdict, options, seed);
    }
    verdict.note(
        "Refused: without what was on its way when the first refusal was answered, from the first second on.",
    );
    verdict
}

fn rates(verdict: &mut Verdict, only: Option<&str>, seed: u64) {
    let mut early = 0;
    let mut false_confirmations = 0;
    for rate in rates::all() {
        if only.is_some_and(|part| !rate.name.contains(part)) {
            continue;
        }
        progress(rate.name);
        let found = rate.run(seed);
        progress(&format!(
            "  {:.1} % of the ideal, {:.2} % refused, {} early",
            found.of_ideal * 100.0,
            found.refused * 100.0,
            found.early
        ));
        early += found.early;
        false_confirmations += found.false_confirmations;
        let name = |what| format!("{}, {} s: {what}", rate.name, rate.lasts.as_secs());
        verdict.at_least(
            name("of the ideal"),
            found.of_ideal * 100.0,
            rate.least * 100.0,
            "%",
        );
        verdict.at_most(
            name("refused"),
            found.refused * 100.0,
            rate.most_refused * 100.0,
            "%",
        );
    }
    verdict.none("calls inside a pause", u64::from(early));
    verdict.none("confirmed, but not ended", false_confirmations as u64);
}

fn others(verdict: &mut Verdict, options: &Options, seed: u64) {
    progress("a large order");
    let found = bulk(options.people, seed);
    let name = format!("{} people at Graph's quota", options.people);
    verdict.at_most(
        format!("{name}: of the minimum"),
        found.of_minimum,
        1.03,
        "",
    );
    verdict.none(format!("{name}: refused"), u64::from(found.refused));
    verdict.none(format!("{name}: left out"), found.left_out as u64);
    let waited = found.urgent_after.as_secs_f64();
    verdict.at_most("an urgent person meanwhile", waited, 1.0, "s");

    progress("one dead lane of eight");
    let longer = (dead_lane(3_000, seed) - 1.0) * 100.0;
    verdict.at_most(
        "one dead lane of eight: the others take longer",
        longer,
        2.0,
        "%",
    );

    progress("an outage");
    let found = outage(options.outage_hours, seed);
    let name = format!("outage of {} h", options.outage_hours);
    verdict.none(format!("{name}: parked"), found.parked as u64);
    let between = found.least_between.as_secs_f64();
    verdict.at_least(format!("{name}: between two calls"), between, 30.0, "s");
    let after = found
        .all_after
        .map_or(f64::INFINITY, |after| after.as_secs_f64());
    verdict.at_most(
        format!("{name}: everybody after its end"),
        after,
        660.0,
        "s",
    );

    progress("restarts");
    let found = restarts_in_a_pause(seed);
    verdict.none(
        "100 restarts inside a pause: early calls",
        u64::from(found.early),
    );
    verdict.at_most(
        "100 restarts inside a pause: unfinished",
        found.of_minimum,
        1.0,
        "",
    );
    let found = restarts_at_the_quota(12_000, seed);
    verdict.none("a restart a minute: refused", u64::from(found.refused));
    verdict.at_most(
        "a restart a minute: of the minimum",
        found.of_minimum,
        1.03,
        "",
    );
}

/// Whether this verdict of a flawed provider shows the flaw.
#[must_use]
pub fn catches(found: &Rated) -> bool {
    found.early > 0 || found.false_confirmations > 0 || found.refused > 0.01
}

fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}
