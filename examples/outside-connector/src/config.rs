//! The settings of one Acme workspace.

use rescind_core::config::{ConfigError, Problem, SecretSource};
use rescind_http::{BaseUrl, HeaderValue};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;

/// What `[providers.<name>.settings]` takes for `kind = "acme-idp"`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcmeConfig {
    /// The workspace's name, as Acme's console shows it.
    pub workspace: String,
    /// Where the API key is. Its right must include `sessions.end`.
    pub api_key: SecretSource,
    /// Where the API is.
    #[serde(default = "acme_itself")]
    pub api_url: String,
}

fn acme_itself() -> String {
    "https://api.acme-idp.example".to_owned()
}

/// The settings, checked, with the secret read.
pub(crate) struct Checked {
    pub(crate) workspace: String,
    pub(crate) api: BaseUrl,
    pub(crate) authorization: HeaderValue,
}

impl AcmeConfig {
    /// Checks everything and reports every problem at once.
    pub(crate) fn check(self) -> Result<Checked, ConfigError> {
        let mut problems = Vec::new();
        if self.workspace.trim().is_empty() {
            problems.push(Problem::new("workspace", "is empty"));
        }
        let api = BaseUrl::parse(&self.api_url)
            .map_err(|message| problems.push(Problem::new("api_url", message)))
            .ok();
        let authorization = bearer(&self.api_key)
            .map_err(|message| problems.push(Problem::new("api_key", message)))
            .ok();
        match (api, authorization) {
            (Some(api), Some(authorization)) if problems.is_empty() => Ok(Checked {
                workspace: self.workspace,
                api,
                authorization,
            }),
            _ => Err(ConfigError::new(problems)),
        }
    }
}

/// The `Authorization` header, marked so that neither `Debug` nor a log shows it.
fn bearer(key: &SecretSource) -> Result<HeaderValue, String> {
    let key = key.read()?;
    let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
        .map_err(|_| "holds characters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
