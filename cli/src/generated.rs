//! The pages under `docs/` that are generated, and the test that they are up to date.
//!
//! `UPDATE_DOCS=1 cargo test -p rescind generated` writes them anew.

use std::fmt::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::args::Cli;
use crate::connectors::registry;

fn cli() -> String {
    let mut page = String::from(
        "# Command line\n\nGenerated from the program's own help. The flags of the first section headed *Everywhere* work with every command.\n",
    );
    command(&Cli::command().term_width(100), "", &mut page);
    page
}

fn command(command_: &clap::Command, before: &str, page: &mut String) {
    let name = format!("{before}{}", command_.get_name());
    let help = command_.clone().bin_name(&name).render_long_help();
    let text: String = help
        .to_string()
        .lines()
        .fold(String::new(), |mut text, line| {
            text.push_str(line.trim_end());
            text.push('\n');
            text
        });
    let _infallible = write!(page, "\n## {name}\n\n```text\n{}\n```\n", text.trim_end());
    for sub in command_
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        command(&sub.clone().term_width(100), &format!("{name} "), page);
    }
}

fn connectors() -> String {
    let mut page =
        String::from("# Connectors\n\nGenerated from what the connectors say of themselves.\n");
    for connector in registry().iter() {
        let info = connector.describe();
        let _infallible = write!(
            page,
            "\n## {}: {}\n\n{}\n",
            info.kind, info.title, info.summary
        );
        let _infallible = write!(page, "\n{}\n", lowered(info.docs).trim());
        if !info.permissions.is_empty() {
            page.push_str("\n#### All rights\n\n| right | needed for |\n| --- | --- |\n");
        }
        for right in &info.permissions {
            let _infallible = writeln!(page, "| `{}` | {} |", right.name, right.needed_for);
        }
        settings(&info.settings, &mut page);
    }
    page
}

/// The page with its headings two levels lower; a `#` inside a code fence is no heading.
fn lowered(docs: &str) -> String {
    let mut fenced = false;
    let mut page = String::new();
    for line in docs.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if line.starts_with('#') && !fenced {
            page.push_str("##");
        }
        page.push_str(line);
        page.push('\n');
    }
    page
}

fn settings(schema: &serde_json::Value, page: &mut String) {
    let lines = crate::commands::connectors::settings_lines(schema);
    page.push_str("\n#### All settings\n\n");
    for line in lines {
        page.push_str(&line);
        page.push('\n');
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the test decides whether it writes"
)]
fn check(name: &str, fresh: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var("UPDATE_DOCS").is_ok() {
        std::fs::write(&path, fresh).expect("docs can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == fresh,
        "docs/{name} is out of date: UPDATE_DOCS=1 cargo test -p rescind generated"
    );
}

#[test]
fn the_command_line_page_is_up_to_date() {
    check("cli.md", &cli());
}

#[test]
fn the_connectors_page_is_up_to_date() {
    check("connectors.md", &connectors());
}

#[test]
fn the_configuration_schema_is_up_to_date() {
    let schema = rescind_core::config::config_schema(&registry());
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    check("rescind.schema.json", &format!("{text}\n"));
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}
