//! The JSON Schema of the configuration, derived from the list of keys.

use serde_json::{Map, Value, json};

use super::keys::{Form, Key, Kind, SECTIONS, Section};

/// The schema, for editors and for checking configurations elsewhere.
#[must_use]
pub fn schema() -> Value {
    let properties = SECTIONS.iter().map(|section| (section.name.to_owned(), section_schema(section)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bedrock-watch configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<Map<String, Value>>(),
    })
}

fn section_schema(section: &Section) -> Value {
    match &section.form {
        Form::Table(keys) => table(section.doc, keys, None),
        Form::Named(keys, of) => {
            let mut schema = table(section.doc, keys, None);
            let mut named = table(of.doc, of.keys, None);
            let (list, doc, list_keys) = of.list;
            let items = json!({ "type": "array", "description": doc, "items": table("", list_keys, None) });
            if let Some(properties) = named.get_mut("properties").and_then(Value::as_object_mut) {
                properties.insert(list.to_owned(), items);
            }
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("additionalProperties".to_owned(), named);
            }
            schema
        }
        Form::List(keys) => json!({ "type": "array", "description": section.doc, "items": table("", keys, None) }),
        Form::Kinds(variants) => {
            let items = variants.iter().map(|variant| table(variant.doc, variant.keys, Some(variant.kind)));
            json!({ "type": "array", "description": section.doc, "items": { "oneOf": items.collect::<Vec<_>>() } })
        }
    }
}

fn table(doc: &str, keys: &[Key], kind: Option<&str>) -> Value {
    let mut properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), key_schema(key))).collect();
    let mut required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if let Some(kind) = kind {
        properties.insert("kind".to_owned(), json!({ "const": kind }));
        required.push("kind");
    }
    json!({
        "type": "object",
        "description": doc,
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

fn key_schema(key: &Key) -> Value {
    let mut schema = match &key.kind {
        Kind::Number { default, min, max } => json!({
            "description": "", "default": default,
            "anyOf": [
                { "type": "integer", "minimum": min, "maximum": max },
                { "type": "string", "pattern": "\\$\\{[^}]+\\}" },
            ],
        }),
        Kind::Signed { default, min, max } => {
            json!({ "type": "integer", "default": default, "minimum": min, "maximum": max })
        }
        Kind::Flag { default } => json!({ "type": "boolean", "default": default }),
        Kind::Text { default } => json!({ "type": "string", "default": default }),
        Kind::Choice { default, choices } => json!({ "type": "string", "enum": choices, "default": default }),
        Kind::Texts { default, choices: [] } => {
            json!({ "type": "array", "items": { "type": "string" }, "default": default })
        }
        Kind::Texts { default, choices } => {
            json!({ "type": "array", "items": { "type": "string", "enum": choices }, "default": default })
        }
        Kind::Secret => json!({ "type": "string", "writeOnly": true }),
        Kind::Secrets => json!({
            "type": "object", "additionalProperties": { "type": "string" }, "writeOnly": true,
        }),
        Kind::Numbers => json!({ "type": "object", "additionalProperties": { "type": "number" } }),
        Kind::TextLists => json!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
            },
        }),
    };
    if let Some(fields) = schema.as_object_mut() {
        fields.retain(|name, value| name != "default" || !value.is_null());
        fields.insert("description".to_owned(), Value::from(key.doc));
    }
    schema
}
