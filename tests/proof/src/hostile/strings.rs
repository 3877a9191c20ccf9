//! Hostile texts through everything that prints.

use std::io;

use rescind::shown::{EVENTS, Shown, Through};

use super::mutation::TOKENS;
use super::oracle::is_hidden;
use crate::chance::Chance;

/// A text that somebody would rather not see printed.
pub(super) fn text(chance: &mut Chance) -> String {
    const PLAIN: &[&str] = &[
        "ada",
        "@contoso.com",
        " ",
        "breakglass",
        "1",
        "x",
        "note",
        "李",
    ];
    let mut text = String::new();
    for _ in 0..chance.between(1, 6) {
        match chance.below(8) {
            0..4 => text.push_str(chance.pick::<&str>(TOKENS)),
            4 | 5 => text.push_str(chance.pick::<&str>(PLAIN)),
            // The planes in which something lives, and the first 256 characters more often.
            6 => {
                let limit = *chance.pick(&[0x100, 0x100, 0x3000, 0x1_0000, 0x2_0000, 0x10_ffff]);
                text.extend(char::from_u32(chance.below(limit) as u32));
            }
            _ => {
                let piece = *chance.pick::<&str>(TOKENS);
                text.push_str(&piece.repeat([2, 5, 40][chance.below(3)]));
            }
        }
    }
    if chance.one_in(2_000) {
        text = text.repeat(4_000 / text.len().max(1));
    }
    text
}

/// What is printed, and by whom: the product, or a printer that is careless on purpose.
pub trait Printing {
    /// Prints a text everywhere.
    ///
    /// # Errors
    /// When it cannot be printed at all.
    fn print(&self, text: &str) -> io::Result<Shown>;
}

impl Printing for Through {
    fn print(&self, text: &str) -> io::Result<Shown> {
        self.send(text)
    }
}

/// Prints texts as they come: the negative control.
#[derive(Debug, Clone, Copy, Default)]
pub struct Careless;

impl Printing for Careless {
    fn print(&self, text: &str) -> io::Result<Shown> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["text"])?;
        csv.write_record([text])?;
        let csv = csv.into_inner().map_err(csv::IntoInnerError::into_error)?;
        let event = format!("WARN {text}\n");
        Ok(Shown {
            terminal: vec![("a line", format!("{text}\n"))],
            json: vec![("a line of JSON", format!("{{\"text\":\"{text}\"}}\n"))],
            csv: String::from_utf8_lossy(&csv).into_owned(),
            logs: vec![event.repeat(EVENTS); 2],
            json_logs: format!("{{\"fields\":{{\"message\":\"{text}\"}}}}\n").repeat(EVENTS),
        })
    }
}

/// What went wrong with texts, by the rule that was broken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// Texts tried.
    pub texts: u64,
    /// Texts of which a control or hidden character reached a terminal.
    pub terminal: u64,
    /// Texts that made a spreadsheet cell live.
    pub cells: u64,
    /// Texts that forged or broke a log line.
    pub log_lines: u64,
    /// Texts that JSON did not give back as they were.
    pub json: u64,
}

/// Judges how a text was printed, beside how a harmless one was.
pub(super) fn mark(marks: &mut Marks, text: &str, shown: &Shown, harmless: &Shown) {
    marks.texts += 1;
    let bare = |out: &str| !out.chars().any(|c| is_hidden(c) && c != '\n');
    let terminal = shown.terminal.iter().all(|(place, out)| {
        let one_line = *place != "a line" || out.matches('\n').count() == 1;
        bare(out) && one_line
    });
    let json_is_bare = shown.json.iter().all(|(_, out)| bare(out));
    marks.terminal += u64::from(!terminal || !json_is_bare || !bare(&shown.csv));
    marks.cells += u64::from(!cells_are_dead(&shown.csv));
    marks.log_lines += u64::from(!log_is_whole(shown, harmless));
    let same = shown.json.iter().all(|(_, out)| {
        let document: serde_json::Value = serde_json::from_str(out).unwrap_or_default();
        let found = document["items"][0]["text"].as_str();
        found.or_else(|| document["text"].as_str()) == Some(text)
    });
    marks.json += u64::from(!same || !json_log_is_same(text, &shown.json_logs));
}

/// As a spreadsheet reads it: one header, one record, and no cell that begins a formula.
fn cells_are_dead(file: &str) -> bool {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(file.as_bytes());
    let records: Vec<_> = reader.records().collect();
    let live = [
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    let dead =
        |cell: &str| !cell.starts_with(['\t', '\r', '\n']) && !cell.trim_start().starts_with(live);
    records.len() == 2
        && records
            .iter()
            .all(|record| record.as_ref().is_ok_and(|record| record.iter().all(dead)))
}

/// One line an event, nothing in it that moves the cursor, and no colour but the log's own.
fn log_is_whole(shown: &Shown, harmless: &Shown) -> bool {
    let colours = |out: &String| out.matches("\u{1b}[").count();
    let whole = |out: &String| {
        out.ends_with('\n')
            && out.matches('\n').count() == EVENTS
            && !without_colours(out)
                .chars()
                .any(|c| is_hidden(c) && c != '\n')
    };
    shown.logs.iter().chain([&shown.json_logs]).all(whole)
        && (shown.logs.iter().map(colours)).eq(harmless.logs.iter().map(colours))
}

/// Leaves the colour sequences of a log out.
fn without_colours(out: &str) -> String {
    let mut pieces = out.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != ';');
        if let Some(end) = end.filter(|end| piece[*end..].starts_with('m')) {
            plain.push_str(&piece[end + 1..]);
        } else {
            plain.push('\u{1b}');
            plain.push_str(piece);
        }
    }
    plain
}

fn json_log_is_same(text: &str, log: &str) -> bool {
    let lines: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let is =
        |n: usize, field: &str, wanted: &str| lines[n]["fields"][field].as_str() == Some(wanted);
    lines.len() == EVENTS
        && lines.iter().all(|line| line["level"] == "WARN")
        && is(0, "text", text)
        && is(1, "text", text)
        && is(2, "text", &format!("{text:?}"))
        && is(3, "message", text)
        && lines[3]["span"]["text"].as_str() == Some(text)
}
