//! The model connector: what it is and how it is configured.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use rescind_core::config::{ConfigError, SecretSource};
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Permission, Roles};
use rescind_core::id::ConnectorKind;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::flaw::Flaw;
use super::provider::ModelProvider;
use super::wire::Wire;

/// The connector of an imaginary vendor, right in everything but one flaw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Model(pub(crate) Flaw);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    realm: String,
    api_url: String,
    login_url: String,
    secret: SecretSource,
}

#[derive(Deserialize)]
struct Lenient {
    realm: String,
    api_url: String,
    login_url: String,
    secret: SecretSource,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Inventive {
    realm: String,
    api_url: String,
    login_url: String,
    secret: SecretSource,
}

impl Default for Inventive {
    fn default() -> Self {
        Self {
            realm: "default".to_owned(),
            api_url: "http://127.0.0.1:1".to_owned(),
            login_url: "http://127.0.0.1:1".to_owned(),
            secret: SecretSource::File("/dev/null".into()),
        }
    }
}

impl Connector for Model {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("model").expect("a name")
    }

    fn describe(&self) -> ConnectorInfo {
        let docs = match self.0 {
            Flaw::EmptyDocs => " ",
            _ => "# Model\n\nEnds sessions and passwords.",
        };
        let text = |about: &str| json!({"type": "string", "description": about});
        let settings = json!({
            "type": "object",
            "properties": {
                "realm": text("The realm."),
                "api_url": text("Where the API is."),
                "login_url": text("Where tokens come from."),
                "secret": {"description": "Where the secret is."},
            },
            "required": ["realm", "api_url", "login_url", "secret"],
        });
        let rights = vec![Permission::new("end", "ending sessions")];
        ConnectorInfo::new(self.kind(), "Model", "Ends it.", docs, settings, rights)
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let Strict {
            realm,
            api_url,
            login_url,
            secret,
        } = self.read(cx)?;
        if self.0 == Flaw::ConnectsAtBuild {
            let address = api_url.trim_start_matches("http://");
            let mut socket = TcpStream::connect(address).expect("the API listens");
            socket
                .write_all(b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n")
                .expect("the API reads");
            std::io::Read::read(&mut socket, &mut [0]).expect("the API answers");
        }
        let secret = match (self.0, secret.read()) {
            (_, Ok(secret)) => secret.expose_secret().to_owned(),
            (Flaw::InventsMissingSettings, Err(_)) => String::new(),
            (_, Err(message)) => return Err(ConfigError::of("secret", message)),
        };
        let wire = Wire::new(self.0, api_url, login_url, secret);
        let provider = Arc::new(ModelProvider::new(
            self.0,
            cx.name.clone(),
            self.kind(),
            realm,
            wire,
        ));
        let roles = Roles::new()
            .with_revocation(provider.clone())
            .with_directory(provider.clone())
            .with_evidence(provider.clone());
        Ok(match self.0 {
            Flaw::DeclaresItemsWithoutInventory => roles,
            _ => roles.with_inventory(provider),
        })
    }
}

impl Model {
    fn read(self, cx: &BuildContext<'_>) -> Result<Strict, ConfigError> {
        match self.0 {
            Flaw::AcceptsUnknownKeys => cx.settings.read::<Lenient>().map(|read| Strict {
                realm: read.realm,
                api_url: read.api_url,
                login_url: read.login_url,
                secret: read.secret,
            }),
            Flaw::InventsMissingSettings => cx.settings.read::<Inventive>().map(|read| Strict {
                realm: read.realm,
                api_url: read.api_url,
                login_url: read.login_url,
                secret: read.secret,
            }),
            Flaw::ShowsValues => cx.settings.read().map_err(|error| {
                let given = cx.settings.read::<BTreeMap<String, serde_json::Value>>();
                ConfigError::of("settings", format!("{error} in {given:?}"))
            }),
            _ => cx.settings.read(),
        }
    }
}
