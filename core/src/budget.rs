//! What a vendor allows, in the vendor's own units.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a vendor counts a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetShape {
    /// A bucket that refills steadily: `units` at once, then `units / per` for ever.
    Bucket,
    /// A window: never more than `units` within any `per`.
    Window,
}

/// One named budget from the vendor's documents, such as Graph's `writes`: 3,000 per 150 s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Budget {
    /// Its name, unique within the provider.
    pub name: &'static str,
    /// How much of it.
    pub units: u32,
    /// In what time.
    #[serde(skip)]
    pub per: Duration,
    /// How the vendor counts.
    pub shape: BudgetShape,
}

impl Budget {
    /// A budget that refills steadily.
    pub const fn bucket(name: &'static str, units: u32, per: Duration) -> Self {
        Self {
            name,
            units,
            per,
            shape: BudgetShape::Bucket,
        }
    }

    /// A budget counted in windows.
    pub const fn window(name: &'static str, units: u32, per: Duration) -> Self {
        Self {
            name,
            units,
            per,
            shape: BudgetShape::Window,
        }
    }
}

/// What one request costs, in the units of one or more budgets. A budget the lane does not have costs nothing there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    parts: [(&'static str, u32); Cost::MAX_PARTS],
}

impl Cost {
    const MAX_PARTS: usize = 3;

    /// Nothing yet.
    pub const NOTHING: Self = Self {
        parts: [("", 0); Self::MAX_PARTS],
    };

    /// A cost in one budget.
    pub const fn of(budget: &'static str, units: u32) -> Self {
        let mut cost = Self::NOTHING;
        cost.parts[0] = (budget, units);
        cost
    }

    /// And a cost in a further one.
    ///
    /// # Panics
    /// When a request is said to draw on more than three budgets.
    #[must_use]
    pub fn and(mut self, budget: &'static str, units: u32) -> Self {
        let slot = self
            .parts
            .iter_mut()
            .find(|(name, _)| name.is_empty() || *name == budget)
            .expect("a request draws on three budgets at most");
        *slot = (budget, slot.1 + units);
        self
    }

    /// The same cost `n` times.
    #[must_use]
    pub fn times(mut self, n: u32) -> Self {
        for part in &mut self.parts {
            part.1 *= n;
        }
        self
    }

    /// What is left of this cost once `paid` is taken off.
    #[must_use]
    pub fn less(mut self, paid: &Self) -> Self {
        for part in &mut self.parts {
            part.1 = part.1.saturating_sub(paid.units_of(part.0));
        }
        self
    }

    /// The units in one budget.
    pub fn units_of(&self, budget: &str) -> u32 {
        self.parts
            .iter()
            .filter(|(name, _)| *name == budget && !name.is_empty())
            .map(|(_, units)| units)
            .sum()
    }

    /// Whether it costs nothing at all.
    pub fn is_nothing(&self) -> bool {
        self.parts.iter().all(|(_, units)| *units == 0)
    }

    /// Budget and units, for those that cost something.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, u32)> + '_ {
        self.parts.iter().copied().filter(|(_, units)| *units > 0)
    }
}
