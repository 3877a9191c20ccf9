//! Percent-encoding, undone.

/// A path segment as it was meant. Bytes that are no UTF-8 become the replacement character.
pub(crate) fn segment(text: &str) -> String {
    decode(text, false)
}

/// The pairs of a query or form, decoded; `+` is a space there.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// The first value of a name.
pub(crate) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let pair = bytes.get(at + 1).zip(bytes.get(at + 2));
                if let Some((high, low)) = pair
                    && let (Some(high), Some(low)) = (
                        char::from(*high).to_digit(16),
                        char::from(*low).to_digit(16),
                    )
                {
                    out.push((high * 16 + low) as u8);
                    at += 3;
                    continue;
                }
                out.push(b'%');
            }
            b'+' if plus_is_space => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_space_in_a_query_and_a_plus_in_a_path() {
        assert_eq!(segment("a+b%2Bc%40d"), "a+b+c@d");
        assert_eq!(
            pairs("x=a+b%2Bc&%24select=id"),
            [
                ("x".to_owned(), "a b+c".to_owned()),
                ("$select".to_owned(), "id".to_owned()),
            ]
        );
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        assert_eq!(segment("%"), "%");
        assert_eq!(segment("%2"), "%2");
        assert_eq!(segment("%zz%é"), "%zz%é");
    }
}
