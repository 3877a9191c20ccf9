//! What of a URL or of a vendor's answer may stand in a message: never a secret, never an address.

use std::fmt;

use rescind_core::subject::is_unprintable;
use url::Url;

/// Shows where a URL goes and nothing else: paths and queries carry addresses and tokens.
pub struct RedactedUrl<'a>(pub &'a Url);

impl fmt::Display for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or(""))?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str("/…")
    }
}

impl fmt::Debug for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The longest excerpt, in characters.
const EXCERPT: usize = 200;
/// Words at least this long that look like a key, an id or a token are not shown.
const LONG_WORD: usize = 24;

/// A short, printable piece of a vendor's answer without addresses, quoted names, ids or tokens.
pub fn excerpt(body: &[u8]) -> String {
    let head = String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT)]);
    // What cannot be seen would split a word that must not be shown, or show it backwards.
    let head: String = head
        .chars()
        .filter(|c| c.is_control() || !is_unprintable(*c))
        .collect();
    let trimmed = head.trim_start();
    if trimmed.starts_with('<') {
        return "an HTML or XML page".to_owned();
    }
    let mut out = String::new();
    let mut is_credential = false;
    // Vendors quote the person they could not find: everything between single quotes is left out.
    for (n, piece) in trimmed.split('\'').enumerate() {
        if n % 2 == 1 {
            out.push_str("'…'");
            continue;
        }
        for word in piece.split_inclusive(|c: char| c.is_whitespace() || c.is_control()) {
            let shown = word.trim_end_matches(|c: char| c.is_whitespace() || c.is_control());
            let hides = is_credential || is_private(shown);
            out.push_str(if hides { "[…]" } else { shown });
            if !shown.is_empty() {
                is_credential = announces_credential(shown);
            }
            if shown.len() < word.len() && !out.ends_with(' ') {
                out.push(' ');
            }
        }
    }
    let mut short: String = out.trim().chars().take(EXCERPT).collect();
    if short.len() < out.trim().len() {
        short.push('…');
    }
    short
}

/// Whether a credential comes next, however short: some servers repeat the request they got, headers included.
fn announces_credential(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.ends_with("bearer") || word.ends_with("basic")
}

fn is_private(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let named = [
        "secret=",
        "assertion=",
        "token=",
        "password=",
        "secret\":",
        "token\":",
    ];
    if named.iter().any(|name| lower.contains(name)) {
        return true;
    }
    if word.contains('@') || word.contains("%40") {
        return true;
    }
    // A run of key material, wherever in the word it stands (JSON without blanks is one word).
    word.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.~+/=%".contains(c)))
        .any(|run| run.len() >= LONG_WORD && run.bytes().any(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_shows_its_origin_only() {
        let url = Url::parse("https://u:p@graph.example.com:8443/users/ada@contoso.com?token=x")
            .expect("parses");
        assert_eq!(
            RedactedUrl(&url).to_string(),
            "https://graph.example.com:8443/…"
        );
    }

    #[test]
    fn an_excerpt_names_nobody() {
        let text = excerpt(
            b"Resource 'ada' of ada@contoso.com (87d349ed-44d7-43e1-9a83-5f2406dee5bd) not found, \
              token eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJ4IjoxfQ.c2ln",
        );
        assert_eq!(text, "Resource '…' of […] […] not found, token […]");
        assert_eq!(excerpt(b"  <!doctype html><html>"), "an HTML or XML page");
    }

    #[test]
    fn a_repeated_request_shows_no_credential_however_short() {
        let text = excerpt(b"you sent Authorization: Bearer short and client_secret=abc&scope=x");
        assert_eq!(text, "you sent Authorization: Bearer […] and […]");
        let text = excerpt(br#"{"authorization":"Bearer  tok\r\nhost: x"}"#);
        assert!(!text.contains("tok"), "{text}");
    }

    #[test]
    fn what_cannot_be_seen_hides_nothing() {
        let text = excerpt("no \u{202e}user\u{200b} ada\u{200b}@contoso.com".as_bytes());
        assert_eq!(text, "no user […]");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_short_printable_excerpt(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let text = excerpt(&bytes);
            prop_assert!(text.chars().count() <= EXCERPT + 1);
            prop_assert!(!text.chars().any(is_unprintable));
            prop_assert!(!text.contains('@'));
        }
    }
}
