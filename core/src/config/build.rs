//! From a configuration to providers.

use std::sync::Arc;

use super::error::{ConfigError, Problem};
use super::load::{Config, Draft, ProviderConfig, kind_hint};
use super::places::join;
use super::sources::ConfigSources;
use crate::clock::Clock;
use crate::connector::{BuildContext, Registry};
use crate::engine::fleet::ConfiguredProvider;
use crate::id::ConnectorKind;

/// A configuration and the providers it describes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Its providers, by name.
    pub providers: Vec<ConfiguredProvider>,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads the configuration and builds its providers: the one way that finds every problem in one run, those of
    /// the connectors' own settings included. Reads the files of secrets, and nothing over the network.
    ///
    /// # Errors
    /// Every problem, each with its place.
    pub fn load_all(
        sources: &ConfigSources,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> Result<Loaded, ConfigError> {
        let Draft {
            config,
            mut problems,
        } = Self::draft(sources)?;
        let Some(config) = config else {
            return Err(ConfigError::new(problems));
        };
        let providers = match config.build(registry, clock) {
            Ok(providers) => providers,
            Err(error) => {
                problems.extend(error.into_problems());
                Vec::new()
            }
        };
        if !problems.is_empty() {
            return Err(ConfigError::new(config.places.complete(problems)));
        }
        let mut warnings = config.warnings.clone();
        warnings.extend(shared_quota(&providers));
        Ok(Loaded {
            warnings: config.places.complete(warnings),
            config,
            providers,
        })
    }

    /// Builds the providers.
    ///
    /// # Errors
    /// Every problem of every provider's settings, each with its place.
    pub fn build(
        &self,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> Result<Vec<ConfiguredProvider>, ConfigError> {
        let mut problems = Vec::new();
        let mut built = Vec::new();
        for provider in &self.providers {
            match self.build_one(provider, registry, clock) {
                Ok(provider) => built.push(provider),
                Err(error) => problems.extend(error.into_problems()),
            }
        }
        if problems.is_empty() {
            return Ok(built);
        }
        Err(ConfigError::new(self.places.complete(problems)))
    }

    fn build_one(
        &self,
        provider: &ProviderConfig,
        registry: &Registry,
        clock: &Arc<dyn Clock>,
    ) -> Result<ConfiguredProvider, ConfigError> {
        let key = join("providers", provider.name.as_str());
        let Some(connector) = registry.get(&provider.kind) else {
            let hint = kind_hint(&provider.kind, &registry.kinds());
            let problem = Problem::new(join(&key, "kind"), "no such connector").with_hint(hint);
            return Err(ConfigError::new(vec![problem]));
        };
        let cx = BuildContext::new(
            &provider.name,
            &provider.settings,
            &self.http,
            Arc::clone(clock),
        );
        let roles = connector.build(&cx).map_err(|error| {
            let settings = join(&key, "settings");
            let mut problems = error.into_problems();
            for problem in &mut problems {
                problem.key = join(&settings, &problem.key);
            }
            // A connector that could not read its table has not looked for its secrets yet.
            for (path, source) in provider.settings.secrets() {
                let key = join(&settings, &path.join("."));
                if let Err(message) = source.read()
                    && problems.iter().all(|known| known.key != key)
                {
                    problems.push(Problem::new(key, message));
                }
            }
            ConfigError::new(problems)
        })?;
        let mut built =
            ConfiguredProvider::new(provider.name.clone(), provider.kind.clone(), roles);
        built.quota = provider.quota;
        built.max_in_flight = provider.max_in_flight;
        built.domains.clone_from(&provider.domains);
        Ok(built)
    }
}

/// Two lanes that draw on one quota would overspend it together.
fn shared_quota(providers: &[ConfiguredProvider]) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for (n, provider) in providers.iter().enumerate() {
        let Some(quota) = quota_of(provider) else {
            continue;
        };
        let earlier = providers[..n]
            .iter()
            .find(|earlier| quota_of(earlier).as_ref() == Some(&quota));
        if let Some(earlier) = earlier {
            let message = format!(
                "shares its application and its vendor tenant with {}: the vendor counts both against one quota",
                earlier.name
            );
            warnings.push(
                Problem::new(join("providers", provider.name.as_str()), message)
                    .with_hint("give each its part with lane.quota, or use one provider"),
            );
        }
    }
    warnings
}

/// What the vendor counts a provider's calls against, where it counts.
fn quota_of(provider: &ConfiguredProvider) -> Option<(&ConnectorKind, String, Option<String>)> {
    let descriptor = provider.roles.revocation.as_ref()?.descriptor();
    let counted = !descriptor.budgets.is_empty();
    counted.then(|| {
        (
            &provider.kind,
            descriptor.vendor_tenant.clone(),
            descriptor.application.clone(),
        )
    })
}
