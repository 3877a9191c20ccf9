//! How fast requests leave once the provider has said that they came too fast.

use std::time::Duration;

use super::meter::Meter;

/// After a throttle the pace starts at this part of the old one …
const STEP_BACK: f64 = 0.9;
/// … and is back at the old one within this time.
const RECOVER: Duration = Duration::from_secs(6);
/// Then it stays for a while, before it looks for more.
const HOLD: Duration = Duration::from_secs(60);
/// Growth while it looks for more: a thousandth a second at first, doubling every ten seconds.
const GROWTH: f64 = 0.001;
const GROWTH_DOUBLES: f64 = 10.0;
const MOST_GROWTH: f64 = 0.05;

/// The pace that answers have taught, and how many may be on their way.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    climb: Option<Climb>,
    /// Requests that may leave now; there is never more saved than a blink's worth.
    tokens: f64,
    at: Duration,
    /// People in the calls of one role, while the pace is not well known.
    window: Option<f64>,
    event: Option<Event>,
    pub(super) meter: Meter,
}

#[derive(Debug, Clone, Copy)]
struct Climb {
    target: f64,
    since: Duration,
}

/// A throttle whose answers are still coming in.
#[derive(Debug, Clone, Copy)]
struct Event {
    at: Duration,
    accepted: f64,
    elapsed: Duration,
    recent: f64,
}

impl Pace {
    pub(super) fn unlimited() -> Self {
        Self {
            climb: None,
            tokens: 0.0,
            at: Duration::ZERO,
            window: None,
            event: None,
            meter: Meter::default(),
        }
    }

    /// The pace that a former process had learnt.
    pub(super) fn learnt(target: f64, now: Duration) -> Self {
        let mut pace = Self::unlimited();
        pace.climb = Some(Climb { target, since: now });
        pace.at = now;
        pace
    }

    /// The rate it is climbing to.
    pub(super) fn target(&self) -> Option<f64> {
        self.climb.map(|climb| climb.target)
    }

    /// Requests a second that may leave now; `None` when nothing is known.
    pub(super) fn rate(&self, now: Duration) -> Option<f64> {
        let climb = self.climb?;
        let t = now.saturating_sub(climb.since);
        if t < RECOVER {
            let way = t.as_secs_f64() / RECOVER.as_secs_f64();
            return Some(climb.target * (STEP_BACK + (1.0 - STEP_BACK) * way));
        }
        let Some(over) = t.checked_sub(RECOVER + HOLD) else {
            return Some(climb.target);
        };
        Some(climb.target * growth(over.as_secs_f64()).exp())
    }

    /// How many people may be in the calls of one role.
    pub(super) fn window(&self) -> Option<u32> {
        self.window.map(|w| w.max(1.0) as u32)
    }

    pub(super) fn ready_at(&self, now: Duration, weight: f64) -> Duration {
        let Some(rate) = self.rate(now) else {
            return now;
        };
        let most = most_saved(rate);
        let tokens = (self.tokens + now.saturating_sub(self.at).as_secs_f64() * rate).min(most);
        let wanted = weight.min(1.0);
        if tokens >= wanted - 1e-6 {
            return now;
        }
        now + Duration::from_secs_f64((wanted - tokens) / rate)
    }

    pub(super) fn take(&mut self, now: Duration, weight: f64) {
        if let Some(rate) = self.rate(now) {
            let gained = now.saturating_sub(self.at).as_secs_f64() * rate;
            self.tokens = (self.tokens + gained).min(most_saved(rate)) - weight;
        }
        self.at = now;
    }

    pub(super) fn give_back(&mut self, weight: f64) {
        self.tokens += weight;
    }

    /// A call was answered and not refused; `old`: it had left before the last throttle.
    pub(super) fn accepted(&mut self, now: Duration, weight: f64, old: bool) {
        match &mut self.event {
            Some(event) if old => event.accepted += weight,
            _ => self.meter.add(now, weight),
        }
        if let Some(window) = &mut self.window {
            *window += 1.0;
        }
    }

    /// A throttle that is news.
    pub(super) fn throttled(&mut self, now: Duration, open_for: Duration) {
        let (accepted, mark) = self.meter.since_mark();
        let span = open_for.min(Duration::from_secs(10));
        let recent = self.meter.rate(now, span, Duration::ZERO);
        let elapsed = now.saturating_sub(mark);
        self.event = Some(Event {
            at: now,
            accepted,
            elapsed,
            recent: recent.unwrap_or(accepted / elapsed.as_secs_f64().max(0.1)),
        });
        self.meter.set_mark(now);
    }

    /// The pause is over: how fast from here on.
    pub(super) fn resume(&mut self, now: Duration) {
        let Some(event) = self.event.take() else {
            return;
        };
        let first = self.climb.is_none();
        let elapsed = if first {
            event.elapsed + now.saturating_sub(event.at)
        } else {
            event.elapsed
        };
        let average = event.accepted.max(1.0) / elapsed.as_secs_f64().max(0.1);
        let target = if elapsed < Duration::from_secs(60) {
            average
        } else {
            event.recent.max(average)
        };
        self.window = first.then_some(1.0);
        self.climb = Some(Climb {
            target: target.max(0.01),
            since: now,
        });
        self.tokens = 0.0;
        self.at = now;
    }
}

/// How much the rate has grown, as a logarithm, after so many seconds of looking for more.
fn growth(secs: f64) -> f64 {
    let doublings = (MOST_GROWTH / GROWTH).log2();
    let steep = (doublings * GROWTH_DOUBLES).min(secs);
    let curved =
        GROWTH * GROWTH_DOUBLES / std::f64::consts::LN_2 * ((steep / GROWTH_DOUBLES).exp2() - 1.0);
    curved + (secs - steep) * MOST_GROWTH
}

/// A timer wakes a millisecond late; that must cost no pace, and must not make a burst.
fn most_saved(rate: f64) -> f64 {
    1.0 + (rate * 0.02).max(0.05)
}
