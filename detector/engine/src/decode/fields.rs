//! Answers what rules ask of a CloudTrail record.
//!
//! The fields decoded for every record are answered at once; any other field by parsing the section it lies in, once,
//! when it is first asked for. Counts over a principal's past are somebody else's: they are passed in.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value as Json;

use super::{section, via, workload};
use crate::{
    activity::ApiCall,
    bedrock::{Outcome, is_inference, normalise_model},
    rule::{Field, Fields, RecordField, Value},
    time::Second,
};

/// A call as rules see it.
pub struct CallFields<'a> {
    call: &'a ApiCall<'a>,
    history: Option<&'a dyn Fields>,
    sections: [OnceCell<Json>; 4],
    record: OnceCell<Json>,
    model: OnceCell<Option<String>>,
    via: OnceCell<Option<String>>,
    workload: OnceCell<Option<String>>,
}

impl<'a> CallFields<'a> {
    /// The fields of `call`. `history` answers window counts and `watch.principal.*`; without it they are missing.
    #[must_use]
    pub fn new(call: &'a ApiCall<'a>, history: Option<&'a dyn Fields>) -> Self {
        Self {
            call,
            history,
            sections: Default::default(),
            record: OnceCell::new(),
            model: OnceCell::new(),
            via: OnceCell::new(),
            workload: OnceCell::new(),
        }
    }

    fn record_field(&self, field: RecordField) -> Value<'_> {
        let identity = &self.call.identity;
        let optional = match field {
            RecordField::EventSource => return present(&self.call.source),
            RecordField::EventName => return present(&self.call.name),
            RecordField::EventId => return present(&self.call.event_id),
            RecordField::AwsRegion => return present(&self.call.region),
            RecordField::SourceIpAddress => &self.call.source_ip,
            RecordField::UserAgent => &self.call.user_agent,
            RecordField::ErrorCode => &self.call.error_code,
            RecordField::ErrorMessage => &self.call.error_message,
            RecordField::IdentityType => &identity.kind,
            RecordField::IdentityArn => &identity.arn,
            RecordField::IdentityAccountId => &identity.account_id,
            RecordField::IdentityAccessKeyId => &identity.access_key_id,
            RecordField::IdentityPrincipalId => &identity.principal_id,
            RecordField::IdentityUserName => &identity.user_name,
            RecordField::IdentityInvokedBy => &identity.invoked_by,
            RecordField::IdentityIssuerArn => &identity.issuer_arn,
        };
        optional.as_deref().map_or(Value::Missing, borrowed)
    }

    fn path(&self, path: &[String]) -> Value<'_> {
        let Some((first, rest)) = path.split_first() else { return Value::Missing };
        let [request, response, additional, resources] = &self.sections;
        let (raw, cell) = match first.as_str() {
            "requestParameters" => (&self.call.request, request),
            "responseElements" => (&self.call.response, response),
            "additionalEventData" => (&self.call.additional, additional),
            "resources" => (&self.call.resources, resources),
            _ => return at(self.record(), path),
        };
        raw.as_deref().map_or(Value::Missing, |raw| at(cell.get_or_init(|| section::value(raw)), rest))
    }

    fn record(&self) -> &Json {
        self.record.get_or_init(|| section::value(&self.call.record))
    }

    fn watch(&self, field: &Field, name: &str) -> Value<'_> {
        let is_inference = || is_inference(&self.call.source, &self.call.name);
        match name {
            "account" => present(&self.call.account),
            "region" => present(&self.call.region),
            "principal" => present(&self.call.principal),
            "credential" => borrowed(self.call.credential.as_str()),
            "inference" => Value::Bool(is_inference()),
            "outcome" => borrowed(outcome_name(Outcome::of(self.call.error_code.as_deref()))),
            "model" if is_inference() => optional(self.model.get_or_init(|| model(self.call)).as_deref()),
            "model" => Value::Missing,
            "via" => optional(self.via.get_or_init(|| via(self.call)).as_deref()),
            "workload" => optional(self.workload.get_or_init(|| workload(self.call)).as_deref()),
            _ => self.history.map_or(Value::Missing, |history| history.value(field)),
        }
    }
}

impl Fields for CallFields<'_> {
    fn time(&self) -> Option<Second> {
        Some(self.call.time)
    }

    fn value(&self, field: &Field) -> Value<'_> {
        match field {
            Field::Record(field) => self.record_field(*field),
            Field::Path(path) => self.path(path),
            Field::Watch(name) => self.watch(field, name),
            Field::Window { .. } => self.history.map_or(Value::Missing, |history| history.value(field)),
        }
    }

    fn upper_bound(&self, field: &Field) -> Option<i64> {
        match field {
            Field::Window { .. } | Field::Watch(_) => self.history.and_then(|history| history.upper_bound(field)),
            Field::Record(_) | Field::Path(_) => None,
        }
    }

    fn any_text(&self, found: &mut dyn FnMut(&str) -> bool) -> bool {
        any_text(self.record(), found)
    }
}

