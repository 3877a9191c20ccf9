//! Access tokens that were handed out.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

use crate::tenant::Tenant;

/// What a token allows, and whom it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) tenant: Tenant,
    /// One bit for each right of the tenant's own list.
    pub(crate) rights: u16,
    /// Google: the person the service account acts as.
    pub(crate) caller: u32,
    expires_ms: u64,
    generation: u64,
}

/// Why a request may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFault {
    Missing,
    Unknown,
    Expired,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: RwLock<HashMap<String, Token>>,
    generations: [AtomicU64; 2],
    issued: AtomicU64,
}

impl Tokens {
    /// A number no other token has.
    pub(crate) fn next_number(&self) -> u64 {
        self.issued.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn add(
        &self,
        text: String,
        tenant: Tenant,
        rights: u16,
        caller: u32,
        now_ms: u64,
        life_ms: u64,
    ) {
        let token = Token {
            tenant,
            rights,
            caller,
            expires_ms: now_ms + life_ms,
            generation: self.generations[tenant.index()].load(Relaxed),
        };
        tracing::debug!(generation = token.generation, "a token is handed out");
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, token| token.expires_ms + 60_000 > now_ms);
        known.insert(text, token);
    }

    /// Ends every token of a tenant.
    pub(crate) fn void(&self, tenant: Tenant) {
        self.generations[tenant.index()].fetch_add(1, Relaxed);
    }

    pub(crate) fn check(
        &self,
        authorization: Option<&str>,
        tenant: Tenant,
        now_ms: u64,
    ) -> Result<Token, TokenFault> {
        let text = authorization
            .and_then(|header| header.strip_prefix("Bearer "))
            .ok_or(TokenFault::Missing)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let token = known
            .get(text)
            .filter(|token| token.tenant == tenant)
            .ok_or(TokenFault::Unknown)?;
        if token.expires_ms <= now_ms
            || token.generation != self.generations[tenant.index()].load(Relaxed)
        {
            return Err(TokenFault::Expired);
        }
        Ok(*token)
    }
}
