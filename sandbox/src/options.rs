//! How a sandbox shall be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::faults::Faults;
use crate::quota::Quota;

/// The knobs of [`Sandbox::start`](crate::Sandbox::start). The default is a quiet sandbox on a free loopback port.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxOptions {
    /// Where to listen. Default: loopback, a free port.
    pub listen: SocketAddr,
    /// How many people each tenant has; never fewer than [`FEWEST_PEOPLE`](crate::FEWEST_PEOPLE). Default 214.
    pub people: u32,
    /// What names, grants and chance are computed from. Default 42.
    pub seed: u64,
    /// How long every answer takes, in milliseconds. Default 0.
    pub latency_ms: u64,
    /// What shall go wrong. Default: nothing.
    pub faults: Faults,
    /// How much the tenants allow. Default: what the vendors document.
    pub quota: Quota,
    /// The file of the ledger. What it holds already is taken as having happened. Default: memory only.
    pub ledger: Option<PathBuf>,
    /// Whether the ledger's file has a call before the caller has its answer. Default: within 200 ms.
    pub ledger_sync: bool,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            people: 214,
            seed: 42,
            latency_ms: 0,
            faults: Faults::default(),
            quota: Quota::default(),
            ledger: None,
            ledger_sync: false,
        }
    }
}

impl SandboxOptions {
    /// What a first look shall show: 214 people, a little latency, and one moment of throttling at Microsoft.
    pub fn first_run() -> Self {
        Self {
            latency_ms: 3,
            faults: Faults::one_throttle(),
            ledger_sync: true,
            ..Self::default()
        }
    }
}
