//! Quotas as the vendors document them: token buckets, and how long a throttled caller is asked to wait.
//!
//! Microsoft: <https://learn.microsoft.com/graph/throttling-limits>, identity and access: 3,000 writes per 150 s and 3,500,
//! 5,000 or 8,000 resource units per 10 s by tenant size. Google:
//! <https://developers.google.com/workspace/admin/directory/v1/limits>: 2,400 queries per minute and user.

use std::str::FromStr;

use crate::tenant::Tenant;

/// How much the tenants allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quota {
    /// What the vendors document.
    #[default]
    Documented,
    /// No limit.
    Unlimited,
    /// So many writes (Microsoft) or calls (Google) per so many seconds, and no limit on reads at Microsoft.
    Limit {
        /// How many.
        units: u32,
        /// In how many seconds.
        per_secs: u32,
    },
}

/// Why a text is no quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaError;

impl std::fmt::Display for QuotaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a quota is `documented`, `none`, or a count and seconds such as 100/1")
    }
}

impl std::error::Error for QuotaError {}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "documented" => return Ok(Self::Documented),
            "none" => return Ok(Self::Unlimited),
            _ => {}
        }
        let (units, secs) = text.split_once('/').ok_or(QuotaError)?;
        let whole = |text: &str| {
            text.parse::<u32>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or(QuotaError)
        };
        Ok(Self::Limit {
            units: whole(units)?,
            per_secs: whole(secs)?,
        })
    }
}

/// What a call draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) units: u32,
    pub(crate) writes: u32,
}

/// Which limit was met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Writes,
    Units,
}

/// A refusal: which limit, and when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) limit: Limit,
    pub(crate) retry_after_secs: u32,
    /// The caller had been asked to wait and did not.
    pub(crate) early: bool,
}

/// A caller that was already on its way when the first refusal left is not early. This covers the way.
const GRACE_MS: u64 = 250;

#[derive(Debug)]
struct Bucket {
    capacity: f64,
    per_ms: f64,
    level: f64,
    filled_at_ms: u64,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    answered_ms: u64,
    until_ms: u64,
}

impl Bucket {
    fn new(units: u32, per_secs: u32) -> Self {
        Self {
            capacity: f64::from(units),
            per_ms: f64::from(units) / (f64::from(per_secs) * 1000.0),
            level: f64::from(units),
            filled_at_ms: 0,
            pause: None,
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.filled_at_ms) as f64;
        self.level = (self.level + passed * self.per_ms).min(self.capacity);
        self.filled_at_ms = now_ms;
    }

    /// Seconds to wait when the bucket cannot give `amount`: until it holds that and a tenth of what it can hold.
    fn refusal(&mut self, now_ms: u64, amount: f64) -> Option<u32> {
        self.fill(now_ms);
        if self.level >= amount {
            return None;
        }
        let wanted = amount.max(self.capacity / 10.0) - self.level;
        Some((wanted / self.per_ms / 1000.0).ceil().max(1.0) as u32)
    }

    fn used(&self) -> f64 {
        1.0 - self.level / self.capacity
    }
}

/// The limits of one tenant for one caller.
#[derive(Debug)]
pub(crate) struct Gate {
    writes: Option<Bucket>,
    units: Option<Bucket>,
    /// A pause that a fault asked for.
    forced: Option<Pause>,
}

impl Gate {
    pub(crate) fn new(quota: Quota, tenant: Tenant, people: u32) -> Self {
        let (writes, units) = match (quota, tenant) {
            (Quota::Unlimited, _) => (None, None),
            (Quota::Documented, Tenant::Google) => (None, Some(Bucket::new(2_400, 60))),
            (Quota::Documented, Tenant::Microsoft) => {
                let units = match people {
                    0..50 => 3_500,
                    50..=500 => 5_000,
                    _ => 8_000,
                };
                (Some(Bucket::new(3_000, 150)), Some(Bucket::new(units, 10)))
            }
            (Quota::Limit { units, per_secs }, Tenant::Microsoft) => {
                (Some(Bucket::new(units, per_secs)), None)
            }
            (Quota::Limit { units, per_secs }, Tenant::Google) => {
                (None, Some(Bucket::new(units, per_secs)))
            }
        };
        Self {
            writes,
            units,
            forced: None,
        }
    }

    /// Closes the tenant for writes: the `throttle-at` fault.
    pub(crate) fn close(&mut self, now_ms: u64, for_ms: u64) {
        self.forced = Some(Pause {
            answered_ms: now_ms,
            until_ms: now_ms + for_ms,
        });
    }

