//! The one role this connector plays: refusing.

use async_trait::async_trait;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Capabilities, Descriptor, Finding, FindingLevel, ProbeReport, RevocationProvider, RevokeRequest,
};
use rescind_core::report::{Outcome, Report, Unsupported};

const REASON: &str = "Access with Standalone Sentry takes device posture from the gateway and has no way to revoke \
                      sessions";
const REMEDY: &str = "move the deployment to Access without Standalone Sentry, or revoke at the cloud provider \
                      directly (configure it as a provider of its own)";

/// Refuses every request without a single byte of I/O.
#[derive(Debug)]
pub(crate) struct Refusing {
    descriptor: Descriptor,
}

impl Refusing {
    pub(crate) fn new(name: ProviderName, kind: ConnectorKind) -> Self {
        Self {
            descriptor: Descriptor::new(name, kind, "none"),
        }
    }
}

#[async_trait]
impl RevocationProvider for Refusing {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::refusing(unsupported())
    }

    async fn probe(&self, _cx: &Context) -> Result<ProbeReport, Error> {
        let finding = Finding::new(
            FindingLevel::Fault,
            "session revocation",
            format!("unsupported: {REASON}"),
        )
        .with_hint(REMEDY);
        Ok(ProbeReport::new(vec![finding]))
    }

    async fn revoke(&self, _cx: &Context, _request: &RevokeRequest) -> Result<Report, Error> {
        Ok(Report::new(Outcome::Unsupported(unsupported())))
    }
}

fn unsupported() -> Unsupported {
    Unsupported::new(REASON, REMEDY)
}
