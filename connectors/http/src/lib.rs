//! The one HTTP toolkit of the connectors: a client that pays before it sends, OAuth 2.0 tokens, one status table,
//! careful URLs, bounded paging, and messages without secrets or addresses.
//!
//! It does not retry, pace or wait. One exception: a 401 renews the shared token once, and the request is sent once more.

mod answer;
mod authorized;
mod base_url;
mod client;
mod oauth;
mod object;
mod pages;
mod percent;
#[doc(hidden)]
pub mod reading;
mod redact;
mod request;
mod retry_after;
mod status;
mod token;
mod token_endpoint;
mod transport;

pub use answer::Answer;
pub use authorized::Authorized;
pub use base_url::{BaseUrl, UrlBuilder};
pub use client::HttpClient;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use oauth::{AssertionSource, ClientCredentials, ClientProof};
pub use object::object;
pub use pages::Pages;
pub use percent::{encoded, push_encoded};
pub use redact::{RedactedUrl, excerpt};
pub use request::{Effect, Request};
pub use retry_after::{http_date, retry_after, retry_after_value};
pub use status::{classify, failure};
pub use token::{FreshToken, Token, TokenCache, TokenSource};
pub use token_endpoint::{TokenFault, TokenHint, exchange};
pub use url::Url;
