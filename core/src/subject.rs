//! The person whose sessions end.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One typed identifier of a subject, after the formats of RFC 9493.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Identifier {
    /// An e-mail address: a primary address or an alias.
    Email {
        /// The address.
        email: String,
    },
    /// The name a person signs in with; it looks like an address and need not be one.
    UserPrincipalName {
        /// The name.
        upn: String,
    },
    /// The provider's own immutable id of the account.
    ObjectId {
        /// The id.
        id: String,
    },
    /// An issuer and its own name for the person.
    IssSub {
        /// The issuer.
        iss: String,
        /// Its name for the person.
        sub: String,
    },
}

impl Identifier {
    /// The identifier's text, without its type.
    pub fn value(&self) -> &str {
        match self {
            Self::Email { email } => email,
            Self::UserPrincipalName { upn } => upn,
            Self::ObjectId { id } => id,
            Self::IssSub { sub, .. } => sub,
        }
    }

    /// The kind of identifier this is.
    pub fn kind(&self) -> IdentifierKind {
        match self {
            Self::Email { .. } => IdentifierKind::Email,
            Self::UserPrincipalName { .. } => IdentifierKind::UserPrincipalName,
            Self::ObjectId { .. } => IdentifierKind::ObjectId,
            Self::IssSub { .. } => IdentifierKind::IssSub,
        }
    }
}

/// The kinds of [`Identifier`], for a connector to declare which it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdentifierKind {
    /// [`Identifier::Email`]
    Email,
    /// [`Identifier::UserPrincipalName`]
    UserPrincipalName,
    /// [`Identifier::ObjectId`]
    ObjectId,
    /// [`Identifier::IssSub`]
    IssSub,
}

/// Why a text is no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// Nothing there.
    #[error("the subject is empty")]
    Empty,
    /// Longer than any vendor's identifier.
    #[error("the subject is longer than {MAX_SUBJECT} bytes")]
    TooLong,
    /// Control or invisible characters: never part of an identifier, and a way to disguise one.
    #[error("the subject contains control, line-break or invisible characters")]
    Unprintable,
    /// A typed identifier in a form we do not know.
    #[error("the subject is not one of the identifier formats email, upn, id or iss_sub")]
    UnknownFormat,
}

/// The longest subject accepted, in bytes.
pub const MAX_SUBJECT: usize = 1024;

/// A subject as somebody named it, with the typed identifiers that the text may stand for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    given: String,
    identifiers: Vec<Identifier>,
}

impl Subject {
    /// Reads an untyped identifier: surrounding blanks are dropped. A text with `@` may be a sign-in name or an
    /// e-mail address (tried in that order); any other text is taken for the provider's own id.
    pub fn parse(text: &str) -> Result<Self, SubjectError> {
        let text = checked(text)?;
        let identifiers = if text.contains('@') {
            vec![
                Identifier::UserPrincipalName {
                    upn: text.to_owned(),
                },
                Identifier::Email {
                    email: text.to_owned(),
                },
            ]
        } else {
            vec![Identifier::ObjectId {
                id: text.to_owned(),
            }]
        };
        Ok(Self {
            given: text.to_owned(),
            identifiers,
        })
    }

    /// A subject with one typed identifier.
    pub fn typed(identifier: Identifier) -> Result<Self, SubjectError> {
        let given = checked(identifier.value())?.to_owned();
        Ok(Self {
            given,
            identifiers: vec![identifier],
        })
    }

    /// The provider's own id of an account.
    pub fn from_id(id: &str) -> Result<Self, SubjectError> {
        Self::typed(Identifier::ObjectId { id: id.to_owned() })
    }

    /// The text as somebody gave it, without surrounding blanks.
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What the text may stand for, most likely first; never empty.
    pub fn identifiers(&self) -> &[Identifier] {
        &self.identifiers
    }

    /// The form in which spellings are compared: compatibility case folding is the vendor's affair, ASCII case is not.
    pub fn folded(&self) -> String {
        fold(&self.given)
    }
}

/// Lower-cases for comparison. Full Unicode lower case, so that `Ä` and `ä` meet; it merges spellings, never accounts:
/// acting needs the provider's own id.
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

impl fmt::Debug for Subject {
    /// Shows the kinds only: a `Debug` of something that holds a subject may reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.identifiers.iter().map(Identifier::kind))
            .finish()
    }
}

fn checked(text: &str) -> Result<&str, SubjectError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SubjectError::Empty);
    }
    if text.len() > MAX_SUBJECT {
        return Err(SubjectError::TooLong);
    }
    if text.chars().any(is_unprintable) {
        return Err(SubjectError::Unprintable);
    }
    Ok(text)
}

/// Control characters, bidirectional overrides, zero-width and other characters that show nothing.
pub fn is_unprintable(c: char) -> bool {
    if c.is_ascii() {
        // Nearly every character of an identifier.
        return c.is_ascii_control();
    }
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A keyed hash of a subject, for logs: the same person has the same one within a process, nobody can turn it back.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectRef(String);

impl SubjectRef {
    /// Hashes a spelling under `key`.
    pub fn new(key: &[u8; 32], spelling: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"rescind subject.ref\0");
        hash.update(key);
        hash.update(fold(spelling).as_bytes());
        let digest = hash.finalize();
        let mut text = String::with_capacity(16);
        for byte in &digest[..8] {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_sign_in_name_or_mail() {
        let subject = Subject::parse("  ada@contoso.com ").expect("parses");
        let kinds: Vec<_> = subject.identifiers().iter().map(Identifier::kind).collect();
        assert_eq!(
            kinds,
            [IdentifierKind::UserPrincipalName, IdentifierKind::Email]
        );
        assert_eq!(subject.given(), "ada@contoso.com");
    }

    #[test]
    fn hidden_characters_are_no_identifier() {
        for bad in [
            "",
            "  ",
            "a\u{0}b@c",
            "a\nb@c",
            "a\u{202e}b@c",
            "a\u{200b}b@c",
            "\u{feff}",
        ] {
            assert!(Subject::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Subject::parse(&"x".repeat(2000)),
            Err(SubjectError::TooLong)
        );
    }

    #[test]
    fn debug_shows_no_address() {
        let subject = Subject::parse("ada@contoso.com").expect("parses");
        assert!(!format!("{subject:?}").contains("ada"));
    }
}
