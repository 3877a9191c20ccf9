//! Reads a table into a type and finds every problem, where a deserializer stops at the first.
//!
//! What is wrong is recorded and taken out; what is missing is recorded and stood in for; then the table is read
//! again, until it reads. A value that was stood in for is seen by nobody: a reading with problems is an error.

use std::collections::{BTreeMap, BTreeSet};

use figment::error::{Actual, Kind};
use figment::value::{Dict, Tag, Value};
use serde::de::DeserializeOwned;

use super::error::Problem;
use super::nearest::choices;

/// Keys from the root of the table.
pub(super) type Path = Vec<String>;

/// The texts of keys that an environment variable set: "12345" is a number only if the type wants one.
pub(super) type RawTexts = BTreeMap<Path, String>;

/// More rounds than any honest file has mistakes.
const MAX_ROUNDS: usize = 500;

/// Reads `table`: the value where the table could at least be mended into one, and every problem.
pub(super) fn read<T: DeserializeOwned>(table: Dict, raw: RawTexts) -> (Option<T>, Vec<Problem>) {
    let mut reading = Reading {
        tree: Value::from(table),
        raw,
        problems: Vec::new(),
        reported: BTreeSet::new(),
        stand_ins: BTreeMap::new(),
    };
    for _ in 0..MAX_ROUNDS {
        match T::deserialize(&reading.tree) {
            Ok(value) => return (Some(value), reading.problems),
            Err(error) => {
                if !reading.mend(error.path, error.kind) {
                    break;
                }
            }
        }
    }
    (None, reading.problems)
}

struct Reading {
    tree: Value,
    raw: RawTexts,
    problems: Vec<Problem>,
    reported: BTreeSet<Path>,
    stand_ins: BTreeMap<Path, StandIns>,
}

impl Reading {
    /// Takes the problem out of the way. `false`: nothing more can be learned.
    fn mend(&mut self, path: Path, kind: Kind) -> bool {
        if let Some(known) = self.stand_in_around(&path) {
            return self.mend_stand_in(&known, path, kind);
        }
        match kind {
            // The path of an unknown key ends with it; that of a missing one ends with the table around it.
            Kind::UnknownField(name, allowed) => {
                self.report(
                    &path,
                    "unknown key".into(),
                    Some(choices(&name, allowed.iter().copied())),
                );
                remove(&mut self.tree, &path)
            }
            Kind::MissingField(name) => {
                let path = below(path, &name);
                self.report(&path, "required, and missing".into(), None);
                self.stand_in(&path)
            }
            kind => {
                if let Some(text) = self.raw.remove(&path) {
                    return put(&mut self.tree, &path, Value::from(text));
                }
                let value = find(&self.tree, &path);
                let (message, hint) = wrong(&kind, value);
                self.report(&path, message, hint);
                if path.is_empty() {
                    return false;
                }
                if inside_list(&self.tree, &path) {
                    self.stand_in(&path)
                } else {
                    remove(&mut self.tree, &path)
                }
            }
        }
    }

    fn report(&mut self, path: &Path, message: String, hint: Option<String>) {
        if self.reported.insert(path.clone()) {
            let mut problem = Problem::new(path.join("."), message);
            problem.hint = hint;
            self.problems.push(problem);
        }
    }

    fn stand_in_around(&self, path: &[String]) -> Option<Path> {
        (0..=path.len())
            .rev()
            .map(|n| path[..n].to_vec())
            .find(|path| self.stand_ins.contains_key(path))
    }

    fn mend_stand_in(&mut self, known: &Path, path: Path, kind: Kind) -> bool {
        match kind {
            Kind::MissingField(name) => self.stand_in(&below(path, &name)),
            Kind::UnknownVariant(_, [first, ..]) => {
                let next = self.stand_ins.entry(known.clone()).or_default();
                if !next.offered_variant {
                    next.offered_variant = true;
                    next.extra = vec![
                        Value::from(Dict::from([((*first).to_owned(), Value::from("x"))])),
                        Value::from(*first),
                    ];
                }
                self.stand_in(known)
            }
            _ => self.stand_in(known),
        }
    }

