//! How to reach the outside.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[http]` table.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// A PEM file of certificates that are trusted besides the system's own.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through; never taken from the environment.
    pub proxy: Option<String>,
}

impl fmt::Debug for HttpSettings {
    /// The URL of a proxy may carry a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.as_ref().map(|_| "[redacted]"))
            .finish()
    }
}
