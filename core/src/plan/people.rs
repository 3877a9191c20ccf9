//! Turns rows into jobs: matches, removes duplicates, refuses the protected, and holds the few back to look them up.

use std::sync::Arc;

use super::dedupe::{Met, Seen};
use super::error::{BadRows, PlanError};
use super::guards::check_size;
use super::lookup::{Findings, LOOKED_UP, Placed, look_up, resolved};
use super::matching::{Matched, Sent, Targets, refusal};
use super::protected::{self, ProtectedSpellings};
use super::row::Row;
use super::staging::Staging;
use super::summary::People;
use crate::config::Guards;
use crate::context::Priority;
use crate::engine::fleet::Fleet;
use crate::provider::{Account, Scope};
use crate::store::StagedJob;
use crate::subject::fold;

/// How a plan comes along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// People so far.
    pub people: u64,
    /// Jobs so far.
    pub jobs: u64,
}

/// The people of a plan while they are gathered.
pub(super) struct Gathering {
    fleet: Arc<Fleet>,
    entries: Vec<String>,
    spellings: ProtectedSpellings,
    priority: Priority,
    pub(super) targets: Targets,
    pub(super) staging: Staging,
    seen: Seen,
    held: Option<Vec<Placed>>,
    pub(super) findings: Vec<Findings>,
    pub(super) protected: People,
    pub(super) duplicates: u64,
    pub(super) bad_rows: BadRows,
    pub(super) rows: u64,
    pub(super) notes: u64,
    pub(super) erased: u64,
    ceilings: (Guards, Option<u64>),
    skip_bad_rows: bool,
}

impl Gathering {
    pub(super) fn new(
        fleet: Arc<Fleet>,
        entries: Vec<String>,
        priority: Priority,
        targets: Targets,
        staging: Staging,
        ceilings: (Guards, Option<u64>),
        skip_bad_rows: bool,
    ) -> Self {
        Self {
            fleet,
            spellings: ProtectedSpellings::new(&entries),
            entries,
            priority,
            targets,
            staging,
            seen: Seen::new(),
            held: Some(Vec::new()),
            findings: Vec::new(),
            protected: People::default(),
            duplicates: 0,
            bad_rows: BadRows::default(),
            rows: 0,
            notes: 0,
            erased: 0,
            ceilings,
            skip_bad_rows,
        }
    }

    pub(super) fn people(&self) -> u64 {
        self.seen.people()
    }

    pub(super) fn progress(&self) -> Progress {
        let held = self.held.as_ref().map_or(0, Vec::len);
        Progress {
            rows: self.rows,
            people: self.people(),
            jobs: self.staging.jobs() + held as u64,
        }
    }

    /// Takes one row of an input.
    pub(super) async fn take(
        &mut self,
        source: &str,
        line: u64,
        row: Result<Row, String>,
    ) -> Result<(), PlanError> {
        self.rows += 1;
        match row {
            Ok(row) => {
                self.notes += u64::from(row.has_note);
                self.take_person(&row, None).await?;
            }
            Err(why) => self.bad_rows.push(source, line, why),
        }
        Ok(())
    }

    /// Takes a member of a group at the target it was expanded at; elsewhere the account's name is looked for.
    pub(super) async fn take_member(
        &mut self,
        target: u16,
        account: Account,
    ) -> Result<(), PlanError> {
        self.rows += 1;
        let row = Row {
            subject: account.name.clone(),
            provider: None,
            own_ids: vec![(target, account.id.clone())],
            has_note: false,
        };
        self.take_person(&row, Some((target, account))).await
    }

    async fn take_person(
        &mut self,
        row: &Row,
        member: Option<(u16, Account)>,
    ) -> Result<(), PlanError> {
        let Matched { sent, left_out } = self.targets.of(row);
        let is_protected = self.is_protected(row, member.as_ref());
        let role = match (sent.is_empty(), is_protected) {
            (true, _) => Met::Nowhere,
            (false, true) => Met::Protected,
            (false, false) => Met::ToBeCalled,
        };
        let (person, new) = self.seen.meet(&fold(&row.subject), role);
        if new {
            self.targets.note(left_out, &row.subject);
            if role == Met::Protected {
                self.protected.add(&row.subject);
            }
        }
        if sent.is_empty() {
            return Ok(());
        }
        let mut again = true;
        for to in sent {
            // A group's own account is the person's own identifier there, and is compared as the person elsewhere is.
            let own_id = to.own_id.as_deref().filter(|_| member.is_none());
            let first = match own_id {
                Some(id) => self.seen.send_own(&fold(id), to.target),
                None => self.seen.send(person, to.target),
            };
            if first {
                again = false;
                let account = member.as_ref().filter(|(at, _)| *at == to.target);
                let account = account.map(|(_, account)| account.clone());
                self.place(row, to, is_protected, account).await?;
            }
        }
        self.duplicates += u64::from(again);
        Ok(())
    }

