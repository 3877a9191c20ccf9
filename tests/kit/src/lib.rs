//! rescind-testkit
