//! Lays the sources over each other and remembers who set what.

use std::collections::BTreeSet;

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, Profile};

use super::collect::RawTexts;
use super::error::{ConfigError, Problem};
use super::places::Places;
use super::settings::dict;
use super::sources::{ConfigSources, PREFIX};

/// The merged configuration, not yet read.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) tree: Dict,
    pub(super) raw: RawTexts,
    pub(super) places: Places,
}

impl Layers {
    /// Reads and merges the sources.
    ///
    /// # Errors
    /// A file that somebody named and that is not there, cannot be read, or is not TOML.
    pub(super) fn merge(sources: &ConfigSources) -> Result<Self, ConfigError> {
        let mut layers = Self::default();
        let mut figment = Figment::new();
        if let Some(text) = text_of(sources)? {
            let path = sources.path().unwrap_or(std::path::Path::new("")).into();
            let (places, table) = Places::of_file(path, &text)?;
            layers.places = places;
            figment = figment.merge(Serialized::from(dict(table), Profile::Default));
        }
        let secrets = figment.extract().map(|tree| secret_names(&tree));
        let secrets = secrets.unwrap_or_default();
        for (variable, text) in &sources.env {
            if sources.not_keys.contains(variable) || secrets.contains(variable) {
                continue;
            }
            let Some(path) = key_of(variable) else {
                continue;
            };
            let key = path.join(".");
            let value: Value = text.parse().unwrap_or_else(|never| match never {});
            figment = figment.merge((&key, value));
            layers.raw.insert(path, text.clone());
            layers.places.set_by_env(key, variable.clone());
        }
        for flag in &sources.flags {
            figment = figment.merge((&flag.key, flag.value.clone()));
            layers
                .raw
                .remove(&flag.key.split('.').map(str::to_owned).collect::<Vec<_>>());
            layers
                .places
                .set_by_flag(flag.key.clone(), flag.written.clone());
        }
        layers.tree = figment
            .extract()
            .map_err(|_| ConfigError::of("", "the layers cannot be laid over each other"))?;
        Ok(layers)
    }

    /// A table below a key, with the texts of the environment that reach into it.
    pub(super) fn below(&self, path: &[&str]) -> (Dict, RawTexts) {
        let mut table = &self.tree;
        for name in path {
            match table.get(*name) {
                Some(Value::Dict(_, below)) => table = below,
                _ => return (Dict::new(), RawTexts::new()),
            }
        }
        let raw = self.raw.iter().filter_map(|(key, text)| {
            let (above, rest) = key.split_at_checked(path.len())?;
            (above == path).then(|| (rest.to_vec(), text.clone()))
        });
        (table.clone(), raw.collect())
    }
}

fn text_of(sources: &ConfigSources) -> Result<Option<String>, ConfigError> {
    if let Some((_, text)) = &sources.text {
        return Ok(Some(text.clone()));
    }
    let Some(path) = sources.path() else {
        return Ok(None);
    };
    let unreadable = |message: String| {
        let problem = Problem::new(path.display().to_string(), message);
        ConfigError::new(vec![problem.with_hint(
            "name a configuration with --config or RESCIND_CONFIG, or try it out with --sandbox",
        )])
    };
    let bytes = std::fs::read(path)
        .map_err(|error| unreadable(format!("the configuration cannot be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable("the configuration is not UTF-8".to_owned()))?;
    Ok(Some(text))
}

/// `RESCIND_PROVIDERS__ENTRA_PROD__SETTINGS__CLIENT_ID` is `providers.entra-prod.settings.client_id`: a provider's name
/// has no underscore, and a shell's variable no hyphen.
fn key_of(variable: &str) -> Option<Vec<String>> {
    let key = variable.strip_prefix(PREFIX)?.to_lowercase();
    let mut path: Vec<String> = key.split("__").map(str::to_owned).collect();
    if path.len() > 1 && path[0] == "providers" {
        path[1] = path[1].replace('_', "-");
    }
    path.iter().all(|name| !name.is_empty()).then_some(path)
}

/// The variables that `{ env = "NAME" }` names: they hold secrets and set no key.
fn secret_names(tree: &Dict) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in tree {
        match value {
            Value::String(_, name) if key == "env" => {
                names.insert(name.clone());
            }
            Value::Dict(_, below) => names.extend(secret_names(below)),
            _ => {}
        }
    }
    names
}
