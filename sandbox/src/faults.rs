//! What shall go wrong: a small language, read into numbers, and the draw for one call.

use std::str::FromStr;
use std::time::Duration;

use crate::dice;
use crate::tenant::Tenant;

/// What shall go wrong at both tenants. The default: nothing.
///
/// Written as a list, such as `reset-after=2%,google:throttle-at=60,lag=3s`. A prefix `microsoft:` or `google:` limits a
/// fault to one tenant. `docs/sandbox.md` lists every fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    tenants: [TenantFaults; 2],
}

impl Faults {
    /// One throttled moment at Microsoft: the 120th revocation, and two seconds after it.
    pub(crate) fn one_throttle() -> Self {
        let mut faults = Self::default();
        faults.tenants[Tenant::Microsoft.index()]
            .throttles
            .push(Throttle {
                at: 120,
                closed: Duration::from_secs(2),
            });
        faults
    }

    pub(crate) fn of(&self, tenant: Tenant) -> &TenantFaults {
        &self.tenants[tenant.index()]
    }
}

/// What shall go wrong at one tenant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TenantFaults {
    chances: Vec<(Mishap, f64)>,
    pub(crate) throttles: Vec<Throttle>,
    pub(crate) void_tokens_every: Option<u64>,
    pub(crate) token_life: Option<Duration>,
    pub(crate) missing_rights: Vec<String>,
    pub(crate) denied_share: f64,
    pub(crate) denied: Vec<String>,
    pub(crate) deleted: Vec<String>,
    pub(crate) lag: Duration,
    pub(crate) outages: Vec<(Duration, Duration)>,
    pub(crate) in_flight_cap: Option<usize>,
    pub(crate) skew_ms: i64,
}

/// The call with this number, counted from 1, is throttled; the tenant then stays closed for so long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throttle {
    pub(crate) at: u64,
    pub(crate) closed: Duration,
}

/// One way in which a call goes wrong. *Before* and *after* are relative to its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    ResetBefore,
    ResetAfter,
    StallBefore,
    StallAfter,
    CutAfter,
    HtmlBefore,
    HtmlAfter,
    ErrorBefore,
    ErrorAfter,
    Busy,
    EmptyBefore,
    FalseBefore,
    Throttled,
    PlainText,
}

impl Mishap {
    const NAMED: [(&'static str, Self); 15] = [
        ("reset-before", Self::ResetBefore),
        ("reset-after", Self::ResetAfter),
        ("stall-before", Self::StallBefore),
        ("stall-after", Self::StallAfter),
        ("cut-after", Self::CutAfter),
        ("html", Self::HtmlBefore),
        ("html-before", Self::HtmlBefore),
        ("html-after", Self::HtmlAfter),
        ("5xx-before", Self::ErrorBefore),
        ("5xx-after", Self::ErrorAfter),
        ("busy", Self::Busy),
        ("empty", Self::EmptyBefore),
        ("false", Self::FalseBefore),
        ("throttle", Self::Throttled),
        ("plain-text", Self::PlainText),
    ];

    /// Whether it happens to the HTTP request, not to a call inside of it.
    fn hits_the_request(self) -> bool {
        matches!(
            self,
            Self::ResetBefore
                | Self::ResetAfter
                | Self::StallBefore
                | Self::StallAfter
                | Self::CutAfter
                | Self::HtmlBefore
                | Self::HtmlAfter
        )
    }
}

impl TenantFaults {
    /// What happens to the HTTP request with this number.
    pub(crate) fn for_request(&self, seed: u64, number: u64) -> Option<Mishap> {
        self.draw(seed, 0x51, number, true)
    }

    /// What happens to the call with this number; a batch holds several.
    pub(crate) fn for_call(&self, seed: u64, number: u64) -> Option<Mishap> {
        self.draw(seed, 0x52, number, false)
    }

    /// Whether an outage holds this long after the faults were set.
    pub(crate) fn is_out(&self, since_set: Duration) -> bool {
        self.outages
            .iter()
            .any(|(from, to)| (*from..*to).contains(&since_set))
    }

    fn draw(&self, seed: u64, purpose: u64, number: u64, request: bool) -> Option<Mishap> {
        if self.chances.is_empty() {
            return None;
        }
        let mut left = dice::fraction(seed, purpose, number);
        self.chances
            .iter()
            .filter(|(mishap, _)| mishap.hits_the_request() == request)
            .find(|(_, share)| {
                left -= share;
                left < 0.0
            })
            .map(|(mishap, _)| *mishap)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if let Some((_, mishap)) = Mishap::NAMED.iter().find(|(known, _)| *known == name) {
            self.chances.push((*mishap, share(value)?));
            let requests: f64 = self.sum(true);
            let calls: f64 = self.sum(false);
            if requests > 1.0 || calls > 1.0 {
                return Err("the shares add up to more than 100%".to_owned());
            }
            return Ok(());
        }
        match name {
            "throttle-at" => self.throttles.push(throttle(value)?),
            "void-tokens-every" => self.void_tokens_every = Some(count(value)?),
            "token-life" => self.token_life = Some(duration(value)?),
            "missing-right" => self.missing_rights.push(some_text(value)?),
            "deny" if value.ends_with('%') => self.denied_share = share(value)?,
            "deny" => self.denied.push(some_text(value)?),
            "delete" => self.deleted.push(some_text(value)?),
            "lag" => self.lag = duration(value)?,
            "outage" => self.outages.push(range(value)?),
            "concurrency" => self.in_flight_cap = Some(count(value)? as usize),
            "skew" => self.skew_ms = signed(value)?,
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn sum(&self, request: bool) -> f64 {
        self.chances
            .iter()
            .filter(|(mishap, _)| mishap.hits_the_request() == request)
            .map(|(_, share)| share)
            .sum()
    }
}

const OTHER_NAMES: [&str; 11] = [
    "throttle-at",
    "void-tokens-every",
    "token-life",
    "missing-right",
    "deny",
    "delete",
    "lag",
    "outage",
    "concurrency",
    "skew",
    "none",
];

fn unknown(name: &str) -> String {
    let known: Vec<&str> = Mishap::NAMED
        .iter()
        .map(|(known, _)| *known)
        .chain(OTHER_NAMES)
        .collect();
    format!(
        "no fault is called `{name}`; there are {}",
        known.join(", ")
    )
}

/// Why a text is no list of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultsError {
    part: String,
    reason: String,
}

impl std::fmt::Display for FaultsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "fault `{}`: {}", self.part, self.reason)
    }
}

