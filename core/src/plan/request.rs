//! What somebody asks for.

use super::input::Input;
use super::items::ItemRef;
use crate::id::{OrderId, ProviderName};
use crate::order::{Actor, Note};

/// What an order shall be.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlanRequest {
    /// Who is meant.
    pub inputs: Vec<Input>,
    /// Where; empty: at every provider that may know the person.
    pub providers: Vec<ProviderName>,
    /// Why. The configured minimum of visible characters is checked with the plan.
    pub note: Note,
    /// The case number.
    pub reference: Option<String>,
    /// Who asks.
    pub actor: Actor,
    /// Overtakes bulk orders.
    pub urgent: bool,
    /// Whether evidence is read.
    pub verify: bool,
    /// Whether rows that cannot be read are left out, and listed, instead of stopping the plan.
    pub skip_bad_rows: bool,
    /// The most people the caller means.
    pub max_subjects: Option<u64>,
    /// Plan only: nothing is staged, and the plan cannot be accepted.
    pub dry_run: bool,
    pub(super) items: Option<(ProviderName, Vec<ItemRef>)>,
    pub(super) retry_of: Option<OrderId>,
}

impl PlanRequest {
    /// A request that names nobody yet.
    pub fn new(note: Note, actor: Actor) -> Self {
        Self {
            inputs: Vec::new(),
            providers: Vec::new(),
            note,
            reference: None,
            actor,
            urgent: false,
            verify: true,
            skip_bad_rows: false,
            max_subjects: None,
            dry_run: false,
            items: None,
            retry_of: None,
        }
    }

    /// With people.
    #[must_use]
    pub fn with_input(mut self, input: Input) -> Self {
        self.inputs.push(input);
        self
    }

    /// With a case number.
    #[must_use]
    pub fn with_reference(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }

    /// To end single items of a provider's inventory instead of everything.
    #[must_use]
    pub fn for_items(mut self, provider: ProviderName, items: Vec<ItemRef>) -> Self {
        self.items = Some((provider, items));
        self
    }

    /// To try the refused jobs of an earlier order again.
    #[must_use]
    pub fn for_retry_of(mut self, order: OrderId) -> Self {
        self.retry_of = Some(order);
        self
    }

    /// Whether standard input is read, so that nobody can be asked there.
    pub fn uses_stdin(&self) -> bool {
        self.inputs
            .iter()
            .any(|input| matches!(input, Input::Stdin))
    }
}
