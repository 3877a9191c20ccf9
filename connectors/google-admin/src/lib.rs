//! Google Workspace through the Directory API of the Admin SDK: ends app passwords, backup codes, third-party grants
//! and all sessions of a person.

mod api;
mod classify;
mod config;
mod connector;
mod directory;
mod evidence;
mod inventory;
mod item;
mod key;
mod probe;
mod provider;
#[doc(hidden)]
pub mod reading;
mod revoke;
mod scope;
mod step;
mod token;
mod wire;

pub use config::GoogleAdminConfig;
pub use connector::GoogleAdmin;
pub use step::Step;
