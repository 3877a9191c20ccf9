//! Reads everything a request names, and sums up what came of it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::columns::Names;
use super::error::PlanError;
use super::groups;
use super::guards::{check_size, needs};
use super::input::{Input, Rows, open_file};
use super::items::{ItemRef, by_account};
use super::people::{Gathering, Progress};
use super::planner::PlannerParts;
use super::request::PlanRequest;
use super::row::Row;
use super::summary::{GroupPlan, PlanSummary, ProviderPlan};
use crate::context::Priority;
use crate::id::{OrderId, ProviderName};
use crate::job::JobState;
use crate::provider::Scope;

/// How many jobs of an earlier order are read at once.
const PAGE: usize = 1_000;

/// One reading of a request.
pub(super) struct Reading<'a> {
    pub(super) parts: &'a PlannerParts,
    pub(super) priority: Priority,
    pub(super) progress: &'a (dyn Fn(Progress) + Send + Sync),
}

impl Reading<'_> {
    /// Reads all of it, in the order it was given.
    pub(super) async fn all(
        &self,
        request: &mut PlanRequest,
        people: &mut Gathering,
    ) -> Result<PlanSummary, PlanError> {
        let names = Arc::new(Names::new(people.targets.names()));
        let mut groups = Vec::new();
        for input in std::mem::take(&mut request.inputs) {
            match input {
                Input::Arguments(subjects) => self.arguments(&subjects, people).await?,
                Input::Group { provider, group } => {
                    groups.push(self.group(&provider, &group, people).await?);
                }
                Input::File(path) => {
                    let name = path.display().to_string();
                    let rows = Rows::of(name.clone(), open_file(path), Arc::clone(&names));
                    self.rows(&name, rows, people).await?;
                }
                Input::Stdin => {
                    let open = || Ok(Box::new(std::io::stdin()) as Box<dyn std::io::Read + Send>);
                    let rows = Rows::of("stdin".to_owned(), open, Arc::clone(&names));
                    self.rows("stdin", rows, people).await?;
                }
                Input::Reader { name, reader } => {
                    let rows = Rows::of(name.clone(), || Ok(reader), Arc::clone(&names));
                    self.rows(&name, rows, people).await?;
                }
            }
        }
        if let Some((provider, items)) = request.items.take() {
            self.items(&provider, items, people).await?;
        }
        if let Some(order) = request.retry_of {
            self.refused_of(order, people).await?;
        }
        self.close(request, people, groups).await
    }

    async fn arguments(
        &self,
        subjects: &[String],
        people: &mut Gathering,
    ) -> Result<(), PlanError> {
        for (n, subject) in subjects.iter().enumerate() {
            let row = Row::of(subject);
            people.take("arguments", n as u64 + 1, row).await?;
        }
        Ok(())
    }

    async fn rows(
        &self,
        name: &str,
        mut rows: Rows,
        people: &mut Gathering,
    ) -> Result<(), PlanError> {
        while let Some(batch) = rows.next().await {
            for parsed in batch? {
                people.take(name, parsed.line, parsed.row).await?;
            }
            (self.progress)(people.progress());
        }
        Ok(())
    }

    async fn group(
        &self,
        provider: &ProviderName,
        group: &str,
        people: &mut Gathering,
    ) -> Result<GroupPlan, PlanError> {
        let (member, target) = self.at(provider, people)?;
        let (accounts, plan) = groups::expand(&member, group, self.priority).await?;
        for account in accounts {
            people.take_member(target, account).await?;
        }
        (self.progress)(people.progress());
        Ok(plan)
    }

    async fn items(
        &self,
        provider: &ProviderName,
        items: Vec<ItemRef>,
        people: &mut Gathering,
    ) -> Result<(), PlanError> {
        let (_, target) = self.at(provider, people)?;
        for (account, items) in by_account(items) {
            let scope = Scope::Items(items);
            people.take_job(target, &account, None, scope).await?;
        }
        Ok(())
    }

    /// The refused jobs of an earlier order, as they were asked for then.
    async fn refused_of(&self, order: OrderId, people: &mut Gathering) -> Result<(), PlanError> {
        let order = self.parts.store.order(order).await?;
        let mut after = None;
        loop {
            let refused = [JobState::Refused];
            let page = self
                .parts
                .store
                .jobs(order.key, &refused, after, PAGE)
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.key);
            for job in page {
                let (_, target) = self.at(&job.provider, people)?;
                match job.subject {
                    Some(subject) => {
                        people
                            .take_job(target, &subject, job.alias, job.scope)
                            .await?;
                    }
                    None => people.erased += 1,
                }
            }
            (self.progress)(people.progress());
        }
    }

    fn at(
        &self,
        provider: &ProviderName,
        people: &Gathering,
    ) -> Result<(Arc<crate::engine::fleet::Member>, u16), PlanError> {
        let member = self.parts.fleet.get(provider).cloned();
        member.zip(people.targets.index(provider)).ok_or_else(|| {
            PlanError::input(format!("no provider is called {provider}"))
                .with_hint(format!("there are: {}", people.targets.names().join(", ")))
        })
    }

    async fn close(
        &self,
        request: &PlanRequest,
        people: &mut Gathering,
        groups: Vec<GroupPlan>,
    ) -> Result<PlanSummary, PlanError> {
        if people.bad_rows.count > 0 && !request.skip_bad_rows {
            return Err(PlanError::BadRows(people.bad_rows.clone()));
        }
        check_size(&self.parts.guards, request.max_subjects, people.people())?;
        people.finish().await?;
        let hash = people.staging.finish().await?;
        let jobs = people.staging.jobs();
        let left_out = people.targets.left_out();
        if jobs == 0 {
            let mut message = "the order would act on nobody".to_owned();
            for out in &left_out {
                let place = out.provider.as_deref().unwrap_or("everywhere");
                let count = out.people.count;
                let _ = write!(message, "; {count} left out at {place}: {}", out.why);
            }
            return Err(PlanError::input(message));
        }
        (self.progress)(people.progress());
        let mut protected = people.protected.clone();
        people
            .findings
            .iter()
            .for_each(|found| protected.extend(&found.protected));
        Ok(PlanSummary {
            hash,
            people: people.people(),
            jobs,
            providers: self.providers(people),
            protected,
            duplicates: people.duplicates,
            left_out,
            bad_rows: people.bad_rows.clone(),
            needs: needs(&self.parts.guards, people.people(), !groups.is_empty()),
            groups,
            warnings: self.warnings(people),
        })
    }

    fn providers(&self, people: &mut Gathering) -> Vec<ProviderPlan> {
        let mut findings = std::mem::take(&mut people.findings).into_iter();
        let counts = people.staging.counts().iter();
        let members = self.parts.fleet.members().iter();
        members
            .zip(counts)
            .map(|(member, count)| {
                let found = findings.next().unwrap_or_default();
                ProviderPlan {
                    name: member.name.to_string(),
                    kind: member.kind.to_string(),
                    jobs: count.jobs,
                    refused: count.refused,
                    looked_up: found.looked_up,
                    resolved: count.resolved,
                    not_found: found.not_found,
                    ambiguous: found.ambiguous,
                    not_covered: found.not_covered,
                    could_not_check: found.could_not_check,
                    refuses: member.capabilities.refuses.clone(),
                    residual: member.descriptor.residual.clone(),
                }
            })
            .filter(|plan| plan.jobs > 0)
            .collect()
    }

    fn warnings(&self, people: &Gathering) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.parts.protected.is_empty() {
            warnings.push("the protected list is empty: every account may be acted on".to_owned());
        }
        if people.notes > 0 {
            warnings.push(format!(
                "rows with a note of their own: {}; the order's note stands for all of them",
                people.notes
            ));
        }
        if people.erased > 0 {
            warnings.push(format!(
                "refused jobs whose subject was erased, which are not tried again: {}",
                people.erased
            ));
        }
        warnings
    }
}
