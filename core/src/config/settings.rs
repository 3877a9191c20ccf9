//! A connector's own table.

use figment::Figment;
use serde::de::DeserializeOwned;

use super::error::ConfigError;

/// The `settings` table of one provider, not yet read.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    figment: Figment,
}

impl Settings {
    /// From TOML text, for tests and programs that configure themselves.
    pub fn from_toml(text: &str) -> Self {
        use figment::providers::{Format, Toml};
        Self {
            figment: Figment::from(Toml::string(text)),
        }
    }

    /// From the layers of a whole configuration, focused on this table.
    pub fn from_figment(figment: Figment) -> Self {
        Self { figment }
    }

    /// Reads the table into the connector's own type, which denies unknown fields.
    ///
    /// # Errors
    /// Every problem of the table, not the first, with keys relative to the table; the caller adds file and line.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.figment
            .extract()
            .map_err(|error| ConfigError::of(error.path.join("."), error.kind.to_string()))
    }
}
