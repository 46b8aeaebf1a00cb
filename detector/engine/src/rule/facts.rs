//! `x-watch: facts`: what the alert of a single record takes over from the record, such as how many units were bought.
//!
//! Deliberately no computing: a fact is the value of the first of some fields that has one. Deliberately only for
//! rules whose alerts are about one event; an alert about a principal covers a day of records.

use serde_json::Value as Json;

use super::{
    field,
    problem::{Problems, listed},
    value::{Field, Fields, Value},
    vocabulary::Domain,
    yaml::Node,
};

/// The most facts a rule can take over.
const FACTS_MAX: usize = 12;
/// The most characters of a text that becomes a fact; the rest is in the record.
const TEXT_MAX: usize = 256;
/// The most elements of a list that become a fact.
const ITEMS_MAX: usize = 20;
/// Facts that every alert about one event has.
const RESERVED: [&str; 1] = ["event_name"];

/// A fact, and the fields it is looked for in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FactSource {
    name: String,
    fields: Vec<Field>,
}

impl FactSource {
    /// The fact's name in alerts.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What `event` says: the value of the first field that has one, null when none does.
    pub(super) fn of(&self, event: &(impl Fields + ?Sized)) -> Json {
        self.fields.iter().map(|field| json(&event.value(field))).find(|value| !value.is_null()).unwrap_or_default()
    }
}

/// Reads `facts`: names, each with a field or with a list of fields of which the first that is there counts.
pub(super) fn read(value: &Node, problems: &mut Problems<'_>) -> Vec<FactSource> {
    let Some(entries) = value.entries() else {
        problems.add(value.place, format!("facts maps names to fields, and this is {}", value.noun()));
        return Vec::new();
    };
    if entries.len() > FACTS_MAX {
        problems.add(value.place, format!("a rule takes over at most {FACTS_MAX} facts, and this has {}", entries.len()));
    }
    let mut found = Vec::new();
    for (key, value) in entries {
        let name = key.text.as_str();
        if !is_name(name) {
            problems.add(key.place, format!("`{name}` is no name of a fact; use lower-case letters, digits and _"));
        }
        if RESERVED.contains(&name) {
            problems.add(key.place, format!("every alert has the fact {} already", listed(RESERVED)));
        }
        let fields = match &value.kind {
            super::yaml::Kind::List(elements) => elements.iter().filter_map(|node| source(node, problems)).collect(),
            _ => source(value, problems).into_iter().collect(),
        };
        found.push(FactSource { name: name.to_owned(), fields });
    }
    found
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn source(node: &Node, problems: &mut Problems<'_>) -> Option<Field> {
    let Some(text) = node.text() else {
        problems.add(node.place, format!("a fact is the name of a field, and this is {}", node.noun()));
        return None;
    };
    match field::resolve(text, Domain::CloudTrail) {
        Ok(field @ (Field::Record(_) | Field::Path(_))) => Some(field),
        Ok(_) => {
            problems.add(node.place, format!("a fact is a field of the record; `{text}` is computed"));
            None
        }
        Err(message) => {
            problems.add(node.place, message);
            None
        }
    }
}

/// A value as a fact; null for what is missing or has parts.
fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Missing | Value::Null | Value::Object => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::from(text.chars().take(TEXT_MAX).collect::<String>()),
        Value::List(elements) => {
            let scalars = elements.iter().filter(|element| !matches!(element, Value::List(_)));
            let kept: Vec<Json> = scalars.map(json).filter(|fact| !fact.is_null()).take(ITEMS_MAX).collect();
            if kept.is_empty() { Json::Null } else { Json::Array(kept) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn takes_values_over() {
        let check = |value: Value<'_>, expected: Json| assert_eq!(json(&value), expected, "{value:?}");
        check(Value::Missing, Json::Null);
        check(Value::Object, Json::Null);
        check(Value::Int(7), json!(7));
        check(Value::Bool(false), json!(false));
        check(Value::Text("OneMonth".into()), json!("OneMonth"));
        check(Value::Text("ä".repeat(TEXT_MAX + 1).into()), json!("ä".repeat(TEXT_MAX)));
        check(Value::List(vec![]), Json::Null);
        check(Value::List(vec![Value::Object, Value::Int(1), Value::List(vec![Value::Int(2)])]), json!([1]));
        check(Value::List(vec![Value::Int(1); ITEMS_MAX + 1]), json!(vec![1; ITEMS_MAX]));
    }
}
