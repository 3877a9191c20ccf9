//! The protected list as one provider knows it: immutable ids, and every spelling that leads to them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fleet::Member;
use crate::context::Priority;
use crate::error::{Error, ErrorKind, Retry};
use crate::layer::Protection;
use crate::likeness::forms;
use crate::provider::{Account, Resolution};
use crate::subject::Subject;

/// How old the list may be before no revocation leaves any more.
pub const MAX_AGE: Duration = Duration::from_secs(600);

/// When it is read again: early enough that a slow directory does not hold the lane up.
pub const READ_AGAIN: Duration = Duration::from_secs(480);

/// Who must never be revoked at one provider. Unknown until it is looked up there.
#[derive(Default)]
pub struct Protected {
    list: RwLock<Option<List>>,
    /// Held while it is read: whoever wants to read it meanwhile takes what comes of that.
    reading: Mutex<()>,
}

struct List {
    /// Ids, names and spellings, in every form they are compared in.
    texts: HashSet<String>,
    /// The ids that entries led to, at this reading or an earlier one: who is renamed meanwhile stays protected.
    ids: HashSet<String>,
    /// When its reading began: a pause in the middle makes the first answers old.
    read_at: Instant,
}

impl List {
    /// A list of these texts, read now.
    fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            texts: texts
                .into_iter()
                .flat_map(forms)
                .map(Cow::into_owned)
                .collect(),
            ids: HashSet::new(),
            read_at: Instant::now(),
        }
    }

    /// Adds an account that an entry leads to.
    fn add(&mut self, account: &Account) {
        let forms_of = |text| forms(text).map(Cow::into_owned);
        self.texts.extend(spellings(account).flat_map(forms_of));
        self.ids.extend(forms(&account.id).map(Cow::into_owned));
    }

    fn covers(&self, spelling: &str) -> bool {
        if self.texts.is_empty() && self.ids.is_empty() {
            return false;
        }
        forms(spelling)
            .any(|form| self.texts.contains(form.as_ref()) || self.ids.contains(form.as_ref()))
    }
}

impl Protected {
    /// Looks every entry of the list up at the provider, unless it was read lately, and keeps ids and spellings. What was
    /// known before stays in force when this fails, and ids stay for good: an account that an entry led to once is protected
    /// until the process ends, whatever it is called by then. Cancel-safe.
    ///
    /// A provider without a directory, or one that refuses everything, is matched by spelling only.
    ///
    /// # Errors
    /// When an entry could not be looked up. A lane fault when the provider does not let us read people, or when an
    /// entry stands for several accounts: then nobody can say who is protected.
    pub async fn look_up(&self, member: &Member, entries: &[String]) -> Result<(), Error> {
        let _alone = self.reading.lock().await;
        if self.age().is_some_and(|age| age < READ_AGAIN) {
            return Ok(());
        }
        let mut read = List::of(entries.iter().map(String::as_str));
        if member.roles.directory.is_some() && member.capabilities.refuses.is_none() {
            // What is no identifier cannot be anybody's; it stays in the list as a spelling.
            let subjects: Vec<Subject> = entries
                .iter()
                .filter_map(|entry| Subject::parse(entry).ok())
                .collect();
            for answer in member
                .resolve(&subjects, Priority::Urgent)
                .await
                .map_err(unreadable)?
            {
                match answer {
                    Resolution::Found(account) => read.add(&account),
                    Resolution::NotFound => {}
                    Resolution::Ambiguous { count } => return Err(ambiguous(count)),
                    Resolution::Failed(error) => return Err(unreadable(error)),
                }
            }
        }
        self.take_over(read);
        Ok(())
    }

    /// Puts what was just read in the place of what was known.
    fn take_over(&self, mut read: List) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = list.take() {
            read.ids.extend(before.ids);
        }
        *list = Some(read);
    }

    /// How long ago the list was read; `None` when it never was.
    pub fn age(&self) -> Option<Duration> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.as_ref().map(|list| list.read_at.elapsed())
    }

    /// Whether revocations may leave: the list is known and young enough.
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < MAX_AGE)
    }

    /// Whether an account is on the list, by its id, its main name or any other spelling.
    pub fn covers_account(&self, account: &Account) -> bool {
        spellings(account).any(|text| self.covers(text))
    }
}

impl Protection for Protected {
    fn is_known(&self) -> bool {
        self.is_fresh()
    }

    fn covers(&self, spelling: &str) -> bool {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        list.as_ref().is_some_and(|list| list.covers(spelling))
    }
}

impl fmt::Debug for Protected {
    /// Shows nobody: a `Debug` may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected")
            .field("age", &self.age())
            .finish_non_exhaustive()
    }
}

fn spellings(account: &Account) -> impl Iterator<Item = &str> {
    [account.id.as_str(), account.name.as_str()]
        .into_iter()
        .chain(account.spellings.iter().map(String::as_str))
}

fn ambiguous(count: usize) -> Error {
    Error::new(
        ErrorKind::ConfigInvalid,
        Retry::Never,
        "protected",
        format!("an entry of the protected list stands for {count} accounts at this provider"),
    )
    .with_hint("write the account's own id into `protected` instead of an address")
}

/// Without the right to read people nobody can say who is protected, so what is permanent stops the lane.
fn unreadable(error: Error) -> Error {
    match error.retry() {
        Retry::Never => error.as_lane_fault(),
        Retry::Safe { .. } | Retry::OutcomeUnknown => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_list_that_has_grown_old_lets_no_call_out() {
        let list = Protected::default();
        assert!(!list.is_known());
        *list.list.write().expect("unpoisoned") = Some(List::of([]));
        assert!(list.is_known());
        tokio::time::advance(MAX_AGE).await;
        assert!(!list.is_known());
    }

    #[tokio::test(start_paused = true)]
    async fn a_spelling_that_reads_as_an_entry_is_covered() {
        let list = Protected::default();
        *list.list.write().expect("unpoisoned") = Some(List::of(["straße@contoso.com"]));
        for spelling in [
            " STRASSE@contoso.com.",
            "ｓtraße@contoso.com",
            "strа\u{df}e@contoso.com",
            "stra\u{200b}ße@contoso.com",
        ] {
            assert!(list.covers(spelling), "{spelling:?}");
            let mut account = Account::new("7", "somebody@contoso.com");
            account.spellings.push(spelling.to_owned());
            assert!(list.covers_account(&account), "{spelling:?}");
        }
        assert!(!list.covers("strase@contoso.com"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_as_old_as_its_first_answer() {
        let list = Protected::default();
        let read = List::of(["breakglass@contoso.com"]);
        tokio::time::advance(MAX_AGE).await;
        list.take_over(read);
        assert!(!list.is_known());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rename_between_two_readings_unprotects_nobody() {
        let list = Protected::default();
        let mut first = List::of(["breakglass@contoso.com"]);
        first.add(&Account::new("7", "breakglass@contoso.com"));
        list.take_over(first);
        // By the second reading nobody is called so any more.
        list.take_over(List::of(["breakglass@contoso.com"]));
        assert!(list.covers_account(&Account::new("7", "renamed@contoso.com")));
        assert!(!list.covers_account(&Account::new("8", "renamed@contoso.com")));
    }
}
