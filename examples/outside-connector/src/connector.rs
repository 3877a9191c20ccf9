//! What the configuration and the generated docs see.

use std::sync::Arc;

use rescind_core::config::ConfigError;
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Permission, Roles};
use rescind_core::id::ConnectorKind;
use rescind_http::HttpClient;

use crate::config::AcmeConfig;
use crate::provider::AcmeWorkspace;

/// The connector of kind `acme-idp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Acme;

impl Connector for Acme {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("acme-idp").expect("the kind is a valid name")
    }

    fn describe(&self) -> ConnectorInfo {
        ConnectorInfo::new(
            self.kind(),
            "Acme IdP",
            "Ends all sessions of a person at Acme.",
            include_str!("../docs.md"),
            schemars::schema_for!(AcmeConfig).to_value(),
            vec![Permission::new(
                "sessions.end",
                "ending the sessions of a person",
            )],
        )
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let checked = cx.settings.read::<AcmeConfig>()?.check()?;
        let http = HttpClient::new(cx.http)?;
        let workspace = AcmeWorkspace::new(cx.name.clone(), self.kind(), http, checked);
        Ok(Roles::new().with_revocation(Arc::new(workspace)))
    }
}
