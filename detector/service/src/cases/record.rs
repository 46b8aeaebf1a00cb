//! Changing a sample record: dotted paths into JSON.
//!
//! A segment of digits is an index where an array stands and a key everywhere else. Deliberately no wildcards: a case
//! says exactly what it is about.

use serde_json::{Map, Value};

/// Puts `value` at `path`, making the objects on the way; null makes way for an object, anything else does not.
pub(super) fn set(record: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut place = record;
    let mut walked = String::new();
    for segment in path.split('.') {
        if segment.is_empty() {
            return Err(format!("`{path}` has an empty part; write `a.b.c`"));
        }
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place = match place {
            Value::Object(object) => object.entry(segment).or_insert(Value::Null),
            Value::Array(array) => {
                let length = array.len();
                let element = segment.parse::<usize>().ok().and_then(|index| array.get_mut(index));
                element.ok_or_else(|| format!("`{walked}` has {length} elements, so `{segment}` is none of them"))?
            }
            _ => return Err(format!("`{walked}` is neither an object nor an array, so it has no `{segment}`")),
        };
        if !walked.is_empty() {
            walked.push('.');
        }
        walked.push_str(segment);
    }
    *place = value;
    Ok(())
}

/// Takes out what stands at `path`; it must be there, or the case says something that is not so.
pub(super) fn remove(record: &mut Value, path: &str) -> Result<(), String> {
    let (parent, last) = match path.rsplit_once('.') {
        Some((parent, last)) => (find(record, parent), last),
        None => (Some(record), path),
    };
    let removed = match parent {
        Some(Value::Object(object)) => object.remove(last),
        Some(Value::Array(array)) => match last.parse::<usize>() {
            Ok(index) if index < array.len() => Some(array.remove(index)),
            _ => None,
        },
        _ => None,
    };
    removed.map(|_| ()).ok_or_else(|| format!("the record has no `{path}` to remove"))
}

fn find<'a>(record: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(record, |place, segment| match place {
        Value::Object(object) => object.get_mut(segment),
        Value::Array(array) => array.get_mut(segment.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets() {
        let check = |path: &str, expected: Result<Value, &str>| {
            let mut record = json!({"a": {"b": 1}, "n": null, "l": [{"x": 1}]});
            let result = set(&mut record, path, json!(2)).map(|()| record);
            assert_eq!(result, expected.map_err(str::to_owned), "{path}");
        };
        check("a.b", Ok(json!({"a": {"b": 2}, "n": null, "l": [{"x": 1}]})));
        check("a.c.d", Ok(json!({"a": {"b": 1, "c": {"d": 2}}, "n": null, "l": [{"x": 1}]})));
        check("n.m", Ok(json!({"a": {"b": 1}, "n": {"m": 2}, "l": [{"x": 1}]})));
        check("l.0.x", Ok(json!({"a": {"b": 1}, "n": null, "l": [{"x": 2}]})));
        check("l.1", Err("`l` has 1 elements, so `1` is none of them"));
        check("a.b.c", Err("`a.b` is neither an object nor an array, so it has no `c`"));
        check("a..b", Err("`a..b` has an empty part; write `a.b.c`"));
    }

    #[test]
    fn removes() {
        let check = |path: &str, expected: Result<Value, &str>| {
            let mut record = json!({"a": {"b": 1}, "l": [1, 2]});
            let result = remove(&mut record, path).map(|()| record);
            assert_eq!(result, expected.map_err(str::to_owned), "{path}");
        };
        check("a", Ok(json!({"l": [1, 2]})));
        check("a.b", Ok(json!({"a": {}, "l": [1, 2]})));
        check("l.0", Ok(json!({"a": {"b": 1}, "l": [2]})));
        check("a.x", Err("the record has no `a.x` to remove"));
        check("x.y", Err("the record has no `x.y` to remove"));
    }
}
