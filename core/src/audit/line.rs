//! The line of an entry, in the one form it may have.
//!
//! A line is what serialising its entry writes, byte for byte: its fields in order, no blanks, absent fields left out,
//! each character of a text escaped in one way or not at all. So it is read with that form in hand; to read it as any
//! JSON and write it again took a verification more than twice as long.

use std::borrow::Cow;

use super::verify::{Exhibit, Shown};

/// An [`AuditEntry`](super::AuditEntry) with every text as its line has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EntryLine<'a> {
    seq: u64,
    at: Cow<'a, str>,
    action: Cow<'a, str>,
    order: Option<Cow<'a, str>>,
    jobs: Vec<u64>,
    provider: Option<Cow<'a, str>>,
    outcome: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    commitments: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    previous: Cow<'a, str>,
    hash: Cow<'a, str>,
    openings: Vec<Shown<'a>>,
}

impl<'a> EntryLine<'a> {
    /// Reads a line without its end; `None` when it is not the one form of an entry.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(std::str::from_utf8(line).ok()?);
        let mut entry = Self::default();
        rest.literal(r#"{"seq":"#)?;
        entry.seq = rest.number()?;
        rest.literal(r#","at":"#)?;
        entry.at = rest.text()?;
        rest.literal(r#","action":"#)?;
        entry.action = rest.text()?;
        if rest.goes_on(r#","order":"#) {
            entry.order = Some(rest.text()?);
        }
        if rest.goes_on(r#","jobs":"#) {
            entry.jobs = rest.list(Rest::number)?;
        }
        if rest.goes_on(r#","provider":"#) {
            entry.provider = Some(rest.text()?);
        }
        if rest.goes_on(r#","outcome":"#) {
            entry.outcome = Some(rest.text()?);
        }
        if rest.goes_on(r#","detail":"#) {
            entry.detail = Some(rest.text()?);
        }
        if rest.goes_on(r#","commitments":"#) {
            entry.commitments = rest.list(Rest::commitment)?;
        }
        rest.literal(r#","previous":"#)?;
        entry.previous = rest.text()?;
        rest.literal(r#","hash":"#)?;
        entry.hash = rest.text()?;
        if rest.goes_on(r#","openings":"#) {
            entry.openings = rest.list(Rest::opening)?;
        }
        rest.literal("}")?;
        rest.0.is_empty().then_some(entry)
    }

    pub(super) fn exhibit(&self) -> Exhibit<'_> {
        Exhibit {
            seq: self.seq,
            at: &self.at,
            action: &self.action,
            order: self.order.as_deref(),
            jobs: &self.jobs,
            provider: self.provider.as_deref(),
            outcome: self.outcome.as_deref(),
            detail: self.detail.as_deref(),
            commitments: &self.commitments,
            previous: &self.previous,
            hash: &self.hash,
            openings: &self.openings,
        }
    }
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn goes_on(&mut self, with: &str) -> bool {
        self.literal(with).is_some()
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at(digits);
        // Read by the standard library, and written by nobody.
        if number.starts_with('0') && digits > 1 {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.literal("[")?;
        let mut items = vec![item(self)?];
        while self.goes_on(",") {
            items.push(item(self)?);
        }
        self.literal("]")?;
        Some(items)
    }

    fn commitment(&mut self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        self.literal("[")?;
        let field = self.text()?;
        self.literal(",")?;
        let hash = self.text()?;
        self.literal("]")?;
        Some((field, hash))
    }

    fn opening(&mut self) -> Option<Shown<'a>> {
        self.literal(r#"{"field":"#)?;
        let field = self.text()?;
        self.literal(r#","salt":"#)?;
        let salt = self.text()?;
        self.literal(r#","value":"#)?;
        let value = self.text()?;
        self.literal("}")?;
        Some(Shown { field, salt, value })
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        self.literal("\"")?;
        let plain = self.plain()?;
        if self.goes_on("\"") {
            return Some(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        while !self.goes_on("\"") {
            text.push(self.escaped()?);
            text.push_str(self.plain()?);
        }
        Some(Cow::Owned(text))
    }

    /// What comes before the next quote or escape, or before a character that has to be escaped.
    fn plain(&mut self) -> Option<&'a str> {
        let (plain, rest) = self.0.split_at(self.0.len().min(plain_bytes(self.0)));
        self.0 = rest;
        (!rest.is_empty()).then_some(plain)
    }

    /// One escaped character.
    fn escaped(&mut self) -> Option<char> {
        self.literal("\\")?;
        let mut rest = self.0.chars();
        let escaped = match rest.next()? {
            same @ ('"' | '\\') => same,
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => return self.control(),
            _ => return None,
        };
        self.0 = rest.as_str();
        Some(escaped)
    }

    /// A character that has no other escape than its number.
    fn control(&mut self) -> Option<char> {
        self.literal("u00")?;
        let (number, rest) = self.0.split_at_checked(2)?;
        let code = match number.as_bytes() {
            [high @ b'0'..=b'1', low @ b'0'..=b'9'] => (high - b'0') * 16 + low - b'0',
            [high @ b'0'..=b'1', low @ b'a'..=b'f'] => (high - b'0') * 16 + low - b'a' + 10,
            _ => return None,
        };
        self.0 = rest;
        (!matches!(code, 8 | 9 | 10 | 12 | 13)).then_some(char::from(code))
    }
}

/// How many bytes a text goes on before a quote, a backslash or a control character; eight are looked at in one go.
fn plain_bytes(text: &str) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The highest bit of each byte that is less than `n`. What a byte borrows from the next may mark that one too, so
    // only the first mark counts.
    let less = |word: u64, n: u64| word.wrapping_sub(n * EACH) & !word & HIGH;
    let is = |word: u64, byte: u8| less(word ^ (u64::from(byte) * EACH), 1);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(eight) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
        let marks = less(word, 0x20) | is(word, b'"') | is(word, b'\\');
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let tail = bytes[at..].iter().position(special);
    tail.map_or(bytes.len(), |tail| at + tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::audit::{AuditEntry, Opening};

    /// The same, read as any JSON.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct AnyJson {
        seq: u64,
        at: String,
        action: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        jobs: Vec<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        commitments: Vec<(String, String)>,
        previous: String,
        hash: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        openings: Vec<Opening>,
    }

    /// The definition: what reads as an entry, and is written again as it was.
    fn by_definition(line: &[u8]) -> Option<AnyJson> {
        let entry: AnyJson = serde_json::from_slice(line).ok()?;
        (serde_json::to_vec(&entry).ok()? == line).then_some(entry)
    }

    fn read(line: &[u8]) -> Option<AnyJson> {
        let entry = EntryLine::read(line)?;
        let owned = |text: Cow<'_, str>| text.into_owned();
        Some(AnyJson {
            seq: entry.seq,
            at: owned(entry.at),
            action: owned(entry.action),
            order: entry.order.map(owned),
            jobs: entry.jobs,
            provider: entry.provider.map(owned),
            outcome: entry.outcome.map(owned),
            detail: entry.detail.map(owned),
            commitments: (entry.commitments.into_iter())
                .map(|(field, hash)| (owned(field), owned(hash)))
                .collect(),
            previous: owned(entry.previous),
            hash: owned(entry.hash),
            openings: (entry.openings.into_iter())
                .map(|shown| Opening {
                    field: owned(shown.field),
                    salt: owned(shown.salt),
                    value: owned(shown.value),
                })
                .collect(),
        })
    }

    /// What a writer escapes, what others escape, and characters of one to four bytes.
    const TEXT: &str = "[a-c\u{0}-\u{1f}\"\\\\/\u{7f}\u{80}\u{2028}\u{1f686}]{0,20}";

    fn entries() -> impl Strategy<Value = AuditEntry> {
        let text = || TEXT.prop_map(String::from);
        let texts = proptest::collection::vec(text(), 16);
        let numbers = prop_oneof![0u64..300, Just(u64::MAX), any::<u64>()];
        let numbers = proptest::collection::vec(numbers, 1..4);
        (texts, numbers, any::<[bool; 6]>()).prop_map(|(texts, numbers, some)| {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().expect("enough");
            let opening = Opening {
                field: text(),
                salt: text(),
                value: text(),
            };
            AuditEntry {
                seq: numbers[0],
                at: "2026-03-01T09:00:00.1Z".parse().expect("a time"),
                action: text(),
                order: some[0].then(&mut text),
                provider: some[1].then(&mut text),
                outcome: some[2].then(&mut text),
                detail: some[3].then(&mut text),
                commitments: numbers[1..].iter().map(|_| (text(), text())).collect(),
                jobs: numbers[1..].to_vec(),
                previous: text(),
                hash: String::new(),
                openings: [opening].into_iter().filter(|_| some[4]).collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entry in entries()) {
            let line = serde_json::to_vec(&entry).expect("it can be written");
            let found = read(&line);
            prop_assert!(found.is_some());
            prop_assert_eq!(found, by_definition(&line));
        }

        #[test]
        fn a_changed_line_is_what_the_definition_says(
            entry in entries(),
            places in any::<[prop::sample::Index; 2]>(),
            length in 0usize..4,
            put in prop_oneof![
                Just(Vec::new()),
                proptest::collection::vec(any::<u8>(), 1..3),
                proptest::sample::select(vec![
                    "\"", "\\", "\\\"", "\\\\", "\\/", "\\b", "\\u0008", "\\u001f", "\\u001F", "\\u0000", "\\u0041",
                    "\\ud83d\\ude86", "\\u00e9", "\\x", "\n", "\t", " ", "\u{7f}", "\u{e9}", "0", "00", "-0", "1e3", "1.0",
                    "18446744073709551616", "null", "[]", "{}", ",", ",\"order\":null", ",\"jobs\":[]", ",\"openings\":[]",
                ]).prop_map(|text| text.as_bytes().to_vec()),
            ],
        ) {
            let line = serde_json::to_vec(&entry).expect("it can be written");
            let mut changed = line.clone();
            let place = places[0].index(changed.len());
            let end = (place + length).min(changed.len());
            changed.splice(place..end, put);
            prop_assert_eq!(read(&changed), by_definition(&changed), "{}", String::from_utf8_lossy(&changed));
            let mut swapped = line;
            let [one, other] = places.map(|place| place.index(swapped.len()));
            swapped.swap(one, other);
            prop_assert_eq!(read(&swapped), by_definition(&swapped), "{}", String::from_utf8_lossy(&swapped));
        }

        #[test]
        fn a_text_ends_where_a_look_at_each_byte_finds_it(text in TEXT) {
            let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
            let expected = text.bytes().position(special).unwrap_or(text.len());
            prop_assert_eq!(plain_bytes(&text), expected);
        }
    }

    #[test]
    fn what_only_reads_the_same_is_refused() {
        let written = r#"{"seq":10,"at":"a","action":"\"\\\b\t\n\f\r\u0000\u001f/é","jobs":[0,7],"commitments":[["f","h"]],"previous":"p","hash":"h","openings":[{"field":"f","salt":"","value":"v"}]}"#;
        assert!(EntryLine::read(written.as_bytes()).is_some());
        for (from, to) in [
            ("10", "010"),
            ("10", "1e1"),
            ("10", "10.0"),
            ("10", "+10"),
            ("10", ""),
            ("10", "18446744073709551616"),
            (r#""at":"#, r#""at": "#),
            (r#""at":"#, r#""a\u0074":"#),
            (r#"":"a""#, r#"":null"#),
            ("/", r"\/"),
            ("/", "\t"),
            ("é", r"\u00e9"),
            (r"\b", r"\u0008"),
            (r"\n", r"\u000a"),
            (r"\u001f", r"\u001F"),
            (r"\u001f", r"\u0020"),
            (r"\u001f", r"\u001"),
            (r"\u001f", "\u{1f}"),
            (r#","jobs":[0,7]"#, r#","jobs":[]"#),
            (r#","jobs":[0,7]"#, r#","order":null,"jobs":[0,7]"#),
            (r#","jobs":[0,7]"#, r#","jobs":[0,7],"jobs":[0,7]"#),
            (r#","jobs":[0,7]"#, r#","more":1,"jobs":[0,7]"#),
            ("[0,7]", "[0,7,]"),
            (r#"["f","h"]"#, r#"["f","h","i"]"#),
            (r#"["f","h"]"#, r#"["f"]"#),
            (r#""salt":"","value":"v""#, r#""value":"v","salt":"""#),
            ("}]}", "}]} "),
            ("}]}", "}]}}"),
            ("}]}", "}]"),
            ("{\"seq", "\u{feff}{\"seq"),
        ] {
            let other = written.replacen(from, to, 1);
            assert_ne!(other, written, "{from}");
            assert_eq!(EntryLine::read(other.as_bytes()), None, "{other}");
        }
    }
}
