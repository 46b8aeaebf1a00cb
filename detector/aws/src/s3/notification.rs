//! Which objects a notification names: S3's own, EventBridge's, or CloudTrail's, each also through SNS.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::sqs::unwrapped;

/// What CloudTrail sends once to a topic it was given.
const VALIDATION: &str = "CloudTrail validation message";

/// An object that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) bucket: String,
    pub(super) key: String,
    /// The bucket's region, where the notification says.
    pub(super) region: Option<String>,
}

/// The objects that a message names; none where it is about something else that S3 says.
pub(super) fn named(body: &str) -> Result<Vec<Named>, String> {
    let body = unwrapped(body);
    if body.starts_with(VALIDATION) {
        return Ok(Vec::new());
    }
    let wrong = || "it is no notification of S3 or CloudTrail about an object".to_owned();
    let value: Value = serde_json::from_str(&body).map_err(|_| wrong())?;
    if let Some(records) = value.get("Records").and_then(Value::as_array) {
        return records
            .iter()
            .filter(|record| is_created(record))
            .map(|record| of_s3(record).ok_or_else(wrong))
            .collect();
    }
    match text(&value, "/detail-type") {
        Some("Object Created") => return of_eventbridge(&value).map(|named| vec![named]).ok_or_else(wrong),
        Some(_) if text(&value, "/source") == Some("aws.s3") => return Ok(Vec::new()),
        _ => {}
    }
    if text(&value, "/Event") == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    of_cloudtrail(&value).ok_or_else(wrong)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn is_created(record: &Value) -> bool {
    // What has no name is looked at, and found wanting.
    text(record, "/eventName").is_none_or(|name| name.starts_with("ObjectCreated:"))
}

/// Keys are encoded there as in a form.
fn of_s3(record: &Value) -> Option<Named> {
    let key = text(record, "/s3/object/key")?.replace('+', " ");
    let key = percent_decode_str(&key).decode_utf8().ok()?.into_owned();
    let region = text(record, "/awsRegion").map(str::to_owned);
    Some(Named { bucket: text(record, "/s3/bucket/name")?.to_owned(), key, region })
}

fn of_eventbridge(event: &Value) -> Option<Named> {
    let own = |pointer: &str| text(event, pointer).map(str::to_owned);
    Some(Named { bucket: own("/detail/bucket/name")?, key: own("/detail/object/key")?, region: own("/region") })
}

fn of_cloudtrail(value: &Value) -> Option<Vec<Named>> {
    let bucket = text(value, "/s3Bucket")?;
    let keys = value.get("s3ObjectKey")?.as_array()?;
    let named = |key: &Value| Some(Named { bucket: bucket.to_owned(), key: key.as_str()?.to_owned(), region: None });
    keys.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_names_the_object() {
        let check = |body: &str, expected: Option<&[(&str, &str, Option<&str>)]>| {
            let found = named(body).ok();
            let found = found.as_ref().map(|found| {
                let parts = |named: &Named| (named.bucket.clone(), named.key.clone(), named.region.clone());
                found.iter().map(parts).collect::<Vec<_>>()
            });
            let own = |(bucket, key, region): &(&str, &str, Option<&str>)| {
                ((*bucket).to_owned(), (*key).to_owned(), region.map(str::to_owned))
            };
            assert_eq!(found, expected.map(|expected| expected.iter().map(own).collect()), "{body}");
        };
        let s3 = json!({"Records": [
            {"eventName": "ObjectCreated:Put", "awsRegion": "eu-west-1",
             "s3": {"bucket": {"name": "b"}, "object": {"key": "a+b/c%2Bd%C3%A9.gz", "size": 1}}},
            {"eventName": "ObjectRemoved:Delete", "s3": {"bucket": {"name": "b"}, "object": {"key": "gone"}}},
        ]})
        .to_string();
        let found: &[_] = &[("b", "a b/c+dé.gz", Some("eu-west-1"))];
        check(&s3, Some(found));
        let through_sns = json!({"Type": "Notification", "TopicArn": "arn:t", "Message": s3}).to_string();
        check(&through_sns, Some(found));
        let event = json!({"detail-type": "Object Created", "source": "aws.s3", "region": "us-east-1",
            "detail": {"bucket": {"name": "b"}, "object": {"key": "a+b%20.gz"}}});
        check(&event.to_string(), Some(&[("b", "a+b%20.gz", Some("us-east-1"))]));
        check(&json!({"detail-type": "Object Deleted", "source": "aws.s3", "detail": {}}).to_string(), Some(&[]));
        check(&json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}).to_string(), Some(&[]));
        let trail = json!({"s3Bucket": "b", "s3ObjectKey": ["k/1", "k/2"]}).to_string();
        check(&trail, Some(&[("b", "k/1", None), ("b", "k/2", None)]));
        check("CloudTrail validation message.", Some(&[]));
        check(r#"{"Records":[]}"#, Some(&[]));
        for wrong in ["", "hello", "{}", "[]", r#"{"Records":[{"eventVersion":"1.11"}]}"#, r#"{"s3Bucket":"b"}"#] {
            check(wrong, None);
        }
    }
}