    fn stand_in(&mut self, path: &Path) -> bool {
        let next = self.stand_ins.entry(path.clone()).or_default().next();
        next.is_some_and(|value| put(&mut self.tree, path, value))
    }
}

/// Values that a missing key may be stood in for by, until one is of the right type.
#[derive(Default)]
struct StandIns {
    tried: usize,
    offered_variant: bool,
    extra: Vec<Value>,
}

impl StandIns {
    fn next(&mut self) -> Option<Value> {
        if let Some(value) = self.extra.pop() {
            return Some(value);
        }
        self.tried += 1;
        match self.tried {
            1 => Some(Value::from("x")),
            2 => Some(Value::from("https://x.invalid/")),
            3 => Some(Value::from("00000000-0000-0000-0000-000000000000")),
            4 => Some(Value::from(1_u32)),
            5 => Some(Value::from(true)),
            6 => Some(Value::from(Vec::<Value>::new())),
            7 => Some(Value::from(Dict::new())),
            8 => Some(Value::from(Dict::from([(
                "env".to_owned(),
                Value::from("x"),
            )]))),
            _ => None,
        }
    }
}

/// What is wrong with a value, without the value.
fn wrong(kind: &Kind, value: Option<&Value>) -> (String, Option<String>) {
    match kind {
        Kind::InvalidType(actual, expected) => (
            format!("expected {}, found {}", wanted(expected), seen(actual)),
            None,
        ),
        Kind::InvalidValue(_, expected) => {
            (format!("out of range: expected {}", wanted(expected)), None)
        }
        Kind::InvalidLength(length, expected) => (
            format!("expected {}, found {length} items", wanted(expected)),
            None,
        ),
        Kind::UnknownVariant(typed, allowed) => (
            "not one of the values it may have".into(),
            Some(choices(typed, allowed.iter().copied())),
        ),
        Kind::Message(message) => (without_value(message, value), None),
        Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => ("out of range".into(), None),
        _ => ("not of a form that can be read".into(), None),
    }
}

/// A message of somebody else's type may quote what it did not like.
fn without_value(message: &str, value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() {
        return message.to_owned();
    }
    message
        .replace(&format!("{text:?}"), "the value")
        .replace(text, "the value")
}

fn wanted(expected: &str) -> String {
    match expected {
        "a string" | "string" | "str" | "a borrowed string" => "text".into(),
        "path string" => "a path".into(),
        "a boolean" | "bool" => "true or false".into(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        other if other.starts_with("struct ") => "a table".into(),
        other if other.starts_with("enum ") => "text or a table".into(),
        other => other.to_owned(),
    }
}

fn seen(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a number",
        Actual::Char(_) | Actual::Str(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}

fn below(mut path: Path, name: &str) -> Path {
    path.push(name.to_owned());
    path
}

fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, name| match value {
        Value::Dict(_, dict) => dict.get(name),
        Value::Array(_, items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn find_mut<'a>(tree: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |value, name| match value {
        Value::Dict(_, dict) => dict.get_mut(name),
        Value::Array(_, items) => items.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn inside_list(tree: &Value, path: &[String]) -> bool {
    let above = path.split_last().map(|(_, above)| above);
    above.is_some_and(|above| matches!(find(tree, above), Some(Value::Array(..))))
}

fn remove(tree: &mut Value, path: &[String]) -> bool {
    let Some((name, above)) = path.split_last() else {
        return false;
    };
    match find_mut(tree, above) {
        Some(Value::Dict(_, dict)) => dict.remove(name).is_some(),
        _ => false,
    }
}

fn put(tree: &mut Value, path: &[String], value: Value) -> bool {
    let Some((name, above)) = path.split_last() else {
        return false;
    };
    match find_mut(tree, above) {
        Some(Value::Dict(_, dict)) => {
            dict.insert(name.clone(), value);
            true
        }
        Some(Value::Array(_, items)) => {
            let slot = name.parse::<usize>().ok().and_then(|n| items.get_mut(n));
            slot.map(|slot| *slot = value).is_some()
        }
        Some(empty @ Value::Empty(..)) => {
            *empty = Value::Dict(Tag::Default, Dict::from([(name.clone(), value)]));
            true
        }
        _ => false,
    }
}
