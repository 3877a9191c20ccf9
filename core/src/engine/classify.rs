//! What an answer means: for the lane it came through, and for the job it was about.
//!
//! Pure functions. What depends on the job's history (attempts, order, earlier look-ups) is decided in
//! [`settle`](super::settle).

use std::time::Duration;

use super::lane::{LaneFault, Verdict};
use crate::error::{Error, ErrorKind, Retry};
use crate::report::{Detail, ItemFailure, Outcome, OutcomeName, Report, Residual, Step};

/// What a residual says when the person may sign in again at once.
pub(super) const STILL_ENABLED: &str = "account is still enabled: the person may sign in again";

/// What one answer makes of a job, before its history is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling {
    /// The provider said so.
    Confirmed,
    /// The provider does not know the subject: gone, or never there.
    NotFound,
    /// It cannot or must not be done.
    Refused,
    /// The provider wants fewer calls: no attempt was used.
    Throttled(Option<Duration>),
    /// Nothing was carried out.
    Transient(Option<Duration>),
    /// It may have been carried out.
    Unknown,
    /// Some steps are done, others may be repeated.
    Unfinished(Option<Duration>),
    /// The whole lane meets the same: no attempt was used.
    Lane,
    /// We stopped it: no attempt was used. Whether it may have been carried out.
    Stopped {
        /// Whether a request may have left.
        sent: bool,
    },
    /// The right is missing, for this subject at least.
    Denied,
    /// A repeat would fail the same way.
    Permanent,
}

impl Ruling {
    /// Whether the provider did its work for this subject.
    pub(super) fn is_success(self) -> bool {
        matches!(self, Self::Confirmed | Self::NotFound)
    }
}

/// An answer, judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) ruling: Ruling,
    pub(super) detail: Detail,
    pub(super) verdict: Verdict,
}

/// Judges the answer to a revoke call. `earlier` holds the steps that former attempts have done.
pub(super) fn judge(answer: Result<Report, Error>, earlier: &Detail, subject: u64) -> Judged {
    match answer {
        Ok(report) => judge_report(report, earlier, subject),
        Err(error) => {
            let mut detail = Detail {
                outcome: earlier.outcome.filter(|o| *o == OutcomeName::Partial),
                steps: earlier.steps.clone(),
                error: Some(error.to_record()),
                ..Detail::default()
            };
            detail.vendor_request_id = error.vendor_request_id().map(str::to_owned);
            Judged {
                ruling: ruling_of(&error),
                detail,
                verdict: verdict_of(&error, subject),
            }
        }
    }
}

fn judge_report(report: Report, earlier: &Detail, subject: u64) -> Judged {
    let mut detail = Detail {
        outcome: Some(OutcomeName::from(&report.outcome)),
        residual: report.residual,
        vendor_request_id: report.vendor_request_ids.into_iter().next_back(),
        provider_time: report.provider_time,
        ..Detail::default()
    };
    let mut verdict = Verdict::Answered;
    let ruling = match report.outcome {
        Outcome::Revoked { ended } | Outcome::Accepted { ended } => {
            detail.steps = merged(&earlier.steps, ended.steps);
            Ruling::Confirmed
        }
        Outcome::NothingToRevoke => {
            detail.steps.clone_from(&earlier.steps);
            Ruling::Confirmed
        }
        Outcome::SubjectNotFound => Ruling::NotFound,
        Outcome::Unsupported(why) => {
            detail.refusal = Some(why);
            Ruling::Refused
        }
        Outcome::Partial { ended, failed } => {
            detail.steps = with_failures(merged(&earlier.steps, ended.steps), &failed);
            let worst = failed
                .iter()
                .map(|failure| &failure.error)
                .max_by_key(|error| badness(error));
            if let Some(worst) = worst {
                detail.error = Some(worst.to_record());
                verdict = verdict_of(worst, subject);
            }
            ruling_of_partial(&failed)
        }
    };
    Judged {
        ruling,
        detail,
        verdict,
    }
}

