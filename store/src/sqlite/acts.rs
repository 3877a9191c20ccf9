//! What a person, or the engine itself, does to a whole order.

use rescind_core::failpoint::Point;
use rescind_core::id::OrderKey;
use rescind_core::store::{Act, StoreError};

use super::txn::Txn;
use super::writer::{Fault, Outcome};

impl Txn<'_> {
    pub(super) fn pause(&mut self, order: OrderKey, why: &str, act: &Act) -> Outcome<()> {
        let detail = serde_json::json!({
            "authenticated_by": act.actor.authenticated_by,
            "why": why,
        });
        self.change(
            order,
            act,
            &detail.to_string(),
            "UPDATE orders SET paused = ?2 WHERE key = ?1 AND accepted_at IS NOT NULL",
            Some(why),
        )
    }

    pub(super) fn release(&mut self, order: OrderKey, act: &Act) -> Outcome<()> {
        self.change(
            order,
            act,
            "",
            "UPDATE orders SET paused = ?2 WHERE key = ?1 AND accepted_at IS NOT NULL",
            None,
        )
    }

    /// From this commit on, claims refuse the order's jobs.
    pub(super) fn call_off(&mut self, order: OrderKey, act: &Act) -> Outcome<()> {
        self.crossed.passes(Point::CalledOff)?;
        self.change(
            order,
            act,
            "",
            "UPDATE orders SET cancelled = 1, paused = ?2 WHERE key = ?1 AND accepted_at IS NOT NULL",
            None,
        )
    }

    fn change(
        &mut self,
        order: OrderKey,
        act: &Act,
        detail: &str,
        statement: &str,
        paused: Option<&str>,
    ) -> Outcome<()> {
        let changed = self
            .conn
            .prepare_cached(statement)?
            .execute((order.0, paused))?;
        if changed == 0 {
            return Err(Fault::Refused(StoreError::NotAccepted));
        }
        self.memory.forget_order(order.0);
        self.append_act(act, &[], detail)
    }
}
