//! `x-watch: facts`: what an alert takes over from the records it rests on, such as how many units were bought.
//!
//! Deliberately no computing: a fact is the value of the first of some fields that has one. An alert about one event
//! has that value; one about a principal and day has a list of all different values of the day, see [`texts`].

use serde_json::Value as Json;

use super::{
    field,
    problem::{Problems, listed},
    value::{Field, Fields, Value},
    vocabulary::Domain,
    yaml::{Kind, Node},
};

/// The most facts a rule can take over.
const FACTS_MAX: usize = 12;
/// The most characters of a text that becomes a fact; the rest is in the record.
const TEXT_MAX: usize = 256;
/// The most elements of a list that become a fact, and the most different values that an alert about a day lists.
pub(crate) const ITEMS_MAX: usize = 20;
/// Facts that alerts have anyway.
const RESERVED: [&str; 3] = ["event_name", "operations", "day"];

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
        problems
            .add(value.place, format!("a rule takes over at most {FACTS_MAX} facts, and this has {}", entries.len()));
    }
    let mut found = Vec::new();
    for (key, value) in entries {
        let name = key.text.as_str();
        if !is_name(name) {
            problems.add(key.place, format!("`{name}` is no name of a fact; use lower-case letters, digits and _"));
        }
        if RESERVED.contains(&name) {
            problems.add(key.place, format!("alerts have {} already; choose another name", listed(RESERVED)));
        }
        let sources = match &value.kind {
            Kind::List(elements) => elements.as_slice(),
            _ => std::slice::from_ref(value),
        };
        if sources.is_empty() {
            problems.add(value.place, "a fact is looked for in at least one field");
        }
        let fields = sources.iter().filter_map(|node| source(node, problems)).collect();
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

/// The texts of a fact, for alerts that list what a day of records said.
pub(crate) fn texts(fact: &Json) -> Vec<String> {
    match fact {
        Json::Null => Vec::new(),
        Json::String(text) => vec![text.clone()],
        Json::Array(elements) => elements.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
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

    #[test]
    fn writes_values_out() {
        let check = |fact: Json, expected: &[&str]| assert_eq!(texts(&fact), expected, "{fact}");
        check(Json::Null, &[]);
        check(json!("a"), &["a"]);
        check(json!(["b", 2, true]), &["b", "2", "true"]);
    }
}
