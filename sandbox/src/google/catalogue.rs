//! The applications people gave access to.

/// Client id and shown name of each application; one is an anonymous client with a slash in its id.
const APPLICATIONS: [(&str, &str); 12] = [
    ("100001-mail.apps.googleusercontent.com", "Desktop Mail"),
    ("100002-notes.apps.googleusercontent.com", "Field Notes"),
    ("100003-board.apps.googleusercontent.com", "Planning Board"),
    ("100004-sign.apps.googleusercontent.com", "Contract Signer"),
    ("100005-crm.apps.googleusercontent.com", "Customer Desk"),
    ("100006-backup.apps.googleusercontent.com", "Nightly Backup"),
    (
        "100007-calendar.apps.googleusercontent.com",
        "Calendar Sync",
    ),
    ("100008-travel.apps.googleusercontent.com", "Travel Planner"),
    ("100009-scan.apps.googleusercontent.com", "Receipt Scanner"),
    ("100010-chat.apps.googleusercontent.com", "Chat Bridge"),
    ("100011-script.apps.googleusercontent.com", "Sheet Script"),
    ("legacy.example.net/feed+reader", "legacy.example.net"),
];

/// The one application that never registered.
pub(crate) const ANONYMOUS: u8 = 11;

pub(crate) fn client_id(grant: u8) -> &'static str {
    APPLICATIONS[usize::from(grant) % APPLICATIONS.len()].0
}

pub(crate) fn display_name(grant: u8) -> &'static str {
    APPLICATIONS[usize::from(grant) % APPLICATIONS.len()].1
}

pub(crate) fn grant_of_client(client: &str) -> Option<u8> {
    APPLICATIONS
        .iter()
        .position(|(id, _)| *id == client)
        .map(|grant| grant as u8)
}
