//! Reads people from arguments, files and streams, on a thread of its own and in constant memory.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::columns::{self, Column, Names, quoted};
use super::error::PlanError;
use super::jsonl;
use super::lines::{Broken, MAX_RECORD, Record, Records, read_line};
use super::row::{Row, RowBuilder};
use crate::id::ProviderName;

/// Where the people of an order come from.
#[non_exhaustive]
pub enum Input {
    /// Identifiers of the command line.
    Arguments(Vec<String>),
    /// A file: one identifier a line, CSV with a header, or one JSON object a line.
    File(PathBuf),
    /// The same on standard input.
    Stdin,
    /// The same from any stream, and what messages call it.
    Reader {
        /// Its name in messages.
        name: String,
        /// The stream.
        reader: Box<dyn Read + Send>,
    },
    /// Everybody in a group at a provider, nested groups included.
    Group {
        /// Where the group is.
        provider: ProviderName,
        /// Its name or id.
        group: String,
    },
}

impl fmt::Debug for Input {
    /// Shows where from, not who.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::Arguments(subjects) => write!(f, "{} arguments", subjects.len()),
            Self::File(path) => path.fmt(f),
            Self::Reader { name, .. } => f.write_str(name),
            Self::Group { provider, group } => write!(f, "group {group:?} at {provider}"),
        }
    }
}

/// A row, or why a line is none.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) line: u64,
    pub(super) row: Result<Row, String>,
}

/// How many rows travel together, and how many batches may wait: what is read ahead, whatever the file's size.
const BATCH: usize = 1_000;
const BATCHES_AHEAD: usize = 4;

/// More rows than any order has; a job's place is 32 bits.
const MAX_ROWS: u64 = 50_000_000;

/// The rows of a file or a stream, parsed on a thread of their own.
pub(super) struct Rows {
    name: String,
    receiver: mpsc::Receiver<Message>,
}

enum Message {
    Rows(Vec<Parsed>),
    Failed(PlanError),
    /// All of it was read: a channel that closes without it has lost something.
    Done,
}

impl Rows {
    /// Starts to read. The thread ends when everything is read or nobody wants more. It belongs to no runtime: one
    /// that waits for somebody to type must not keep a program from ending.
    pub(super) fn of(
        name: String,
        open: impl FnOnce() -> std::io::Result<Box<dyn Read + Send>> + Send + 'static,
        names: Arc<Names>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let rows = Self {
            name: name.clone(),
            receiver,
        };
        let work = move || {
            let mut sink = Sink {
                sender,
                batch: Vec::with_capacity(BATCH),
                rows: 0,
            };
            let opened = open().map_err(|error| unreadable(&name, &error));
            let last = match opened.and_then(|reader| read(&name, reader, &names, &mut sink)) {
                Ok(()) => Message::Done,
                Err(Stopped::Because(error)) => Message::Failed(error),
                Err(Stopped::NobodyWantsMore) => return,
            };
            sink.flush();
            let _ = sink.sender.blocking_send(last);
        };
        // Where no thread can be had, the channel closes early and says so.
        let thread = std::thread::Builder::new().name("rescind-input".to_owned());
        let _ = thread.spawn(work);
        rows
    }

    /// The next rows; `None` when all were given.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<Parsed>, PlanError>> {
        match self.receiver.recv().await {
            Some(Message::Rows(rows)) => Some(Ok(rows)),
            Some(Message::Failed(error)) => Some(Err(error)),
            Some(Message::Done) => None,
            None => {
                let message = format!("{} could not be read to its end", self.name);
                Some(Err(PlanError::input(message)))
            }
        }
    }
}

/// A row as it was read: the person, the one provider it is for, and the person's own identifiers, by provider.
#[doc(hidden)]
pub type PlainRow = (String, Option<u16>, Vec<(u16, String)>);

/// A line, and the row in it or why it holds none.
#[doc(hidden)]
pub type ReadRow = (u64, Result<PlainRow, String>);

