//! Builds the roles of one Entra tenant from its settings.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::config::{ConfigError, Problem, SecretSource};
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Permission, Roles};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{Descriptor, FirstCosts};
use rescind_http::{ClientCredentials, ClientProof, HttpClient};
use secrecy::SecretString;

use crate::assertion::{Certificate, Federated};
use crate::config::{Addresses, AzureGraphConfig};
use crate::directory::EntraDirectory;
use crate::evidence::EntraEvidence;
use crate::graph::Graph;
use crate::limits;
use crate::revoke::{EFFECTIVE_WITHIN, EntraRevocation, residual};
use crate::token::hint;

/// The connector for Microsoft Entra ID.
#[derive(Debug, Clone, Copy, Default)]
pub struct AzureGraph;

impl Connector for AzureGraph {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("azure-graph").expect("a valid kind")
    }

    fn describe(&self) -> ConnectorInfo {
        ConnectorInfo::new(
            self.kind(),
            "Microsoft Entra ID",
            "Ends refresh tokens and browser sessions of a person in Microsoft Entra ID and Microsoft 365",
            include_str!("../docs.md"),
            serde_json::to_value(schemars::schema_for!(AzureGraphConfig))
                .expect("a schema has a JSON form"),
            vec![
                Permission::new("User.RevokeSessions.All", "end a person's sessions"),
                Permission::new(
                    "User.Read.All",
                    "resolve people, tell guests, read the watermark back",
                ),
                Permission::new("GroupMember.Read.All", "expand groups; optional"),
            ],
        )
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let config: AzureGraphConfig = cx.settings.read()?;
        let mut problems = Vec::new();
        let mut keep = |error: ConfigError| problems.extend(error.into_problems());
        let addresses = config.addresses().map_err(&mut keep).ok();
        let proof = proof(&config, addresses.as_ref(), cx)
            .map_err(&mut keep)
            .ok();
        let http = HttpClient::new(cx.http).map_err(&mut keep).ok();
        let (Some(addresses), Some(proof), Some(http)) = (addresses, proof, http) else {
            return Err(ConfigError::new(problems));
        };
        let source = ClientCredentials::new(
            addresses.token_url,
            config.client_id.trim(),
            addresses.scope,
            proof,
            hint,
        );
        let graph = Graph::new(addresses.graph, http, source);
        let directory = Arc::new(EntraDirectory::new(graph.clone()));
        let evidence = EntraEvidence::new(directory.reads());
        let mut descriptor = descriptor(cx.name.clone(), self.kind(), &config.tenant);
        // Graph counts its limits by application and tenant.
        descriptor.application = Some(config.client_id.trim().to_lowercase());
        let revocation = EntraRevocation::new(descriptor, graph, Arc::clone(&directory));
        Ok(Roles::new()
            .with_revocation(Arc::new(revocation))
            .with_directory(directory)
            .with_evidence(Arc::new(evidence)))
    }
}

fn descriptor(name: ProviderName, kind: ConnectorKind, tenant: &str) -> Descriptor {
    let mut descriptor = Descriptor::new(name, kind, tenant.to_lowercase());
    descriptor.budgets = limits::budgets();
    descriptor.first_cost = FirstCosts::new(limits::read(), limits::revoke(), limits::read());
    // Besides the tenth that is kept for urgent work, 32 batches of 20.
    descriptor.max_in_flight = 720;
    descriptor.subjects_per_read = 20;
    // A token, a request, and both once more after a 401: each has 30 s.
    descriptor.timeout = Duration::from_secs(120);
    descriptor.residual = residual(None);
    descriptor.effective_within = EFFECTIVE_WITHIN;
    descriptor
}

/// The one proof of identity that is configured.
fn proof(
    config: &AzureGraphConfig,
    addresses: Option<&Addresses>,
    cx: &BuildContext<'_>,
) -> Result<ClientProof, ConfigError> {
    const CHOICE: &str =
        "give exactly one of client_secret, certificate with private_key, federated_token";
    let choice = |message: &str| {
        ConfigError::new(vec![
            Problem::new("client_secret", message).with_hint(CHOICE),
        ])
    };
    match (
        &config.client_secret,
        (&config.certificate, &config.private_key),
        &config.federated_token,
    ) {
        (Some(source), (None, None), None) => {
            Ok(ClientProof::Secret(secret("client_secret", source)?))
        }
        (None, (Some(certificate), Some(key)), None) => {
            let key = secret("private_key", key)?;
            let audience = addresses.map_or("", |addresses| addresses.token_url.as_str());
            let certificate = Certificate::new(
                certificate,
                &key,
                config.certificate_header,
                config.client_id.trim(),
                audience,
                Arc::clone(&cx.clock),
            )
            .map_err(|(key, message)| ConfigError::of(key, message))?;
            Ok(ClientProof::Assertion(Box::new(certificate)))
        }
        (None, (None, None), Some(token)) => Ok(ClientProof::Assertion(Box::new(Federated::new(
            token.file.clone(),
        )))),
        (None, (Some(_), None), None) => Err(ConfigError::of(
            "private_key",
            "is missing: a certificate needs its private key",
        )),
        (None, (None, Some(_)), None) => Err(ConfigError::of(
            "certificate",
            "is missing: a private key needs its certificate",
        )),
        (None, (None, None), None) => Err(choice("nothing proves who the application is")),
        _ => Err(choice("more than one proof of who the application is")),
    }
}

fn secret(key: &str, source: &SecretSource) -> Result<SecretString, ConfigError> {
    source
        .read()
        .map_err(|problem| ConfigError::of(key, problem))
}
