//! rescind-integration
