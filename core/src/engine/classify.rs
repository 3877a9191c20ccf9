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
    Unknown(Option<Duration>),
    /// Some steps failed, and may be repeated.
    Unfinished {
        after: Option<Duration>,
        /// Whether the provider did something all the same, or failed this subject alone.
        served: bool,
    },
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
    let mut verdict = Verdict::Heard;
    let ruling = match report.outcome {
        Outcome::Revoked { ended } | Outcome::Accepted { ended } => {
            detail.steps = merged(carried(&earlier.steps), ended.steps);
            verdict = Verdict::Served;
            Ruling::Confirmed
        }
        Outcome::NothingToRevoke => {
            detail.steps = carried(&earlier.steps);
            verdict = Verdict::Served;
            Ruling::Confirmed
        }
        Outcome::SubjectNotFound => Ruling::NotFound,
        Outcome::Unsupported(why) => {
            detail.refusal = Some(why);
            // Our own guard says so, too, and then nothing was sent.
            verdict = Verdict::Neutral;
            Ruling::Refused
        }
        Outcome::Partial { ended, failed } => {
            let progress = ended.steps.iter().any(|step| {
                step.failed == 0 && failed.iter().all(|failure| failure.step != step.name)
            });
            let steps = merged(earlier.steps.clone(), ended.steps);
            detail.steps = with_failures(steps, &failed);
            let worst = failed
                .iter()
                .map(|failure| &failure.error)
                .max_by_key(|error| badness(error));
            if let Some(worst) = worst {
                detail.error = Some(worst.to_record());
                verdict = verdict_of(worst, subject);
            }
            ruling_of_partial(&failed, progress)
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
        (_, Retry::OutcomeUnknown) => Ruling::Unknown(None),
        (ErrorKind::RateLimited, retry) => Ruling::Throttled(after(retry)),
        (_, Retry::Safe { after }) => Ruling::Transient(after),
        (ErrorKind::PermissionDenied, Retry::Never) => Ruling::Denied,
        (_, Retry::Never) => Ruling::Permanent,
    }
}

/// A procedure that failed in places: it goes on while any failed step may be repeated. What may have been carried out
/// is never forgotten over another step's failure.
fn ruling_of_partial(failed: &[ItemFailure], progress: bool) -> Ruling {
    let rulings = || failed.iter().map(|failure| ruling_of(&failure.error));
    let longest = rulings()
        .filter_map(|ruling| match ruling {
            Ruling::Throttled(after) | Ruling::Transient(after) => after,
            _ => None,
        })
        .max();
    if rulings().any(|ruling| matches!(ruling, Ruling::Unknown(_))) {
        Ruling::Unknown(longest)
    } else if rulings().any(|ruling| ruling == Ruling::Stopped { sent: true }) {
        Ruling::Stopped { sent: true }
    } else if rulings().any(|ruling| ruling == Ruling::Lane) {
        Ruling::Lane
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Throttled(_))) {
        Ruling::Throttled(longest)
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Stopped { .. })) {
        Ruling::Stopped { sent: false }
    } else if rulings().any(|ruling| matches!(ruling, Ruling::Transient(_))) {
        let lane_wide = |failure: &ItemFailure| is_lane_wide(&failure.error);
        Ruling::Unfinished {
            after: longest,
            served: progress || !failed.iter().all(lane_wide),
        }
    } else if rulings().any(|ruling| ruling == Ruling::Denied) {
        Ruling::Denied
    } else {
        Ruling::Permanent
    }
}

/// Whether the next subject is likely to meet the same: the provider, or the way to it, is the matter.
fn is_lane_wide(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
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
        _ if error.has_panicked() => Verdict::Neutral,
        // The provider is there and answers, however strangely.
        _ => Verdict::Heard,
    }
}

