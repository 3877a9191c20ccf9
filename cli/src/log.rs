//! Log lines on stderr, between progress bars and never through them.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::Global;
use crate::output;

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
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(ansi)
        .with_writer(Between(bars.clone()));
    // A second start in one process (a test, an embedding program) keeps the first.
    let _already_started = if global.log_json {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
}

/// Writes with the bars out of the way.
#[derive(Clone)]
struct Between(MultiProgress);

impl<'a> MakeWriter<'a> for Between {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Between {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| {
            // A closed stderr must not stop the work.
            let _closed = io::stderr().write_all(line);
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
