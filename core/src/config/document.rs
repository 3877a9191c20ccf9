//! The configuration as it is written, table by table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::http::HttpSettings;

/// The configuration of rescind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// The folder that holds orders, outcomes and the audit record.
    #[serde(default = "default_state_dir")]
    pub(super) state_dir: PathBuf,
    /// Reserved for a database server; this build keeps its state in `state_dir`.
    pub(super) store: Option<String>,
    /// The accounts that are never acted on, by any of their spellings or ids. An empty list must be written out.
    pub(super) protected: Vec<String>,
    /// The providers, by name: a-z, 0-9 and -.
    #[serde(default)]
    pub(super) providers: BTreeMap<String, ProviderTable>,
    /// What stops an order before it does harm.
    #[serde(default)]
    pub(super) guards: Guards,
    /// The record.
    #[serde(default)]
    pub(super) audit: AuditSettings,
    /// How to reach the outside.
    #[serde(default)]
    pub(super) http: HttpSettings,
}

fn default_state_dir() -> PathBuf {
    PathBuf::from("./state")
}

/// One provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    /// The connector; `rescind connectors` lists those of a build.
    pub(super) kind: String,
    /// The connector's own settings; `rescind connectors` describes them.
    #[serde(default)]
    #[expect(dead_code, reason = "only its being a table is read here")]
    pub(super) settings: SettingsTable,
    /// Quota and concurrency. Default: what the vendor documents.
    #[serde(default)]
    pub(super) lane: LaneTable,
    /// The domains of the people this provider may know. Without it: everybody.
    #[serde(default)]
    pub(super) domains: Vec<String>,
}

/// A table that the connector reads.
#[derive(Debug, Default)]
pub(super) struct SettingsTable;

impl<'de> Deserialize<'de> for SettingsTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, IgnoredAny>::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for SettingsTable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// Quota and concurrency of one provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LaneTable {
    /// The connector's main budget, or "unlimited". Default: what the vendor documents.
    pub(super) quota: Option<QuotaValue>,
    /// People at once. Default: what the connector advises.
    pub(super) max_in_flight: Option<u32>,
}

/// `{ units = 3000, per_secs = 150 }` or `"unlimited"`.
#[derive(Debug)]
pub(super) enum QuotaValue {
    Budget { units: u32, per_secs: u64 },
    Unlimited,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BudgetTable {
    /// How many.
    #[schemars(range(min = 1))]
    units: u32,
    /// In how many seconds.
    #[schemars(range(min = 1))]
    per_secs: u64,
}

impl<'de> Deserialize<'de> for QuotaValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QuotaVisitor;

        impl<'de> Visitor<'de> for QuotaVisitor {
            type Value = QuotaValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ units = 3000, per_secs = 150 } or \"unlimited\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<QuotaValue, E> {
                match text {
                    "unlimited" => Ok(QuotaValue::Unlimited),
                    _ => Err(E::custom(format_args!("expected {}", Expect(self)))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<QuotaValue, A::Error> {
                let BudgetTable { units, per_secs } =
                    BudgetTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(QuotaValue::Budget { units, per_secs })
            }
        }

        struct Expect<V>(V);

        impl<'de, V: Visitor<'de>> fmt::Display for Expect<V> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.expecting(f)
            }
        }

        deserializer.deserialize_any(QuotaVisitor)
    }
}

impl JsonSchema for QuotaValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quota".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let budget = generator.subschema_for::<BudgetTable>();
        json_schema!({ "oneOf": [budget, { "const": "unlimited" }] })
    }
}

/// What stops an order before it does harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Guards {
    /// More people than this, or any group, need the count typed or stated.
    pub confirm_above: u64,
    /// The most people of one order; no flag lifts it. Default: no limit.
    pub max_subjects: Option<u64>,
    /// Whether an order pauses when more than 5 % of its first 100 finished jobs are parked.
    pub canary: bool,
    /// How many visible characters a note needs.
    #[schemars(range(min = 1))]
    pub min_note_chars: usize,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            confirm_above: 50,
            max_subjects: None,
            canary: true,
            min_note_chars: 1,
        }
    }
}

/// The record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AuditSettings {
    /// A file, best on another machine or on write-once storage, to which every signed checkpoint is also written.
    pub checkpoint_copy: Option<PathBuf>,
}
