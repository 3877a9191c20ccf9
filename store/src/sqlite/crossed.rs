//! The points at which a debug build can be made to fail, that one transaction has crossed.

use rescind_core::failpoint::Point;
use rescind_core::store::StoreError;

use super::writer::Outcome;

/// In a release build it is empty and does nothing.
#[derive(Debug, Default)]
pub(super) struct Crossed {
    #[cfg(debug_assertions)]
    points: Vec<Point>,
    #[cfg(debug_assertions)]
    lies: bool,
}

#[cfg(debug_assertions)]
impl Crossed {
    /// Crosses a point inside the transaction.
    pub(super) fn passes(&mut self, point: Point) -> Outcome<()> {
        use rescind_core::failpoint::{Side, lies, pass};
        pass(Side::Before, point).map_err(super::writer::Fault::Fatal)?;
        self.lies |= lies(point);
        if !self.points.contains(&point) {
            self.points.push(point);
        }
        Ok(())
    }

    /// Whether the transaction is to be told and not kept.
    pub(super) fn lies(&self) -> bool {
        self.lies
    }

    /// The transaction is synced, and nobody has been told.
    pub(super) fn committed(self) -> Result<(), StoreError> {
        use rescind_core::failpoint::{Side, pass};
        self.points
            .into_iter()
            .try_for_each(|point| pass(Side::After, point))
    }
}

#[cfg(not(debug_assertions))]
#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "a debug build may fail here"
)]
impl Crossed {
    #[inline]
    pub(super) fn passes(&mut self, _: Point) -> Outcome<()> {
        Ok(())
    }

    #[inline]
    pub(super) fn lies(&self) -> bool {
        false
    }

    #[inline]
    pub(super) fn committed(self) -> Result<(), StoreError> {
        Ok(())
    }
}
