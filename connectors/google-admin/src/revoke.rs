//! The procedure that ends a person's access, step by step. A failed step hides no other.

use jiff::Timestamp;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind};
use rescind_core::report::{Ended, ItemFailure, Outcome, Report, Step as Tally};

use crate::api::Api;
use crate::classify::Refusal;
use crate::item::Item;
use crate::step::Step;
use crate::token::TOKEN;

/// One run of the procedure for one person.
pub(crate) struct Procedure<'a> {
    api: &'a Api,
    cx: &'a Context,
    /// The person's id.
    user: &'a str,
    suspended: bool,
    tallies: Vec<Tally>,
    failed: Vec<ItemFailure>,
    /// Why nothing further is sent: everything after it would meet the same.
    stopped: Option<Error>,
    /// The vendor's clock at its last answer.
    at: Option<Timestamp>,
}

/// The person is gone: there is nothing left to do.
pub(crate) struct Gone;

impl<'a> Procedure<'a> {
    pub(crate) fn new(api: &'a Api, cx: &'a Context, user: &'a str, suspended: bool) -> Self {
        Self {
            api,
            cx,
            user,
            suspended,
            tallies: Vec::new(),
            failed: Vec::new(),
            stopped: None,
            at: None,
        }
    }

    /// Ends everything a step is for.
    pub(crate) async fn run(&mut self, step: Step) -> Result<(), Gone> {
        if self.is_stopped(step) {
            return Ok(());
        }
        match step {
            Step::AppPasswords => match self.api.app_passwords(self.cx, self.user).await {
                Ok(list) => {
                    let items = list.iter().map(|asp| Item::AppPassword(asp.code_id));
                    self.delete(step, items.collect()).await
                }
                Err(refusal) => self.failed_step(step, refusal),
            },
            Step::Grants => match self.api.grants(self.cx, self.user).await {
                Ok(list) => {
                    let items = list.into_iter().map(|token| Item::Grant(token.client_id));
                    self.delete(step, items.collect()).await
                }
                Err(refusal) => self.failed_step(step, refusal),
            },
            Step::BackupCodes if self.suspended => {
                let mut tally = Tally::new(step.name(), 0);
                tally.skipped = 1;
                tally.note = Some(
                    "Google invalidates no backup codes of a suspended user; run again if the account is restored"
                        .to_owned(),
                );
                self.tallies.push(tally);
                Ok(())
            }
            Step::BackupCodes => {
                let done = self.api.invalidate_backup_codes(self.cx, self.user).await;
                self.done_at_once(step, done, "all backup codes at once")
            }
            Step::SignOut => {
                let done = self.api.sign_out(self.cx, self.user).await;
                self.done_at_once(step, done, "all web and device sessions at once")
            }
        }
    }

    /// Deletes items of one step, one request each.
    pub(crate) async fn delete(&mut self, step: Step, items: Vec<Item>) -> Result<(), Gone> {
        if self.is_stopped(step) {
            return Ok(());
        }
        let mut tally = Tally::new(step.name(), 0);
        let mut rest = items.into_iter();
        while let Some(item) = rest.next() {
            let error = match self.delete_one(&item).await {
                Ok(()) => {
                    tally.ended += 1;
                    continue;
                }
                Err(Refusal::ItemMissing(_)) => {
                    tally.already_absent += 1;
                    continue;
                }
                Err(Refusal::UserMissing(_)) => return Err(Gone),
                Err(refusal) => refusal.into_error(),
            };
            tally.failed += 1;
            let ends_step = error.kind() == ErrorKind::Timeout;
            self.fail(step, Some(item.to_string()), error);
            if ends_step || self.stopped.is_some() {
                // The rest of this step waits for the next attempt: it would take a time-out each, or fail the same way.
                let untried = rest.len() as u64;
                tally.failed += untried;
                tally.note = (untried > 0).then(|| format!("{untried} of them not tried"));
                break;
            }
        }
        self.tallies.push(tally);
        Ok(())
    }

    /// What was done, and what was not.
    ///
    /// # Errors
    /// When nothing was done and there is one reason for all of it: the first request met what stops everything, or
    /// every step as a whole failed alike.
    pub(crate) fn finish(self) -> Result<Report, Error> {
        let Self {
            tallies,
            mut failed,
            stopped,
            at,
            ..
        } = self;
        let nothing_done = tallies.iter().all(|tally| {
            tally.failed + tally.skipped > 0 && tally.ended + tally.already_absent == 0
        });
        if nothing_done {
            if let Some(error) = stopped {
                return Err(error);
            }
            if failed_alike(&failed) {
                return Err(failed.swap_remove(0).error);
            }
        }
        let ended = Ended::steps(tallies);
        let outcome = if failed.is_empty() {
            Outcome::Revoked { ended }
        } else {
            Outcome::Partial { ended, failed }
        };
        Ok(Report::new(outcome).at(at))
    }

    async fn delete_one(&mut self, item: &Item) -> Result<(), Refusal> {
        let refusal = match self.api.delete(self.cx, self.user, item).await {
            Ok(at) => {
                self.note(at);
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let Refusal::PerhapsMissing(error) = refusal else {
            return Err(refusal);
        };
        // Google words a missing app password and a wrong number alike; only the list tells them apart.
        let left = self.api.app_passwords(self.cx, self.user).await?;
        let is_left = left
            .iter()
            .any(|asp| Item::AppPassword(asp.code_id) == *item);
        Err(if is_left {
            Refusal::Failed(error)
        } else {
            Refusal::ItemMissing(error)
        })
    }

    fn done_at_once(
        &mut self,
        step: Step,
        done: Result<Option<Timestamp>, Refusal>,
        note: &str,
    ) -> Result<(), Gone> {
        match done {
            Ok(at) => {
                self.note(at);
                let mut tally = Tally::new(step.name(), 1);
                tally.note = Some(note.to_owned());
                self.tallies.push(tally);
                Ok(())
            }
            Err(refusal) => self.failed_step(step, refusal),
        }
    }

    fn failed_step(&mut self, step: Step, refusal: Refusal) -> Result<(), Gone> {
        if matches!(refusal, Refusal::UserMissing(_)) {
            return Err(Gone);
        }
        let mut tally = Tally::new(step.name(), 0);
        tally.failed = 1;
        self.tallies.push(tally);
        self.fail(step, None, refusal.into_error());
        Ok(())
    }

    fn is_stopped(&mut self, step: Step) -> bool {
        let Some(why) = &self.stopped else {
            return false;
        };
        let error = why.for_another_call();
        self.failed.push(ItemFailure::new(step.name(), None, error));
        true
    }

    fn fail(&mut self, step: Step, item: Option<String>, error: Error) {
        if stops(&error) {
            self.stopped = Some(error.for_another_call());
        }
        self.failed.push(ItemFailure::new(step.name(), item, error));
    }

    fn note(&mut self, at: Option<Timestamp>) {
        self.at = at.or(self.at);
    }
}

/// Whether everything that follows would meet the same, so that asking on only does harm.
pub(crate) fn stops(error: &Error) -> bool {
    error.is_lane_fault()
        || error.operation() == TOKEN
        || matches!(error.kind(), ErrorKind::RateLimited | ErrorKind::Cancelled)
}

/// Whether there are failures, all of whole steps and of one class.
fn failed_alike(failed: &[ItemFailure]) -> bool {
    let class = |failure: &ItemFailure| (failure.error.kind(), failure.error.retry());
    failed.first().is_some_and(|first| {
        failed
            .iter()
            .all(|failure| failure.item.is_none() && class(failure) == class(first))
    })
}
