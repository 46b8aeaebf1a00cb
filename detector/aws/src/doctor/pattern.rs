//! Which events an EventBridge pattern matches.
//!
//! Everything of EventBridge's pattern language that rules about CloudTrail use. An operator that is not known makes the
//! answer unknown, never a guess: AWS is asked then (`TestEventPattern`).

use serde_json::Value;

/// Whether `pattern` matches `event`; `None` where it has something this does not know.
#[must_use]
pub fn matches(pattern: &Value, event: &Value) -> Option<bool> {
    let Value::Object(fields) = pattern else { return None };
    let mut all = true;
    for (name, wanted) in fields {
        let holds = match (name.as_str(), wanted) {
            ("$or", Value::Array(alternatives)) => any(alternatives.iter().map(|one| matches(one, event)))?,
            (_, Value::Object(_)) => nested(wanted, event.get(name))?,
            (_, Value::Array(conditions)) => leaf(conditions, event.get(name))?,
            _ => return None,
        };
        all &= holds;
    }
    Some(all)
}

/// A pattern inside of a field; the field may be absent, which `exists: false` wants.
fn nested(pattern: &Value, field: Option<&Value>) -> Option<bool> {
    match field {
        Some(Value::Array(items)) => any(items.iter().map(|item| matches(pattern, item))),
        Some(field) => matches(pattern, field),
        None => matches(pattern, &Value::Null),
    }
}

/// Whether one of `answers` is yes; unknown if none is and one is unknown.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

fn leaf(conditions: &[Value], field: Option<&Value>) -> Option<bool> {
    any(conditions.iter().map(|condition| condition_holds(condition, field)))
}

fn condition_holds(condition: &Value, field: Option<&Value>) -> Option<bool> {
    let Value::Object(operator) = condition else {
        return Some(values(field).any(|value| value == condition));
    };
    let mut operators = operator.iter();
    let (Some((name, argument)), None) = (operators.next(), operators.next()) else { return None };
    let texts = || values(field).filter_map(Value::as_str);
    match (name.as_str(), argument) {
        ("exists", Value::Bool(wanted)) => Some(field.is_some() == *wanted),
        ("prefix", Value::String(prefix)) => Some(texts().any(|text| text.starts_with(prefix.as_str()))),
        ("suffix", Value::String(suffix)) => Some(texts().any(|text| text.ends_with(suffix.as_str()))),
        ("equals-ignore-case", Value::String(wanted)) => Some(texts().any(|text| text.eq_ignore_ascii_case(wanted))),
        ("wildcard", Value::String(wanted)) => Some(texts().any(|text| wildcard(wanted, text))),
        ("anything-but", excluded) => anything_but(excluded, field),
        _ => None,
    }
}

/// Present, and none of what is excluded.
fn anything_but(excluded: &Value, field: Option<&Value>) -> Option<bool> {
    let excludes: Vec<Value> = match excluded {
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    let hit = leaf(&excludes, field)?;
    Some(field.is_some() && !hit)
}

/// The values of a field: an array stands for each of its items.
fn values(field: Option<&Value>) -> impl Iterator<Item = &Value> {
    let (items, single) = match field {
        Some(Value::Array(items)) => (items.as_slice(), None),
        other => (&[][..], other),
    };
    items.iter().chain(single)
}

/// `*` stands for any characters, none included.
fn wildcard(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(before) else { return false };
    let mut pieces: Vec<&str> = after.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn matches_as_eventbridge_does() {
        let event = json!({
            "source": "aws.bedrock",
            "detail-type": "AWS API Call via CloudTrail",
            "resources": ["arn:aws:s3:::one", "arn:aws:s3:::two"],
            "detail": {"eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel", "readOnly": true},
        });
        let check =
            |pattern: Value, expected: Option<bool>| assert_eq!(matches(&pattern, &event), expected, "{pattern}");
        check(json!({"source": ["aws.bedrock"]}), Some(true));
        check(json!({"source": ["aws.ec2", "aws.bedrock"]}), Some(true));
        check(json!({"source": ["aws.ec2"]}), Some(false));
        check(json!({"source": ["aws.bedrock"], "detail-type": ["Other"]}), Some(false));
        check(json!({"source": [{"prefix": "aws."}]}), Some(true));
        check(json!({"detail": {"eventName": [{"suffix": "Model"}]}}), Some(true));
        check(json!({"detail": {"eventName": [{"wildcard": "Inv*Mo*l"}]}}), Some(true));
        check(json!({"detail": {"eventName": [{"wildcard": "Inv*x*"}]}}), Some(false));
        check(json!({"detail": {"eventName": [{"wildcard": "InvokeModel"}]}}), Some(true));
        check(json!({"detail": {"eventName": [{"equals-ignore-case": "invokemodel"}]}}), Some(true));
        check(json!({"detail": {"eventName": [{"anything-but": ["InvokeModel"]}]}}), Some(false));
        check(json!({"detail": {"eventName": [{"anything-but": "Converse"}]}}), Some(true));
        check(json!({"detail": {"eventName": [{"anything-but": {"prefix": "Inv"}}]}}), Some(false));
        check(json!({"detail": {"errorCode": [{"anything-but": "X"}]}}), Some(false));
        check(json!({"detail": {"errorCode": [{"exists": false}]}}), Some(true));
        check(json!({"detail": {"additional": {"deep": [{"exists": false}]}}}), Some(true));
        check(json!({"detail": {"readOnly": [true]}}), Some(true));
        check(json!({"resources": ["arn:aws:s3:::two"]}), Some(true));
        check(json!({"$or": [{"source": ["aws.ec2"]}, {"detail": {"eventName": ["InvokeModel"]}}]}), Some(true));
        check(json!({"$or": [{"source": ["aws.ec2"]}]}), Some(false));
        check(json!({"detail": {"eventName": [{"cidr": "10.0.0.0/8"}]}}), None);
        check(json!({"source": ["aws.bedrock", {"numeric": [">", 1]}]}), Some(true));
        check(json!({"source": "aws.bedrock"}), None);
        check(json!([]), None);
    }
}
