//! Where a secret is, never what it is.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Names the place of a secret: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the secret raw: no parsing, one trailing line break dropped.
    ///
    /// # Errors
    /// A sentence for a person when it is missing, empty or, for a file, readable by others (mode 0600 is asked for).
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads secrets from the environment"
    )]
    pub fn read(&self) -> Result<SecretString, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name)
                .map_err(|_| format!("the environment variable {name} is not set"))?,
            Self::File(path) => {
                only_owner_reads(path)?;
                std::fs::read_to_string(path).map_err(|error| {
                    format!("the file {} cannot be read: {error}", path.display())
                })?
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(match self {
                Self::Env(name) => format!("the environment variable {name} is empty"),
                Self::File(path) => format!("the file {} is empty", path.display()),
            });
        }
        Ok(SecretString::from(text.to_owned()))
    }
}

#[cfg(unix)]
fn only_owner_reads(path: &std::path::Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!(
        "the file {} can be read by others (mode {:03o}); run: chmod 600 {}",
        path.display(),
        mode & 0o777,
        path.display()
    ))
}

#[cfg(not(unix))]
fn only_owner_reads(_path: &std::path::Path) -> Result<(), String> {
    Ok(())
}
