//! Checkpoints as signed notes: <https://c2sp.org/signed-note> and <https://c2sp.org/tlog-checkpoint>, read 2026-11-21.

use std::fmt::{self, Debug};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::entry::{Hash, from_hex, to_hex};
use super::tree::Frontier;
use super::{Checkpoint, entry};

/// The signature type of Ed25519 in a note.
const ED25519: u8 = 1;

/// Signs checkpoints with Ed25519.
pub trait Signer: Debug + Send + Sync {
    /// The public key.
    fn public_key(&self) -> [u8; 32];

    /// The signature over a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Verifies Ed25519 signatures.
pub trait Verifier: Debug + Send + Sync {
    /// Whether the signature over the message was made with that key.
    fn verify(&self, public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool;
}

/// The public key of a record, as `name+hash+key`: what a verifier must be told from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

/// Why a text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a public key of the form name+hash+key, as `rescind audit export` writes it")]
pub struct PublicKeyError;

impl PublicKey {
    /// A key under the name that it gives itself: `rescind/` and the first bytes of its hash.
    pub fn new(key: [u8; 32]) -> Self {
        let hash = Sha256::digest(key);
        Self {
            name: format!("rescind/{}", to_hex(&hash[..8])),
            key,
        }
    }

    /// Its name, which is also the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key)
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(&self.key);
        write!(
            f,
            "{}+{}+{}",
            self.name,
            to_hex(&self.id()),
            STANDARD.encode(typed)
        )
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(typed)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(PublicKeyError);
        };
        let typed = STANDARD.decode(typed).map_err(|_| PublicKeyError)?;
        let Some((&ED25519, key)) = typed.split_first() else {
            return Err(PublicKeyError);
        };
        let key = Self {
            name: name.to_owned(),
            key: key.try_into().map_err(|_| PublicKeyError)?,
        };
        let named = !name.is_empty() && !name.contains(char::is_whitespace);
        if !named || from_hex(id).as_deref() != Some(&key.id()) {
            return Err(PublicKeyError);
        }
        Ok(key)
    }
}

/// Signs the root of the tree as it stands.
pub fn sign(signer: &dyn Signer, tree: &Frontier) -> Checkpoint {
    let key = PublicKey::new(signer.public_key());
    let root = STANDARD.encode(tree.root());
    let text = format!("{}\n{}\n{root}\n", key.name(), tree.size());
    let mut signature = key.id().to_vec();
    signature.extend_from_slice(&signer.sign(text.as_bytes()));
    Checkpoint {
        size: tree.size(),
        note: format!(
            "{text}\n\u{2014} {} {}\n",
            key.name(),
            STANDARD.encode(signature)
        ),
    }
}

/// The root a checkpoint states, once its signature and its size have been checked; `None` when either is wrong.
pub fn open(checkpoint: &Checkpoint, key: &PublicKey, verifier: &dyn Verifier) -> Option<Hash> {
    let (text, signatures) = checkpoint.note.split_once("\n\n")?;
    let signature = signatures
        .strip_prefix("\u{2014} ")?
        .strip_suffix('\n')?
        .strip_prefix(key.name())?
        .strip_prefix(' ')?;
    let signature = STANDARD.decode(signature).ok()?;
    let (id, signature) = signature.split_at_checked(4)?;
    let signed = format!("{text}\n");
    if id != key.id() || !verifier.verify(&key.key, signed.as_bytes(), signature.try_into().ok()?) {
        return None;
    }
    let mut lines = text.split('\n');
    let origin = lines.next()?;
    let size = lines.next()?;
    let root: entry::Hash = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    let ours = origin == key.name() && size == checkpoint.size.to_string();
    (ours && lines.next().is_none()).then_some(root)
}

/// Reads a file of copied checkpoints: notes with a blank line after each, as `audit.checkpoint_copy` collects them.
///
/// `None` when the text is not that. Notes that were cut off by a power failure are left out, wherever they stand.
pub fn read_copies(text: &str) -> Option<Vec<Checkpoint>> {
    let parts: Vec<&str> = text.split("\n\n").collect();
    let (_unfinished, parts) = parts.split_last()?;
    let mut copies = Vec::new();
    let mut rest = parts;
    while let Some((text, more)) = rest.split_first() {
        rest = more;
        let Some((signature, more)) = more.split_first().filter(|(one, _)| is_signature(one))
        else {
            continue;
        };
        rest = more;
        // What ends a note that was cut off may be one line too long.
        let text = text.trim_start_matches('\n');
        copies.push(Checkpoint {
            size: text.split('\n').nth(1)?.parse().ok()?,
            note: format!("{text}\n\n{signature}\n"),
        });
    }
    (!copies.is_empty() || parts.len() < 2).then_some(copies)
}

/// Whether this is a whole signature line: its bytes are those of a key's id and an Ed25519 signature.
fn is_signature(line: &str) -> bool {
    line.strip_prefix("\u{2014} ")
        .and_then(|line| line.rsplit_once(' '))
        .and_then(|(_, signature)| STANDARD.decode(signature).ok())
        .is_some_and(|bytes| bytes.len() == 68)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_specification_has_the_id_of_the_specification() {
        // The example key of <https://c2sp.org/signed-note>.
        let key: PublicKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
            .parse()
            .expect("their key");
        assert_eq!(key.name(), "PeterNeumann");
        assert_eq!(
            key.to_string(),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
    }

    #[test]
    fn a_key_whose_hash_is_not_its_own_is_refused() {
        let text = PublicKey::new([7; 32]).to_string();
        assert!(text.parse::<PublicKey>().is_ok());
        assert!(
            text.replacen("rescind", "someone", 1)
                .parse::<PublicKey>()
                .is_err()
        );
        assert!("a+b".parse::<PublicKey>().is_err());
    }
}
