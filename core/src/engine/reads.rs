//! What a read of many people shows: of each of them, and of their provider's health.

use super::classify::{badness, verdict_of};
use super::lane::{Permit, Verdict};
use crate::error::{Error, ErrorKind, Retry};

/// What answers for single subjects show of their provider's health: one that was throttled throttles the lane, and
/// where nobody was found because nobody could be reached, the provider is away.
fn health_in<T>(answers: &[T], failure: fn(&T) -> Option<&Error>) -> Verdict {
    let mut worst = Verdict::Heard;
    let mut reached = answers.is_empty();
    let mut served = false;
    for answer in answers {
        match failure(answer).map(|error| verdict_of(error, 0)) {
            None => served = true,
            Some(throttled @ Verdict::Throttled { .. }) => return throttled,
            Some(away @ Verdict::Unavailable { .. }) => worst = away,
            Some(_) => reached = true,
        }
    }
    match (served, reached) {
        (true, _) => Verdict::Served,
        (false, true) => Verdict::Heard,
        (false, false) => worst,
    }
}

/// Tells the lane what a read of many showed of its provider's health.
pub(super) fn reported_each<T>(
    permit: Permit,
    answers: Result<Vec<T>, Error>,
    failure: fn(&T) -> Option<&Error>,
) -> Result<Vec<T>, Error> {
    permit.done(&match &answers {
        Ok(answers) => health_in(answers, failure),
        Err(error) => verdict_of(error, 0),
    });
    answers
}

/// Tells the lane what a call showed of its provider's health.
pub(super) fn reported<T>(permit: Permit, answer: Result<T, Error>) -> Result<T, Error> {
    permit.done(&match &answer {
        Ok(_) => Verdict::Served,
        Err(error) => verdict_of(error, 0),
    });
    answer
}

/// A provider that answers for fewer or more subjects than it was asked about has not answered.
pub(super) fn one_each<T>(
    operation: &'static str,
    answers: Vec<T>,
    asked: usize,
) -> Result<Vec<T>, Error> {
    if answers.len() == asked {
        return Ok(answers);
    }
    Err(Error::new(
        ErrorKind::InvalidResponse,
        Retry::Safe { after: None },
        operation,
        format!("{} answers for {asked} subjects", answers.len()),
    ))
}

/// Answers that all say that the provider, or the way to it, is down are no answers: the call as a whole has failed.
pub(super) fn unless_down<T>(
    answers: Vec<T>,
    failure: fn(&T) -> Option<&Error>,
) -> Result<Vec<T>, Error> {
    let all_down = answers
        .iter()
        .all(|answer| failure(answer).is_some_and(is_down));
    let worst = answers
        .iter()
        .filter_map(failure)
        .max_by_key(|e| badness(e));
    match worst {
        Some(worst) if all_down => Err(worst.for_another_call()),
        _ => Ok(answers),
    }
}

/// Whether an answer came that nobody understands, and another may make sense.
pub(super) fn is_strange(error: &Error) -> bool {
    error.retry() != Retry::Never
        && !error.is_lane_fault()
        && matches!(
            error.kind(),
            ErrorKind::InvalidResponse | ErrorKind::Unexpected
        )
}

/// Whether a failure looks like an outage: of the provider, or of what one subject needs there.
pub(super) fn is_away(error: &Error) -> bool {
    error.retry() != Retry::Never
        && !error.is_lane_fault()
        && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

/// Whether a failure is the provider's affair and passes by itself.
pub(super) fn is_down(error: &Error) -> bool {
    error.retry() != Retry::Never
        && !error.is_lane_fault()
        && matches!(
            error.kind(),
            ErrorKind::Unavailable
                | ErrorKind::Timeout
                | ErrorKind::RateLimited
                | ErrorKind::Cancelled
        )
}