impl std::error::Error for FaultsError {}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim) {
            if part.is_empty() || part == "none" {
                continue;
            }
            let error = |reason: String| FaultsError {
                part: part.to_owned(),
                reason,
            };
            let (tenants, rest) = match part.split_once(':') {
                Some(("microsoft", rest)) => (&[Tenant::Microsoft][..], rest),
                Some(("google", rest)) => (&[Tenant::Google][..], rest),
                _ => (&[Tenant::Microsoft, Tenant::Google][..], part),
            };
            let (name, value) = rest
                .split_once('=')
                .ok_or_else(|| error("expected name=value".to_owned()))?;
            for tenant in tenants {
                faults.tenants[tenant.index()]
                    .set(name.trim(), value.trim())
                    .map_err(error)?;
            }
        }
        Ok(faults)
    }
}

fn share(text: &str) -> Result<f64, String> {
    text.strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}` is no share; write 2% or 0.5%, up to 100%"))
}

fn count(text: &str) -> Result<u64, String> {
    text.parse::<u64>()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{text}` is no count; write a whole number from 1"))
}

fn some_text(text: &str) -> Result<String, String> {
    (!text.is_empty())
        .then(|| text.to_owned())
        .ok_or_else(|| "the value is empty".to_owned())
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit_ms) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1000.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60_000.0)
    } else {
        (text, 0.0)
    };
    number
        .parse::<f64>()
        .ok()
        .filter(|number| unit_ms > 0.0 && (0.0..1e9).contains(number))
        .map(|number| Duration::from_millis((number * unit_ms) as u64))
        .ok_or_else(|| format!("`{text}` is no duration; write 500ms, 3s or 2m"))
}

fn signed(text: &str) -> Result<i64, String> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1, size),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    duration(size).map(|size| sign * size.as_millis() as i64)
}

fn range(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("`{text}` is no range; write 10s..20s"))?;
    let (from, to) = (duration(from)?, duration(to)?);
    if from >= to {
        return Err(format!("the range `{text}` is empty"));
    }
    Ok((from, to))
}

fn throttle(text: &str) -> Result<Throttle, String> {
    let (at, closed) = text.split_once('/').unwrap_or((text, "2s"));
    Ok(Throttle {
        at: count(at)?,
        closed: duration(closed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<Faults>().unwrap_err().to_string()
    }

    #[test]
    fn every_fault_of_the_manual_is_understood() {
        let text = "reset-before=2%,reset-after=2%,5xx-before=1%,5xx-after=1%,throttle-at=120/3s,html=1%,\
                    void-tokens-every=500,missing-right=User.RevokeSessions.All,lag=3s,outage=10s..20s,\
                    google:concurrency=8,skew=-30s,deny=10%,deny=a@contoso.com,delete=b@contoso.com,token-life=500ms";
        let faults: Faults = text.parse().unwrap();
        let microsoft = faults.of(Tenant::Microsoft);
        assert_eq!(microsoft.chances.len(), 5);
        assert_eq!(
            microsoft.throttles,
            [Throttle {
                at: 120,
                closed: Duration::from_secs(3)
            }]
        );
        assert_eq!(microsoft.lag, Duration::from_secs(3));
        assert_eq!(microsoft.skew_ms, -30_000);
        assert_eq!(microsoft.in_flight_cap, None);
        assert_eq!(faults.of(Tenant::Google).in_flight_cap, Some(8));
        assert!(microsoft.is_out(Duration::from_secs(10)));
        assert!(!microsoft.is_out(Duration::from_secs(20)));
    }

    #[test]
    fn a_mistake_is_named_with_what_is_allowed() {
        assert!(error("rest-before=2%").contains("no fault is called `rest-before`"));
        assert!(error("rest-before=2%").contains("reset-before"));
        assert!(error("reset-before=2").contains("write 2%"));
        assert!(error("lag=3").contains("500ms, 3s or 2m"));
        assert!(error("outage=20s..10s").contains("empty"));
        assert!(error("throttle-at=0").contains("from 1"));
        assert!(error("html").contains("name=value"));
        assert!(error("html=60%,html-after=60%").contains("more than 100%"));
    }

    #[test]
    fn the_same_seed_and_number_draw_the_same_mishap() {
        let faults: Faults = "reset-before=5%,5xx-after=20%".parse().unwrap();
        let tenant = faults.of(Tenant::Google);
        let calls: Vec<_> = (0..1000).map(|n| tenant.for_call(9, n)).collect();
        let again: Vec<_> = (0..1000).map(|n| tenant.for_call(9, n)).collect();
        assert_eq!(calls, again);
        let errors = calls.iter().flatten().count();
        assert!((150..250).contains(&errors), "{errors}");
        let resets = (0..1000)
            .filter(|n| tenant.for_request(9, *n) == Some(Mishap::ResetBefore))
            .count();
        assert!((25..80).contains(&resets), "{resets}");
    }
}
