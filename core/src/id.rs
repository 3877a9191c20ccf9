//! Names and numbers that cross function boundaries.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a name was not accepted. The message is a fragment that fits after "failed to read the name:".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub(crate) String);

/// Column names of an input file that no provider may be called.
pub const RESERVED_COLUMNS: &[&str] =
    &["subject", "user", "email", "upn", "id", "provider", "note"];

/// The name of one configured provider instance, such as `entra-prod`.
///
/// One to 64 characters of `[a-z0-9-]`, and not a reserved column of an input file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(String);

impl ProviderName {
    /// Reads a provider name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        if RESERVED_COLUMNS.contains(&text) {
            return Err(NameError(format!(
                "{text:?} is a reserved column of input files; pick another name"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The kind of a connector, such as `azure-graph`: what `kind = "…"` says in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectorKind(String);

impl ConnectorKind {
    /// Reads a connector kind.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        Ok(Self(text.to_owned()))
    }

    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_name(text: &str) -> Result<(), NameError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err(NameError(format!(
            "{text:?} is not a name: use 1 to 64 characters of a-z, 0-9 and -"
        )));
    }
    Ok(())
}

/// The public id of an order: a UUIDv7, so that ids sort by creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

impl OrderId {
    /// A new id.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// From stored bytes.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID itself.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl Default for OrderId {
    fn default() -> Self {
        Self::new()
    }
}

/// Ties one call, its log lines and the vendor's own log together; sent to the vendor where a header exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorrelationId(Uuid);

impl CorrelationId {
    /// A new id, unlike any other. No secret hangs on it, and every call has one, so the system's source of randomness
    /// is asked once for each process, not once for each id.
    pub fn new() -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (KEY.hash_one((0u8, n)), KEY.hash_one((1u8, n)));
        let bits = (u128::from(high) << 64) | u128::from(low);
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid())
    }
}

impl CorrelationId {
    /// Its text, written into `buffer`.
    pub fn encode(self, buffer: &mut [u8; 36]) -> &str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl Default for CorrelationId {
    fn default() -> Self {
        Self::new()
    }
}

/// The store's own small number of an order; it orders nothing and leaves the process only inside a [`JobKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderKey(pub u32);

/// The number of a job: the order's key in the upper half, the place in the order in the lower.
///
/// All jobs of one order are neighbours, in input order, so a store can walk one order without an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobKey(u64);

impl JobKey {
    /// The `seq`-th job of an order, counted from 0.
    pub const fn new(order: OrderKey, seq: u32) -> Self {
        Self(((order.0 as u64) << 32) | seq as u64)
    }

    /// From a stored number.
    pub const fn from_u64(raw: u64) -> Self {
        Self(raw)
    }

    /// The number as stored.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The order this job belongs to.
    pub const fn order(self) -> OrderKey {
        OrderKey((self.0 >> 32) as u32)
    }

    /// The place in the order, counted from 0.
    pub const fn seq(self) -> u32 {
        self.0 as u32
    }
}

/// Proof of owning a running job: every write of its outcome must show it. Grows with each claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

macro_rules! text_form {
    ($($name:ident: $inner:ty => $error:ty, $parse:expr;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let parse: fn(&str) -> Result<Self, $error> = $parse;
                parse(text)
            }
        }
    )*};
}

text_form! {
    ProviderName: String => NameError, Self::parse;
    ConnectorKind: String => NameError, Self::parse;
    OrderId: Uuid => NameError, |text| Uuid::parse_str(text).map(Self)
        .map_err(|_| NameError(format!("{text:?} is not an order id; `rescind orders list` shows them")));
    CorrelationId: Uuid => NameError, |text| Uuid::parse_str(text).map(Self)
        .map_err(|_| NameError(format!("{text:?} is not a correlation id")));
}

macro_rules! string_conversions {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )*};
}

string_conversions! { ProviderName ConnectorKind }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_never_called_like_a_column() {
        assert!(ProviderName::parse("entra-prod").is_ok());
        for bad in ["", "Entra", "a b", "note", "upn", "ä", &"x".repeat(65)] {
            assert!(ProviderName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_job_key_keeps_order_and_place() {
        let key = JobKey::new(OrderKey(7), 4_000_000_000);
        assert_eq!((key.order(), key.seq()), (OrderKey(7), 4_000_000_000));
        assert!(JobKey::new(OrderKey(7), u32::MAX) < JobKey::new(OrderKey(8), 0));
    }
}
