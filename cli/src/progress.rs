//! Progress on stderr: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rescind_core::engine::pacer::PauseReason;
use rescind_core::engine::{Engine, LaneBoard, Stop};
use rescind_core::id::{OrderId, ProviderName};
use rescind_core::order::Order;
use rescind_core::store::{Store, StoreError};
use tokio::time::Instant;

use crate::output::{cell, remark};

/// How often bars are redrawn.
const REDRAW: Duration = Duration::from_millis(100);
/// How often a plain line is printed while something changes.
const LINE: Duration = Duration::from_secs(5);

/// How progress is shown.
#[derive(Clone)]
pub(crate) enum Shown {
    /// Bars, on a terminal.
    Bars(MultiProgress),
    /// Plain lines.
    Lines,
    /// Not at all.
    Nothing,
}

impl Shown {
    /// Bars where stderr is a terminal, lines where it is not, nothing with `--quiet`.
    pub(crate) fn on(quiet: bool, bars: &MultiProgress) -> Self {
        if quiet {
            Self::Nothing
        } else if std::io::stderr().is_terminal() {
            Self::Bars(bars.clone())
        } else {
            Self::Lines
        }
    }
}

/// Shows the board until dropped or cancelled. Cancel-safe: the bars are cleared when the future is dropped.
pub(crate) async fn show(shown: Shown, engine: &Engine) {
    match shown {
        Shown::Bars(multi) => bars(multi, engine).await,
        Shown::Lines => lines(engine).await,
        Shown::Nothing => std::future::pending().await,
    }
}

async fn bars(multi: MultiProgress, engine: &Engine) {
    let mut bars = Bars {
        multi,
        by_provider: BTreeMap::new(),
    };
    loop {
        for lane in &engine.board().lanes {
            bars.draw(lane);
        }
        tokio::time::sleep(REDRAW).await;
    }
}

struct Bars {
    multi: MultiProgress,
    by_provider: BTreeMap<ProviderName, ProgressBar>,
}

impl Bars {
    fn draw(&mut self, lane: &LaneBoard) {
        let bar = self
            .by_provider
            .entry(lane.provider.clone())
            .or_insert_with(|| {
                let bar = self.multi.add(ProgressBar::new(lane.counts.accepted));
                let style =
                    ProgressStyle::with_template("{prefix:12!} {bar:24} {pos}/{len} {wide_msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix(lane.provider.to_string());
                bar
            });
        bar.set_length(lane.counts.accepted);
        bar.set_position(lane.done());
        bar.set_message(remarks(lane));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.by_provider.values() {
            bar.finish_and_clear();
        }
        let _closed = self.multi.clear();
    }
}

async fn lines(engine: &Engine) {
    let mut printed: BTreeMap<ProviderName, String> = BTreeMap::new();
    let mut next = Instant::now() + Duration::from_secs(1);
    loop {
        tokio::time::sleep_until(next).await;
        next += LINE;
        for lane in engine.board().lanes {
            let line = format!(
                "{}: {} of {} done {}",
                lane.provider,
                lane.done(),
                lane.counts.accepted,
                remarks(&lane)
            );
            if printed.get(&lane.provider) != Some(&line) {
                remark(line.trim_end());
                printed.insert(lane.provider, line);
            }
        }
    }
}

/// Rate, trouble and time left, in a few words.
fn remarks(lane: &LaneBoard) -> String {
    let mut words = Vec::new();
    if lane.counts.refused > 0 {
        words.push(format!("{} refused", lane.counts.refused));
    }
    if lane.counts.parked > 0 {
        words.push(format!("{} parked", lane.counts.parked));
    }
    if let Some(fault) = &lane.fault {
        words.push(format!("stopped: {}", cell::terminal(&fault.error.message)));
    } else if lane.counts.open == 0 {
        words.push("done".to_owned());
    } else {
        match (lane.paused_until, lane.rate_per_sec) {
            (Some(until), _) => {
                let clock = until
                    .to_zoned(jiff::tz::TimeZone::system())
                    .strftime("%H:%M:%S");
                let why = lane.why.map_or("paused", why_paused);
                words.push(format!("{why} until {clock}"));
            }
            (None, Some(rate)) => words.push(format!("{rate:.0}/s")),
            (None, None) => {}
        }
        words.extend(lane.eta.map(|eta| format!("{} left", duration(eta))));
    }
    words.join(", ")
}

/// A duration as people say it: `45 s`, `12 min`, `3 h 05 min`.
pub(crate) fn duration(length: Duration) -> String {
    let secs = length.as_secs();
    let mut text = String::new();
    let _infallible = match secs {
        0..120 => write!(text, "{secs} s"),
        120..600 if !secs.is_multiple_of(60) => write!(text, "{secs} s"),
        120..7200 => write!(text, "{} min", secs / 60),
        _ => write!(text, "{} h {:02} min", secs / 3600, secs % 3600 / 60),
    };
    text
}

fn why_paused(why: PauseReason) -> &'static str {
    match why {
        PauseReason::Throttled => "throttled",
        PauseReason::Outage => "provider down, waiting",
    }
}

/// Shows how far a plan is; cleared when dropped.
pub(crate) struct Planning {
    bar: Option<ProgressBar>,
}

impl Planning {
    /// A spinner on a terminal, nothing elsewhere: plans are short, and their result is printed.
    pub(crate) fn new(shown: Shown) -> Self {
        let bar = match shown {
            Shown::Bars(multi) => Some(multi.add(ProgressBar::new_spinner())),
            Shown::Lines | Shown::Nothing => None,
        };
        Self { bar }
    }

    /// Shows where the planner is.
    pub(crate) fn show(&self, progress: &rescind_core::plan::Progress) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!(
                "planning: {} rows, {} people",
                progress.rows, progress.people
            ));
            bar.tick();
        }
    }
}

impl Drop for Planning {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows an order that another process works on, until nothing of it is open or a signal comes.
pub(crate) async fn watch(
    shown: Shown,
    store: &dyn Store,
    id: OrderId,
    stop: &Stop,
) -> Result<Order, StoreError> {
    let mut said = String::new();
    loop {
        let order = store.order(id).await?;
        let over = order.counts.open == 0 && order.evidence_pending == 0;
        if over || stop.drain.is_cancelled() {
            return Ok(order);
        }
        let mut line = String::new();
        for (provider, counts) in store.counts(order.key).await? {
            let done = counts.accepted - counts.open;
            let _infallible = write!(line, "{provider}: {done} of {} done  ", counts.accepted);
        }
        if line != std::mem::replace(&mut said, line.clone()) {
            match &shown {
                Shown::Bars(multi) => multi.suspend(|| remark(line.trim_end())),
                Shown::Lines => remark(line.trim_end()),
                Shown::Nothing => {}
            }
        }
        tokio::select! {
            () = stop.drain.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