/// Which of several failures the lane must hear about.
pub(super) fn badness(error: &Error) -> u8 {
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

/// What earlier attempts did for a job that is now confirmed: nothing of it is left undone.
fn carried(earlier: &[Step]) -> Vec<Step> {
    let mut steps = earlier.to_vec();
    for step in &mut steps {
        step.failed = 0;
    }
    steps
}

/// The steps of this attempt on top of those of earlier ones: the counts of a step add up.
fn merged(earlier: Vec<Step>, steps: Vec<Step>) -> Vec<Step> {
    let (again, mut all): (Vec<Step>, Vec<Step>) = earlier
        .into_iter()
        .partition(|old| steps.iter().any(|new| new.name == old.name));
    all.extend(steps.into_iter().map(|mut step| {
        for old in again.iter().filter(|old| old.name == step.name) {
            step.ended += old.ended;
            step.already_absent += old.already_absent;
        }
        step
    }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Ended;

    const SAFE: Retry = Retry::Safe { after: None };

    #[test]
    fn a_panic_says_nothing_about_the_provider() {
        let verdict = verdict_of(&Error::panicked("resolve", SAFE), 0);
        assert!(matches!(verdict, Verdict::Neutral), "{verdict:?}");
        let strange = Error::new(ErrorKind::InvalidResponse, SAFE, "resolve", "no JSON");
        assert!(matches!(verdict_of(&strange, 0), Verdict::Heard));
    }

    fn failure(step: &str, kind: ErrorKind, retry: Retry) -> ItemFailure {
        ItemFailure::new(step, None, Error::new(kind, retry, "end", "scripted"))
    }

    fn partial(steps: Vec<Step>, failed: Vec<ItemFailure>) -> Outcome {
        Outcome::Partial {
            ended: Ended::steps(steps),
            failed,
        }
    }

    fn judged(outcome: Outcome, earlier: &Detail) -> Judged {
        judge(Ok(Report::new(outcome)), earlier, 1)
    }

    #[test]
    fn the_counts_of_two_attempts_add_up_and_a_confirmed_job_has_no_failure() {
        let first = partial(
            vec![Step::new("grants", 3), Step::new("cookies", 1)],
            vec![
                failure("grants", ErrorKind::Unavailable, SAFE),
                failure("cookies", ErrorKind::Unavailable, SAFE),
            ],
        );
        let first = judged(first, &Detail::default()).detail;
        assert_eq!(first.steps.iter().map(|s| s.failed).sum::<u64>(), 2);
        let second = Outcome::Revoked {
            ended: Ended::by(Step::new("grants", 2)),
        };
        let second = judged(second, &first);
        assert_eq!(second.ruling, Ruling::Confirmed);
        let mut steps = second.detail.steps;
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(steps, [Step::new("cookies", 1), Step::new("grants", 5)]);
    }

    #[test]
    fn an_unknown_step_is_remembered_beside_a_throttled_one() {
        let longest = Some(Duration::from_secs(9));
        let throttled = Retry::Safe { after: longest };
        let failed = vec![
            failure("grants", ErrorKind::Timeout, Retry::OutcomeUnknown),
            failure("cookies", ErrorKind::RateLimited, throttled),
        ];
        let answer = judged(partial(Vec::new(), failed), &Detail::default());
        assert_eq!(answer.ruling, Ruling::Unknown(longest));
        assert!(matches!(answer.verdict, Verdict::Throttled { .. }));
    }

    #[test]
    fn a_provider_that_is_down_in_every_step_has_not_served_anybody() {
        let down = || vec![failure("grants", ErrorKind::Unavailable, SAFE)];
        let served = |steps, failed| match judged(partial(steps, failed), &Detail::default()).ruling
        {
            Ruling::Unfinished { served, .. } => served,
            other => panic!("{other:?}"),
        };
        assert!(!served(Vec::new(), down()));
        assert!(!served(vec![Step::new("grants", 0)], down()));
        assert!(served(vec![Step::new("cookies", 0)], down()));
        let strange = failure("grants", ErrorKind::Unexpected, SAFE);
        assert!(served(Vec::new(), vec![strange]));
    }
}
