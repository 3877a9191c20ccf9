//! The Ed25519 key that signs checkpoints.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rescind_core::audit::entry::{from_hex, to_hex};
use rescind_core::audit::note::{PublicKey, Signer, Verifier};
use rescind_core::store::StoreError;

use super::{failed, private};

/// Verifies checkpoints.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519;

impl Verifier for Ed25519 {
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(message, signature)
            .is_ok()
    }
}

/// Signs checkpoints.
pub struct Ed25519Signer(Ed25519KeyPair);

impl Ed25519Signer {
    /// A signer from its 32 secret bytes.
    ///
    /// # Errors
    /// When the bytes are no seed.
    pub fn from_seed(seed: &[u8]) -> Result<Self, StoreError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| StoreError::Corrupt("the audit key is not an Ed25519 seed".to_owned()))
    }

    /// Its public key, by name.
    pub fn named(&self) -> PublicKey {
        PublicKey::new(self.public_key())
    }
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> [u8; 32] {
        self.0
            .public_key()
            .as_ref()
            .try_into()
            .expect("an Ed25519 public key has 32 bytes")
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0
            .sign(message)
            .as_ref()
            .try_into()
            .expect("an Ed25519 signature has 64 bytes")
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Signer([redacted])")
    }
}

/// Reads the key, or makes one. Two processes that start together end up with the same one.
pub(super) fn load_or_make(path: &Path) -> Result<Ed25519Signer, StoreError> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(|error| failed("make", path, &error))?;
            fs::read_to_string(path)
        }
        read => read,
    };
    let text = text.map_err(|error| failed("read", path, &error))?;
    check_private(path)?;
    let damaged = || StoreError::Corrupt(format!("{} holds no audit key", path.display()));
    let seed = from_hex(text.trim_end()).ok_or_else(damaged)?;
    Ed25519Signer::from_seed(&seed)
}

/// Written aside, synced, then linked to its name, which only one process can do; the name is synced, too.
fn make(path: &Path) -> io::Result<()> {
    let mut random = [0; 40];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let (seed, suffix) = random.split_at(32);
    let aside = path.with_extension(to_hex(suffix));
    let mut file = private::options()
        .write(true)
        .create_new(true)
        .open(&aside)?;
    let linked = writeln!(file, "{}", to_hex(seed))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&aside, path));
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => private::sync_name(path),
    }
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)
        .map_err(|error| failed("read", path, &error))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(StoreError::Unsafe(format!(
            "{} may be read by others; set its mode to 0600",
            path.display()
        )));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
