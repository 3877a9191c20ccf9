//! What a read of many people shows: of each of them, and of their provider's health.

use futures_util::future::BoxFuture;

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

/// Asks about each subject alone, where the answer about all of them made no sense: whoever it was takes nobody along.
/// `ask` is one call, and `fails` what its failure means for the subject; `turn` is another number each time.
///
/// # Errors
/// When three of them, others each time, all fail in the same way, alone as well: then it is not one subject's affair, and
/// the others are not asked. And when a person must act.
pub(super) async fn each_alone<'a, A, T>(
    turn: usize,
    asked: &'a [A],
    ask: impl Fn(&'a [A]) -> BoxFuture<'a, Result<Vec<T>, Error>>,
    fails: fn(Error) -> T,
) -> Result<Vec<T>, Error> {
    let count = asked.len();
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    let mut is_understood = false;
    let (mut strange, mut down) = (0, 0);
    let sample = [0, count / 3, 2 * count / 3].map(|place| (turn + place) % count);
    for i in sample.into_iter().chain(0..count) {
        if answers[i].is_some() {
            continue;
        }
        match ask(&asked[i..=i]).await {
            Ok(mut one) => {
                is_understood = true;
                answers[i] = one.pop();
            }
            Err(error) if is_strange(&error) || is_down(&error) => {
                if is_strange(&error) {
                    strange += 1;
                } else {
                    down += 1;
                }
                if !is_understood && strange.max(down) == count.min(3) {
                    return Err(error);
                }
                answers[i] = Some(fails(error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answers.into_iter().flatten().collect())
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
