//! rescind-google-admin
