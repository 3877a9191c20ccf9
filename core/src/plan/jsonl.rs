//! One JSON object a line, with the keys that columns have, or a subject identifier after RFC 9493.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::columns::{Column, Names, quoted};
use super::row::{Row, RowBuilder};

/// Reads one line.
///
/// # Errors
/// Why it cannot be read, without its values.
pub(super) fn row(line: &str, names: &Names) -> Result<Row, String> {
    let Object(object) = serde_json::from_str(line).map_err(|error| {
        // The parser's own words may repeat what it read.
        format!("not a JSON object (at column {})", error.column())
    })?;
    for (n, (key, _)) in object.iter().enumerate() {
        if object[..n].iter().any(|(before, _)| before == key) {
            return Err(format!("the key {} comes twice", quoted(key)));
        }
    }
    let mut row = RowBuilder::default();
    if object.iter().any(|(key, _)| key == "format") {
        let text = subject_identifier(&object.into_iter().collect())?;
        row.cell(Column::Subject, &text, names)?;
        return row.finish();
    }
    let mut somebody = false;
    for (key, value) in &object {
        let column = match key.as_str() {
            "sub_id" => Column::Subject,
            key => names.column(key).ok_or_else(|| {
                let allowed = names.allowed();
                format!(
                    "the key {} is unknown; allowed: {allowed}, sub_id",
                    quoted(key)
                )
            })?,
        };
        if matches!(column, Column::Subject | Column::Email)
            && std::mem::replace(&mut somebody, true)
        {
            return Err("two keys name the person; keep one of them".to_owned());
        }
        match value {
            Value::String(text) => row.cell(column, text, names)?,
            Value::Null => {}
            Value::Object(identifier) if column == Column::Subject => {
                row.cell(column, &subject_identifier(identifier)?, names)?;
            }
            _ => return Err(format!("the key {} holds no text", quoted(key))),
        }
    }
    row.finish()
}

/// The keys of a line as they were written: a map would drop the first of two.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut keys = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    keys.push(entry);
                }
                Ok(Object(keys))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// The text of a subject identifier (RFC 9493, section 3.2).
fn subject_identifier(object: &Map<String, Value>) -> Result<String, String> {
    let text = |key: &str| {
        let value = object.get(key).and_then(Value::as_str);
        value.ok_or_else(|| format!("the subject identifier has no {key}"))
    };
    match text("format")? {
        "email" => text("email").map(str::to_owned),
        "opaque" => text("id").map(str::to_owned),
        "iss_sub" => text("sub").map(str::to_owned),
        "account" => {
            let uri = text("uri")?;
            let name = uri.strip_prefix("acct:").unwrap_or(uri);
            Ok(name.to_owned())
        }
        "aliases" => {
            let list = object.get("identifiers").and_then(Value::as_array);
            let mut known = list.into_iter().flatten().filter_map(Value::as_object);
            known
                // Aliases hold no aliases (section 3.2.8): nothing nests.
                .find_map(|one| {
                    let nested = one.get("format").and_then(Value::as_str) == Some("aliases");
                    if nested { None } else { subject_identifier(one).ok() }
                })
                .ok_or_else(|| "none of the aliases is of a format we know".to_owned())
        }
        _ => Err(
            "the subject identifier is of another format than email, opaque, iss_sub, account or aliases"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names::new(vec!["entra".into()])
    }

    #[test]
    fn subject_identifiers_of_rfc_9493_name_a_person() {
        for (line, person) in [
            (r#"{"subject":"ada@contoso.com"}"#, "ada@contoso.com"),
            (
                r#"{"email":"ada@contoso.com","entra":"7","note":"x"}"#,
                "ada@contoso.com",
            ),
            (
                r#"{"format":"email","email":"ada@contoso.com"}"#,
                "ada@contoso.com",
            ),
            (r#"{"sub_id":{"format":"opaque","id":"42"}}"#, "42"),
            (
                r#"{"subject":{"format":"iss_sub","iss":"https://i","sub":"42"}}"#,
                "42",
            ),
            (
                r#"{"sub_id":{"format":"account","uri":"acct:ada@contoso.com"}}"#,
                "ada@contoso.com",
            ),
            (
                r#"{"sub_id":{"format":"aliases","identifiers":[{"format":"phone_number"},{"format":"opaque","id":"4"}]}}"#,
                "4",
            ),
            (r#"{"entra":"7"}"#, "7"),
        ] {
            assert_eq!(
                row(line, &names()).map(|row| row.subject),
                Ok(person.to_owned()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (line, why) in [
            (r#"{"sbject":"hidden"}"#, "the key \"sbject\" is unknown"),
            (r#"{"email":"hidden"}"#, "has no @"),
            (
                r#"{"email":"hidden@x","upn":"hidden"}"#,
                "two keys name the person",
            ),
            (r#"{"email":7}"#, "holds no text"),
            (
                r#"{"email":"hidden@x","email":"hidden@y"}"#,
                "the key \"email\" comes twice",
            ),
            (r#"{"note":"hidden"}"#, "names nobody"),
            (r#"["hidden"]"#, "not a JSON object"),
            (r#"{"email":"hidden@x"} trailing"#, "not a JSON object"),
            (r#"{"email":"hidden"#, "not a JSON object"),
            (
                r#"{"sub_id":{"format":"phone_number","phone_number":"hidden"}}"#,
                "another format",
            ),
            (
                r#"{"email":"hidden@x","provider":"okta"}"#,
                "no provider is called \"okta\"; there are: entra",
            ),
        ] {
            let said = row(line, &names()).expect_err(line);
            assert!(said.contains(why), "{line}: {said}");
            assert!(!said.contains("hidden"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC*", object in "\\{(\"(subject|sub_id|format|entra)\":(\"\\PC*\"|\\{\\}|\\[\\]|1),?)*\\}") {
            let _ = row(&line, &names());
            let _ = row(&object, &names());
        }
    }
}
