//! The settings of one Entra tenant.

use std::path::PathBuf;

use rescind_core::config::{ConfigError, Problem, SecretSource};
use rescind_http::BaseUrl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cloud::Cloud;

/// The `settings` table of an `azure-graph` provider. Exactly one way to prove who the application is must be given:
/// `client_secret`, or `certificate` with `private_key`, or `federated_token`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AzureGraphConfig {
    /// The Entra tenant: its id, or one of its verified domains such as `contoso.onmicrosoft.com`.
    pub tenant: String,
    /// The application (client) id of the app registration.
    pub client_id: String,
    /// Where the client secret's value is; not the secret's id.
    #[serde(default)]
    pub client_secret: Option<SecretSource>,
    /// A PEM file with the certificate that is registered on the application. RSA.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Where the certificate's private key is, PEM, PKCS#8 or PKCS#1.
    #[serde(default)]
    pub private_key: Option<SecretSource>,
    /// How the certificate is named in the signed assertion. Default: `ps256`.
    #[serde(default)]
    pub certificate_header: CertificateHeader,
    /// A token of another issuer that the application trusts (workload identity federation).
    #[serde(default)]
    pub federated_token: Option<FederatedToken>,
    /// Which of Microsoft's clouds the tenant is in. Default: `global`.
    #[serde(default)]
    pub cloud: Cloud,
    /// The root of Microsoft Graph, where it is not the cloud's own.
    #[serde(default)]
    pub graph_url: Option<String>,
    /// The root of the token endpoint, where it is not the cloud's own.
    #[serde(default)]
    pub login_url: Option<String>,
    /// The scope asked for. Default: `/.default` below the root of Microsoft Graph. Behind a proxy that rewrites
    /// `graph_url`, name the cloud's own here.
    #[serde(default)]
    pub scope: Option<String>,
}

/// How a signed assertion names its certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CertificateHeader {
    /// PS256 with the SHA-256 thumbprint (`x5t#S256`), as Microsoft documents it now.
    #[default]
    #[serde(rename = "ps256")]
    Ps256,
    /// RS256 with the SHA-1 thumbprint (`x5t`), for older installations.
    #[serde(rename = "rs256-x5t")]
    Rs256X5t,
}

/// Where another issuer's token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FederatedToken {
    /// The file that holds the token; read again for every token request, because orchestrators replace it.
    pub file: PathBuf,
}

/// The addresses that follow from the settings.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub(crate) graph: BaseUrl,
    pub(crate) token_url: rescind_http::Url,
    pub(crate) scope: String,
}

impl AzureGraphConfig {
    /// Checks what types cannot say, and works out the addresses.
    pub(crate) fn addresses(&self) -> Result<Addresses, ConfigError> {
        let mut problems = Vec::new();
        self.check_tenant(&mut problems);
        if self.client_id.trim().is_empty() {
            problems.push(Problem::new("client_id", "is empty"));
        }
        let mut root = |key: &str, given: Option<&str>, default: &str| {
            BaseUrl::parse(given.unwrap_or(default))
                .map_err(|problem| problems.push(Problem::new(key, problem)))
        };
        let graph = root(
            "graph_url",
            self.graph_url.as_deref(),
            self.cloud.graph_url(),
        );
        let login = root(
            "login_url",
            self.login_url.as_deref(),
            self.cloud.login_url(),
        );
        let (Ok(graph), Ok(login), []) = (graph, login, problems.as_slice()) else {
            return Err(ConfigError::new(problems));
        };
        let scope = match &self.scope {
            Some(scope) => scope.clone(),
            None => format!("{}/.default", graph.as_str()),
        };
        let token_url = login
            .at("/")
            .value(&self.tenant)
            .path("/oauth2/v2.0/token")
            .build();
        Ok(Addresses {
            graph,
            token_url,
            scope,
        })
    }

    fn check_tenant(&self, problems: &mut Vec<Problem>) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let tenant = self.tenant.as_str();
        if tenant.is_empty() || !tenant.chars().all(plain) || tenant.starts_with('.') {
            problems.push(
                Problem::new("tenant", "is neither a tenant id nor a domain").with_hint(
                    "the directory (tenant) id, or a verified domain such as contoso.onmicrosoft.com",
                ),
            );
        } else if ["common", "organizations", "consumers"].contains(&tenant.to_lowercase().as_str())
        {
            problems.push(
                Problem::new("tenant", "does not name one tenant").with_hint(
                    "an application signs in to one tenant: its id or a verified domain",
                ),
            );
        }
    }
}
