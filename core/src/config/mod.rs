//! The configuration: layers, exact errors, and what each part of the program reads from it.

mod error;
mod http;
mod secret;
mod settings;

pub use error::{ConfigError, Place, Problem};
pub use http::HttpSettings;
pub use secret::SecretSource;
pub use settings::Settings;
