//! The Workspace account: the token endpoint for service accounts and the part of the Directory API that ends sessions,
//! finds people and expands groups.

pub(crate) mod catalogue;
mod directory;
mod error;
mod members;
mod security;
mod token;
mod users;

pub(crate) use directory::directory;
pub(crate) use token::token;

/// The service account's address.
pub const GOOGLE_CLIENT_EMAIL: &str = "rescind@rescind-sandbox.iam.example.com";
/// The service account's numeric id, which a super administrator authorises.
pub const GOOGLE_CLIENT_ID: &str = "102938475610293847561";
/// The id of the service account's key.
pub(crate) const GOOGLE_KEY_ID: &str = "5a9d0b0c5a9d0b0c5a9d0b0c5a9d0b0c5a9d0b0c";

/// The scopes that are authorised for the service account; any other makes a whole token request fail.
pub const GOOGLE_SCOPES: [&str; 3] = [
    "https://www.googleapis.com/auth/admin.directory.user.security",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
    "https://www.googleapis.com/auth/admin.directory.group.member.readonly",
];
pub(crate) const SECURITY: u16 = 1;
pub(crate) const READ_USERS: u16 = 1 << 1;
pub(crate) const READ_MEMBERS: u16 = 1 << 2;
