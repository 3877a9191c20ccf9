//! Lines and records of bounded length, with exact line numbers.

use std::io::{self, BufRead};

/// The longest record of an input, in bytes. An open quote, or a file that is no text, ends here and not in memory.
pub(super) const MAX_RECORD: usize = 1 << 20;

/// Why no further record can be read. The line is where the record began.
#[derive(Debug)]
pub(super) enum Broken {
    /// Longer than [`MAX_RECORD`].
    TooLong { line: u64 },
    /// A quote that is never closed.
    OpenQuote { line: u64 },
    /// The source failed.
    Io(io::Error),
}

/// Reads one line without its end. `false`: there is none left.
pub(super) fn read_line(
    input: &mut dyn BufRead,
    line: &mut u64,
    into: &mut Vec<u8>,
) -> Result<bool, Broken> {
    into.clear();
    let mut any = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok([]) => break,
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Broken::Io(error)),
        };
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        into.extend_from_slice(&buffer[..taken]);
        input.consume(taken + usize::from(end.is_some()));
        if into.len() > MAX_RECORD {
            return Err(Broken::TooLong { line: *line + 1 });
        }
        if end.is_some() {
            break;
        }
    }
    if any {
        *line += 1;
        if into.last() == Some(&b'\r') {
            into.pop();
        }
    }
    Ok(any)
}

/// One record of a comma-separated file, its cells unquoted.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// Whether something follows a closing quote, which is no CSV.
    pub(super) torn: bool,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// The cells, as bytes.
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(self.ends.iter().copied())
            .map(|(start, end)| &self.bytes[start..end])
    }

    /// Whether it is an empty line, or one of blanks and commas.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn clear(&mut self, line: u64) {
        self.line = line;
        self.torn = false;
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Reads records as RFC 4180 describes them; line ends may be LF or CRLF.
///
/// Not the `csv` crate, which the tests compare it with: that one reads a record into memory before it can be
/// measured, and counts lines late where they end in CRLF.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    CellStart,
    Plain,
    Quoted,
    AfterQuote,
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: 1 }
    }

    /// Reads the next record. `false`: there is none left.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, Broken> {
        record.clear(self.line);
        let mut at = At::CellStart;
        let mut any = false;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Io(error)),
            };
            if buffer.is_empty() {
                if at == At::Quoted {
                    return Err(Broken::OpenQuote { line: record.line });
                }
                if any {
                    end_record(record, at);
                }
                return Ok(any);
            }
            any = true;
            let mut used = 0;
            let mut done = false;
            for byte in buffer {
                used += 1;
                if *byte == b'\n' {
                    self.line += 1;
                }
                at = match (at, *byte) {
                    (At::Quoted, b'"') | (At::AfterQuote, b'\r') => At::AfterQuote,
                    (At::Quoted, byte) => {
                        record.bytes.push(byte);
                        At::Quoted
                    }
                    (_, b'\n') => {
                        done = true;
                        break;
                    }
                    (_, b',') => {
                        record.ends.push(record.bytes.len());
                        At::CellStart
                    }
                    (At::CellStart, b'"') => At::Quoted,
                    (At::AfterQuote, b'"') => {
                        record.bytes.push(b'"');
                        At::Quoted
                    }
                    (At::AfterQuote, byte) => {
                        record.torn = true;
                        record.bytes.push(byte);
                        At::AfterQuote
                    }
                    (_, byte) => {
                        record.bytes.push(byte);
                        At::Plain
                    }
                };
            }
            self.input.consume(used);
            if done {
                end_record(record, at);
                return Ok(true);
            }
            if record.bytes.len() > MAX_RECORD {
                return Err(Broken::TooLong { line: record.line });
            }
        }
    }
}

fn end_record(record: &mut Record, at: At) {
    if at == At::Plain && record.bytes.last() == Some(&b'\r') {
        record.bytes.pop();
    }
    record.ends.push(record.bytes.len());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Lined = Vec<(u64, Vec<Vec<u8>>)>;

    fn read_all(text: &[u8], buffer: usize) -> Result<Lined, Broken> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, text));
        let mut record = Record::default();
        let mut all = Vec::new();
        while records.read(&mut record)? {
            all.push((record.line, record.cells().map(<[u8]>::to_vec).collect()));
        }
        Ok(all)
    }

    fn lines_of(text: &str) -> Vec<u64> {
        let all = read_all(text.as_bytes(), 7).expect("reads");
        all.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn a_record_knows_the_line_it_begins_on() {
        assert_eq!(lines_of("a,b\r\n\"c\nd\",e\r\nf\n"), [1, 2, 4]);
        assert_eq!(lines_of("a\nb\nc"), [1, 2, 3]);
        assert_eq!(lines_of("a\r\n\r\nb\r\n"), [1, 2, 3]);
    }

    #[test]
    fn an_open_quote_and_an_endless_field_end_with_their_line() {
        assert!(matches!(
            read_all(b"a\nb,\"c\nd\ne", 8),
            Err(Broken::OpenQuote { line: 2 })
        ));
        let mut endless = b"a\nb\n\"".to_vec();
        endless.resize(10 << 20, b'x');
        assert!(matches!(
            read_all(&endless, 64 << 10),
            Err(Broken::TooLong { line: 3 })
        ));
        let mut line = 2;
        assert!(matches!(
            read_line(&mut &endless[4..], &mut line, &mut Vec::new()),
            Err(Broken::TooLong { line: 3 })
        ));
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            rows in proptest::collection::vec(proptest::collection::vec("[a-z\"',;\r\n \u{e4}]{0,6}", 1..4), 0..8),
            crlf: bool,
            buffer in 1..32_usize,
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new()
                .flexible(true)
                .terminator(terminator)
                .quote_style(csv::QuoteStyle::Necessary)
                .from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).expect("writes");
            }
            let text = writer.into_inner().expect("flushes");
            let read = read_all(&text, buffer).expect("reads");
            let cells: Vec<Vec<String>> = read
                .into_iter()
                .map(|(_, cells)| cells.into_iter().map(|c| String::from_utf8(c).expect("is text")).collect())
                .collect();
            prop_assert_eq!(cells, rows);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, buffer in 1..64_usize) {
            let _ = read_all(&bytes, buffer);
            let mut line = 0;
            let mut input = &bytes[..];
            let mut into = Vec::new();
            while read_line(&mut input, &mut line, &mut into).expect("reads") {}
            prop_assert!(input.is_empty());
        }
    }
}
