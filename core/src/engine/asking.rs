//! Asks about many people in one call, and about some of them again where the answer does not tell who it is that fails.

use std::future::Future;

use super::desk::MANY_FAIL;
use super::lane::Role;
use super::member::{Member, NO_DIRECTORY, no_role};
use super::reads::{is_away, is_down, is_strange, one_each, reported_each, unless_down};
use crate::budget::Cost;
use crate::connector::Roles;
use crate::context::{Context, Priority};
use crate::error::{Error, ErrorKind, Retry};
use crate::provider::{Directory, Evidence, FirstCosts, Proof, Resolution};
use crate::subject::{Subject, fold};

/// One kind of read of many people.
pub(super) trait Read {
    /// What names a person.
    type Asked: Send + Sync;
    /// What is said of a person.
    type Answer: Send;
    /// Who says it.
    type Teller: ?Sized + Send + Sync;

    const ROLE: Role;
    const OPERATION: &'static str;
    /// What is said where nobody plays the role.
    const MISSING: &'static str;

    fn teller(roles: &Roles) -> Option<&Self::Teller>;

    fn cost(costs: &FirstCosts) -> Cost;

    /// The connector's call.
    fn call(
        teller: &Self::Teller,
        cx: &Context,
        asked: &[Self::Asked],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Error>> + Send;

    fn failure(answer: &Self::Answer) -> Option<&Error>;

    fn failed(error: Error) -> Self::Answer;

    fn folded(asked: &Self::Asked) -> String;

    /// The account of this id, to be asked about.
    fn witness(id: String) -> Option<Self::Asked>;
}

/// Who are they?
pub(super) struct LookUp;

impl Read for LookUp {
    type Asked = Subject;
    type Answer = Resolution;
    type Teller = dyn Directory;

    const ROLE: Role = Role::Resolve;
    const OPERATION: &'static str = "resolve";
    const MISSING: &'static str = NO_DIRECTORY;

    fn teller(roles: &Roles) -> Option<&dyn Directory> {
        roles.directory.as_deref()
    }

    fn cost(costs: &FirstCosts) -> Cost {
        costs.resolve
    }

    async fn call(
        directory: &dyn Directory,
        cx: &Context,
        subjects: &[Subject],
    ) -> Result<Vec<Resolution>, Error> {
        directory.resolve(cx, subjects).await
    }

    fn failure(answer: &Resolution) -> Option<&Error> {
        answer.failure()
    }

    fn failed(error: Error) -> Resolution {
        Resolution::Failed(error)
    }

    fn folded(subject: &Subject) -> String {
        subject.folded()
    }

    fn witness(id: String) -> Option<Subject> {
        Subject::from_id(&id).ok()
    }
}

/// What is the evidence of these accounts?
pub(super) struct Proving;

impl Read for Proving {
    type Asked = String;
    type Answer = Proof;
    type Teller = dyn Evidence;

    const ROLE: Role = Role::Evidence;
    const OPERATION: &'static str = "evidence";
    const MISSING: &'static str = "this provider shows no evidence";

    fn teller(roles: &Roles) -> Option<&dyn Evidence> {
        roles.evidence.as_deref()
    }

    fn cost(costs: &FirstCosts) -> Cost {
        costs.evidence
    }

    async fn call(
        evidence: &dyn Evidence,
        cx: &Context,
        ids: &[String],
    ) -> Result<Vec<Proof>, Error> {
        evidence.read(cx, ids).await
    }

    fn failure(answer: &Proof) -> Option<&Error> {
        answer.failure()
    }

    fn failed(error: Error) -> Proof {
        Proof::Failed(error)
    }

    fn folded(id: &String) -> String {
        fold(id)
    }

    fn witness(id: String) -> Option<String> {
        Some(id)
    }
}

/// Asks about at most as many people as one read takes: exactly one answer for each, in order. If the answer makes no
/// sense, each is asked about alone. Where a few meet nothing but an outage, a witness is asked about: if that is answered,
/// each failure is its person's own.
///
/// # Errors
/// The call's as a whole, or the fault the lane has; `ConfigInvalid` where the provider does not play the role.
pub(super) async fn ask<R: Read>(
    member: &Member,
    asked: &[R::Asked],
    priority: Priority,
) -> Result<Vec<R::Answer>, Error> {
    match once::<R>(member, asked, priority).await {
        Err(error) if is_strange(&error) && asked.len() > 1 => {
            each_alone::<R>(member, asked, priority).await
        }
        Err(error) if is_away(&error) && asked.len() < MANY_FAIL => {
            let names: Vec<String> = asked.iter().map(R::folded).collect();
            let Some(witness) = member.witness(&names).and_then(R::witness) else {
                return Err(error);
            };
            match once::<R>(member, &[witness], priority).await {
                Ok(answers) if answers.iter().all(|answer| R::failure(answer).is_none()) => {
                    let each = asked.iter().map(|_| R::failed(error.for_another_call()));
                    Ok(each.collect())
                }
                Err(person_must_act) if person_must_act.retry() == Retry::Never => {
                    Err(person_must_act)
                }
                // How it fails is the witness's affair.
                Ok(_) | Err(_) => Err(error),
            }
        }
        answers => answers,
    }
}

/// One call, admitted by the lane and reported back to it.
async fn once<R: Read>(
    member: &Member,
    asked: &[R::Asked],
    priority: Priority,
) -> Result<Vec<R::Answer>, Error> {
    // Before anything is admitted: it says nothing about the provider.
    let Some(teller) = R::teller(&member.roles) else {
        return Err(no_role(R::OPERATION, R::MISSING));
    };
    let people = asked.len() as u32;
    let cost = R::cost(&member.descriptor.first_cost).times(people);
    let (permit, cx) = member.admit(R::ROLE, cost, people, priority).await?;
    let answers = R::call(teller, &cx, asked)
        .await
        .and_then(|answers| one_each(R::OPERATION, answers, asked.len()))
        .and_then(|answers| unless_down(answers, R::failure));
    reported_each(permit, answers, R::failure)
}

/// Asks about each alone, where the answer about all of them made no sense: whoever it was takes nobody along.
///
/// # Errors
/// When three of them, others each time, all fail in the same way, alone as well: then it is not one person's affair, and
/// the others are not asked. And when nobody can be asked any more.
async fn each_alone<R: Read>(
    member: &Member,
    asked: &[R::Asked],
    priority: Priority,
) -> Result<Vec<R::Answer>, Error> {
    let count = asked.len();
    let turn = member.turn();
    let mut answers: Vec<Option<R::Answer>> = asked.iter().map(|_| None).collect();
    let mut is_understood = false;
    let (mut strange, mut down) = (0, 0);
    let sample = [0, count / 3, 2 * count / 3].map(|place| (turn + place) % count);
    for i in sample.into_iter().chain(0..count) {
        if answers[i].is_some() {
            continue;
        }
        let error = match once::<R>(member, &asked[i..=i], priority).await {
            Ok(mut one) => {
                is_understood = true;
                answers[i] = one.pop();
                continue;
            }
            Err(error) => error,
        };
        // A lane that has stopped says nothing about those who are left.
        let is_stopped = error.kind() == ErrorKind::Cancelled;
        if is_strange(&error) {
            strange += 1;
        } else if is_down(&error) && !is_stopped {
            down += 1;
        } else {
            return Err(error);
        }
        if !is_understood && strange.max(down) == count.min(3) {
            return Err(error);
        }
        answers[i] = Some(R::failed(error));
    }
    Ok(answers.into_iter().flatten().collect())
}
