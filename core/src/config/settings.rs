//! A connector's own table.

use std::fmt;

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, Profile};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;

use super::collect::{self, Path, RawTexts};
use super::error::ConfigError;
use super::secret::SecretSource;

/// The `settings` table of one provider, not yet read.
#[derive(Clone, Default)]
pub struct Settings {
    table: Dict,
    raw: RawTexts,
}

impl Settings {
    /// From TOML text, for tests and programs that configure themselves.
    ///
    /// # Panics
    /// When the text is not TOML: it is the program's own.
    pub fn from_toml(text: &str) -> Self {
        let table =
            toml::from_str::<toml::Table>(text).expect("the program's own settings are TOML");
        Self::from_table(dict(table), RawTexts::new())
    }

    pub(super) fn from_table(table: Dict, raw: RawTexts) -> Self {
        Self { table, raw }
    }

    /// Every table that names the place of a secret, with its keys.
    pub(super) fn secrets(&self) -> Vec<(Path, SecretSource)> {
        let mut found = Vec::new();
        find_secrets(&self.table, &mut Vec::new(), &mut found);
        found
    }

    /// Reads the table into the connector's own type, which denies unknown fields.
    ///
    /// # Errors
    /// Every problem of the table, not the first, with keys relative to the table; the caller adds file and line.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        match collect::read(self.table.clone(), self.raw.clone()) {
            (Some(value), problems) if problems.is_empty() => Ok(value),
            (_, problems) if problems.is_empty() => {
                Err(ConfigError::of("", "the settings cannot be read"))
            }
            (_, problems) => Err(ConfigError::new(problems)),
        }
    }
}

impl fmt::Debug for Settings {
    /// Shows keys, never values: somebody may have written a secret here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.table.keys()).finish()
    }
}

fn find_secrets(table: &Dict, path: &mut Path, found: &mut Vec<(Path, SecretSource)>) {
    for (key, value) in table {
        let Value::Dict(_, below) = value else {
            continue;
        };
        path.push(key.clone());
        match SecretSource::deserialize(value) {
            Ok(source) => found.push((path.clone(), source)),
            Err(_) => find_secrets(below, path, found),
        }
        path.pop();
    }
}

/// A TOML table as the layers hold it.
pub(super) fn dict(table: toml::Table) -> Dict {
    Figment::from(Serialized::from(table, Profile::Default))
        .extract()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::SecretSource;
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by its deserializer alone")]
    struct Entra {
        tenant: String,
        client_id: String,
        client_secret: SecretSource,
        cloud: Cloud,
        batch: Option<u8>,
        #[serde(default)]
        steps: Vec<String>,
        retry: Nested,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Cloud {
        Global,
        China,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by its deserializer alone")]
    struct Nested {
        first: u32,
        second: url::Url,
    }

    fn problems(text: &str) -> Vec<String> {
        let error = Settings::from_toml(text)
            .read::<Entra>()
            .expect_err("is wrong");
        error.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_of_a_table_is_found_in_one_reading() {
        let found = problems(
            "tennant = 'hidden-value'\nclient_secret = 'hidden-value'\ncloud = 'hidden-value'\nbatch = -7\n\
             steps = ['ok', 7, 'ok', {}]\nretry = { first = 'hidden-value', frist = 1 }",
        );
        let expected = [
            "batch: out of range",
            "client_id: required, and missing",
            "client_secret: a secret is never written here",
            "cloud: not one of the values it may have (allowed: global, china)",
            "retry.first: expected a whole number, not negative, found text",
            "retry.frist: unknown key (did you mean first? allowed: first, second)",
            "retry.second: required, and missing",
            "steps.1: expected text, found a whole number",
            "steps.3: expected text, found a table",
            "tenant: required, and missing",
            "tennant: unknown key (did you mean tenant? allowed: tenant,",
        ];
        let mut found_sorted = found.clone();
        found_sorted.sort();
        assert_eq!(found_sorted.len(), expected.len(), "{found_sorted:#?}");
        for (found, expected) in found_sorted.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
        }
        assert!(!format!("{found:?}").contains("hidden-value"), "{found:?}");
    }

    #[test]
    fn a_whole_missing_table_is_one_problem() {
        let found = problems(
            "tenant = 't'\nclient_id = 'c'\nclient_secret = { env = 'X' }\ncloud = 'china'",
        );
        assert_eq!(found, ["retry: required, and missing"]);
    }

    #[test]
    fn debug_shows_no_value() {
        let settings = Settings::from_toml("tenant = 'hidden-value'");
        assert_eq!(format!("{settings:?}"), r#"{"tenant"}"#);
    }
}
