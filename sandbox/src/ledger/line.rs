//! One entry as one line of JSON, and back.

use std::io::Write;

use serde::Deserialize;

use super::{Entry, Operation, Record};
use crate::clock::rfc3339_ms;
use crate::dice;
use crate::google::catalogue;
use crate::json;
use crate::population::Population;
use crate::tenant::Tenant;

const REQUEST: u64 = 7;

/// The `request-id` a tenant gave to a request: computed, so that the ledger need not remember it.
pub(crate) fn request_id(population: &Population, request: u32) -> String {
    dice::guid(population.seed(), REQUEST, request)
}

pub(super) fn write(
    out: &mut Vec<u8>,
    number: u64,
    entry: &Entry,
    given: Option<&str>,
    people: &Population,
) {
    let at = rfc3339_ms(entry.at_ms);
    let (tenant, operation) = (entry.tenant.as_str(), entry.operation.as_str());
    let written = write!(
        out,
        r#"{{"number":{number},"at":"{at}","elapsed_ms":{},"tenant":"{tenant}","operation":"{operation}","subject":"#,
        entry.elapsed_ms,
    );
    debug_assert!(written.is_ok(), "memory takes every write");
    let (id, name) = match (entry.person, entry.tenant) {
        (Some(person), Tenant::Microsoft) => {
            (Some(people.object_id(person)), Some(people.upn(person)))
        }
        (Some(person), Tenant::Google) => {
            (Some(people.google_id(person)), people.google_email(person))
        }
        (None, _) => (None, given.map(str::to_owned)),
    };
    json::optional(out, id.as_deref());
    out.extend_from_slice(b",\"name\":");
    json::optional(out, name.as_deref());
    out.extend_from_slice(b",\"item\":");
    match (entry.operation, entry.item) {
        (Operation::DeleteGrant, Some(grant)) => json::string(out, catalogue::client_id(grant)),
        (_, Some(item)) => json::number(out, u64::from(item) + 1),
        (_, None) => out.extend_from_slice(b"null"),
    }
    let written = write!(
        out,
        r#","status":{},"effect":{},"early":{},"request":{},"request_id":"{}","batch_item":"#,
        entry.status,
        entry.effect,
        entry.early,
        entry.request,
        request_id(people, entry.request),
    );
    debug_assert!(written.is_ok(), "memory takes every write");
    match entry.batch_item {
        Some(item) => json::number(out, u64::from(item)),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b"}\n");
}

#[derive(Deserialize)]
struct Line {
    at: jiff::Timestamp,
    elapsed_ms: u64,
    tenant: String,
    operation: String,
    subject: Option<String>,
    name: Option<String>,
    item: Option<serde_json::Value>,
    status: u16,
    effect: bool,
    early: bool,
    request: u32,
    batch_item: Option<u8>,
}

pub(super) fn parse(line: &[u8], people: &Population) -> Result<Record, String> {
    let line: Line =
        serde_json::from_slice(line).map_err(|error| format!("no line of a ledger: {error}"))?;
    let tenant = Tenant::BOTH
        .into_iter()
        .find(|known| known.as_str() == line.tenant)
        .ok_or("an unknown tenant")?;
    let operation = Operation::parse(&line.operation).ok_or("an unknown operation")?;
    let person = match &line.subject {
        None => None,
        Some(id) => Some(
            match tenant {
                Tenant::Microsoft => people.by_object_id(id),
                Tenant::Google => people.by_google_key(id),
            }
            .ok_or(
                "somebody of another population: start with the same seed and at least as many people, or use another file",
            )?,
        ),
    };
    let item = match line.item {
        Some(serde_json::Value::String(client)) => catalogue::grant_of_client(&client),
        Some(serde_json::Value::Number(number)) => number
            .as_u64()
            .and_then(|number| u8::try_from(number.checked_sub(1)?).ok()),
        _ => None,
    };
    Ok(Record {
        given: line.name.filter(|_| person.is_none()),
        entry: Entry {
            at_ms: line.at.as_millisecond(),
            elapsed_ms: line.elapsed_ms,
            tenant,
            operation,
            person,
            item,
            status: line.status,
            effect: line.effect,
            early: line.early,
            request: line.request,
            batch_item: line.batch_item,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Person;

    #[test]
    fn a_line_gives_its_entry_back() {
        let people = Population::new(5, 100);
        let entry = Entry {
            at_ms: 1_800_000_000_123,
            elapsed_ms: 77,
            tenant: Tenant::Google,
            operation: Operation::DeleteGrant,
            person: Some(Person::regular(3)),
            item: Some(11),
            status: 204,
            effect: true,
            early: false,
            request: 9,
            batch_item: None,
        };
        let mut text = Vec::new();
        write(&mut text, 0, &entry, None, &people);
        assert_eq!(parse(text.trim_ascii_end(), &people).unwrap().entry, entry);
    }

    #[test]
    fn a_name_nobody_has_is_kept_as_given() {
        let people = Population::new(5, 100);
        let entry = Entry {
            at_ms: 0,
            elapsed_ms: 0,
            tenant: Tenant::Microsoft,
            operation: Operation::Revoke,
            person: None,
            item: None,
            status: 404,
            effect: false,
            early: true,
            request: 1,
            batch_item: Some(19),
        };
        let mut text = Vec::new();
        write(&mut text, 0, &entry, Some("no\"body"), &people);
        let back = parse(text.trim_ascii_end(), &people).unwrap();
        assert_eq!(back.entry, entry);
        assert_eq!(back.given.as_deref(), Some("no\"body"));
    }
}
