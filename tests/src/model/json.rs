//! Reading JSON where anything may be absent, null or empty.

use serde_json::Value;

/// The string at a JSON pointer.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// The elements of a list at a JSON pointer, in every form CloudTrail writes lists: an array, `{"items": [...]}`,
/// an empty object for no element, and one element standing for itself.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> Vec<&'a Value> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().collect(),
        Some(Value::Object(object)) => match object.get("items") {
            Some(Value::Array(elements)) => elements.iter().collect(),
            _ if object.is_empty() => Vec::new(),
            _ => value.pointer(pointer).into_iter().collect(),
        },
        Some(single) => vec![single],
    }
}

/// The strings of a list at a JSON pointer.
pub(super) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    list(value, pointer).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
