//! Tables for people, as wide as the terminal and no wider.

use comfy_table::{ContentArrangement, Table, presets};

use super::cell;

/// A table with a header line. For bounded output only: it holds all its rows.
pub(crate) fn render(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    width: usize,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(header.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|text| cell::terminal(text).into_owned()));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}
