//! Any JSON object as an event: for tests, and for rules on paths nobody decoded beforehand.
//!
//! Deliberately without computed fields: what `watch.*` means, the engine knows and a record does not.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::value::{Field, Fields, Value};
use crate::time::Second;

/// The deepest nesting that is searched.
const DEPTH_MAX: usize = 64;

/// A CloudTrail record as the fields of an event.
#[derive(Debug, Clone, Copy)]
pub struct JsonFields<'a>(pub &'a Json);

impl Fields for JsonFields<'_> {
    fn time(&self) -> Option<Second> {
        self.0.get("eventTime")?.as_str().and_then(Second::parse)
    }

    fn value(&self, field: &Field) -> Value<'_> {
        match field {
            Field::Record(field) => at(self.0, field.name().split('.')),
            Field::Path(path) => at(self.0, path.iter().map(String::as_str)),
            Field::Watch(_) | Field::Window { .. } => Value::Missing,
        }
    }

    fn any_text(&self, found: &mut dyn FnMut(&str) -> bool) -> bool {
        any_text(self.0, found, DEPTH_MAX)
    }
}

/// The value at a path; where the path crosses an array, the values of all its elements.
fn at<'a, 'p>(root: &'a Json, path: impl Iterator<Item = &'p str> + Clone) -> Value<'a> {
    let mut found = Vec::new();
    collect(root, path, &mut found);
    match found.len() {
        0 => Value::Missing,
        1 => found.pop().unwrap_or(Value::Missing),
        _ => Value::List(found),
    }
}

fn collect<'a, 'p>(json: &'a Json, path: impl Iterator<Item = &'p str> + Clone, found: &mut Vec<Value<'a>>) {
    let mut rest = path.clone();
    let Some(key) = rest.next() else {
        found.push(Value::from(json));
        return;
    };
    match json {
        Json::Object(map) => {
            if let Some(next) = map.get(key) {
                collect(next, rest, found);
            }
        }
        Json::Array(elements) => {
            for element in elements {
                collect(element, path.clone(), found);
            }
        }
        _ => {}
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(elements) => Self::List(elements.iter().map(Self::from).collect()),
            Json::Object(_) => Self::Object,
        }
    }
}

fn any_text(json: &Json, found: &mut dyn FnMut(&str) -> bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    match json {
        Json::String(text) => found(text),
        Json::Object(map) => map.values().any(|value| any_text(value, found, depth)),
        Json::Array(elements) => elements.iter().any(|value| any_text(value, found, depth)),
        _ => false,
    }
}
