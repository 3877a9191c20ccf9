//! Where a configuration comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::Value;

/// The prefix of every environment variable that sets a key.
pub(super) const PREFIX: &str = "RESCIND_";

/// The layers of a configuration, weakest first: file, environment, flags.
#[derive(Clone, Default)]
pub struct ConfigSources {
    pub(super) file: Option<PathBuf>,
    pub(super) default_file: Option<PathBuf>,
    pub(super) text: Option<(PathBuf, String)>,
    pub(super) env: Vec<(String, String)>,
    pub(super) not_keys: Vec<String>,
    pub(super) flags: Vec<Flag>,
}

/// One key that a flag sets.
#[derive(Clone)]
pub(super) struct Flag {
    pub(super) key: String,
    pub(super) written: String,
    pub(super) value: Value,
}

impl ConfigSources {
    /// No layer yet.
    pub fn new() -> Self {
        Self {
            not_keys: vec!["RESCIND_CONFIG".into()],
            ..Self::default()
        }
    }

    /// From TOML text alone, for a program that configures itself; `name` stands where a file's path would.
    pub fn from_toml(name: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let mut sources = Self::new();
        sources.text = Some((name.into(), text.into()));
        sources
    }

    /// The file that somebody named: it is an error when it is missing.
    #[must_use]
    pub fn with_file(mut self, path: Option<PathBuf>) -> Self {
        self.file = path;
        self
    }

    /// The file that is read when nobody named one and it is there.
    #[must_use]
    pub fn with_default_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.default_file = Some(path.into());
        self
    }

    /// The environment. Only names that begin with `RESCIND_` are looked at.
    #[must_use]
    pub fn with_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env = env
            .into_iter()
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        self
    }

    /// A key that a flag sets: `with_flag("state_dir", "--state-dir", dir)`.
    #[must_use]
    pub fn with_flag(
        mut self,
        key: impl Into<String>,
        flag: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.flags.push(Flag {
            key: key.into(),
            written: flag.into(),
            value: Value::from(value.into()),
        });
        self
    }

    /// The file that will be read, if there is one.
    pub fn path(&self) -> Option<&Path> {
        if let Some((name, _)) = &self.text {
            return Some(name);
        }
        self.file
            .as_deref()
            .or_else(|| self.default_file.as_deref().filter(|path| path.exists()))
    }
}

impl fmt::Debug for ConfigSources {
    /// Shows names, never values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSources")
            .field("file", &self.path())
            .field(
                "env",
                &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field(
                "flags",
                &self
                    .flags
                    .iter()
                    .map(|flag| &flag.written)
                    .collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
