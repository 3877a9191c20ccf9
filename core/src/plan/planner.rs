//! From a request to a staged order that waits for a yes.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::error::{GuardRefusal, PlanError};
use super::guards::{Given, check_given};
use super::matching::Targets;
use super::people::{Gathering, Progress};
use super::reading::Reading;
use super::request::PlanRequest;
use super::staging::Staging;
use super::summary::PlanSummary;
use crate::config::Guards;
use crate::context::Priority;
use crate::engine::fleet::Fleet;
use crate::id::{OrderId, OrderKey};
use crate::order::{Actor, Note, OrderDraft};
use crate::store::{Acceptance, Act, Store};

/// What a planner works with.
#[derive(Clone)]
pub struct PlannerParts {
    /// Where orders are staged.
    pub store: Arc<dyn Store>,
    /// The providers.
    pub fleet: Arc<Fleet>,
    /// The accounts that are never acted on, as configured.
    pub protected: Vec<String>,
    /// What stops an order.
    pub guards: Guards,
}

impl fmt::Debug for PlannerParts {
    /// Shows how many are protected, not who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlannerParts")
            .field("fleet", &self.fleet)
            .field("protected", &self.protected.len())
            .field("guards", &self.guards)
            .finish_non_exhaustive()
    }
}

/// Makes plans, and orders of them: the one way in for whoever orders.
#[derive(Debug, Clone)]
pub struct Planner {
    parts: PlannerParts,
}

/// A plan that waits for a yes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// What it would do.
    pub summary: PlanSummary,
    /// The order's public id.
    pub order_id: OrderId,
    /// Whether standard input was read, so that nobody can be asked there.
    pub used_stdin: bool,
    staged: Option<OrderKey>,
    actor: Actor,
    note: Note,
}

/// An order that is live.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Accepted {
    /// Its public id.
    pub order: OrderId,
    /// The store's number.
    pub key: OrderKey,
    /// The instant T: what began before it shall end.
    pub accepted_at: Timestamp,
}

impl Planner {
    /// A planner.
    pub fn new(parts: PlannerParts) -> Self {
        Self { parts }
    }

    /// Plans: reads the input, matches people to providers, stages the jobs. `progress` is told about every thousand
    /// rows. A guard's refusal is recorded. Nothing stays staged when it fails; a dropped call leaves a staged order
    /// that the next start sweeps.
    ///
    /// # Errors
    /// Input that cannot be read or names nobody, a guard's refusal, or a store that fails.
    pub async fn plan(
        &self,
        mut request: PlanRequest,
        progress: impl Fn(Progress) + Send + Sync,
    ) -> Result<Plan, PlanError> {
        let mut draft = OrderDraft::new(request.note.clone(), request.actor.clone());
        draft.reference.clone_from(&request.reference);
        draft.urgent = request.urgent;
        draft.verify = request.verify;
        draft.retry_of = request.retry_of;
        let order_id = draft.id;
        let used_stdin = request.uses_stdin();
        let (actor, note) = (request.actor.clone(), request.note.clone());
        let planned = self.gather(&mut request, draft, &progress).await;
        if let Err(PlanError::Guard(refusal)) = &planned {
            self.record(&actor, &note, &refusal.to_string()).await?;
        }
        let (summary, staged) = planned?;
        Ok(Plan {
            summary,
            order_id,
            used_stdin,
            staged,
            actor,
            note,
        })
    }

    /// Makes a plan live, if what was said is what it needs. One small synced transaction; from here nothing is lost.
    ///
    /// # Errors
    /// A guard's refusal, which drops the plan and is recorded, or a store that fails.
    pub async fn accept(&self, plan: Plan, given: Given) -> Result<Accepted, PlanError> {
        let summary = &plan.summary;
        if let Err(refusal) = check_given(summary.needs, given, summary.people) {
            self.refuse(plan, &refusal.to_string()).await?;
            return Err(refusal.into());
        }
        let Some(key) = plan.staged else {
            return Err(PlanError::input("a dry run cannot be accepted"));
        };
        let acceptance = Acceptance::new(summary.hash.clone(), summary.jobs, summary.people);
        let accepted_at = self.parts.store.accept(key, acceptance).await?;
        Ok(Accepted {
            order: plan.order_id,
            key,
            accepted_at,
        })
    }

    /// Drops a plan and records why.
    ///
    /// # Errors
    /// A store that fails.
    pub async fn refuse(&self, plan: Plan, why: &str) -> Result<(), PlanError> {
        let (actor, note) = (plan.actor.clone(), plan.note.clone());
        self.discard(plan).await?;
        self.record(&actor, &note, why).await
    }

    /// Drops a plan that nobody wants any more.
    ///
    /// # Errors
    /// A store that fails.
    pub async fn discard(&self, plan: Plan) -> Result<(), PlanError> {
        if let Some(key) = plan.staged {
            self.parts.store.discard(key).await?;
        }
        Ok(())
    }

    async fn record(&self, actor: &Actor, note: &Note, why: &str) -> Result<(), PlanError> {
        let mut act = Act::new(actor.clone(), "order_denied").because(note.as_str());
        act.outcome = Some(why.to_owned());
        Ok(self.parts.store.record_denied(act).await?)
    }

    async fn gather(
        &self,
        request: &mut PlanRequest,
        draft: OrderDraft,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(PlanSummary, Option<OrderKey>), PlanError> {
        let PlannerParts {
            store,
            fleet,
            protected,
            guards,
        } = &self.parts;
        Note::parse(request.note.as_str(), guards.min_note_chars).map_err(GuardRefusal::from)?;
        let priority = if request.urgent {
            Priority::Urgent
        } else {
            Priority::Normal
        };
        let targets = Targets::new(fleet, &request.providers)?;
        let staging = Staging::new(Arc::clone(store), Arc::clone(fleet), draft, request.dry_run);
        let mut people = Gathering::new(
            Arc::clone(fleet),
            protected.clone(),
            priority,
            targets,
            staging,
            (guards.clone(), request.max_subjects),
            request.skip_bad_rows,
        );
        let reading = Reading {
            parts: &self.parts,
            priority,
            progress,
        };
        match reading.all(request, &mut people).await {
            Ok(summary) => Ok((summary, people.staging.order())),
            Err(error) => {
                people.staging.discard().await?;
                Err(error)
            }
        }
    }
}
