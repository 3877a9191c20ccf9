//! Printing: data to stdout, everything else to stderr, and a closed pipe is no fault.

pub(crate) mod cell;
pub(crate) mod job;
pub(crate) mod plan;
pub(crate) mod source;
pub(crate) mod summary;
pub(crate) mod table;
pub(crate) mod wrap;

use std::io::{self, Write};

use anstream::AutoStream;
use serde::Serialize;

use crate::args::{Colour, Output};

/// Where a command's data goes.
pub(crate) struct Printer {
    format: Output,
    out: io::BufWriter<Box<dyn Write + Send>>,
    closed: bool,
    width: usize,
}

/// A list as JSON prints it.
#[derive(Serialize)]
struct List<'a, T> {
    schema: &'a str,
    items: &'a [T],
}

impl Printer {
    /// A printer to stdout. `columns` overrides the terminal's own width.
    pub(crate) fn new(format: Output, colour: Colour, columns: Option<usize>) -> Self {
        let stdout = AutoStream::new(io::stdout(), choice(colour));
        Self::to(Box::new(stdout), format, columns)
    }

    /// A printer to somewhere else.
    pub(crate) fn to(out: Box<dyn Write + Send>, format: Output, columns: Option<usize>) -> Self {
        Self {
            format,
            out: io::BufWriter::new(out),
            closed: false,
            width: width(columns),
        }
    }

    /// How wide a line may be.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// How to print.
    pub(crate) fn format(&self) -> Output {
        self.format
    }

    /// Writes text. Once the reader has gone away, nothing more is written and nothing fails.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.write_with(|out| out.write_all(text.as_bytes()))
    }

    /// Writes a line of text, or several; nothing in them moves the cursor. What is one line only must have been
    /// through [`cell::terminal`], which lets no line break through.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let text = cell::lines(text);
        self.write_with(|out| {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")
        })
    }

    /// Writes a sentence, broken at blanks to the width, every line indented.
    pub(crate) fn wrapped(&mut self, text: &str, indent: usize) -> io::Result<()> {
        let text = wrap::text(text, indent, self.width);
        self.line(&text)
    }

    /// Writes one JSON document, indented.
    pub(crate) fn json<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        self.write_with(|out| {
            serde_json::to_writer_pretty(cell::Json(&mut *out), value)?;
            out.write_all(b"\n")
        })
    }

    /// Writes a JSON value and nothing after it.
    pub(crate) fn json_piece<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        self.write_with(|out| Ok(serde_json::to_writer(cell::Json(out), value)?))
    }

    /// Writes one JSON object as a line.
    pub(crate) fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        self.json_piece(value)?;
        self.text("\n")
    }

    /// Writes one CSV record; no field of it can come alive in a spreadsheet.
    pub(crate) fn csv<S: AsRef<str>>(
        &mut self,
        fields: impl IntoIterator<Item = S>,
    ) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
        for field in fields {
            writer.write_field(cell::spreadsheet(field.as_ref()).as_ref())?;
        }
        writer.write_record(None::<&[u8]>)?;
        let record = writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        self.write_with(|out| out.write_all(&record))
    }

    /// Prints a list in the format asked for: a table, `{schema, items}`, one object a line, or CSV.
    pub(crate) fn list<T: Serialize>(
        &mut self,
        schema: &str,
        items: &[T],
        header: &[&str],
        row: impl Fn(&T) -> Vec<String>,
        empty: &str,
    ) -> io::Result<()> {
        match self.format {
            Output::Json => self.json(&List { schema, items }),
            Output::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
            Output::Csv => {
                self.csv(
                    header
                        .iter()
                        .map(|name| name.to_lowercase().replace(' ', "_")),
                )?;
                items.iter().try_for_each(|item| self.csv(row(item)))
            }
            Output::Text if items.is_empty() => self.line(empty),
            Output::Text => {
                let rows = items.iter().map(row);
                let table = table::render(header, rows, self.width);
                self.line(&table)
            }
        }
    }

    /// Hands over what is still buffered.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.write_with(|out| out.flush())
    }

    /// Runs a write and forgives a reader that has gone away.
    pub(crate) fn write_with(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match write(&mut self.out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!(
                    "standard output cannot be written ({error}); what was done is on disk, see `rescind orders list`"
                ),
            )),
            Ok(()) => Ok(()),
        }
    }
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(|out| out.write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.finish()
    }
}

/// The colour choice for a stream, `NO_COLOR` and terminals considered by the stream itself.
pub(crate) fn choice(colour: Colour) -> anstream::ColorChoice {
    match colour {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    }
}

/// The width asked for, the terminal's, or 120 where there is none.
fn width(columns: Option<usize>) -> usize {
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    columns.or_else(terminal).unwrap_or(120).max(40)
}

/// Writes a remark to stderr, nothing in which moves the cursor; a closed stderr is no fault.
pub(crate) fn remark(text: &str) {
    let mut err = anstream::stderr().lock();
    let _closed = writeln!(err, "{}", cell::lines(text));
}
