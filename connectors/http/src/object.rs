//! JSON objects, and nothing that merely reads like one.

use serde::Deserialize;
use serde::de::Error as _;

/// Reads a JSON object.
///
/// serde takes a list for a struct, value by value: `[true]` would be read as `{"value": true}`, and a vendor that never
/// said so would be believed. Every answer of a vendor that is read into a struct comes through here.
///
/// # Errors
/// When the text is no JSON, no object, or not of this form. The error's text may quote values.
pub fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    // What is skipped is not looked at for broken UTF-8, which is no JSON anywhere.
    let json = std::str::from_utf8(json).map_err(serde_json::Error::custom)?;
    if json.trim_ascii_start().starts_with('{') {
        serde_json::from_str(json)
    } else {
        Err(serde_json::Error::custom("not an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Answer {
        value: bool,
    }

    #[test]
    fn a_list_of_the_right_values_is_no_object() {
        assert!(object::<Answer>(b" {\"value\": true}").unwrap().value);
        assert!(object::<Answer>(b"[true]").is_err());
        assert!(object::<Answer>(b"").is_err());
        assert!(object::<Answer>(b"{\"skipped\": \"\xff\", \"value\": true}").is_err());
    }
}