/// A failed call without a report.
fn ruling_of(error: &Error) -> Ruling {
    if error.is_lane_fault() {
        return Ruling::Lane;
    }
    match (error.kind(), error.retry()) {
        (ErrorKind::Cancelled, retry) => Ruling::Stopped {
            sent: retry == Retry::OutcomeUnknown,
        },
        (_, Retry::OutcomeUnknown) => Ruling::Unknown,
        (ErrorKind::RateLimited, retry) => Ruling::Throttled(after(retry)),
        (_, Retry::Safe { after }) => Ruling::Transient(after),
        (ErrorKind::PermissionDenied, Retry::Never) => Ruling::Denied,
        (_, Retry::Never) => Ruling::Permanent,
    }
}

/// A procedure that failed in places: it goes on while any failed step may be repeated.
fn ruling_of_partial(failed: &[ItemFailure]) -> Ruling {
    let rulings = || failed.iter().map(|failure| ruling_of(&failure.error));
    let longest = rulings()
        .filter_map(|ruling| match ruling {
            Ruling::Throttled(after) | Ruling::Transient(after) => after,
            _ => None,
        })
        .max();
    if rulings().any(|ruling| ruling == Ruling::Lane) {
        Ruling::Lane
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Throttled(_))) {
        Ruling::Throttled(longest)
    } else if rulings().any(|ruling| ruling == Ruling::Unknown) {
        Ruling::Unknown
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Stopped { .. })) {
        Ruling::Stopped { sent: false }
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Transient(_))) {
        Ruling::Unfinished(longest)
    } else {
        Ruling::Permanent
    }
}

/// What the lane learns from a failed call.
pub(super) fn verdict_of(error: &Error, subject: u64) -> Verdict {
    if error.is_lane_fault() {
        return Verdict::Fault(LaneFault::new(error.to_record()));
    }
    match (error.kind(), error.retry()) {
        (ErrorKind::RateLimited, retry) => Verdict::Throttled {
            after: after(retry),
        },
        (ErrorKind::Unavailable | ErrorKind::Timeout, retry) => Verdict::Unavailable {
            after: after(retry),
        },
        (ErrorKind::PermissionDenied, _) => Verdict::PermissionDenied {
            subject,
            error: error.to_record(),
        },
        (ErrorKind::Cancelled, _) => Verdict::Neutral,
        // The provider is there and answers, however strangely.
        _ => Verdict::Answered,
    }
}

/// Which of several failures the lane must hear about.
fn badness(error: &Error) -> u8 {
    match (error.is_lane_fault(), error.kind()) {
        (true, _) => 5,
        (_, ErrorKind::RateLimited) => 4,
        (_, ErrorKind::Unavailable | ErrorKind::Timeout) => 3,
        (_, ErrorKind::PermissionDenied) => 2,
        _ => 1,
    }
}

fn after(retry: Retry) -> Option<Duration> {
    match retry {
        Retry::Safe { after } => after,
        Retry::Never | Retry::OutcomeUnknown => None,
    }
}

/// The steps of this attempt over those of earlier ones.
fn merged(earlier: &[Step], steps: Vec<Step>) -> Vec<Step> {
    let mut all: Vec<Step> = earlier
        .iter()
        .filter(|old| steps.iter().all(|new| new.name != old.name))
        .cloned()
        .collect();
    all.extend(steps);
    all
}

/// A step with a failure is not done, whatever the connector counted.
fn with_failures(mut steps: Vec<Step>, failed: &[ItemFailure]) -> Vec<Step> {
    for failure in failed {
        if let Some(step) = steps.iter_mut().find(|step| step.name == failure.step) {
            step.failed = step.failed.max(1);
        } else {
            let mut step = Step::new(failure.step.clone(), 0);
            step.failed = 1;
            steps.push(step);
        }
    }
    steps
}

/// The steps an earlier, partial attempt has done: the next one leaves them out.
pub(super) fn done_steps(detail: &Detail) -> Vec<String> {
    if detail.outcome != Some(OutcomeName::Partial) {
        return Vec::new();
    }
    detail
        .steps
        .iter()
        .filter(|step| step.failed == 0)
        .map(|step| step.name.clone())
        .collect()
}

/// Says once that the person may sign in again, where the account is known to be enabled.
pub(super) fn add_still_enabled(residual: &mut Vec<Residual>) {
    let said = residual
        .iter()
        .any(|residual| residual.what.contains("still enabled"));
    if !said {
        residual.push(Residual::new(STILL_ENABLED, None));
    }
}
