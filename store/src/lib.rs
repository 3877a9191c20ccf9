//! rescind-store
