//! From a key to the place that set it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place, Problem};

/// Where each key of the merged configuration was set.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    file: Option<PathBuf>,
    lines: BTreeMap<String, (usize, usize)>,
    env: BTreeMap<String, String>,
    flags: BTreeMap<String, String>,
}

impl Places {
    /// Reads the places of a TOML text, together with its values.
    ///
    /// # Errors
    /// Every syntax error of the text, each with its place.
    pub(super) fn of_file(path: PathBuf, text: &str) -> Result<(Self, toml::Table), ConfigError> {
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let at = |offset: usize| {
            let (line, column) = lines.position(offset);
            Place::File {
                path: path.clone(),
                line,
                column,
            }
        };
        let syntax = |error: &toml::de::Error| {
            let offset = error.span().map_or(0, |span| span.start);
            // A parser's message says what was expected; it does not repeat what was there.
            Problem::new("syntax", error.message().lines().next().unwrap_or("")).at(at(offset))
        };
        if !errors.is_empty() {
            let problems = errors.iter().map(syntax).collect();
            return Err(ConfigError::new(Self::default().complete(problems)));
        }
        let values = toml::from_str::<toml::Table>(text)
            .map_err(|error| ConfigError::new(vec![syntax(&error)]))?;
        let mut places = Self {
            file: Some(path),
            ..Self::default()
        };
        places.walk_table("", table.get_ref(), &lines);
        Ok((places, values))
    }

    /// Says which variable set a key.
    pub(super) fn set_by_env(&mut self, key: String, variable: String) {
        self.env.insert(key, variable);
    }

    /// Says which flag set a key.
    pub(super) fn set_by_flag(&mut self, key: String, flag: String) {
        self.flags.insert(key, flag);
    }

    /// The place of a key, or of the closest table around it that stands somewhere.
    pub(super) fn find(&self, key: &str) -> Option<Place> {
        for key in with_ancestors(key) {
            if let Some(flag) = self.flags.get(key) {
                return Some(Place::Flag { flag: flag.clone() });
            }
            if let Some(variable) = self.env.get(key) {
                return Some(Place::Environment {
                    variable: variable.clone(),
                });
            }
            if let Some((line, column)) = self.lines.get(key) {
                return self.in_file(*line, *column);
            }
        }
        self.in_file(1, 1)
    }

    /// Adds places to problems that have none, and puts all in the order of the file.
    pub(super) fn complete(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for problem in &mut problems {
            if problem.place.is_none() {
                problem.place = self.find(&problem.key);
            }
        }
        problems.sort_by_key(|problem| match &problem.place {
            Some(Place::File { line, column, .. }) => (0, *line, *column),
            Some(Place::Environment { .. }) => (1, 0, 0),
            Some(Place::Flag { .. }) => (2, 0, 0),
            None => (3, 0, 0),
        });
        problems
    }

    fn in_file(&self, line: usize, column: usize) -> Option<Place> {
        self.file
            .clone()
            .map(|path| Place::File { path, line, column })
    }

    fn walk_table(&mut self, prefix: &str, table: &DeTable<'_>, lines: &Lines) {
        for (name, value) in table {
            let key = join(prefix, name.get_ref());
            let place = lines.position(name.span().start);
            self.walk_value(&key, value, lines);
            self.lines.insert(key, place);
        }
    }

    fn walk_value(&mut self, key: &str, value: &Spanned<DeValue<'_>>, lines: &Lines) {
        match value.get_ref() {
            DeValue::Table(table) => self.walk_table(key, table, lines),
            DeValue::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    let key = join(key, &n.to_string());
                    self.walk_value(&key, item, lines);
                    self.lines.insert(key, lines.position(item.span().start));
                }
            }
            _ => {}
        }
    }
}

/// A key below another.
pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else if name.is_empty() {
        prefix.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

fn with_ancestors(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(key), |key| {
        key.rsplit_once('.').map(|(above, _)| above)
    })
}

/// Turns byte offsets into lines and columns.
struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            text: text.to_owned(),
            starts,
        }
    }

    /// Line and column from 1; the column counts characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self
            .text
            .get(start..offset)
            .map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}
