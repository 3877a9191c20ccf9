//! Lists of people: one identifier a line, CSV, JSON Lines.

use rescind_core::plan::{PlanError, ReadRow, read_at_once};

use super::oracle::{is_hidden, is_presentable};

type Rows = Result<Vec<ReadRow>, PlanError>;

const PROVIDERS: [&str; 2] = ["entra", "workspace"];

/// Reads a list; what is accepted names people plainly, what is not says why on one line.
pub(super) fn list(bytes: &[u8]) {
    judge(
        bytes,
        &read_at_once(bytes.to_vec(), PROVIDERS.map(str::to_owned).to_vec()),
    );
}

/// A reader that takes every line as it stands.
pub(super) fn credulous(bytes: &[u8]) {
    let rows = String::from_utf8_lossy(bytes)
        .lines()
        .zip(1..)
        .map(|(line, number)| (number, Ok((line.to_owned(), None, Vec::new()))))
        .collect();
    judge(bytes, &Ok(rows));
}

fn judge(bytes: &[u8], read: &Rows) {
    let rows = match read {
        Ok(rows) => rows,
        Err(error) => {
            is_presentable(&error.to_string());
            return;
        }
    };
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    assert!(rows.len() as u64 <= lines, "more rows than lines");
    let mut before = 0;
    for (line, row) in rows {
        assert!(
            *line > before && *line <= lines,
            "line {line} after {before}"
        );
        before = *line;
        match row {
            Err(why) => is_presentable(why),
            Ok((subject, provider, own_ids)) => {
                is_plain(subject);
                let all = PROVIDERS.len();
                assert!(provider.is_none_or(|place| usize::from(place) < all));
                for (place, id) in own_ids {
                    assert!(usize::from(*place) < all);
                    is_plain(id);
                }
            }
        }
    }
}

#[track_caller]
fn is_plain(text: &str) {
    let plain = !text.is_empty()
        && text.len() <= 1024
        && !text.chars().any(|c| is_hidden(c) || c.is_whitespace());
    assert!(plain, "no name of a person: {text:?}");
}
