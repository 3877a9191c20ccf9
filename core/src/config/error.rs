//! Precise, complete errors: every problem of a configuration in one run.

use std::fmt;
use std::path::PathBuf;

/// Everything wrong with a configuration. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// All these problems.
    ///
    /// # Panics
    /// When there are none.
    pub fn new(problems: Vec<Problem>) -> Self {
        assert!(
            !problems.is_empty(),
            "a configuration error names at least one problem"
        );
        Self { problems }
    }

    /// One problem of one key.
    pub fn of(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(vec![Problem::new(key, message)])
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The problems themselves.
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong: where, what, what is allowed. Never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The full key, such as `providers.entra.settings.tenant`.
    pub key: String,
    /// What is wrong, as a fragment.
    pub message: String,
    /// What is allowed, or the nearest valid key.
    pub hint: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
}

impl Problem {
    /// A problem of a key.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
            hint: None,
            place: None,
        }
    }

    /// What is allowed.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it stands.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(Place::File { path, line, column }) => {
                write!(f, "{}:{line}:{column}: ", path.display())?;
            }
            Some(Place::Environment { variable }) => {
                write!(f, "environment variable {variable}: ")?;
            }
            Some(Place::Flag { flag }) => write!(f, "{flag}: ")?,
            None => {}
        }
        write!(f, "{}: {}", self.key, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A file, with line and column from 1.
    File {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag.
    Flag {
        /// The flag.
        flag: String,
    },
}
