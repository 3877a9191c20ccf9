//! Requests and answers exactly as they are on the wire.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// `Edm.Boolean`: what `revokeSignInSessions` answers.
#[derive(Deserialize)]
pub(crate) struct Boolean {
    pub(crate) value: bool,
    /// Where there is one, the answer contradicts itself.
    #[serde(default)]
    pub(crate) error: Option<IgnoredAny>,
}

/// A user, as far as it is asked for. Everything but the id may be missing where a right is missing.
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) user_principal_name: Option<String>,
    #[serde(default)]
    pub(crate) mail: Option<String>,
    #[serde(default)]
    pub(crate) user_type: Option<String>,
    #[serde(default)]
    pub(crate) account_enabled: Option<bool>,
    #[serde(default)]
    pub(crate) external_user_state: Option<String>,
    #[serde(default)]
    pub(crate) sign_in_sessions_valid_from_date_time: Option<Timestamp>,
    #[serde(default)]
    pub(crate) proxy_addresses: Option<Vec<String>>,
    #[serde(default, rename = "@odata.type")]
    pub(crate) odata_type: Option<String>,
}

/// A group.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) display_name: Option<String>,
}

/// The organisation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Organization {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) display_name: Option<String>,
}

/// A page of anything. Without `value` it is no page.
#[derive(Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) value: Vec<T>,
    #[serde(default, rename = "@odata.nextLink")]
    pub(crate) next_link: Option<String>,
    #[serde(default, rename = "@odata.count")]
    pub(crate) count: Option<u64>,
}
