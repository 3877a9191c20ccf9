//! The lane's promises, under a virtual clock.

mod health;
mod pause;
mod queue;
mod quota;
mod reads;

use super::*;
use crate::budget::Budget;
use crate::clock::TimerClock;
use crate::context::{LanePort as _, Observation};
use crate::error::{ErrorKind, ErrorRecord};
use crate::id::ProviderName;

const COST: Cost = Cost::of("calls", 1);

fn clock() -> Arc<dyn Clock> {
    Arc::new(TimerClock::starting_at(
        "2026-08-18T12:00:00Z".parse().unwrap(),
    ))
}

fn settings(budgets: Vec<Budget>) -> LaneSettings {
    LaneSettings::new(ProviderName::parse("entra").unwrap(), budgets, 100)
}

fn lane(budgets: Vec<Budget>) -> Lane {
    Lane::open(settings(budgets), clock(), None, &[])
}

fn error(kind: ErrorKind, code: &str) -> ErrorRecord {
    ErrorRecord {
        kind,
        operation: "revokeSignInSessions".into(),
        message: "insufficient privileges".into(),
        hint: Some("grant User.RevokeSessions.All".into()),
        vendor_code: Some(code.into()),
    }
}

fn throttled(secs: u64) -> Verdict {
    Verdict::Throttled {
        after: Some(Duration::from_secs(secs)),
    }
}

const DOWN: Verdict = Verdict::Unavailable { after: None };

fn hurry(lane: &Lane) -> Option<Permit> {
    lane.try_admit(Role::Revoke, &COST, 1, Priority::Normal)
}

async fn revoke(lane: &Lane) -> Permit {
    lane.admit(Role::Revoke, &COST, 1, Priority::Normal)
        .await
        .unwrap()
}
