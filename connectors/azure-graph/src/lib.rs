//! Microsoft Entra ID through Microsoft Graph: ends a person's sessions with `revokeSignInSessions`, resolves people and
//! groups, and reads the watermark back.

mod address;
mod answer;
mod assertion;
mod batch;
mod batch_wire;
mod cloud;
mod config;
mod connector;
mod directory;
mod evidence;
mod graph;
mod group;
mod limits;
mod probe;
#[doc(hidden)]
pub mod reading;
mod revoke;
mod token;
mod wire;

pub use cloud::Cloud;
pub use config::{AzureGraphConfig, CertificateHeader, FederatedToken};
pub use connector::AzureGraph;
