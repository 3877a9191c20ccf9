//! How fast requests leave once the provider has said that they came too fast, or soon will.

use std::time::Duration;

use super::Sent;
use super::bracket::{Bracket, Seen};
use super::climb::Climb;
use super::meter::Meter;
use super::noise::{About, Noise, Refusal};

/// What is saved of the pace: a timer wakes a little late, and that must cost no pace. More would be a burst.
const BLINK: Duration = Duration::from_millis(20);
/// Longer ago is not about the limit of today.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a remembered pace is kept before it looks for more: the limit may have been another one then.
const REMEMBERED_HOLD: Duration = Duration::from_secs(15);
/// Vendors round a wait up to whole seconds: a short one says little.
const ROUNDED: f64 = 1.5;
/// How long a vendor's count of its own limit holds.
const LOAD_HOLDS: Duration = Duration::from_secs(2);
/// From this use of a limit on the pace goes down, and a burst nearly stops when it is used up.
const LOADED: f64 = 0.8;
const LEAST_OF_BURST: f64 = 0.002;
const LEAST_OF_PACE: f64 = 0.3;

/// The pace that answers have taught, and how many may be on their way.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    climb: Option<Climb>,
    bracket: Bracket,
    noise: Noise,
    meter: Meter,
    event: Option<Event>,
    load: Option<Load>,
    /// People in the calls of one role, while the pace is not well known.
    window: Option<f64>,
    /// Requests that may leave now, as of `at`.
    tokens: f64,
    at: Duration,
}

/// A throttle whose late answers are still coming in.
#[derive(Debug, Clone, Copy)]
struct Event {
    at: Duration,
    tried: Option<(Climb, f64, bool)>,
    /// Accepted after it, of requests that had left before.
    late: f64,
    /// Refused after it, of these.
    refused: f64,
    /// Whether the documents say that there was plenty left.
    plenty: bool,
}

/// The vendor counts for us.
#[derive(Debug, Clone, Copy)]
struct Load {
    at: Duration,
    /// The rate when it began to.
    base: f64,
    part: f64,
}

impl Pace {
    /// No pace: whatever fits in flight.
    pub(super) fn unlimited() -> Self {
        Self::default()
    }

    /// The pace that a former process had learnt.
    pub(super) fn learnt(now: Duration, rate: f64) -> Self {
        let mut pace = Self::default();
        let climb = Climb {
            hold: REMEMBERED_HOLD,
            ..Climb::steady(now, rate)
        };
        pace.begin(now, climb);
        pace
    }

    /// The rate it is climbing to.
    pub(super) fn target(&self) -> Option<f64> {
        self.climb.map(|climb| climb.hoped)
    }

    /// Another kind of request counts, too, from here on: what was accepted of it was accepted here. A pace that was learnt
    /// without it is another one's, so the pause teaches as the first one does.
    pub(super) fn join(&mut self, other: &Self) {
        self.meter.join(&other.meter);
        if let Some(event) = &mut self.event {
            event.tried = None;
            self.climb = None;
            self.bracket = Bracket::default();
        }
    }

    /// Counts what is accepted from the same instant on as another one does.
    pub(super) fn count_with(&mut self, other: &Self) {
        if self.meter.begun() != other.meter.begun() {
            self.meter.begin(other.meter.begun());
        }
    }

    /// Requests accepted a second, of late.
    pub(super) fn accepted_per_sec(&self, now: Duration) -> f64 {
        let span = Duration::from_secs(10).min(now).max(Duration::from_secs(1));
        self.meter.within(now, span) / span.as_secs_f64()
    }

    /// How many people may be in the calls of one role.
    pub(super) fn window(&self) -> Option<u32> {
        self.window.map(|w| w.max(1.0) as u32)
    }

    pub(super) fn ready_at(&self, now: Duration, weight: f64) -> Duration {
        let Some(rate) = self.rate(now) else {
            return now;
        };
        let gained = now.saturating_sub(self.at).as_secs_f64() * rate;
        let missing = weight.min(1.0) - (self.tokens + gained).min(most_saved(rate));
        if missing <= 1e-6 {
            return now;
        }
        let ready = now + Duration::from_secs_f64((missing / rate).min(3600.0));
        self.load_now(now)
            .map_or(ready, |load| ready.min(load.at + LOAD_HOLDS))
    }

    pub(super) fn take(&mut self, now: Duration, weight: f64) {
        self.forget_load(now);
        if let Some(rate) = self.rate(now) {
            let passed = now.saturating_sub(self.at);
            let next = Duration::from_secs_f64(((1.0 - self.tokens).max(0.0) / rate).min(3600.0));
            if let Some(climb) = &mut self.climb {
                // Time in which the pace was not tried teaches nothing: something else held, or nobody pressed.
                if rate < climb.rate(now) {
                    climb.since += passed;
                } else if let Some(idle) = passed.checked_sub(next.mul_f64(1.3) + BLINK) {
                    climb.since += idle;
                }
            }
            let gained = passed.as_secs_f64() * rate;
            self.tokens = (self.tokens + gained).min(most_saved(rate)) - weight;
        }
        self.at = now;
    }

    pub(super) fn give_back(&mut self, weight: f64) {
        self.tokens += weight;
    }

    /// A call was answered and not refused; `old`: it had left before the last throttle.
    pub(super) fn accepted(&mut self, now: Duration, sent: &Sent, old: bool) {
        let weight = sent.weight;
        match &mut self.event {
            Some(event) if old => event.late += weight,
            _ => self.meter.add(now, weight),
        }
        if let Some(window) = &mut self.window {
            *window += weight;
        }
    }

