//! The configuration as JSON Schema, for editors and for checks in other people's pipelines.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::document::Document;
use crate::connector::Registry;

/// JSON Schema 2020-12 of the whole configuration, the settings of this build's connectors included.
pub fn config_schema(registry: &Registry) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    let mut kinds = Vec::new();
    let mut rules = Vec::new();
    let mut definitions = Map::new();
    for connector in registry.iter() {
        let kind = connector.kind();
        let name = format!("settings.{kind}");
        definitions.extend(own_definitions(&name, connector.describe().settings));
        kinds.push(json!(kind.as_str()));
        rules.push(json!({
            "if": { "properties": { "kind": { "const": kind.as_str() } } },
            "then": { "properties": { "settings": { "$ref": format!("#/$defs/{name}") } } },
        }));
    }
    if let Some(provider) = schema.pointer_mut("/$defs/ProviderTable") {
        provider["properties"]["kind"]["enum"] = Value::Array(kinds);
        provider["allOf"] = Value::Array(rules);
    }
    if let Some(Value::Object(known)) = schema.get_mut("$defs") {
        known.extend(definitions);
    }
    schema["title"] = json!("rescind.toml");
    schema
}

/// A connector's schema and the definitions below it, under names that are its own.
fn own_definitions(name: &str, mut schema: Value) -> Map<String, Value> {
    let below = match schema.as_object_mut() {
        Some(object) => {
            object.remove("$schema");
            object.remove("$defs")
        }
        None => None,
    };
    let mut definitions = Map::new();
    if let Some(Value::Object(below)) = below {
        for (inner, mut definition) in below {
            rename_references(name, &mut definition);
            definitions.insert(format!("{name}.{inner}"), definition);
        }
    }
    rename_references(name, &mut schema);
    definitions.insert(name.to_owned(), schema);
    definitions
}

fn rename_references(name: &str, schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(inner) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{name}.{inner}");
                        }
                    }
                    value => rename_references(name, value),
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| rename_references(name, item)),
        _ => {}
    }
}
