//! The configuration as the program uses it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::collect;
use super::document::{AuditSettings, Document, Guards, LaneTable, ProviderTable, QuotaValue};
use super::error::{ConfigError, Problem};
use super::http::HttpSettings;
use super::layers::Layers;
use super::nearest::nearest;
use super::places::{Places, join};
use super::settings::Settings;
use super::sources::ConfigSources;
use crate::engine::fleet::Quota;
use crate::id::{ConnectorKind, ProviderName};
use crate::subject::Subject;

/// A configuration without problems.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The folder that holds orders, outcomes and the audit record.
    pub state_dir: PathBuf,
    /// The accounts that are never acted on, as written.
    pub protected: Vec<String>,
    /// The providers, by name.
    pub providers: Vec<ProviderConfig>,
    /// What stops an order before it does harm.
    pub guards: Guards,
    /// The record.
    pub audit: AuditSettings,
    /// How to reach the outside.
    pub http: HttpSettings,
    pub(super) places: Places,
    pub(super) warnings: Vec<Problem>,
}

impl fmt::Debug for Config {
    /// Shows how many are protected, not who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("state_dir", &self.state_dir)
            .field("protected", &self.protected.len())
            .field("providers", &self.providers)
            .field("guards", &self.guards)
            .finish_non_exhaustive()
    }
}

/// One provider as configured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderConfig {
    /// Its name.
    pub name: ProviderName,
    /// Its connector.
    pub kind: ConnectorKind,
    /// The connector's own table.
    pub settings: Settings,
    /// How much may be called.
    pub quota: Quota,
    /// People at once; `None`: what the connector advises.
    pub max_in_flight: Option<u32>,
    /// The domains of the people it may know, in lower case; empty: everybody.
    pub domains: Vec<String>,
}

/// A configuration that was read as far as it could be.
pub(super) struct Draft {
    pub(super) config: Option<Config>,
    pub(super) problems: Vec<Problem>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// Every problem that can be found without the connectors, each with its place.
    pub fn load(sources: &ConfigSources) -> Result<Self, ConfigError> {
        match Self::draft(sources)? {
            Draft {
                config: Some(config),
                problems,
            } if problems.is_empty() => Ok(config),
            draft => Err(ConfigError::new(draft.problems)),
        }
    }

    /// What is allowed and yet worth a look.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Reads no more than the place of the state folder, so that orders and the record can be looked at with a
    /// configuration that has problems elsewhere.
    ///
    /// # Errors
    /// A file that cannot be read, or a `state_dir` that is not a path.
    pub fn state_dir(sources: &ConfigSources) -> Result<PathBuf, ConfigError> {
        let layers = Layers::merge(sources)?;
        match layers.tree.get("state_dir") {
            None => Ok(PathBuf::from("./state")),
            Some(value) => value
                .as_str()
                .or_else(|| {
                    layers
                        .raw
                        .get(["state_dir".to_owned()].as_slice())
                        .map(String::as_str)
                })
                .map(PathBuf::from)
                .ok_or_else(|| {
                    let problem = Problem::new("state_dir", "expected a path");
                    ConfigError::new(layers.places.complete(vec![problem]))
                }),
        }
    }

    pub(super) fn draft(sources: &ConfigSources) -> Result<Draft, ConfigError> {
        let layers = Layers::merge(sources)?;
        let (document, mut problems) =
            collect::read::<Document>(layers.tree.clone(), layers.raw.clone());
        let config = document.map(|document| check(document, &layers, &mut problems));
        if config.is_none() && problems.is_empty() {
            problems.push(Problem::new("", "the configuration cannot be read"));
        }
        if sources.path().is_none() && !problems.is_empty() {
            problems.push(
                Problem::new("rescind.toml", "there is no configuration file").with_hint(
                    "write one, name one with --config or RESCIND_CONFIG, or try it out with --sandbox",
                ),
            );
        }
        let problems = layers.places.complete(problems);
        Ok(Draft { config, problems })
    }
}

fn check(document: Document, layers: &Layers, problems: &mut Vec<Problem>) -> Config {
    let mut warnings = Vec::new();
    if let Some(store) = &document.store {
        let message = if store.starts_with("postgres") {
            "this build has no PostgreSQL store; its state lies in an embedded database in state_dir"
        } else {
            "this build has one store, an embedded database in state_dir"
        };
        problems.push(Problem::new("store", message).with_hint("leave it out and set state_dir"));
    }
    check_protected(&document.protected, problems, &mut warnings);
    check_guards(&document.guards, problems);
    check_http(&document.http, problems);
    if document.providers.is_empty() && problems.iter().all(|p| p.key != "providers") {
        problems.push(
            Problem::new("providers", "no provider is configured")
                .with_hint("add a [providers.NAME] table; `rescind connectors` shows the kinds"),
        );
    }
    let providers = document
        .providers
        .iter()
        .filter_map(|(name, table)| check_provider(name, table, layers, problems))
        .collect();
    let warnings = layers.places.complete(warnings);
    let trimmed = |entry: &String| entry.trim().to_owned();
    Config {
        state_dir: document.state_dir,
        protected: document.protected.iter().map(trimmed).collect(),
        providers,
        guards: document.guards,
        audit: document.audit,
        http: document.http,
        places: layers.places.clone(),
        warnings,
    }
}