    /// Takes the cost of a call that arrived at `arrived_ms`, or says when to come back.
    pub(crate) fn admit(
        &mut self,
        now_ms: u64,
        arrived_ms: u64,
        cost: Cost,
    ) -> Result<(), Refused> {
        if let Some(pause) = self.forced
            && cost.writes > 0
        {
            if now_ms < pause.until_ms {
                return Err(refused(Limit::Writes, pause, now_ms, arrived_ms));
            }
            self.forced = None;
        }
        let demands = [
            (&mut self.writes, cost.writes, Limit::Writes),
            (&mut self.units, cost.units, Limit::Units),
        ];
        for (bucket, amount, limit) in demands {
            let Some(bucket) = bucket.as_mut().filter(|_| amount > 0) else {
                continue;
            };
            if let Some(pause) = bucket.pause {
                if now_ms < pause.until_ms {
                    return Err(refused(limit, pause, now_ms, arrived_ms));
                }
                bucket.pause = None;
            }
            if let Some(secs) = bucket.refusal(now_ms, f64::from(amount)) {
                let pause = Pause {
                    answered_ms: now_ms,
                    until_ms: now_ms + u64::from(secs) * 1000,
                };
                bucket.pause = Some(pause);
                return Err(refused(limit, pause, now_ms, arrived_ms));
            }
        }
        if let Some(bucket) = &mut self.writes {
            bucket.level -= f64::from(cost.writes);
        }
        if let Some(bucket) = &mut self.units {
            bucket.level -= f64::from(cost.units);
        }
        Ok(())
    }

    /// The used share of the fuller limit, once it is worth a warning: from 0.8.
    pub(crate) fn warning(&self) -> Option<f64> {
        [&self.writes, &self.units]
            .into_iter()
            .flatten()
            .map(Bucket::used)
            .filter(|used| *used >= 0.8)
            .reduce(f64::max)
    }
}

fn refused(limit: Limit, pause: Pause, now_ms: u64, arrived_ms: u64) -> Refused {
    Refused {
        limit,
        retry_after_secs: pause.until_ms.saturating_sub(now_ms).div_ceil(1000).max(1) as u32,
        early: arrived_ms > pause.answered_ms + GRACE_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITE: Cost = Cost {
        units: 1,
        writes: 1,
    };

    fn admitted(gate: &mut Gate, now: u64, tries: u32) -> u32 {
        (0..tries)
            .filter(|_| gate.admit(now, now, WRITE).is_ok())
            .count() as u32
    }

    #[test]
    fn three_thousand_writes_pass_at_once_then_twenty_a_second() {
        let mut gate = Gate::new(Quota::Documented, Tenant::Microsoft, 1000);
        assert_eq!(admitted(&mut gate, 0, 4_000), 3_000);
        let refused = gate.admit(0, 0, WRITE).unwrap_err();
        assert_eq!(refused.retry_after_secs, 15);
        assert_eq!(admitted(&mut gate, 14_999, 10), 0);
        assert_eq!(admitted(&mut gate, 15_000, 1_000), 300);
    }

    #[test]
    fn reads_pass_while_writes_are_throttled() {
        let mut gate = Gate::new(Quota::Documented, Tenant::Microsoft, 1000);
        admitted(&mut gate, 0, 4_000);
        let read = Cost {
            units: 1,
            writes: 0,
        };
        assert!(gate.admit(1, 1, read).is_ok());
    }

    #[test]
    fn a_call_inside_retry_after_is_early_unless_it_was_on_its_way() {
        let mut gate = Gate::new(Quota::Unlimited, Tenant::Microsoft, 1000);
        gate.close(1_000, 2_000);
        assert!(!gate.admit(1_100, 1_100, WRITE).unwrap_err().early);
        assert!(gate.admit(1_400, 1_400, WRITE).unwrap_err().early);
        assert_eq!(
            gate.admit(1_400, 1_400, WRITE)
                .unwrap_err()
                .retry_after_secs,
            2
        );
        assert!(gate.admit(3_000, 3_000, WRITE).is_ok());
    }

    #[test]
    fn small_tenants_have_fewer_units() {
        let read = Cost {
            units: 1,
            writes: 0,
        };
        for (people, units) in [(20, 3_500), (200, 5_000), (501, 8_000)] {
            let mut gate = Gate::new(Quota::Documented, Tenant::Microsoft, people);
            let passed = (0..9_000)
                .filter(|_| gate.admit(0, 0, read).is_ok())
                .count();
            assert_eq!(passed, units);
        }
    }

    #[test]
    fn a_quota_is_written_as_units_and_seconds() {
        assert_eq!(
            "100/1".parse(),
            Ok(Quota::Limit {
                units: 100,
                per_secs: 1
            })
        );
        assert_eq!("documented".parse(), Ok(Quota::Documented));
        assert_eq!("none".parse(), Ok(Quota::Unlimited));
        for wrong in ["", "100", "0/1", "1/0", "-1/2", "fast"] {
            assert_eq!(wrong.parse::<Quota>(), Err(QuotaError), "{wrong}");
        }
    }
}
