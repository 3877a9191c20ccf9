//! Everything that was logged while a test ran.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Captures every span and event of this thread, at every level, until it is dropped.
///
/// A test on a current-thread runtime logs on one thread only, tasks included.
#[derive(Debug)]
pub struct Captured {
    text: Arc<Mutex<String>>,
    _guard: DefaultGuard,
}

impl Captured {
    /// Begins to capture.
    pub fn begin() -> Self {
        let text = Arc::<Mutex<String>>::default();
        let guard = tracing::subscriber::set_default(Recorder { text: text.clone() });
        Self {
            text,
            _guard: guard,
        }
    }

    /// What was logged so far: one line for each span, record and event.
    pub fn text(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct Recorder {
    text: Arc<Mutex<String>>,
}

impl Recorder {
    fn line(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line<'_>)) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(
            text,
            "{} {} {}",
            metadata.level(),
            metadata.target(),
            metadata.name()
        );
        record(&mut Line(&mut text));
        text.push('\n');
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.line(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        values.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.line(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_events_are_captured_at_every_level() {
        let captured = Captured::begin();
        let span = tracing::trace_span!("job", user = "ada");
        span.record("user", "grace");
        span.in_scope(|| tracing::debug!(secret = "s3cret", "sent {}", 42));
        let text = captured.text();
        for seen in ["job user=ada", "grace", "secret=s3cret", "sent 42"] {
            assert!(text.contains(seen), "{seen} is missing in {text}");
        }
    }
}
