//! The configuration file.

use std::sync::{Arc, OnceLock};

use rescind_core::clock::{Clock, TimerClock};
use rescind_core::config::{Config, ConfigError, ConfigSources, Place};
use rescind_core::connector::Registry;

use super::oracle::is_hidden;

/// Reads a configuration; every problem points into the file, and none repeats a secret that stands where its place
/// belongs.
pub(super) fn file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let sources = ConfigSources::from_toml("rescind.toml", text.clone());
    match Config::load(&sources) {
        Ok(config) => {
            assert!(!config.providers.is_empty());
            assert!(config.guards.min_note_chars >= 1);
            assert!(config.guards.max_subjects != Some(0));
            for entry in &config.protected {
                assert!(!entry.trim().is_empty() && !entry.chars().any(is_hidden));
            }
        }
        Err(error) => judge(&text, &error),
    }
    // Secrets are read only where no file is named: a hostile name may be a device.
    if !text.contains("file") {
        static PARTS: OnceLock<(Registry, Arc<dyn Clock>)> = OnceLock::new();
        let (registry, clock) = PARTS.get_or_init(|| {
            let origin = "2026-03-01T09:00:00Z".parse().expect("a time");
            let clock = Arc::new(TimerClock::starting_at(origin));
            (rescind::connectors::registry(), clock)
        });
        if let Err(error) = Config::load_all(&sources, registry, clock) {
            judge(&text, &error);
        }
    }
}

/// What stands in the examples of the corpus where a secret's place belongs.
const SECRET: &str = "canary-5e0f";

fn judge(text: &str, error: &ConfigError) {
    assert!(!error.problems().is_empty());
    let lines = text.lines().count().max(1);
    // As a key, and as a name of a place, it is shown: neither is a secret any more.
    let as_value = text.lines().any(|line| {
        line.split_once('=').is_some_and(|(key, value)| {
            !key.contains(SECRET) && value.trim() == format!("\"{SECRET}\"")
        })
    });
    let elsewhere = text.matches(SECRET).count() > 1;
    for problem in error.problems() {
        if let Some(Place::File { line, column, .. }) = &problem.place {
            assert!(
                *line >= 1 && *line <= lines + 1 && *column >= 1,
                "{problem}"
            );
        }
        if as_value && !elsewhere {
            assert!(!problem.to_string().contains(SECRET), "{problem}");
        }
    }
}
