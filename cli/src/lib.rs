//! rescind
