//! Looks people up while planning, where they are few, so that a typo, a guest or a protected account shows before
//! the yes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::matching::refusal;
use super::protected;
use super::summary::{CouldNotCheck, NotCovered, People};
use crate::context::Priority;
use crate::engine::fleet::Member;
use crate::error::Error;
use crate::job::{Resolved, subject_of};
use crate::layer::Protection as _;
use crate::provider::{Account, Resolution};
use crate::store::StagedJob;
use crate::subject::Subject;

/// A plan with more people is not looked up: a million look-ups would take hours.
pub(super) const LOOKED_UP: u64 = 200;

/// How long a plan waits for a provider. The order itself waits as long as the provider asks.
const PATIENCE: Duration = Duration::from_secs(20);

/// A job that is not staged yet.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) target: u16,
    pub(super) job: StagedJob,
    /// The account, where a group named it.
    pub(super) account: Option<Account>,
}

/// What looking up showed at one provider.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) looked_up: bool,
    pub(super) not_found: People,
    pub(super) ambiguous: People,
    pub(super) not_covered: Vec<NotCovered>,
    pub(super) protected: People,
    pub(super) could_not_check: Option<CouldNotCheck>,
}

/// Looks up all jobs that are not refused, each provider by itself, and writes into them what was found.
pub(super) async fn look_up(
    members: &[Arc<Member>],
    protected: &[String],
    priority: Priority,
    placed: &mut [Placed],
) -> Vec<Findings> {
    let mut of_target: Vec<Vec<&mut Placed>> = members.iter().map(|_| Vec::new()).collect();
    for one in placed {
        if one.job.refused.is_none() {
            of_target[usize::from(one.target)].push(one);
        }
    }
    let each = members
        .iter()
        .zip(of_target)
        .map(|(member, jobs)| look_up_at(member, protected, priority, jobs));
    join_all(each).await
}

async fn look_up_at(
    member: &Member,
    entries: &[String],
    priority: Priority,
    mut jobs: Vec<&mut Placed>,
) -> Findings {
    let mut findings = Findings::default();
    if jobs.is_empty() || member.roles.directory.is_none() {
        return findings;
    }
    let unknown = jobs
        .iter()
        .enumerate()
        .filter(|(_, job)| job.account.is_none());
    let (unknown, subjects): (Vec<usize>, Vec<Subject>) = unknown
        .filter_map(|(n, placed)| {
            let job = &placed.job;
            Some((n, subject_of(&job.subject, job.alias.as_deref()).ok()?))
        })
        .unzip();
    let asking = async {
        member.protected().look_up(member, entries).await?;
        member.resolve(&subjects, priority).await
    };
    let answers = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => {
            findings.could_not_check = Some(why(&error));
            return findings;
        }
        Err(_) => {
            findings.could_not_check = Some(CouldNotCheck {
                reason: format!("no answer within {} s", PATIENCE.as_secs()),
                hint: None,
            });
            return findings;
        }
    };
    findings.looked_up = true;
    for (n, answer) in unknown.into_iter().zip(answers) {
        let job = &mut *jobs[n];
        match answer {
            Resolution::Found(account) => job.account = Some(account),
            Resolution::NotFound => findings.not_found.add(&job.job.subject),
            Resolution::Ambiguous { .. } => findings.ambiguous.add(&job.job.subject),
            Resolution::Failed(error) => {
                findings.could_not_check.get_or_insert_with(|| why(&error));
            }
        }
    }
    for placed in jobs {
        findings.settle(member, placed);
    }
    findings
}

impl Findings {
    /// Writes what is known of an account into its job.
    fn settle(&mut self, member: &Member, placed: &mut Placed) {
        let Placed { job, account, .. } = placed;
        let Some(account) = account else {
            return;
        };
        job.resolved = Some(resolved(account));
        if member.protected().covers_account(account) || member.protected().covers(&job.subject) {
            job.refused = Some(protected::refusal());
            self.protected.add(&job.subject);
        } else if let Some(why) = &account.not_covered {
            job.refused = Some(refusal(why.clone()));
            self.add_not_covered(why, &job.subject);
        }
    }

    fn add_not_covered(&mut self, why: &crate::report::Unsupported, subject: &str) {
        let known = self.not_covered.iter_mut().find(|known| known.why == *why);
        if let Some(known) = known {
            known.people.add(subject);
            return;
        }
        let mut people = People::default();
        people.add(subject);
        self.not_covered.push(NotCovered {
            why: why.clone(),
            people,
        });
    }
}

/// The account as a job carries it.
pub(super) fn resolved(account: &Account) -> Resolved {
    Resolved {
        id: account.id.clone(),
        name: account.name.clone(),
    }
}

fn why(error: &Error) -> CouldNotCheck {
    CouldNotCheck {
        reason: error.message().to_owned(),
        hint: error.hint().map(str::to_owned),
    }
}
