//! Client assertions: a JWT we sign with the application's certificate, or one of another issuer.
//!
//! After <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rescind_core::clock::Clock;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::AssertionSource;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;
use x509_parser::pem::Pem;

use crate::config::CertificateHeader;

/// Microsoft advises five to ten minutes at most.
const ASSERTION_LIFE: SignedDuration = SignedDuration::from_mins(5);
const OPERATION: &str = "token";

/// Signs assertions with a certificate's key.
pub(crate) struct Certificate {
    key: EncodingKey,
    header: Header,
    client_id: String,
    audience: String,
    not_after: Timestamp,
    clock: Arc<dyn Clock>,
}

impl Certificate {
    /// Checks here what the vendor would only answer with a number: RSA, valid now, key and certificate belong together.
    /// Errors are the setting's key and a fragment for a person.
    pub(crate) fn new(
        certificate: &Path,
        private_key: &SecretString,
        form: CertificateHeader,
        client_id: &str,
        audience: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, (&'static str, String)> {
        let of_certificate = |message: String| ("certificate", message);
        let of_key = |message: &str| ("private_key", message.to_owned());
        let pem = std::fs::read(certificate).map_err(|error| {
            of_certificate(format!("{} cannot be read: {error}", certificate.display()))
        })?;
        let pem = Pem::iter_from_buffer(&pem)
            .filter_map(Result::ok)
            .find(|pem| pem.label == "CERTIFICATE")
            .ok_or_else(|| {
                of_certificate(format!(
                    "{} holds no PEM certificate",
                    certificate.display()
                ))
            })?;
        let parsed = pem.parse_x509().map_err(|_| {
            of_certificate(format!(
                "{} holds no X.509 certificate",
                certificate.display()
            ))
        })?;
        let pair = rsa_pair(private_key.expose_secret()).ok_or_else(|| {
            of_key("is not an unencrypted RSA private key in PEM (PKCS#8 or PKCS#1, 2048 bits or more)")
        })?;
        if parsed.public_key().subject_public_key.data.as_ref() != pair.public_key().as_ref() {
            return Err(of_key("does not belong to the certificate"));
        }
        let instant = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        let not_before = instant(parsed.validity().not_before.timestamp());
        let not_after = instant(parsed.validity().not_after.timestamp());
        let now = clock.now();
        if now < not_before {
            return Err(of_certificate(format!(
                "is not valid before {not_before}; this machine's clock says {now}"
            )));
        }
        if now > not_after {
            return Err(of_certificate(format!(
                "expired at {not_after}: register a new certificate on the application"
            )));
        }
        let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes())
            .map_err(|_| of_key("is not an RSA private key in PEM"))?;
        Ok(Self {
            key,
            header: header(form, &pem.contents),
            client_id: client_id.to_owned(),
            audience: audience.to_owned(),
            not_after,
            clock,
        })
    }

    fn sign(&self) -> Result<SecretString, Error> {
        let fault = |message: String| {
            Error::new(ErrorKind::Unauthenticated, Retry::Never, OPERATION, message)
        };
        let now = self.clock.now();
        if now > self.not_after {
            return Err(
                fault(format!("the certificate expired at {}", self.not_after))
                    .with_hint("register a new certificate on the application and restart"),
            );
        }
        let claims = Claims {
            aud: &self.audience,
            iss: &self.client_id,
            sub: &self.client_id,
            jti: Uuid::new_v4(),
            nbf: now.as_second(),
            iat: now.as_second(),
            exp: (now + ASSERTION_LIFE).as_second(),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key)
            .map(SecretString::from)
            .map_err(|_| fault("the private key does not sign".to_owned()))
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: Uuid,
    nbf: i64,
    iat: i64,
    exp: i64,
}

fn header(form: CertificateHeader, der: &[u8]) -> Header {
    let thumbprint = |hash| Some(URL_SAFE_NO_PAD.encode(digest::digest(hash, der).as_ref()));
    match form {
        CertificateHeader::Ps256 => {
            let mut header = Header::new(Algorithm::PS256);
            header.x5t_s256 = thumbprint(&digest::SHA256);
            header
        }
        CertificateHeader::Rs256X5t => {
            let mut header = Header::new(Algorithm::RS256);
            header.x5t = thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY);
            header
        }
    }
}

fn rsa_pair(pem: &str) -> Option<RsaKeyPair> {
    let pem = Pem::iter_from_buffer(pem.as_bytes())
        .filter_map(Result::ok)
        .find(|pem| pem.label.ends_with("PRIVATE KEY"))?;
    match pem.label.as_str() {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&pem.contents).ok(),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&pem.contents).ok(),
        _ => None,
    }
}

#[async_trait]
impl AssertionSource for Certificate {
    async fn assertion(&self) -> Result<SecretString, Error> {
        self.sign()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("algorithm", &self.header.alg)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Hands on the token of another issuer, unchanged.
///
/// After <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>.
#[derive(Debug)]
pub(crate) struct Federated {
    file: PathBuf,
}

impl Federated {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }
}

#[async_trait]
impl AssertionSource for Federated {
    async fn assertion(&self) -> Result<SecretString, Error> {
        let fault = |message: String| {
            Error::new(
                ErrorKind::Unauthenticated,
                Retry::Never,
                OPERATION,
                format!("the federated token {} {message}", self.file.display()),
            )
            .with_hint("check `federated_token.file` and what writes it")
        };
        let text = tokio::fs::read_to_string(&self.file)
            .await
            .map_err(|error| fault(format!("cannot be read: {}", error.kind())))?;
        let token = text.trim();
        if token.is_empty() {
            return Err(fault("is empty".to_owned()));
        }
        Ok(SecretString::from(token.to_owned()))
    }
}
