//! Reads single values out of a raw JSON section of a record (`requestParameters`, `responseElements`, ...).
//!
//! Nothing here fails: what cannot be read is not there.

use std::borrow::Cow;

use serde_json::Value;
use sonic_rs::JsonValueTrait;

/// The string at `path`, borrowed where it has no escapes; `None` when there is none or it is no string.
#[must_use]
pub fn text<'a>(raw: &'a str, path: &[&str]) -> Option<Cow<'a, str>> {
    if let [key] = path
        && let Some(text) = first_field(raw, key)
    {
        return Some(Cow::Borrowed(text));
    }
    let found = sonic_rs::get_from_str(raw, path).ok()?;
    match found.as_raw_cow() {
        Cow::Borrowed(quoted) if !quoted.contains('\\') => {
            quoted.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed)
        }
        _ => found.as_str().map(|text| Cow::Owned(text.to_owned())),
    }
}

/// The value of `key` if it is the section's first field, compactly written, and a string without escapes: as in nearly
/// every record that is read for one field only.
pub(crate) fn first_field<'a>(raw: &'a str, key: &str) -> Option<&'a str> {
    let value = raw.strip_prefix("{\"")?.strip_prefix(key)?.strip_prefix("\":\"")?;
    let end = memchr::memchr2(b'"', b'\\', value.as_bytes())?;
    let (text, rest) = value.split_at_checked(end)?;
    rest.starts_with('"').then_some(text)
}

/// Whether the field `key` is true, written as a boolean or as the string `"true"`.
#[must_use]
pub fn flag(raw: &str, key: &str) -> bool {
    sonic_rs::get_from_str(raw, [key]).is_ok_and(|found| is_true(found.as_raw_str()))
}

/// Whether a JSON value is `true` or `"true"`.
pub(super) fn is_true(raw: &str) -> bool {
    matches!(raw, "true" | r#""true""#)
}

/// The section as a value; [`Value::Null`] when it is no JSON or nests deeper than the parser allows.
#[must_use]
pub fn value(raw: &str) -> Value {
    serde_json::from_str(raw).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_strings() {
        let raw = r#"{"a": "plain", "b": {"c": "esc\"aped \u00e9"}, "n": 1, "z": null, "l": ["x"]}"#;
        let check =
            |path: &[&str], expected: Option<&str>| assert_eq!(text(raw, path).as_deref(), expected, "{path:?}");
        check(&["a"], Some("plain"));
        check(&["b", "c"], Some("esc\"aped é"));
        check(&["b"], None);
        check(&["n"], None);
        check(&["z"], None);
        check(&["l"], None);
        check(&["missing", "c"], None);
        check(&["a", "deeper"], None);
        assert_eq!(text("null", &["a"]), None);
        assert_eq!(text("{", &["a"]), None);
        assert_eq!(text("", &["a"]), None);
    }

    #[test]
    fn reads_flags_and_values() {
        let raw = r#"{"a": true, "b": "true", "c": false, "d": "True"}"#;
        assert_eq!(["a", "b", "c", "d", "e"].map(|key| flag(raw, key)), [true, true, false, false, false]);
        assert_eq!(value(raw).get("c"), Some(&Value::Bool(false)));
        assert_eq!(value("{"), Value::Null);
        assert_eq!(value(&"[".repeat(100_000)), Value::Null);
    }
}