    /// Requests accepted within the last second.
    pub(super) fn recent(&self, now: Duration) -> f64 {
        let span = Duration::from_secs(1).min(now).max(BLINK);
        self.meter.within(now, span) / span.as_secs_f64()
    }

    /// The vendor counts `used` of its limit as used: the pace goes down as what is left does. `recent`: requests a second,
    /// of late.
    pub(super) fn loaded(&mut self, now: Duration, used: f64, recent: f64) {
        let base = match self.load_now(now) {
            Some(load) => load.base,
            None if used < LOADED => return,
            None => {
                let pace = self.climb.map_or(f64::MAX, |climb| climb.rate(now));
                pace.min(recent.max(1.0))
            }
        };
        if self.load.is_none() {
            self.tokens = self.tokens.min(0.0);
            self.at = now;
        }
        // Others may use the limit up for good while the vendor still serves us: what was learnt keeps a part.
        let least = if self.climb.is_some() {
            LEAST_OF_PACE
        } else {
            LEAST_OF_BURST
        };
        let part = ((1.0 - used) / (1.0 - LOADED)).clamp(least, 1.0);
        self.load = Some(Load {
            at: now,
            base,
            part,
        });
    }

    /// The vendor has not said for a while that much is used. Where nothing else is known of the pace, what it accepted of
    /// late is where to go on from: whatever fits in flight would be the next burst.
    fn forget_load(&mut self, now: Duration) {
        let Some(load) = self.load.take_if(|load| now >= load.at + LOAD_HOLDS) else {
            return;
        };
        // After a refusal the end of the pause teaches more.
        if self.climb.is_none() && self.event.is_none() {
            let slowed = load.base * load.part;
            let rate = self.accepted_per_sec(now).max(slowed).max(1.0);
            self.set_off(now, Climb::at_once(now, rate));
        }
    }

    /// A throttle that is news; `plenty`: the documents say that much was left.
    pub(super) fn throttled(&mut self, now: Duration, plenty: bool) {
        let open = now.saturating_sub(self.meter.begun());
        let pressed = |climb: &Climb| {
            let kept = climb.hoped * open.as_secs_f64() * 0.7;
            climb.held(now) && self.meter.total() > kept
        };
        self.event = Some(Event {
            at: now,
            tried: self
                .climb
                .map(|climb| (climb, climb.rate(now), pressed(&climb))),
            late: 0.0,
            refused: 0.0,
            plenty,
        });
    }

    /// A throttle of a request that had left before the last one.
    pub(super) fn throttled_late(&mut self, weight: f64) {
        if let Some(event) = &mut self.event {
            event.refused += weight;
        }
    }

    /// Whether throttles come whatever the pace is.
    pub(super) fn is_noisy(&self) -> bool {
        self.noise.is_noise()
    }

    /// The pause is over. `refused`: when a refusal came last that did not say for how long.
    pub(super) fn resume(&mut self, now: Duration, refused: Option<Duration>) {
        let Some(mut event) = self.event.take() else {
            return;
        };
        let begun = self.meter.begun();
        let open = event.at.saturating_sub(begun).as_secs_f64().max(0.05);
        // A provider that does not say when was ready at some time between the last refusal and this answer.
        let doubt = refused.map_or(0.0, |at| now.saturating_sub(at).as_secs_f64() / 2.0);
        let pause = now.saturating_sub(event.at).as_secs_f64() - doubt;
        let about = event.tried.map_or(About::Limit, |(climb, tried, _)| {
            self.noise.judge(&Refusal {
                tried,
                sure: climb.sure,
                accepted: self.meter.total(),
                open,
                late: event.late,
                late_refused: event.refused,
                plenty: event.plenty,
            })
        });
        match about {
            About::Limit => {}
            About::Nothing(rate) => {
                self.begin(now, Climb::at_once(now, rate));
                return;
            }
            About::LimitAfterAll => {
                event.tried = None;
                self.bracket = Bracket::default();
            }
        }
        let accepted = self.meter.total() + event.late;
        let mut sure = accepted.max(1.0) / (open + pause);
        if open > 2.0 * MINUTE.as_secs_f64() {
            let within = self.meter.within(event.at, MINUTE) + event.late;
            sure = sure.max(within / (MINUTE.as_secs_f64() + pause));
        }
        let seen = Seen {
            accepted,
            sure,
            tried: event.tried,
            reached: self.meter.total() / open,
            blur: (pause.min(ROUNDED) / 2.0 + doubt) / (open + pause),
        };
        // Nothing is known of the pace but a burst: few at first, and one more with each that is accepted.
        let window = self.climb.is_none().then_some(1.0);
        let climb = self.bracket.learn(now, &seen);
        self.begin(now, climb);
        self.window = window;
    }

    /// Another way, and what was accepted on the one before says nothing of it.
    fn begin(&mut self, now: Duration, climb: Climb) {
        self.set_off(now, climb);
        self.window = None;
        self.meter.begin(now);
    }

    fn set_off(&mut self, now: Duration, climb: Climb) {
        self.climb = Some(climb);
        self.tokens = 0.0;
        self.at = now;
    }

    /// Requests a second that may leave now; `None` when nothing is known.
    fn rate(&self, now: Duration) -> Option<f64> {
        let climb = self.climb.map(|climb| climb.rate(now));
        let load = self.load_now(now).map(|load| load.base * load.part);
        match (climb, load) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }

    fn load_now(&self, now: Duration) -> Option<Load> {
        self.load.filter(|load| now < load.at + LOAD_HOLDS)
    }
}

fn most_saved(rate: f64) -> f64 {
    1.0 + (rate * BLINK.as_secs_f64()).max(0.05)
}
