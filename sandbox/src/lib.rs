//! Simulated Microsoft and Google tenants that speak the vendors' own wire over real HTTP on loopback, with quotas as
//! documented, faults to order, and a ledger of what was really done to whom.
//!
//! ```
//! # async fn example() -> std::io::Result<()> {
//! use rescind_sandbox::{Sandbox, SandboxOptions};
//!
//! let sandbox = Sandbox::start(SandboxOptions {
//!     people: 50,
//!     faults: "microsoft:reset-after=2%".parse().expect("a list of faults"),
//!     ..SandboxOptions::default()
//! })
//! .await?;
//! println!("{}", sandbox.base_url());
//! println!("{} effects", sandbox.summary().effects);
//! sandbox.shutdown().await
//! # }
//! ```
//!
//! It knows no connector: programs under test meet it as they would meet a vendor. `docs/sandbox.md` is its manual.

mod admin;
mod clock;
mod connection;
mod dice;
mod escape;
mod faults;
mod files;
mod google;
mod groups;
mod json;
mod key;
mod leavers;
mod ledger;
mod microsoft;
mod names;
mod options;
mod population;
mod quota;
mod reply;
mod sandbox;
mod server;
mod state;
mod tenant;
mod tokens;
mod world;

pub use faults::{Faults, FaultsError};
pub use files::refuse_foreign;
pub use google::{GOOGLE_CLIENT_EMAIL, GOOGLE_CLIENT_ID, GOOGLE_SCOPES};
pub use ledger::{Entry, Operation, Summary};
pub use microsoft::{MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, MICROSOFT_TENANT_ID};
pub use options::SandboxOptions;
pub use population::{
    FEWEST_PEOPLE, GOOGLE_DOMAIN, MICROSOFT_DOMAIN, MICROSOFT_INITIAL_DOMAIN, Person, Population,
};
pub use quota::{Quota, QuotaError};
pub use sandbox::Sandbox;
pub use tenant::Tenant;