/// The normalised model that a call names.
fn model(call: &ApiCall<'_>) -> Option<String> {
    let id = section::text(call.request.as_deref()?, &["modelId"])?;
    (!id.is_empty()).then(|| normalise_model(&id).into_owned())
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Throttled => "throttled",
        Outcome::ServiceFailure => "service_failure",
        Outcome::Refused => "refused",
    }
}

fn borrowed(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn optional(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Missing, borrowed)
}

/// A field that every call has, though it may be empty.
fn present(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Missing } else { borrowed(text) }
}

/// The value at `path`; an array on the way stands for all of its elements.
fn at<'v>(value: &'v Json, path: &[String]) -> Value<'v> {
    let Some((first, rest)) = path.split_first() else { return whole(value) };
    match value {
        Json::Object(fields) => fields.get(first).map_or(Value::Missing, |field| at(field, rest)),
        Json::Array(elements) => {
            let mut found = Vec::new();
            for element in elements {
                match at(element, path) {
                    Value::Missing => {}
                    Value::List(values) => found.extend(values),
                    value => found.push(value),
                }
            }
            if found.is_empty() { Value::Missing } else { Value::List(found) }
        }
        _ => Value::Missing,
    }
}

fn whole(value: &Json) -> Value<'_> {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => number.as_f64().map_or(Value::Missing, Value::Float),
        },
        Json::String(text) => borrowed(text),
        Json::Array(elements) => Value::List(elements.iter().map(whole).collect()),
        Json::Object(_) => Value::Object,
    }
}

fn any_text(value: &Json, found: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Json::String(text) => found(text),
        Json::Array(elements) => elements.iter().any(|element| any_text(element, found)),
        Json::Object(fields) => fields.values().any(|field| any_text(field, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activity;

    const RECORD: &str = r#"{"eventVersion":"1.11","eventTime":"2026-11-22T05:39:00Z","eventSource":"bedrock.amazonaws.com",
        "eventName":"InvokeModel","awsRegion":"us-east-1","recipientAccountId":"111122223333","errorCode":"AccessDenied",
        "userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/a","accessKeyId":"AKIA1","invokedBy":"x.y",
        "sessionContext":{"attributes":{"mfaAuthenticated":"false"}}},
        "requestParameters":{"modelId":"us.amazon.nova-pro-v1:0","n":3,"f":1.5,"b":true,"z":null,
        "items":[{"k":"a","deep":[{"v":1},{"v":2}]},{"k":"b"},{"other":0}],"empty":[]},"readOnly":true}"#;

    #[test]
    fn answers_what_rules_ask() {
        let Ok(Activity::Call(call)) = crate::decode::decode(RECORD.as_bytes()) else { panic!("no call") };
        let fields = CallFields::new(&call, None);
        let path = |dotted: &str| Field::Path(dotted.split('.').map(str::to_owned).collect());
        let check = |field: &Field, expected: Value<'_>| assert_eq!(fields.value(field), expected, "{field:?}");
        let strings = |texts: &'static [&'static str]| Value::List(texts.iter().map(|text| borrowed(text)).collect());
        check(&Field::Record(RecordField::ErrorCode), borrowed("AccessDenied"));
        check(&Field::Record(RecordField::ErrorMessage), Value::Missing);
        check(&path("requestParameters.modelId"), borrowed("us.amazon.nova-pro-v1:0"));
        check(&path("requestParameters.n"), Value::Int(3));
        check(&path("requestParameters.f"), Value::Float(1.5));
        check(&path("requestParameters.b"), Value::Bool(true));
        check(&path("requestParameters.z"), Value::Null);
        check(&path("requestParameters.items.k"), strings(&["a", "b"]));
        check(&path("requestParameters.items.deep.v"), Value::List(vec![Value::Int(1), Value::Int(2)]));
        check(&path("requestParameters.empty.k"), Value::Missing);
        check(&path("requestParameters"), Value::Object);
        check(&path("responseElements.x"), Value::Missing);
        check(&path("userIdentity.sessionContext.attributes.mfaAuthenticated"), borrowed("false"));
        check(&path("readOnly"), Value::Bool(true));
        check(&Field::Watch("account"), borrowed("111122223333"));
        check(&Field::Watch("model"), borrowed("amazon.nova-pro-v1:0"));
        check(&Field::Watch("credential"), borrowed("long_term_key"));
        check(&Field::Watch("outcome"), borrowed("refused"));
        check(&Field::Watch("inference"), Value::Bool(true));
        check(&Field::Watch("via"), borrowed("service:x.y"));
        check(&Field::Watch("workload"), Value::Missing);
        check(&Field::Watch("principal.burst_ratio"), Value::Missing);
        assert!(fields.any_text(&mut |text| text == "us.amazon.nova-pro-v1:0"));
        assert!(!fields.any_text(&mut |text| text == "absent"));
    }
}
