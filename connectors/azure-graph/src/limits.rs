//! What Microsoft Graph allows for identity and access, and what each request costs there.
//!
//! After <https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits>.

use std::time::Duration;

use rescind_core::budget::{Budget, Cost};
use rescind_core::context::{Context, Observation};

const WRITES: &str = "writes";
const UNITS: &str = "units";

/// Writes for one application in one tenant, and resource units of the smallest class of tenants.
pub(crate) fn budgets() -> Vec<Budget> {
    vec![
        Budget::bucket(WRITES, 3_000, Duration::from_secs(150)),
        Budget::bucket(UNITS, 3_500, Duration::from_secs(10)),
    ]
}

/// `revokeSignInSessions`: a write, and one unit as everything that is not listed.
pub(crate) fn revoke() -> Cost {
    Cost::of(WRITES, 1).and(UNITS, 1)
}

/// A read of one user or group, or a filter: at most 2 units, less 1 for `$select`.
pub(crate) fn read() -> Cost {
    Cost::of(UNITS, 1)
}

/// A page of transitive members: 5 units, less 1 for `$select`.
pub(crate) fn members() -> Cost {
    Cost::of(UNITS, 4)
}

/// A tenant with more users than this has the largest budget of units.
pub(crate) const LARGE_TENANT: u64 = 500;

/// Tells the lane how many units the tenant has, once it is known how many users it has at least.
pub(crate) fn observe_users(cx: &Context, users: u64) {
    let units = match users {
        0..50 => return,
        50..=LARGE_TENANT => 5_000,
        _ => 8_000,
    };
    cx.observe(Observation::BudgetIs {
        budget: UNITS,
        units,
    });
}
