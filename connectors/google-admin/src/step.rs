//! The steps of a revocation, in the order Google's administrators end an account's access.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// One step; the order of the variants is the order they run in. Sign-out comes last, so that nothing that was still
/// valid can start a fresh session after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// Deletes every application-specific password (`asps.list`, `asps.delete`).
    AppPasswords,
    /// Invalidates the backup codes of two-step verification (`verificationCodes.invalidate`).
    BackupCodes,
    /// Deletes the grants given to third-party applications (`tokens.list`, `tokens.delete`).
    Grants,
    /// Ends all web and device sessions and resets the sign-in cookies (`users.signOut`).
    SignOut,
}

impl Step {
    /// Every step, in the order they run.
    pub const ALL: [Self; 4] = [
        Self::AppPasswords,
        Self::BackupCodes,
        Self::Grants,
        Self::SignOut,
    ];

    /// Its name in configuration and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppPasswords => "app-passwords",
            Self::BackupCodes => "backup-codes",
            Self::Grants => "grants",
            Self::SignOut => "sign-out",
        }
    }

    /// What stays usable when this step is not configured.
    pub(crate) const fn leaves(self) -> &'static str {
        match self {
            Self::AppPasswords => "app passwords (the step app-passwords is not configured)",
            Self::BackupCodes => {
                "backup codes of two-step verification (the step backup-codes is not configured)"
            }
            Self::Grants => {
                "grants given to third-party applications (the step grants is not configured)"
            }
            Self::SignOut => "web and device sessions (the step sign-out is not configured)",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
