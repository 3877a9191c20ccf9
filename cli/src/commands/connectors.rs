//! `rescind connectors`: what this build can speak to.

use rescind_core::connector::{Connector, ConnectorInfo, Registry};
use serde::Serialize;

use crate::args::Connectors;
use crate::error::Failure;
use crate::exit::Exit;
use crate::output::Printer;

#[derive(Serialize)]
struct Line {
    kind: String,
    title: &'static str,
    summary: &'static str,
    permissions: Vec<Right>,
    settings: serde_json::Value,
}

#[derive(Serialize)]
struct Right {
    name: &'static str,
    needed_for: &'static str,
}

impl From<ConnectorInfo> for Line {
    fn from(info: ConnectorInfo) -> Self {
        Self {
            kind: info.kind.to_string(),
            title: info.title,
            summary: info.summary,
            permissions: info
                .permissions
                .iter()
                .map(|right| Right {
                    name: right.name,
                    needed_for: right.needed_for,
                })
                .collect(),
            settings: info.settings,
        }
    }
}

/// Lists the kinds, or prints the documentation of one.
pub(crate) fn run(
    options: &Connectors,
    registry: &Registry,
    printer: &mut Printer,
) -> Result<Exit, Failure> {
    let Some(kind) = &options.kind else {
        let lines: Vec<_> = registry
            .iter()
            .map(|connector| Line::from(connector.describe()))
            .collect();
        let row = |line: &Line| {
            let rights: Vec<_> = line.permissions.iter().map(|right| right.name).collect();
            vec![
                line.kind.clone(),
                line.title.to_owned(),
                line.summary.to_owned(),
                rights.join(", "),
            ]
        };
        printer.list(
            "rescind.connectors/1",
            &lines,
            &["kind", "product", "what it ends", "rights it needs"],
            row,
            "This build has no connectors.",
        )?;
        if printer.format() == crate::args::Output::Text {
            printer.line("\nSettings and limits of one: rescind connectors KIND")?;
        }
        return Ok(Exit::Done);
    };
    let Some(info) = registry
        .iter()
        .map(Connector::describe)
        .find(|info| info.kind.as_str() == kind)
    else {
        let kinds: Vec<_> = registry.kinds().iter().map(ToString::to_string).collect();
        return Err(
            Failure::usage(format!("this build has no connector of kind {kind:?}"))
                .with_hint(format!("it has {}", kinds.join(", "))),
        );
    };
    if printer.format() == crate::args::Output::Text {
        printer.line(info.docs)?;
        printer.line("## All settings\n")?;
        for line in settings_lines(&info.settings) {
            printer.line(&line)?;
        }
    } else {
        printer.json(&Line::from(info))?;
    }
    Ok(Exit::Done)
}

/// One line a setting, from the schema's own descriptions.
pub(crate) fn settings_lines(schema: &serde_json::Value) -> Vec<String> {
    let Some(properties) = schema
        .get("properties")
        .and_then(|properties| properties.as_object())
    else {
        return vec!["It takes no settings.".to_owned()];
    };
    let required: Vec<_> = schema
        .get("required")
        .and_then(|required| required.as_array())
        .map(|names| names.iter().filter_map(|name| name.as_str()).collect())
        .unwrap_or_default();
    if properties.is_empty() {
        return vec!["It takes no settings.".to_owned()];
    }
    properties
        .iter()
        .map(|(name, property)| {
            let text = property
                .get("description")
                .and_then(|text| text.as_str())
                .unwrap_or_default();
            let needed = if required.contains(&name.as_str()) {
                " (required)"
            } else {
                ""
            };
            format!("- `{name}`{needed}: {}", text.replace('\n', " "))
        })
        .collect()
}