fn check_protected(protected: &[String], problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    for (n, entry) in protected.iter().enumerate() {
        if let Err(error) = Subject::parse(entry) {
            problems.push(Problem::new(format!("protected.{n}"), error.to_string()));
        }
    }
    if protected.is_empty() && problems.iter().all(|p| p.key != "protected") {
        warnings.push(
            Problem::new(
                "protected",
                "the list is empty: every account may be acted on",
            )
            .with_hint("name your break-glass and service accounts"),
        );
    }
}

fn check_guards(guards: &Guards, problems: &mut Vec<Problem>) {
    if guards.min_note_chars == 0 {
        problems.push(Problem::new(
            "guards.min_note_chars",
            "a note is never blank: 1 is the least",
        ));
    }
    if guards.max_subjects == Some(0) {
        problems.push(
            Problem::new("guards.max_subjects", "0 would refuse every order")
                .with_hint("leave it out for no limit"),
        );
    }
}

fn check_http(http: &HttpSettings, problems: &mut Vec<Problem>) {
    if let Some(path) = &http.ca_file
        && let Err(error) = std::fs::File::open(path)
    {
        problems.push(Problem::new(
            "http.ca_file",
            format!("the file cannot be read: {error}"),
        ));
    }
    if let Some(proxy) = &http.proxy {
        let known = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !Url::parse(proxy).is_ok_and(|url| known(&url)) {
            problems.push(
                Problem::new("http.proxy", "not the URL of a proxy")
                    .with_hint("such as http://proxy.example.com:3128"),
            );
        }
    }
}

fn check_provider(
    name: &str,
    table: &ProviderTable,
    layers: &Layers,
    problems: &mut Vec<Problem>,
) -> Option<ProviderConfig> {
    let key = join("providers", name);
    let stood_in = |problems: &[Problem], field: &str| {
        let field = join(&key, field);
        problems.iter().any(|p| p.key == field || p.key == key)
    };
    let kind = ConnectorKind::parse(&table.kind);
    if kind.is_err() && !stood_in(problems, "kind") {
        problems.push(
            Problem::new(join(&key, "kind"), "not a connector's name")
                .with_hint("`rescind connectors` shows the kinds of this build"),
        );
    }
    let parsed = ProviderName::parse(name);
    if let Err(error) = &parsed {
        problems.push(Problem::new(key.clone(), error.to_string()));
    }
    let (quota, max_in_flight) = check_lane(&key, &table.lane, problems);
    let domains = check_domains(&key, &table.domains, problems);
    if stood_in(problems, "kind") {
        return None;
    }
    let (settings, raw) = layers.below(&["providers", name, "settings"]);
    Some(ProviderConfig {
        name: parsed.ok()?,
        kind: kind.ok()?,
        settings: Settings::from_table(settings, raw),
        quota,
        max_in_flight,
        domains,
    })
}

fn check_lane(key: &str, lane: &LaneTable, problems: &mut Vec<Problem>) -> (Quota, Option<u32>) {
    let mut at_least_one = |field: &str, value: u64| {
        let key = format!("{key}.lane.{field}");
        // What was stood in for has its problem already.
        if value == 0 && problems.iter().all(|p| p.key != key) {
            problems.push(Problem::new(key, "1 is the least"));
        }
    };
    let quota = match lane.quota {
        None => Quota::Documented,
        Some(QuotaValue::Unlimited) => Quota::Unlimited,
        Some(QuotaValue::Budget { units, per_secs }) => {
            at_least_one("quota.units", units.into());
            at_least_one("quota.per_secs", per_secs);
            Quota::Budget {
                units,
                per: Duration::from_secs(per_secs),
            }
        }
    };
    if let Some(people) = lane.max_in_flight {
        at_least_one("max_in_flight", people.into());
    }
    (quota, lane.max_in_flight)
}

fn check_domains(key: &str, domains: &[String], problems: &mut Vec<Problem>) -> Vec<String> {
    let plain = |domain: &str| {
        !domain.is_empty()
            && domain.len() <= 253
            && !domain.starts_with('.')
            && !domain.contains(|c: char| c == '@' || c == '*' || c == '/' || c.is_whitespace())
    };
    for (n, domain) in domains.iter().enumerate() {
        if !plain(domain) {
            problems.push(
                Problem::new(format!("{key}.domains.{n}"), "not a domain")
                    .with_hint("what stands after the @, such as contoso.com"),
            );
        }
    }
    domains.iter().map(|domain| domain.to_lowercase()).collect()
}

/// The kind that was probably meant.
pub(super) fn kind_hint(typed: &ConnectorKind, kinds: &[ConnectorKind]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(ConnectorKind::as_str).collect();
    let all = format!("this build has: {}", kinds.join(", "));
    match nearest(typed.as_str(), kinds) {
        Some(near) => format!("did you mean {near}? {all}"),
        None => all,
    }
}
