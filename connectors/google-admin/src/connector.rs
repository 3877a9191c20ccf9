//! What the configuration and the generated docs see.

use std::sync::Arc;

use rescind_core::config::ConfigError;
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Permission, Roles};
use rescind_core::id::ConnectorKind;

use crate::config::GoogleAdminConfig;
use crate::provider::Workspace;
use crate::scope::{GROUP_MEMBER_READONLY, USER_READONLY, USER_SECURITY};

const PERMISSIONS: [Permission; 4] = [
    Permission::new(
        USER_SECURITY,
        "scope of domain-wide delegation: app passwords, backup codes, grants, sign-out",
    ),
    Permission::new(
        USER_READONLY,
        "scope of domain-wide delegation: finding people",
    ),
    Permission::new(
        GROUP_MEMBER_READONLY,
        "scope of domain-wide delegation: only to expand groups",
    ),
    Permission::new(
        "Users > Read and User Security Management",
        "privileges of the administrator to act as; super admin, to act on other administrators",
    ),
];

/// The connector of kind `google-admin`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoogleAdmin;

impl Connector for GoogleAdmin {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("google-admin").expect("the kind is a valid name")
    }

    fn describe(&self) -> ConnectorInfo {
        ConnectorInfo::new(
            self.kind(),
            "Google Workspace",
            "Ends app passwords, backup codes, third-party grants, and all web and device sessions",
            include_str!("../docs.md"),
            schemars::schema_for!(GoogleAdminConfig).to_value(),
            PERMISSIONS.to_vec(),
        )
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let checked = cx.settings.read::<GoogleAdminConfig>()?.check()?;
        let workspace = Arc::new(Workspace::new(self.kind(), checked, cx)?);
        let roles = Roles::new()
            .with_revocation(workspace.clone())
            .with_directory(workspace.clone())
            .with_inventory(workspace.clone());
        Ok(if workspace.leaves_proof() {
            roles.with_evidence(workspace)
        } else {
            roles
        })
    }
}
