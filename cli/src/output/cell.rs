//! Text from outside, made safe for the place where it is shown.

use std::borrow::Cow;
use std::fmt::Write;

use rescind_core::subject::is_unprintable;

/// Shows control, bidirectional and invisible characters as `\u{…}`, so that no name can move the cursor, forge a
/// line or read backwards.
pub(crate) fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unprintable(c) {
            let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Escapes like [`terminal`], and puts `'` before what a spreadsheet would take for a formula.
pub(crate) fn spreadsheet(text: &str) -> Cow<'_, str> {
    let alive = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match (alive, terminal(text)) {
        (false, shown) => shown,
        (true, shown) => Cow::Owned(format!("'{shown}")),
    }
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
    fn no_cell_comes_alive() {
        for live in ["=1+1", "+1", "-1", "@a", "\tx", "\r=1"] {
            assert!(spreadsheet(live).starts_with('\''), "{live:?}");
        }
        assert_eq!(spreadsheet("ada@contoso.com"), "ada@contoso.com");
    }
}
