//! Log lines on stderr, between progress bars and never through them.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format;

use crate::args::Global;
use crate::output::{self, cell};

/// Starts logging as the flags ask: errors with `-q`, warnings by default, more with `-v` and `-vv`.
pub(crate) fn start(global: &Global, bars: &MultiProgress) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info,hyper=warn,reqwest=warn,rustls=warn",
        (false, 2) => "debug,hyper=info,reqwest=info,rustls=info,h2=info",
        (false, _) => "trace",
    };
    let colour = anstream::AutoStream::choice(&io::stderr());
    let ansi = match output::choice(global.color) {
        anstream::ColorChoice::Auto => colour != anstream::ColorChoice::Never,
        choice => choice != anstream::ColorChoice::Never,
    };
    let bars = bars.clone();
    let form = form(global.log_json, ansi);
    let write = move |line: &[u8]| {
        bars.suspend(|| {
            // A closed stderr must not stop the work.
            let _closed = io::stderr().write_all(line);
        });
    };
    // A second start in one process (a test, an embedding program) keeps the first.
    let _already_started = tracing::subscriber::set_global_default(subscriber(level, form, write));
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For people.
    Text,
    /// For people, in colour.
    Colour,
    /// For machines.
    Json,
}

fn form(json: bool, ansi: bool) -> Form {
    match (json, ansi) {
        (true, _) => Form::Json,
        (false, true) => Form::Colour,
        (false, false) => Form::Text,
    }
}

/// What writes events to `write`, one whole line a call.
pub(crate) fn subscriber(
    level: &str,
    form: Form,
    write: impl Fn(&[u8]) + Clone + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(form == Form::Colour)
        .with_writer(move || OneLine {
            form,
            write: write.clone(),
        });
    if form == Form::Json {
        Box::new(builder.json().finish())
    } else {
        Box::new(builder.with_target(false).fmt_fields(fields()).finish())
    }
}

/// Writes fields, the message among them, escaped: the subscriber's own way lets a displayed value through as it is.
fn fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|out, field, value| {
        let value = format!("{value:?}");
        let value = cell::terminal(&value);
        match field.name() {
            "message" => write!(out, "{value}"),
            name => write!(out, "{name}={value}"),
        }
    })
    .delimited(" ")
}

/// Keeps an event on its line: whatever its fields hold, nothing in it ends the line or moves the cursor.
struct OneLine<F> {
    form: Form,
    write: F,
}

impl<F: Fn(&[u8])> Write for OneLine<F> {
    /// The subscriber hands an event over whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut safe = match self.form {
            Form::Json => cell::json(text),
            Form::Text => cell::terminal(text).into_owned(),
            Form::Colour => coloured(text),
        };
        safe.push('\n');
        (self.write)(safe.as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Escapes everything but the colours of the subscriber itself; those that a field holds are escaped by now.
fn coloured(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let mut safe = cell::terminal(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let colour = piece.split_once('m').filter(|(colour, _)| {
            (colour.bytes()).all(|byte| byte.is_ascii_digit() || byte == b';')
        });
        if let Some((colour, rest)) = colour {
            safe.push_str("\u{1b}[");
            safe.push_str(colour);
            safe.push('m');
            safe.push_str(&cell::terminal(rest));
        } else {
            safe.push_str("\\u{1b}[");
            safe.push_str(&cell::terminal(piece));
        }
    }
    safe
}
