//! What went wrong, once, for a person or for a script.

use rescind_core::config::ConfigError;
use rescind_core::store::StoreError;

use crate::exit::Exit;
use crate::output::{cell, remark, source};

/// A failure of a command: how the program ends, a stable code, what happened, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// A stable word for scripts, such as `config_invalid`.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The configuration problems behind it, to be shown with their source lines.
    pub(crate) config: Option<ConfigError>,
}

impl Failure {
    /// A failure.
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code,
            message: message.into(),
            hint: None,
            config: None,
        }
    }

    /// Wrong usage or input; nothing was started.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// An unexpected fault.
    pub(crate) fn fault(message: impl Into<String>) -> Self {
        Self::new(Exit::Fault, "fault", message)
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let count = error.problems().len();
        let plural = if count == 1 { "problem" } else { "problems" };
        Self {
            config: Some(error),
            ..Self::new(
                Exit::Usage,
                "config_invalid",
                format!("the configuration has {count} {plural}"),
            )
            .with_hint("mend the lines above; nothing was started")
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NoSuchOrder(_) => Self::new(Exit::Usage, "no_such_order", message),
            StoreError::Foreign(_) => Self::new(Exit::Usage, "foreign_state", message),
            StoreError::Full => Self::new(Exit::Fault, "disk_full", message).with_hint(
                "make room, then run `rescind run`: nothing that was accepted is lost, and nothing was reported that is not on disk",
            ),
            _ => Self::new(Exit::Fault, "store", message),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Fault, "io", error.to_string())
    }
}

impl Failure {
    /// Prints the failure once, on stderr: for people with its hint, for scripts as one JSON object. Answers how the
    /// program ends.
    pub(crate) fn print(&self, json: bool) -> Exit {
        if json {
            self.print_json();
        } else {
            self.print_text();
        }
        self.exit
    }

    fn print_json(&self) {
        let problems = self.config.as_ref().map(|config| {
            config
                .problems()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        });
        let mut error =
            serde_json::json!({ "code": self.code, "message": self.message, "hint": self.hint });
        if let Some(problems) = problems {
            error["problems"] = problems.into();
        }
        remark(&cell::json(
            &serde_json::json!({ "error": error }).to_string(),
        ));
    }

    fn print_text(&self) {
        if let Some(config) = &self.config {
            for problem in config.problems() {
                remark(&source::shown(problem));
            }
        }
        // A message of several lines lists rows; what a row holds must not break out of its line.
        let mut lines = self.message.lines().map(cell::terminal);
        remark(&format!("error: {}", lines.next().unwrap_or_default()));
        lines.for_each(|line| remark(&line));
        if let Some(hint) = &self.hint {
            remark(&format!("hint: {}", cell::terminal(hint)));
        }
    }
}
