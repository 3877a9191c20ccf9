//! The settings of a `google-admin` provider, and what is checked before anything is sent.

use rescind_core::config::{ConfigError, Problem, SecretSource};
use rescind_http::{BaseUrl, Url};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ServiceAccount;
use crate::step::Step;

const API_URL: &str = "https://admin.googleapis.com";
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Google's own clients keep this audience whatever endpoint they send the assertion to.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const MY_CUSTOMER: &str = "my_customer";

/// The `settings` table of a `google-admin` provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GoogleAdminConfig {
    /// Where the JSON key of the service account is: `{ file = "…" }` or `{ env = "…" }` holding the whole JSON text.
    /// The service account needs domain-wide delegation for the scopes in the documentation.
    pub service_account_key: SecretSource,

    /// The primary address of the Workspace administrator the service account acts as: a super admin, or a role with
    /// Users > Read and User Security Management. An administrator limited to an organisational unit reaches only its
    /// users.
    pub impersonate: String,

    /// What to end, as a set: the steps always run in the order given here. Default: all of them.
    #[serde(default = "all_steps")]
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,

    /// The Workspace account: an id such as `C01234567`. Default: `my_customer`, the administrator's own.
    #[serde(default = "my_customer")]
    pub customer: String,

    /// The root of the API. Default: `https://admin.googleapis.com`. Plain `http` only to loopback.
    #[serde(default)]
    pub api_url: Option<String>,

    /// The token endpoint. Default: the key's `token_uri`, else `https://oauth2.googleapis.com/token`.
    #[serde(default)]
    pub token_url: Option<String>,

    /// The audience of the signed assertion. Default: `https://oauth2.googleapis.com/token`, whatever the token
    /// endpoint is.
    #[serde(default)]
    pub audience: Option<String>,
}

fn all_steps() -> Vec<Step> {
    Step::ALL.to_vec()
}

fn my_customer() -> String {
    MY_CUSTOMER.to_owned()
}

/// The settings once they are known to make sense, with the secret read.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) account: ServiceAccount,
    pub(crate) impersonate: String,
    /// In the order they run, each once.
    pub(crate) steps: Vec<Step>,
    pub(crate) customer: String,
    pub(crate) api_url: BaseUrl,
    pub(crate) token_url: Url,
    pub(crate) audience: String,
}

impl Checked {
    /// What stays the same for the same Workspace account, as far as it can be told without asking Google.
    pub(crate) fn vendor_tenant(&self) -> String {
        if self.customer != MY_CUSTOMER {
            return self.customer.clone();
        }
        let (_, domain) = self
            .impersonate
            .rsplit_once('@')
            .expect("the address was checked");
        domain.to_lowercase()
    }
}

impl GoogleAdminConfig {
    /// Checks everything and reads the key.
    ///
    /// # Errors
    /// Every problem, not the first.
    pub(crate) fn check(self) -> Result<Checked, ConfigError> {
        let mut problems = Vec::new();
        let account = self
            .service_account_key
            .read()
            .and_then(|json| {
                ServiceAccount::parse(&json).map_err(|problem| format!("the key {problem}"))
            })
            .map_err(|problem| problems.push(Problem::new("service_account_key", problem)))
            .ok();
        if !is_address(&self.impersonate) {
            problems.push(
                Problem::new("impersonate", "is not the address of an administrator")
                    .with_hint("the primary address, such as admin@example.com"),
            );
        }
        let steps = checked_steps(self.steps, &mut problems);
        if self.customer.is_empty()
            || !self
                .customer
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            problems.push(
                Problem::new("customer", "is not the id of a Workspace account")
                    .with_hint("my_customer, or an id such as C01234567"),
            );
        }
        let api_url = checked_url("api_url", self.api_url.as_deref(), API_URL, &mut problems);
        let from_key = account.as_ref().and_then(ServiceAccount::token_uri);
        let token_url = if self.token_url.is_none() && from_key.is_some() {
            // A problem here is one of the key, not of a setting that nobody wrote.
            checked_url(
                "service_account_key.token_uri",
                from_key,
                TOKEN_URL,
                &mut problems,
            )
        } else {
            checked_url(
                "token_url",
                self.token_url.as_deref(),
                TOKEN_URL,
                &mut problems,
            )
        };
        let audience = self.audience.unwrap_or_else(|| AUDIENCE.to_owned());
        if audience.trim().is_empty() {
            problems.push(Problem::new("audience", "is empty"));
        }
        match (account, api_url, token_url) {
            (Some(account), Some(api_url), Some(token_url)) if problems.is_empty() => Ok(Checked {
                account,
                impersonate: self.impersonate,
                steps,
                customer: self.customer,
                api_url,
                token_url: Url::parse(token_url.as_str()).expect("the URL was read before"),
                audience,
            }),
            _ => Err(ConfigError::new(problems)),
        }
    }
}

fn checked_steps(mut steps: Vec<Step>, problems: &mut Vec<Problem>) -> Vec<Step> {
    let named = steps.len();
    steps.sort_unstable();
    steps.dedup();
    if named == 0 {
        problems.push(
            Problem::new("steps", "names no step, so nothing would be ended")
                .with_hint(format!("any of {}", Step::ALL.map(Step::name).join(", "))),
        );
    } else if steps.len() < named {
        problems.push(Problem::new("steps", "names a step twice"));
    }
    steps
}

fn is_address(text: &str) -> bool {
    let parts = text.split('@').collect::<Vec<_>>();
    matches!(parts[..], [name, domain] if !name.is_empty() && !domain.is_empty())
        && !text
            .chars()
            .any(|c| c.is_whitespace() || rescind_core::subject::is_unprintable(c))
}

fn checked_url(
    key: &str,
    given: Option<&str>,
    default: &str,
    problems: &mut Vec<Problem>,
) -> Option<BaseUrl> {
    BaseUrl::parse(given.unwrap_or(default))
        .map_err(|problem| problems.push(Problem::new(key, problem)))
        .ok()
}
