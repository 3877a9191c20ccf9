//! Writes the rows of a plan as people and scripts write them.

use std::io::Cursor;

use rescind_core::plan::Input;
use serde_json::{Map, json};

use super::vendor::name_of;

/// One row: who, where, and by which own identifiers.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) subject: Option<String>,
    pub(super) provider: Option<usize>,
    pub(super) own: Vec<(usize, String)>,
}

/// Rows of one kind, or a group.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Arguments(Vec<Row>),
    Lines(Vec<Row>),
    /// With the heading of the subject's column.
    Csv(&'static str, Vec<Row>),
    Jsonl(Vec<Row>),
    Group {
        tenant: usize,
        group: usize,
    },
}

/// The input a planner reads.
pub(super) fn of(source: &Source) -> Input {
    match source {
        Source::Arguments(rows) => Input::Arguments(subjects(rows).collect()),
        Source::Lines(rows) => {
            let lines: Vec<String> = subjects(rows).collect();
            reader("a list", lines.join("\n").into_bytes())
        }
        Source::Csv(heading, rows) => reader("a table", csv(heading, rows)),
        Source::Jsonl(rows) => {
            let lines: Vec<String> = rows.iter().enumerate().map(json_line).collect();
            reader("objects", lines.join("\n").into_bytes())
        }
        Source::Group { tenant, group } => Input::Group {
            provider: name_of(*tenant),
            group: format!("group{group}"),
        },
    }
}

fn reader(name: &str, bytes: Vec<u8>) -> Input {
    Input::Reader {
        name: name.to_owned(),
        reader: Box::new(Cursor::new(bytes)),
    }
}

fn subjects(rows: &[Row]) -> impl Iterator<Item = String> {
    rows.iter().filter_map(|row| row.subject.clone())
}

fn csv(heading: &str, rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let tenants = rows
        .iter()
        .flat_map(|row| row.own.iter().map(|(tenant, _)| tenant + 1));
    let tenants = tenants.max().unwrap_or(0);
    let names: Vec<String> = (0..tenants)
        .map(|index| name_of(index).to_string())
        .collect();
    let head = [heading, "provider"]
        .into_iter()
        .chain(names.iter().map(String::as_str));
    writer.write_record(head).expect("writes to memory");
    for row in rows {
        let own = |tenant| {
            let own = row.own.iter().find(|(at, _)| *at == tenant);
            own.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let provider = row.provider.map(|index| name_of(index).to_string());
        let cells = [
            row.subject.clone().unwrap_or_default(),
            provider.unwrap_or_default(),
        ];
        let cells = cells.into_iter().chain((0..tenants).map(own));
        writer.write_record(cells).expect("writes to memory");
    }
    writer.into_inner().expect("writes to memory")
}

fn json_line((n, row): (usize, &Row)) -> String {
    let mut object = Map::new();
    if let Some(subject) = &row.subject {
        // RFC 9493 knows several ways to say it.
        let (key, value) = match n % 5 {
            0 if subject.contains('@') => ("email", json!(subject)),
            1 => ("sub_id", json!({"format": "opaque", "id": subject})),
            2 => (
                "sub_id",
                json!({"format": "account", "uri": format!("acct:{subject}")}),
            ),
            3 => {
                let one = json!({"format": "email", "email": subject});
                (
                    "subject",
                    json!({"format": "aliases", "identifiers": [one]}),
                )
            }
            _ => ("upn", json!(subject)),
        };
        object.insert(key.to_owned(), value);
    }
    if let Some(provider) = row.provider {
        object.insert("provider".to_owned(), json!(name_of(provider).to_string()));
    }
    for (tenant, text) in &row.own {
        object.insert(name_of(*tenant).to_string(), json!(text));
    }
    json!(object).to_string()
}
