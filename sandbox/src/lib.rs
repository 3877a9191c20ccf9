//! rescind-sandbox
