//! Percent-encoding by the strictest reading of RFC 3986: only unreserved characters stay as they are.

use std::borrow::Cow;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends `text` so that it stands for itself in any part of a URL.
pub fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// `text` so that it stands for itself in any part of a URL.
pub fn encoded(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    push_encoded(&mut out, text);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_but_unreserved_is_encoded() {
        assert_eq!(encoded("aZ09-._~"), "aZ09-._~");
        assert_eq!(
            encoded("a+b@c/#$'|{}% ä"),
            "a%2Bb%40c%2F%23%24%27%7C%7B%7D%25%20%C3%A4"
        );
    }

    proptest! {
        #[test]
        fn the_other_end_reads_what_was_meant(text in ".*") {
            let url = url::Url::parse(&format!("https://example.com/?k={}", encoded(&text))).expect("parses");
            let read: Vec<_> = url.query_pairs().collect();
            prop_assert_eq!(read.len(), 1);
            prop_assert_eq!(read[0].1.as_ref(), text.as_str());
        }
    }
}
