//! What the judges know by themselves: nothing here calls the product.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Whether a terminal acts on it, or a person cannot see it.
pub(super) fn is_hidden(c: char) -> bool {
    let n = u32::from(c);
    let control = n < 0x20 || (0x7f..=0x9f).contains(&n);
    let bidi = matches!(n, 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    let invisible = matches!(n, 0xad | 0x34f | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200d
        | 0x2028 | 0x2029 | 0x2060..=0x2065 | 0x206a..=0x206f | 0x2800 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0
        | 0xfff0..=0xfffb | 0xe0000..=0xe0fff);
    control || bidi || invisible
}

/// States that a message can stand on one line of a terminal, and is short.
#[track_caller]
pub(super) fn is_presentable(message: &str) {
    assert!(
        !message.chars().any(is_hidden),
        "a message holds a hidden character: {message:?}"
    );
    assert!(message.chars().count() < 2_000, "a message is too long");
}

/// JSON with every key that was written, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Other(Value),
}

impl Json {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(&without_surrogates(bytes)).ok()
    }

    /// Whether every reader takes it for JSON.
    pub(super) fn is_undisputed(bytes: &[u8]) -> bool {
        serde_json::from_slice::<Self>(bytes).is_ok()
    }

    /// Whether it is JSON by its grammar, whatever the numbers and names in it are.
    pub(super) fn is_grammatical(bytes: &[u8]) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
    }

    /// As [`Json::read`], of what the product has read: it has to be JSON by its grammar, even where this reader cannot say
    /// what stands in it, a number beyond every number, say.
    #[track_caller]
    pub(super) fn of_accepted(bytes: &[u8]) -> Option<Self> {
        let json = Self::read(bytes);
        assert!(
            json.is_some() || Self::is_grammatical(bytes),
            "what is no JSON was read"
        );
        json
    }

    /// Every value that stands under this key.
    pub(super) fn all(&self, key: &str) -> Vec<&Self> {
        match self {
            Self::Object(entries) => entries
                .iter()
                .filter(|(name, _)| name == key)
                .map(|(_, value)| value)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The value under a key that stands there exactly once.
    pub(super) fn one(&self, key: &str) -> Option<&Self> {
        match self.all(key)[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Other(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Every text in it, keys left out.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Object(entries) => (entries.iter())
                .flat_map(|(_, value)| value.texts())
                .collect(),
            Self::Array(items) => items.iter().flat_map(Self::texts).collect(),
            Self::Other(_) => self.text().into_iter().collect(),
        }
    }

    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Other(Value::Number(number)) => number.as_u64(),
            _ => None,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        *self == Self::Other(Value::Bool(true))
    }

    pub(super) fn is_null(&self) -> bool {
        *self == Self::Other(Value::Null)
    }

    pub(super) fn array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Json;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Object(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = all.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Other(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Other(Value::Null))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The first line as text, and what follows it.
pub(super) fn head(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (line, rest) = match end {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    };
    (String::from_utf8_lossy(line).into_owned(), rest)
}

/// The same text with every surrogate escape made a plain character. By the grammar an escape without its other half is
/// JSON all the same; this reader alone would take the whole text for none.
fn without_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut text = bytes.to_vec();
    let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    for at in 0..text.len().saturating_sub(5) {
        let escape = &text[at..at + 6];
        let surrogate = escape[..2] == *b"\\u"
            && escape[2].eq_ignore_ascii_case(&b'd')
            && matches!(escape[3], b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
            && is_hex(&escape[4..]);
        if surrogate {
            text[at + 2..at + 6].copy_from_slice(b"fffd");
        }
    }
    text
}
