//! What the columns of a file, or the keys of a JSON line, mean.

use crate::id::RESERVED_COLUMNS;
use crate::subject::is_unprintable;

/// What one column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The person, by any identifier.
    Subject,
    /// The person, by an e-mail address.
    Email,
    /// The one provider this row is for, by its name.
    Provider,
    /// A remark on the row. It is read and counted; the order's own note stands for every job.
    Note,
    /// The own identifier of the person at the provider of this index.
    OwnId(u16),
}

/// The names that columns may have: the reserved ones, and the providers'.
#[derive(Debug, Clone)]
pub(super) struct Names {
    providers: Vec<String>,
}

impl Names {
    pub(super) fn new(providers: Vec<String>) -> Self {
        Self { providers }
    }

    /// What a column of this name holds.
    pub(super) fn column(&self, name: &str) -> Option<Column> {
        let name = name.trim().to_lowercase();
        match name.as_str() {
            "subject" | "user" | "upn" | "id" => Some(Column::Subject),
            "email" => Some(Column::Email),
            "provider" => Some(Column::Provider),
            "note" => Some(Column::Note),
            _ => self.provider(&name).map(Column::OwnId),
        }
    }

    /// The index of a provider.
    pub(super) fn provider(&self, name: &str) -> Option<u16> {
        let place = self.providers.iter().position(|known| known == name)?;
        u16::try_from(place).ok()
    }

    /// Every allowed name, for a message.
    pub(super) fn allowed(&self) -> String {
        let all: Vec<&str> = RESERVED_COLUMNS
            .iter()
            .copied()
            .chain(self.providers.iter().map(String::as_str))
            .collect();
        all.join(", ")
    }

    /// Every provider, for a message.
    pub(super) fn providers(&self) -> String {
        self.providers.join(", ")
    }
}

/// Reads a header. `None`: it is none, as it names no column we know, or a person.
///
/// # Errors
/// A sentence: unknown, repeated, or two columns for the person.
pub(super) fn header(cells: &[&str], names: &Names) -> Option<Result<Vec<Column>, String>> {
    let known: Vec<Option<Column>> = cells.iter().map(|cell| names.column(cell)).collect();
    let a_person = cells.iter().any(|cell| cell.contains('@'));
    if a_person || known.iter().all(Option::is_none) {
        return None;
    }
    let mut columns = Vec::with_capacity(cells.len());
    for (n, (cell, column)) in cells.iter().zip(&known).enumerate() {
        let Some(column) = column else {
            let why = format!("the column {} is unknown", quoted(cell));
            return Some(Err(format!("{why}; allowed: {}", names.allowed())));
        };
        let clash = known[..n].iter().flatten().find(|before| {
            let people = |c: &Column| matches!(c, Column::Subject | Column::Email);
            *before == column || (people(before) && people(column))
        });
        if clash.is_some() {
            let why = format!(
                "the column {} says again what one before it says",
                quoted(cell)
            );
            return Some(Err(format!("{why}; keep one of them")));
        }
        columns.push(*column);
    }
    Some(Ok(columns))
}

/// A name from the input as a message may show it: short, and harmless on a terminal.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut short: String = text.trim().chars().take(SHOWN).collect();
    if text.trim().chars().count() > SHOWN {
        short.push('…');
    }
    let mut quoted = String::new();
    for c in format!("{short:?}").chars() {
        // `Debug` lets fillers through that show nothing.
        if is_unprintable(c) {
            quoted.extend(c.escape_unicode());
        } else {
            quoted.push(c);
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(vec!["entra".into(), "workspace".into()])
    }

    #[test]
    fn a_header_is_told_from_a_person() {
        let read = |cells: &[&str]| header(cells, &names());
        assert_eq!(
            read(&["Email ", "entra", "note"]),
            Some(Ok(vec![Column::Email, Column::OwnId(0), Column::Note]))
        );
        assert_eq!(read(&["ada@contoso.com"]), None);
        assert_eq!(read(&["First name", "Last name"]), None);
    }

    #[test]
    fn unknown_and_repeated_columns_are_named() {
        let why = |cells: &[&str]| {
            header(cells, &names())
                .expect("a header")
                .expect_err("wrong")
        };
        assert!(
            why(&["email", "department"]).contains("\"department\" is unknown; allowed: subject")
        );
        assert!(why(&["email", "note", "NOTE"]).contains("\"NOTE\" says again"));
        assert!(why(&["email", "upn"]).contains("\"upn\" says again"));
        assert!(why(&["email", "\u{1b}[31m"]).contains("\\u{1b}"));
        assert!(why(&["email", "\u{3164}note"]).contains("\\u{3164}note"));
    }
}
