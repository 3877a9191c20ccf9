//! Text from outside, made safe for the place where it is shown.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use rescind_core::subject::is_unprintable;

/// Shows control, bidirectional and invisible characters as `\u{…}`, so that no name can move the cursor, forge a
/// line or read backwards.
pub(crate) fn terminal(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// Like [`terminal`], for a text of several lines that we broke ourselves.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_unprintable(c) && c != '\n')
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_hidden(c) {
            let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Escapes like [`terminal`], and puts `'` before what a spreadsheet would take for a formula: also after blanks, and in
/// the full-width forms that some locales understand
/// (<https://owasp.org/www-community/attacks/CSV_Injection>, read 2026-11-22).
pub(crate) fn spreadsheet(text: &str) -> Cow<'_, str> {
    const LIVE: [char; 8] = [
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    let alive = text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(LIVE);
    match (alive, terminal(text)) {
        (false, shown) => shown,
        (true, shown) => Cow::Owned(format!("'{shown}")),
    }
}

/// Passes JSON on with every control, bidirectional and invisible character as `\uXXXX`: it reads back as the same
/// text, and can be looked at on a terminal.
///
/// JSON holds such characters in strings only, but for the line breaks between its parts; what is written at once must
/// end where a character ends, as a serializer's pieces do.
pub(crate) struct Json<W>(pub(crate) W);

impl<W: Write> Write for Json<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece)?;
        Ok(piece.len())
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
            return self.0.write_all(piece);
        }
        let text = std::str::from_utf8(piece).map_err(io::Error::other)?;
        self.0.write_all(json(text).as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A JSON text with every character that shows nothing as `\uXXXX`.
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unprintable(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(
            terminal("ada\u{1b}[2J\u{202e}x\u{9b}"),
            "ada\\u{1b}[2J\\u{202e}x\\u{9b}"
        );
        assert_eq!(terminal("Zoë 李"), "Zoë 李");
    }

    #[test]
    fn json_reads_back_as_the_same_text() {
        let text = "a\u{9b}31m\u{7f}\u{202e}\u{e0041}\n\u{1b} Zo\u{eb}";
        let mut shown = Vec::new();
        serde_json::to_writer_pretty(Json(&mut shown), &[text]).expect("it is written");
        let shown = String::from_utf8(shown).expect("text");
        assert!(
            !shown.chars().any(|c| is_unprintable(c) && c != '\n'),
            "{shown:?}"
        );
        let back: Vec<String> = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(back, [text]);
    }

    #[test]
    fn no_cell_comes_alive() {
        for live in [
            "=1+1",
            "+1",
            "-1",
            "@a",
            "\tx",
            "\r=1",
            "\n=1",
            "  =1",
            "\u{3000}=1",
            "\u{ff1d}1",
            "\u{ff20}a",
        ] {
            assert!(spreadsheet(live).starts_with('\''), "{live:?}");
        }
        assert_eq!(spreadsheet("ada@contoso.com"), "ada@contoso.com");
    }
}
