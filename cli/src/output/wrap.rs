//! Sentences for people, broken at blanks.

use super::cell::terminal;

/// Breaks a line at blanks to a width, every line indented, with nothing in it that moves the cursor.
pub(crate) fn text(text: &str, indent: usize, width: usize) -> String {
    let width = width.saturating_sub(indent).max(20);
    let pad = " ".repeat(indent);
    let mut out = String::new();
    let mut column = 0;
    for word in terminal(text).split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.push_str(&pad);
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
