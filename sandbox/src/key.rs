//! The key pair of the simulated service account.
//!
//! It is a throwaway key and public on purpose: whoever holds it can sign in at a sandbox on loopback and nowhere else. A
//! fresh one at every start would cost a debug build seconds.

use std::sync::OnceLock;

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// PKCS#8 in base64, in lines of 64 characters.
const THROWAWAY: &str = include_str!("throwaway-key.b64");

/// The private key as PKCS#8 PEM.
pub(crate) fn private_pem() -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{THROWAWAY}-----END PRIVATE KEY-----\n")
}

/// Whether an RS256 signature is by this key.
pub(crate) fn verifies(signed: &[u8], signature: &[u8]) -> bool {
    static PUBLIC: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let public = PUBLIC.get_or_init(|| {
        let der = STANDARD.decode(THROWAWAY.replace('\n', "")).ok()?;
        let pair = KeyPair::from_pkcs8(&der).ok()?;
        Some(pair.public_key().as_ref().to_vec())
    });
    public.as_ref().is_some_and(|public| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed, signature)
            .is_ok()
    })
}
