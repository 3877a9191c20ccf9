//! rescind-http
