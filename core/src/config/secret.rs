//! Where a secret is, never what it is.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Names the place of a secret: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file that only its owner may read.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceVisitor)
    }
}

const NEVER_HERE: &str =
    "a secret is never written here; say where it is: { env = \"NAME\" } or { file = \"path\" }";

struct PlaceVisitor;

impl<'de> Visitor<'de> for PlaceVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ env = \"NAME\" } or { file = \"path\" }")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretSource, E> {
        Err(E::custom(NEVER_HERE))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretSource, A::Error> {
        let Written { env, file } = Written::deserialize(MapAccessDeserializer::new(map))?;
        match (env, file) {
            (Some(name), None) => Ok(SecretSource::Env(name)),
            (None, Some(path)) => Ok(SecretSource::File(path)),
            _ => Err(de::Error::custom(
                "needs exactly one of: env = \"NAME\", file = \"path\"",
            )),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    env: Option<String>,
    file: Option<PathBuf>,
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
    let others = mode & 0o077;
    if others == 0 {
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
