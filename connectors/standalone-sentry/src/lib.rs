//! rescind-standalone-sentry
