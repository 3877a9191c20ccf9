//! Acme's answers, exactly as on the wire.

use serde::Deserialize;

/// `DELETE /v1/people/{login}/sessions`
#[derive(Deserialize)]
pub(crate) struct SessionsEnded {
    pub(crate) ended: u64,
}

/// `GET /v1/key`
#[derive(Deserialize)]
pub(crate) struct Key {
    pub(crate) rights: Vec<String>,
}

/// Any error.
#[derive(Deserialize)]
pub(crate) struct Fault {
    pub(crate) code: String,
}