/// Reads a whole input that is in memory already, for tests that feed hostile bytes in. No part of the interface.
///
/// # Errors
/// As the planner says them: an input that cannot be read further.
#[doc(hidden)]
pub fn read_at_once(bytes: Vec<u8>, providers: Vec<String>) -> Result<Vec<ReadRow>, PlanError> {
    // There is room for every row: nothing waits.
    let (sender, mut receiver) = mpsc::channel(bytes.len() / BATCH + 2);
    let mut sink = Sink {
        sender,
        batch: Vec::new(),
        rows: 0,
    };
    let reader = Box::new(std::io::Cursor::new(bytes));
    let ended = read("input", reader, &Names::new(providers), &mut sink);
    sink.flush();
    drop(sink);
    if let Err(Stopped::Because(error)) = ended {
        return Err(error);
    }
    let mut rows = Vec::new();
    while let Ok(message) = receiver.try_recv() {
        if let Message::Rows(batch) = message {
            let plain = |row: Row| (row.subject, row.provider, row.own_ids);
            rows.extend(
                batch
                    .into_iter()
                    .map(|read| (read.line, read.row.map(plain))),
            );
        }
    }
    Ok(rows)
}

/// Opens a file that somebody named.
pub(super) fn open_file(
    path: PathBuf,
) -> impl FnOnce() -> std::io::Result<Box<dyn Read + Send>> + Send {
    move || Ok(Box::new(File::open(path)?) as Box<dyn Read + Send>)
}

enum Stopped {
    NobodyWantsMore,
    Because(PlanError),
}

impl From<PlanError> for Stopped {
    fn from(error: PlanError) -> Self {
        Self::Because(error)
    }
}

struct Sink {
    sender: mpsc::Sender<Message>,
    batch: Vec<Parsed>,
    rows: u64,
}

