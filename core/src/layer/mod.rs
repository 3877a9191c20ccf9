//! Wrappers around any provider: `guard → trace → timeout → connector`, built in one place.
//!
//! A wrapper keeps the kind and the retry class of an error as they were, and none of them waits, repeats or paces:
//! that is the lane's.

mod guard;
mod timeout;
mod trace;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::connector::Roles;
use crate::id::{ConnectorKind, ProviderName};
use crate::provider::{Directory, Evidence, RevocationProvider, SessionInventory};
use crate::subject::{Identifier, Subject};

use guard::Guard;
pub(crate) use guard::protected_account;
use timeout::Timeout;
use trace::Trace;

/// Who must never be revoked, as the innermost check before a call sees it.
pub trait Protection: fmt::Debug + Send + Sync + 'static {
    /// Whether the list is known for this provider, and young enough; until then no revocation may leave.
    fn is_known(&self) -> bool;

    /// Whether an account, by its immutable id, its main name or any other spelling, is on the list.
    fn covers(&self, spelling: &str) -> bool;
}

/// What the wrappers of one provider need to know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerSettings {
    /// The provider's name in the configuration.
    pub provider: ProviderName,
    /// Its connector.
    pub kind: ConnectorKind,
    /// The longest one call may take; time spent waiting for quota does not count.
    pub timeout: Duration,
    /// Who must never be revoked here.
    pub protection: Arc<dyn Protection>,
    /// The key of the hashes that stand for subjects in log lines.
    pub log_key: LogKey,
}

impl LayerSettings {
    /// Settings for one provider.
    pub fn new(
        provider: ProviderName,
        kind: ConnectorKind,
        timeout: Duration,
        protection: Arc<dyn Protection>,
        log_key: LogKey,
    ) -> Self {
        Self {
            provider,
            kind,
            timeout,
            protection,
            log_key,
        }
    }
}

/// The key of [`SubjectRef`](crate::subject::SubjectRef): random for each process, so that nobody can turn a logged hash back into a person.
#[derive(Clone)]
pub struct LogKey([u8; 32]);

impl LogKey {
    /// A key of this process. Without a source of randomness the key is all zeros: the hashes still tell people apart.
    pub fn random() -> Self {
        let mut key = [0; 32];
        if getrandom::fill(&mut key).is_err() {
            tracing::warn!("no source of randomness: the subject.ref of log lines is not keyed");
        }
        Self(key)
    }

    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogKey([redacted])")
    }
}

/// Wraps every role a connector plays: `guard → trace → timeout → connector`.
///
/// The guard is outermost, so that what it refuses leaves no attempt in the log and costs no time; the time-out is
/// innermost, so that the log shows it as the answer it is.
pub fn build(roles: Roles, settings: &LayerSettings) -> Roles {
    let settings = Arc::new(settings.clone());
    let mut wrapped = Roles::new();
    let capabilities = roles
        .revocation
        .as_ref()
        .map(|revocation| revocation.capabilities())
        .unwrap_or_default();
    wrapped.revocation = roles.revocation.map(|inner| {
        let inner: Arc<dyn RevocationProvider> = Arc::new(Timeout::new(inner, &settings));
        let inner: Arc<dyn RevocationProvider> = Arc::new(Trace::new(inner, &settings));
        Arc::new(Guard::new(inner, capabilities.clone(), &settings)) as _
    });
    wrapped.directory = roles.directory.map(|inner| {
        let inner: Arc<dyn Directory> = Arc::new(Timeout::new(inner, &settings));
        Arc::new(Trace::new(inner, &settings)) as _
    });
    wrapped.evidence = roles.evidence.map(|inner| {
        let inner: Arc<dyn Evidence> = Arc::new(Timeout::new(inner, &settings));
        Arc::new(Trace::new(inner, &settings)) as _
    });
    wrapped.inventory = roles.inventory.map(|inner| {
        let inner: Arc<dyn SessionInventory> = Arc::new(Timeout::new(inner, &settings));
        let inner: Arc<dyn SessionInventory> = Arc::new(Trace::new(inner, &settings));
        Arc::new(Guard::new(inner, capabilities, &settings)) as _
    });
    wrapped.compliance = roles.compliance;
    wrapped
}

/// Every text that leads to the subject of a request.
fn spellings(subject: &Subject) -> impl Iterator<Item = &str> {
    std::iter::once(subject.given()).chain(subject.identifiers().iter().map(Identifier::value))
}

#[cfg(test)]
mod tests;
