//! The connectors of this build: the whole plug-in mechanism.

use rescind_azure_graph::AzureGraph;
use rescind_core::connector::Registry;
use rescind_google_admin::GoogleAdmin;
use rescind_standalone_sentry::StandaloneSentry;

/// The connectors that come with `rescind`.
pub fn registry() -> Registry {
    Registry::new()
        .with(AzureGraph)
        .with(GoogleAdmin)
        .with(StandaloneSentry)
}
