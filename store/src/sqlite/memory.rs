//! What the writer remembers between transactions. All of it can be read again from the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use rescind_core::audit::tree::Frontier;
use rescind_core::store::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

use super::connection::check_schema;
use super::rows::order_id;
use super::running::{Proofs, Runs};
use super::seen::Seen;
use super::story::Stories;
use super::writer::{Fault, Outcome};

/// An order as far as claims and outcomes need it.
#[derive(Debug)]
pub(super) struct OrderFacts {
    /// Its public id, as text.
    pub(super) id: String,
    /// T, in microseconds; `None` while it is staged.
    pub(super) accepted_at: Option<i64>,
    pub(super) paused: bool,
    pub(super) cancelled: bool,
}

impl OrderFacts {
    /// Whether its jobs may be claimed.
    pub(super) fn works(&self) -> bool {
        self.accepted_at.is_some() && !self.paused && !self.cancelled
    }
}

#[derive(Debug)]
pub(super) struct Memory {
    /// Changes when another connection has committed; then the rest is read again.
    data_version: i64,
    orders: HashMap<u32, Arc<OrderFacts>>,
    providers: HashMap<Arc<str>, i64>,
    pub(super) seen: Seen,
    pub(super) runs: Runs,
    pub(super) proofs: Proofs,
    pub(super) stories: Stories,
    /// The tree over the entries that the last checkpoint covers.
    pub(super) signed: Option<Frontier>,
    /// Since when there are entries of ours that no checkpoint covers.
    pub(super) unsigned_since: Option<Instant>,
    /// Whether nothing more is expected for now.
    pub(super) at_rest: bool,
    /// Notes signed in this transaction, to be copied once it is committed.
    pub(super) signed_notes: Vec<String>,
}

impl Memory {
    pub(super) fn load(conn: &Connection) -> Outcome<Self> {
        let data_version = data_version(conn)?;
        check_schema(conn).map_err(Fault::Fatal)?;
        Ok(Self {
            data_version,
            orders: HashMap::new(),
            providers: HashMap::new(),
            seen: Seen::load(conn)?,
            runs: Runs::default(),
            proofs: Proofs::default(),
            stories: Stories::default(),
            signed: None,
            unsigned_since: None,
            at_rest: false,
            signed_notes: Vec::new(),
        })
    }

    /// At the start of a transaction: forgets what another process may have changed.
    pub(super) fn refresh(&mut self, conn: &Connection) -> Outcome<()> {
        let now = data_version(conn)?;
        if now != self.data_version {
            check_schema(conn).map_err(Fault::Fatal)?;
            self.data_version = now;
            self.orders.clear();
            self.runs.clear();
            self.proofs.clear();
            self.signed = None;
            self.seen.refresh(conn)?;
        }
        Ok(())
    }

    /// The number that changes when another process has written.
    pub(super) fn change_mark(&self) -> u64 {
        self.data_version.unsigned_abs()
    }

    pub(super) fn forget_order(&mut self, key: u32) {
        self.orders.remove(&key);
    }

    /// What is known of an order; `None` when there is no such order.
    pub(super) fn order(
        &mut self,
        conn: &Connection,
        key: u32,
    ) -> Outcome<Option<Arc<OrderFacts>>> {
        if let Some(facts) = self.orders.get(&key) {
            return Ok(Some(Arc::clone(facts)));
        }
        let facts = conn
            .prepare_cached(
                "SELECT id, accepted_at, paused IS NOT NULL, cancelled FROM orders WHERE key = ?1",
            )?
            .query_row([key], |row| {
                Ok(OrderFacts {
                    id: order_id(row.get(0)?).to_string(),
                    accepted_at: row.get(1)?,
                    paused: row.get(2)?,
                    cancelled: row.get(3)?,
                })
            })
            .optional()?;
        let Some(facts) = facts else { return Ok(None) };
        let facts = Arc::new(facts);
        self.orders.insert(key, Arc::clone(&facts));
        Ok(Some(facts))
    }

    /// The number of a provider's name, made when it is new.
    pub(super) fn provider(&mut self, conn: &Connection, name: &str) -> Outcome<i64> {
        if let Some(id) = self.providers.get(name) {
            return Ok(*id);
        }
        conn.prepare_cached("INSERT INTO provider(name) VALUES (?1) ON CONFLICT DO NOTHING")?
            .execute([name])?;
        let id = conn
            .prepare_cached("SELECT id FROM provider WHERE name = ?1")?
            .query_row([name], |row| row.get(0))?;
        self.providers.insert(name.into(), id);
        Ok(id)
    }

    /// The name of a provider's number.
    pub(super) fn provider_name(&mut self, conn: &Connection, id: i64) -> Outcome<Arc<str>> {
        if let Some((name, _)) = self.providers.iter().find(|(_, known)| **known == id) {
            return Ok(Arc::clone(name));
        }
        let name: Arc<str> = conn
            .prepare_cached("SELECT name FROM provider WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?;
        self.providers.insert(Arc::clone(&name), id);
        Ok(name)
    }

    /// The tree that the last checkpoint covers, from the database if we do not hold it.
    pub(super) fn signed_tree(&mut self, conn: &Connection) -> Outcome<Frontier> {
        if let Some(tree) = &self.signed {
            return Ok(tree.clone());
        }
        let bytes: Option<Vec<u8>> = conn
            .prepare_cached("SELECT tree FROM checkpoint ORDER BY size DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        match bytes {
            None => Ok(Frontier::default()),
            Some(bytes) => Frontier::from_bytes(&bytes).ok_or_else(|| {
                Fault::Fatal(StoreError::Corrupt("the tree of a checkpoint".to_owned()))
            }),
        }
    }
}

fn data_version(conn: &Connection) -> Outcome<i64> {
    Ok(conn
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?)
}
