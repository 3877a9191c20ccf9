//! What the configuration and the generated docs see.

use std::sync::Arc;

use rescind_core::config::ConfigError;
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Roles};
use rescind_core::id::ConnectorKind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::provider::Refusing;

/// The connector of kind `standalone-sentry`.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandaloneSentry;

/// The settings: there are none, because nothing is called.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StandaloneSentryConfig {}

impl Connector for StandaloneSentry {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("standalone-sentry").expect("the kind is a valid name")
    }

    fn describe(&self) -> ConnectorInfo {
        ConnectorInfo::new(
            self.kind(),
            "Standalone Sentry",
            "Ends nothing: an Access deployment with Standalone Sentry has no way to revoke sessions, and this says so",
            include_str!("../docs.md"),
            schemars::schema_for!(StandaloneSentryConfig).to_value(),
            Vec::new(),
        )
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let StandaloneSentryConfig {} = cx.settings.read()?;
        let provider = Refusing::new(cx.name.clone(), self.kind());
        Ok(Roles::new().with_revocation(Arc::new(provider)))
    }
}
