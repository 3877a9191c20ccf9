//! One row of input, whatever it was written in.

use std::fmt;

use super::columns::{Column, Names, quoted};
use crate::subject::{Subject, SubjectError};

/// A person as a row names them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// The person, as given.
    pub(super) subject: String,
    /// The one provider this row is for.
    pub(super) provider: Option<u16>,
    /// The person's own identifiers, by provider.
    pub(super) own_ids: Vec<(u16, String)>,
    /// Whether the row says anything of its own about why.
    pub(super) has_note: bool,
}

/// Builds a row from its cells.
#[derive(Debug, Default)]
pub(super) struct RowBuilder {
    subject: Option<String>,
    provider: Option<u16>,
    own_ids: Vec<(u16, String)>,
    has_note: bool,
}

impl RowBuilder {
    /// Takes one cell; an empty one says nothing.
    ///
    /// # Errors
    /// Why the cell cannot be read, without its value, except the name of a provider.
    pub(super) fn cell(&mut self, column: Column, text: &str, names: &Names) -> Result<(), String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        match column {
            Column::Subject => self.subject = Some(identifier(text)?),
            Column::Email => {
                let address = identifier(text)?;
                if !address.contains('@') {
                    return Err("the e-mail address has no @".to_owned());
                }
                self.subject = Some(address);
            }
            Column::Provider => {
                let place = names.provider(&text.to_lowercase());
                self.provider = Some(place.ok_or_else(|| {
                    let all = names.providers();
                    format!("no provider is called {}; there are: {all}", quoted(text))
                })?);
            }
            Column::Note => self.has_note = true,
            Column::OwnId(provider) => self.own_ids.push((provider, identifier(text)?)),
        }
        Ok(())
    }

    /// The row, once all its cells were taken. Without a subject, its first own identifier names the person.
    pub(super) fn finish(self) -> Result<Row, String> {
        let first = || self.own_ids.first().map(|(_, id)| id.clone());
        let subject = self.subject.clone().or_else(first);
        Ok(Row {
            subject: subject.ok_or("it names nobody")?,
            provider: self.provider,
            own_ids: self.own_ids,
            has_note: self.has_note,
        })
    }
}

impl fmt::Debug for Row {
    /// Shows where to, not who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own_ids: Vec<u16> = self.own_ids.iter().map(|(target, _)| *target).collect();
        f.debug_struct("Row")
            .field("provider", &self.provider)
            .field("own_ids", &own_ids)
            .finish_non_exhaustive()
    }
}

impl Row {
    /// A row that is one identifier.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        Ok(Self {
            subject: identifier(text)?,
            provider: None,
            own_ids: Vec::new(),
            has_note: false,
        })
    }
}

/// Checks what shall name a person.
fn identifier(text: &str) -> Result<String, String> {
    let text = text.trim();
    match Subject::parse(text) {
        Ok(_) if text.contains(char::is_whitespace) => {
            Err("blanks inside the identifier; one person a row".to_owned())
        }
        Ok(subject) => Ok(subject.given().to_owned()),
        Err(SubjectError::Empty) => Err("it names nobody".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
