//! What a lane keeps: its memory, and what was spent.

use jiff::Timestamp;
use rescind_core::id::ProviderName;

use super::rows::micros;
use super::txn::Txn;
use super::writer::Outcome;

impl Txn<'_> {
    pub(super) fn save_lane(&mut self, provider: &ProviderName, memory: &str) -> Outcome<()> {
        let provider = self.memory.provider(self.conn, provider.as_str())?;
        self.conn
            .prepare_cached(
                "INSERT INTO lane(provider, memory) VALUES (?1, ?2)
                 ON CONFLICT(provider) DO UPDATE SET memory = excluded.memory",
            )?
            .execute((provider, memory))?;
        Ok(())
    }

    /// No vendor counts over more than a day.
    pub(super) fn forget_spending(&mut self, before: Timestamp) -> Outcome<()> {
        let before = micros(before).div_euclid(1_000_000);
        self.conn
            .execute("DELETE FROM spend WHERE at < ?1", [before])?;
        Ok(())
    }
}
