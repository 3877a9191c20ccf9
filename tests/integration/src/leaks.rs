//! Looks for secrets in everything the program leaves behind: what it said, and every file below its folder.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::program::{Desk, Ran};

/// Asserts that no output and no file holds any of the secrets, as it is or in another form. `except` are the files in
/// which a person, or the program as its own key, put one.
#[track_caller]
pub fn nothing_leaked(
    desk: &Desk,
    except: &[&str],
    outputs: &[&Ran],
    secrets: &[impl AsRef<[u8]>],
) {
    let mut places = Vec::new();
    files_in(desk.path(), except, &mut places);
    assert!(
        places.iter().any(|(name, _)| name.ends_with("rescind.db")),
        "a state folder was searched"
    );
    for (number, ran) in outputs.iter().enumerate() {
        places.push((format!("stdout {number}"), ran.stdout.clone().into_bytes()));
        places.push((format!("stderr {number}"), ran.stderr.clone().into_bytes()));
    }
    for secret in secrets {
        for form in forms(secret.as_ref()) {
            for (name, bytes) in &places {
                assert!(
                    !holds(bytes, &form),
                    "{name} holds a secret as {}",
                    String::from_utf8_lossy(&form)
                );
            }
        }
    }
}

/// Whether the bytes hold this piece.
pub fn holds(bytes: &[u8], piece: &[u8]) -> bool {
    let first = piece[0];
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        if rest[at..].starts_with(piece) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// A secret as it is, as hexadecimal digits, as a list of bytes, percent-encoded, backwards, and as base64 wherever in a
/// longer text it may have begun.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    assert!(secret.len() >= 8, "what is shorter is found by chance");
    let (mut hex, mut percent) = (String::new(), String::new());
    for byte in secret {
        let _infallible = write!(hex, "{byte:02x}");
        let _infallible = if byte.is_ascii_alphanumeric() {
            percent.write_char(char::from(*byte))
        } else {
            write!(percent, "%{byte:02X}")
        };
    }
    let list = format!("{secret:?}");
    let mut forms = vec![
        secret.to_vec(),
        secret.iter().rev().copied().collect(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        percent.into_bytes(),
        list.trim_matches(['[', ']']).as_bytes().to_vec(),
    ];
    for before in 0..3 {
        let text = [&vec![0; before], secret].concat();
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(alphabet.encode(&text).as_bytes()[from..to].to_vec());
        }
    }
    forms
}

fn files_in(folder: &Path, except: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_excepted = except.iter().any(|name| path.ends_with(name));
        if path.is_dir() {
            files_in(&path, except, found);
        } else if !is_excepted {
            let bytes = fs::read(&path).expect("a file");
            found.push((path.display().to_string(), bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form_and_nothing_else_is() {
        const SECRET: &str = "canary-7f3a91c2+/=";
        let list = format!("{:?}", SECRET.as_bytes());
        let basic = STANDARD_NO_PAD.encode(format!("user:{SECRET} and more"));
        for leak in [
            format!("secret={SECRET}."),
            basic,
            URL_SAFE_NO_PAD.encode(format!("x{SECRET}")),
            "63616e6172792d37663361393163322b2f3d".to_owned(),
            "canary%2D7f3a91c2%2B%2F%3D".to_owned(),
            format!("bytes: {list}"),
        ] {
            let found = forms(SECRET.as_bytes());
            let found = found.iter().filter(|form| holds(leak.as_bytes(), form));
            assert!(found.count() >= 1, "{leak}");
        }
        let other = format!(
            "canary-7f3a91c3 {}",
            STANDARD_NO_PAD.encode("user:canary-7")
        );
        let found = forms(SECRET.as_bytes());
        assert!(!found.iter().any(|form| holds(other.as_bytes(), form)));
    }
}
