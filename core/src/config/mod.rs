//! The configuration: layers, exact errors, and what each part of the program reads from it.
//!
//! Defaults, then the file, then the environment (`RESCIND_…`, `__` between levels), then flags. Every problem is
//! found in one run and carries its place; no message ever shows a value.

mod build;
mod collect;
mod document;
mod error;
mod http;
mod layers;
mod load;
mod nearest;
mod places;
mod schema;
mod secret;
mod settings;
mod sources;
mod url;

#[cfg(test)]
mod tests;

pub use build::Loaded;
pub use document::{AuditSettings, Guards};
pub use error::{ConfigError, Place, Problem};
pub use http::HttpSettings;
pub use load::{Config, ProviderConfig};
pub use schema::config_schema;
pub use secret::SecretSource;
pub use settings::Settings;
pub use sources::ConfigSources;
pub use url::check_url;
