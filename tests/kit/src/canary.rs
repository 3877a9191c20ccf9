//! Secrets that sing when they leak.

/// The secret a fixture configures where the vendor takes any text: it appears nowhere else, so finding it is a leak.
pub const SECRET: &str = "canary-secret-6f1d0c9a7be84c52";

/// The access token a fake token endpoint hands out.
pub const TOKEN: &str = "canary-token-9b3e57d2a1c04f68";

/// The name that the provider under test has in its configuration.
pub const PROVIDER: &str = "under-test";
