//! What a change of a bucket's settings means for who can read its content and how long it lasts.
//!
//! Deliberately no evaluation of policies: what Allow names is looked at, and a statement with a condition is taken to
//! be narrowed enough. It is about data that jobs, knowledge bases and invocation logs use, not about S3 at large.

use serde_json::Value;

use super::{
    group_rules::text,
    json::At,
    resource::{Effect, Exposure, Loss, Return},
};

/// Which setting of a bucket a call replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Policy,
    PolicyDeleted,
    Replication,
    PublicAccessBlock,
    Lifecycle,
}

/// An object that expires within so many days is gone before anybody misses it; log and training buckets that expire
/// by design keep objects for longer.
const EXPIRY_DAYS: u64 = 7;

/// What the call did to the bucket, which belongs to `account`.
pub(super) fn effect(setting: Setting, request: &Value, account: &str) -> Effect {
    let exposed = match setting {
        Setting::Policy => of_policy(request.at("bucketPolicy"), account),
        Setting::PolicyDeleted => Some(Exposure::PolicyDeleted),
        Setting::Replication => leaves(request.at("ReplicationConfiguration"), account).then_some(Exposure::Replicated),
        Setting::PublicAccessBlock => {
            let block = request.at("PublicAccessBlockConfiguration");
            const WAYS: [&str; 4] =
                ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
            let blocks = WAYS.iter().all(|way| truth(block.at(way)));
            (!blocks).then_some(Exposure::BlockLowered)
        }
        Setting::Lifecycle => expires(request.at("LifecycleConfiguration")).then_some(Exposure::Expiring),
    };
    let otherwise = match setting {
        Setting::Policy | Setting::PolicyDeleted => Exposure::PolicyPublic,
        Setting::Replication => Exposure::Replicated,
        Setting::PublicAccessBlock => Exposure::BlockLowered,
        Setting::Lifecycle => Exposure::Expiring,
    };
    exposed.map_or(Effect::Back(Return::Unexposed(otherwise)), |exposed| Effect::Lost(Loss::Exposed(exposed)))
}

/// CloudTrail writes a single element of XML without a list around it.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
}

fn of_policy(policy: &Value, account: &str) -> Option<Exposure> {
    let parsed = policy.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let policy = parsed.as_ref().unwrap_or(policy);
    let open = each(policy.at("Statement")).into_iter().filter(|statement| {
        let narrowed = statement.at("Condition").as_object().is_some_and(|conditions| !conditions.is_empty());
        text(statement.at("Effect")).as_deref() == Some("Allow") && !narrowed
    });
    let named: Vec<String> = open
        .flat_map(|statement| {
            let principal = statement.at("Principal");
            each(if principal.is_string() { principal } else { principal.at("AWS") })
        })
        .filter_map(text)
        .collect();
    if named.iter().any(|name| name == "*") {
        return Some(Exposure::PolicyPublic);
    }
    named
        .iter()
        .any(|name| account_of(name).is_some_and(|owner| owner != account))
        .then_some(Exposure::PolicyCrossAccount)
}

/// The account of a principal; `None` for what names none, such as CloudFront's identities.
fn account_of(principal: &str) -> Option<&str> {
    let account = if principal.starts_with("arn:") { principal.split(':').nth(4)? } else { principal };
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// Whether objects are copied to a bucket of another account.
fn leaves(replication: &Value, account: &str) -> bool {
    each(replication.at("Rule")).into_iter().any(|rule| {
        let disabled = text(rule.at("Status")).as_deref() == Some("Disabled");
        !disabled && text(rule.at("Destination").at("Account")).is_some_and(|owner| owner != account)
    })
}

/// Whether objects expire within days.
fn expires(lifecycle: &Value) -> bool {
    each(lifecycle.at("Rule")).into_iter().any(|rule| {
        let disabled = text(rule.at("Status")).as_deref() == Some("Disabled");
        let days = text(rule.at("Expiration").at("Days")).and_then(|days| days.parse::<u64>().ok());
        !disabled && days.is_some_and(|days| days <= EXPIRY_DAYS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_read() {
        let check = |setting: Setting, request: Value, expected: Option<Exposure>| {
            let found = match effect(setting, &request, "111122223333") {
                Effect::Lost(Loss::Exposed(exposure)) => Some(exposure),
                _ => None,
            };
            assert_eq!(found, expected, "{request}");
        };
        let policy = |principal: Value, condition: Value| json!({"bucketPolicy": {"Statement": [{"Effect": "Allow", "Principal": principal, "Condition": condition}]}});
        check(Setting::Policy, policy(json!("*"), Value::Null), Some(Exposure::PolicyPublic));
        check(Setting::Policy, policy(json!({"AWS": ["*"]}), json!({})), Some(Exposure::PolicyPublic));
        let narrowed = json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}});
        check(Setting::Policy, policy(json!("*"), narrowed), None);
        let other = json!({"AWS": "arn:aws:iam::999988887777:root"});
        check(Setting::Policy, policy(other, Value::Null), Some(Exposure::PolicyCrossAccount));
        check(Setting::Policy, policy(json!({"AWS": "999988887777"}), Value::Null), Some(Exposure::PolicyCrossAccount));
        check(Setting::Policy, policy(json!({"AWS": "arn:aws:iam::111122223333:role/a"}), Value::Null), None);
        check(Setting::Policy, policy(json!({"Service": "bedrock.amazonaws.com"}), Value::Null), None);
        let denied = json!({"bucketPolicy": {"Statement": {"Effect": "Deny", "Principal": "*"}}});
        check(Setting::Policy, denied, None);
        let text = r#"{"Statement":{"Effect":"Allow","Principal":"*"}}"#;
        check(Setting::Policy, json!({"bucketPolicy": text}), Some(Exposure::PolicyPublic));
        check(Setting::PolicyDeleted, json!({}), Some(Exposure::PolicyDeleted));
        let to = |account: &str| json!({"ReplicationConfiguration": {"Rule": {"Destination": {"Account": account}}}});
        check(Setting::Replication, to("999988887777"), Some(Exposure::Replicated));
        check(Setting::Replication, to("111122223333"), None);
        check(Setting::Replication, json!({"replication": ""}), None);
        let block = |restrict: Value| {
            json!({"PublicAccessBlockConfiguration": {"BlockPublicAcls": true, "IgnorePublicAcls": "true",
                "BlockPublicPolicy": true, "RestrictPublicBuckets": restrict}})
        };
        check(Setting::PublicAccessBlock, block(json!(true)), None);
        check(Setting::PublicAccessBlock, block(json!(false)), Some(Exposure::BlockLowered));
        check(Setting::PublicAccessBlock, json!({"publicAccessBlock": ""}), Some(Exposure::BlockLowered));
        let days = |days: u64| json!({"LifecycleConfiguration": {"Rule": [{"Expiration": {"Days": days}}]}});
        check(Setting::Lifecycle, days(7), Some(Exposure::Expiring));
        check(Setting::Lifecycle, days(8), None);
    }
}