    fn is_protected(&self, row: &Row, member: Option<&(u16, Account)>) -> bool {
        let own_ids = row.own_ids.iter().map(|(_, id)| id);
        let spellings = member.iter().flat_map(|(_, account)| &account.spellings);
        std::iter::once(&row.subject)
            .chain(own_ids)
            .chain(spellings)
            .any(|spelling| self.spellings.covers(spelling))
    }

    async fn place(
        &mut self,
        row: &Row,
        to: Sent,
        is_protected: bool,
        account: Option<Account>,
    ) -> Result<(), PlanError> {
        let mut job = StagedJob::new(row.subject.clone(), to.target);
        job.alias = to.own_id.filter(|id| *id != row.subject);
        job.resolved = account.as_ref().map(resolved);
        if is_protected {
            job.refused = Some(protected::refusal());
        } else if let Some(why) = to.refused {
            job.refused = Some(refusal(why));
        } else if let Some(why) = account.as_ref().and_then(|a| a.not_covered.clone()) {
            // Said by the group's own listing; a look-up, where there is one, finds the same and counts it.
            job.refused = self.held.is_none().then(|| refusal(why));
        }
        self.put(Placed {
            target: to.target,
            job,
            account,
        })
        .await
    }

    /// Takes a job whose target and scope are settled already.
    pub(super) async fn take_job(
        &mut self,
        target: u16,
        subject: &str,
        alias: Option<String>,
        scope: Scope,
    ) -> Result<(), PlanError> {
        self.rows += 1;
        let spelled = |text: &str| self.spellings.covers(text);
        let is_protected = spelled(subject) || alias.as_deref().is_some_and(spelled);
        let role = if is_protected {
            Met::Protected
        } else {
            Met::ToBeCalled
        };
        let (_, new) = self.seen.meet(&fold(subject), role);
        let mut job = StagedJob::new(subject, target);
        if is_protected {
            job.refused = Some(protected::refusal());
            if new {
                self.protected.add(subject);
            }
        } else if let Some(why) = self.targets.refuses(target, scope.kind()) {
            job.refused = Some(refusal(why));
        }
        job.alias = alias;
        job.scope = scope;
        self.put(Placed {
            target,
            job,
            account: None,
        })
        .await
    }

    /// Whether going on would only fill the store with what nobody can accept.
    fn is_lost(&self) -> bool {
        let (guards, own) = &self.ceilings;
        (self.bad_rows.count > 0 && !self.skip_bad_rows)
            || check_size(guards, *own, self.people()).is_err()
    }

    async fn put(&mut self, placed: Placed) -> Result<(), PlanError> {
        if self.is_lost() {
            return Ok(());
        }
        let people = self.people();
        let Some(held) = &mut self.held else {
            self.staging.add(placed.target, placed.job).await?;
            return Ok(());
        };
        held.push(placed);
        // Protected people count for nothing, and must not fill the memory either.
        let many = held.len() > 64 * LOOKED_UP as usize;
        if people > LOOKED_UP || many {
            let held = self.held.take().unwrap_or_default();
            let all = self.targets.in_question();
            self.release(&all, held).await?;
        }
        Ok(())
    }

    /// Looks the people up, where they are few, and stages what is still held.
    pub(super) async fn finish(&mut self) -> Result<(), PlanError> {
        let Some(mut held) = self.held.take() else {
            return Ok(());
        };
        if self.is_lost() {
            return Ok(());
        }
        self.findings = look_up(
            self.fleet.members(),
            &self.entries,
            self.priority,
            &mut held,
        )
        .await;
        let mut used: Vec<u16> = held.iter().map(|placed| placed.target).collect();
        used.sort_unstable();
        used.dedup();
        self.release(&used, held).await
    }

    async fn release(&mut self, targets: &[u16], held: Vec<Placed>) -> Result<(), PlanError> {
        self.staging.begin(targets).await?;
        for mut placed in held {
            let uncovered = placed.account.and_then(|account| account.not_covered);
            if let (Some(why), None) = (uncovered, &placed.job.refused) {
                placed.job.refused = Some(refusal(why));
            }
            self.staging.add(placed.target, placed.job).await?;
        }
        Ok(())
    }
}
