//! A text from outside, sent through everything that prints: for tests that try hostile ones. No part of the interface.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rescind_core::job::JobState;
use rescind_core::report::{EvidenceState, Residual, Step};
use serde::Serialize;
use tracing::Subscriber;

use crate::args::Output;
use crate::log::{self, Form};
use crate::output::job::{ErrorLine, JobLine};
use crate::output::{Printer, cell, wrap};

/// What a text became, and where.
#[derive(Debug, Default)]
pub struct Shown {
    /// What a terminal is given, by place. Each holds the text once.
    pub terminal: Vec<(&'static str, String)>,
    /// JSON documents of one object whose `text` is the text, by place.
    pub json: Vec<(&'static str, String)>,
    /// A CSV file with a header and one record.
    pub csv: String,
    /// Log lines for people, without colour and with.
    pub logs: Vec<String>,
    /// The same events for machines; the text is the message, a field and a nested field of each.
    pub json_logs: String,
}

/// How many events [`Through::send`] logs in each form.
pub const EVENTS: usize = 4;

/// Everything that prints, ready to print into memory.
pub struct Through {
    sink: Sink,
    logs: Vec<(Form, Arc<dyn Subscriber + Send + Sync>)>,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // Bytes that are no text must not look like text.
        String::from_utf8(bytes).unwrap_or_else(|_| "\u{0}not UTF-8".to_owned())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    text: &'a str,
}

impl Default for Through {
    fn default() -> Self {
        let sink = Sink::default();
        let logs = [Form::Text, Form::Colour, Form::Json].map(|form| {
            let sink = sink.clone();
            let write = move |line: &[u8]| {
                // Memory takes everything.
                let _infallible = sink.clone().write_all(line);
            };
            (form, Arc::from(log::subscriber("trace", form, write)))
        });
        Self {
            sink,
            logs: logs.into(),
        }
    }
}

impl Through {
    /// Sends a text through tables, sentences, plain lines, JSON, CSV and the log.
    ///
    /// # Errors
    /// Never, as memory takes everything; a printer might.
    pub fn send(&self, text: &str) -> io::Result<Shown> {
        let mut shown = Shown::default();
        let lines = [Line { text }];
        let row = |line: &Line<'_>| vec![line.text.to_owned(), "1".to_owned()];
        let header = ["text", "number"];
        for (place, format) in [
            ("a table", Output::Text),
            ("a list", Output::Json),
            ("a line of JSON", Output::Jsonl),
        ] {
            let mut printer = self.printer(format);
            printer.list("test", &lines, &header, row, "")?;
            printer.finish()?;
            let out = self.sink.take();
            match format {
                Output::Text => shown.terminal.push((place, out)),
                _ => shown.json.push((place, out)),
            }
        }
        let mut printer = self.printer(Output::Text);
        printer.line(&cell::terminal(text))?;
        printer.finish()?;
        shown.terminal.push(("a line", self.sink.take()));
        let mut printer = self.printer(Output::Text);
        printer.wrapped(text, 2)?;
        printer.finish()?;
        shown.terminal.push(("a sentence", self.sink.take()));
        shown.terminal.push((
            "several lines",
            wrap::text(&format!("{text} and {text}"), 0, 60),
        ));

        let job = job(text);
        let mut printer = self.printer(Output::Csv);
        printer.csv(JobLine::COLUMNS)?;
        printer.csv(job.fields())?;
        printer.finish()?;
        shown.csv = self.sink.take();
        let mut printer = self.printer(Output::Json);
        printer.json(&job)?;
        printer.finish()?;
        shown.terminal.push(("a job in JSON", self.sink.take()));

        for (form, subscriber) in &self.logs {
            tracing::subscriber::with_default(Arc::clone(subscriber), || events(text));
            let out = self.sink.take();
            if *form == Form::Json {
                shown.json_logs = out;
            } else {
                shown.logs.push(out);
            }
        }
        Ok(shown)
    }

    fn printer(&self, format: Output) -> Printer {
        Printer::to(Box::new(self.sink.clone()), format, Some(100))
    }
}

/// The ways in which a text gets into an event.
fn events(text: &str) {
    tracing::warn!(text, "a field");
    tracing::warn!(text = %text, "a displayed field");
    tracing::warn!(text = ?text, "a debugged field");
    let span = tracing::warn_span!("span", text = %text);
    span.in_scope(|| tracing::warn!("{text}"));
}

/// A job with the text wherever a text from outside can be.
fn job(text: &str) -> JobLine {
    let mut step = Step::new(text, 1);
    step.note = Some(text.to_owned());
    JobLine {
        order_id: "order".to_owned(),
        job: 1,
        subject: Some(text.to_owned()),
        resolved: Some(text.to_owned()),
        account: Some(text.to_owned()),
        provider: "entra".to_owned(),
        state: JobState::Parked,
        outcome: None,
        attempts: 1,
        confirmed_at: None,
        effective_by: None,
        evidence: EvidenceState::None,
        residual: vec![Residual::new(text, None)],
        steps: vec![step],
        waiting: None,
        shared_with: None,
        error: Some(ErrorLine {
            kind: "unexpected".to_owned(),
            message: text.to_owned(),
            hint: Some(text.to_owned()),
        }),
        vendor_request_id: Some(text.to_owned()),
    }
}