impl Sink {
    fn push(&mut self, name: &str, line: u64, row: Result<Row, String>) -> Result<(), Stopped> {
        self.rows += 1;
        if self.rows > MAX_ROWS {
            let message = format!("{name} has more than {MAX_ROWS} rows; split the order");
            return Err(PlanError::input(message).into());
        }
        self.batch.push(Parsed { line, row });
        if self.batch.len() < BATCH {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.sender
            .blocking_send(Message::Rows(batch))
            .map_err(|_| Stopped::NobodyWantsMore)
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            let _ = self.sender.blocking_send(Message::Rows(batch));
        }
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Stopped {
    PlanError::input(format!("{name} cannot be read: {error}")).into()
}

fn broken(name: &str, broken: Broken) -> Stopped {
    let message = match broken {
        Broken::TooLong { line } => {
            format!(
                "{name}, line {line}: longer than {MAX_RECORD} bytes; is this a list of people?"
            )
        }
        Broken::OpenQuote { line } => {
            format!("{name}, line {line}: a quote is opened and never closed")
        }
        Broken::Io(error) => return unreadable(name, &error),
    };
    PlanError::input(message).into()
}

fn read(
    name: &str,
    mut reader: Box<dyn Read + Send>,
    names: &Names,
    sink: &mut Sink,
) -> Result<(), Stopped> {
    let head = head_of(&mut reader).map_err(|error| unreadable(name, &error))?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        let message = format!("{name} is UTF-16; save it as UTF-8");
        return Err(PlanError::input(message).into());
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    let format = Format::of(text, names);
    let input = BufReader::with_capacity(64 << 10, text.chain(reader));
    match format {
        Format::Json => read_lines(name, input, sink, |line| jsonl::row(line, names))?,
        Format::Table => read_table(name, input, names, sink)?,
        Format::List => read_lines(name, input, sink, Row::of)?,
    }
    if sink.rows == 0 {
        return Err(PlanError::input(format!("{name} names nobody"))
            .with_hint("one identifier a line, CSV with a header, or one JSON object a line")
            .into());
    }
    Ok(())
}

/// Reads until the first line that says something is there whole, or the input ends, or it is no line at all.
fn head_of(reader: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    const ENOUGH: u64 = 16 << 10;
    let mut head = Vec::new();
    loop {
        let said = head
            .iter()
            .position(|byte: &u8| !byte.is_ascii_whitespace());
        let whole = said.is_some_and(|start| head[start..].contains(&b'\n'));
        let before = head.len();
        if whole
            || before > MAX_RECORD
            || Read::take(&mut *reader, ENOUGH).read_to_end(&mut head)? == 0
        {
            return Ok(head);
        }
    }
}

enum Format {
    List,
    Table,
    Json,
}

impl Format {
    /// Tells the format by the first line that says something.
    fn of(text: &[u8], names: &Names) -> Self {
        let text = text.trim_ascii_start();
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or(text);
        match first {
            [b'{', ..] => Self::Json,
            [b'"', ..] => Self::Table,
            first if first.contains(&b',') => Self::Table,
            // A single column: its name is one of ours, or it is a person.
            first => match std::str::from_utf8(first) {
                Ok(first) if names.column(first).is_some() => Self::Table,
                _ => Self::List,
            },
        }
    }
}

fn read_lines(
    name: &str,
    mut input: impl BufRead,
    sink: &mut Sink,
    row: impl Fn(&str) -> Result<Row, String>,
) -> Result<(), Stopped> {
    let mut bytes = Vec::new();
    let mut line = 0;
    while read_line(&mut input, &mut line, &mut bytes).map_err(|e| broken(name, e))? {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = std::str::from_utf8(&bytes)
            .map_err(|_| "not UTF-8".to_owned())
            .and_then(&row);
        sink.push(name, line, parsed)?;
    }
    Ok(())
}

fn read_table(
    name: &str,
    input: impl BufRead,
    names: &Names,
    sink: &mut Sink,
) -> Result<(), Stopped> {
    let mut records = Records::new(input);
    let mut record = Record::default();
    let mut columns: Option<Vec<Column>> = None;
    while records.read(&mut record).map_err(|e| broken(name, e))? {
        if record.is_blank() {
            continue;
        }
        match &columns {
            Some(columns) => {
                let row = table_row(&record, columns, names);
                sink.push(name, record.line, row)?;
            }
            None => columns = Some(table_header(name, &record, names)?),
        }
    }
    Ok(())
}

fn table_header(name: &str, record: &Record, names: &Names) -> Result<Vec<Column>, Stopped> {
    let wrong = |why: String| {
        let message = format!("{name}, line {}: {why}", record.line);
        Stopped::from(PlanError::input(message))
    };
    let cells: Result<Vec<&str>, _> = record.cells().map(std::str::from_utf8).collect();
    let cells = cells.map_err(|_| wrong("not UTF-8".to_owned()))?;
    match columns::header(&cells, names) {
        Some(Ok(columns)) => Ok(columns),
        Some(Err(why)) => Err(wrong(why)),
        None => {
            let seen: Vec<String> = cells.iter().take(5).map(|cell| quoted(cell)).collect();
            Err(wrong(if seen.iter().any(|cell| cell.contains('@')) {
                "several columns need a header that names them, such as: subject,provider"
                    .to_owned()
            } else {
                let allowed = names.allowed();
                format!(
                    "no column of {} is known; allowed: {allowed}",
                    seen.join(", ")
                )
            }))
        }
    }
}

fn table_row(record: &Record, columns: &[Column], names: &Names) -> Result<Row, String> {
    if record.torn {
        return Err("text follows a closing quote".to_owned());
    }
    let mut row = RowBuilder::default();
    let mut cells = 0;
    for cell in record.cells() {
        let text = std::str::from_utf8(cell).map_err(|_| "not UTF-8".to_owned())?;
        match columns.get(cells) {
            Some(column) => row.cell(*column, text, names)?,
            None if text.trim().is_empty() => {}
            None => return Err(format!("more cells than the {} columns", columns.len())),
        }
        cells += 1;
    }
    if cells < columns.len() {
        return Err(format!(
            "{cells} cells, and the header has {} columns",
            columns.len()
        ));
    }
    row.finish()
}
