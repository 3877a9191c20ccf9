//! How to reach the outside.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[http]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// A PEM file of certificates that are trusted besides the system's own.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through; never taken from the environment.
    pub proxy: Option<String>,
}
