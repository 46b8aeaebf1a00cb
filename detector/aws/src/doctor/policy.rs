//! What can be read from a resource policy or trust policy without evaluating IAM.
//!
//! Deliberately no evaluation of identity policies: AWS is asked to simulate those, because boundaries and service control
//! policies take part.

use serde_json::Value;

/// Whether a policy has a statement that allows `principal` (an ARN, account root or service) `action`, whatever its
/// conditions. A policy that cannot be read allows nothing.
#[must_use]
pub(super) fn allows(policy: &str, principal: &str, action: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let statements = policy.get("Statement").map(each).into_iter().flatten();
    statements.into_iter().any(|statement| {
        let (effect, actions, wanted) = (statement.get("Effect"), statement.get("Action"), statement.get("Principal"));
        let mut actions = actions.map(each).into_iter().flatten().filter_map(Value::as_str);
        effect.and_then(Value::as_str) == Some("Allow")
            && actions.any(|known| covers(known, action))
            && wanted.is_some_and(|wanted| names(wanted, principal))
    })
}

fn names(wanted: &Value, principal: &str) -> bool {
    if wanted == "*" {
        return true;
    }
    let Value::Object(kinds) = wanted else { return false };
    kinds.values().flat_map(each).filter_map(Value::as_str).any(|known| known == principal || known == "*")
}

/// `kms:*` covers `kms:Decrypt`; names of actions are not case-sensitive.
fn covers(known: &str, action: &str) -> bool {
    let (known, action) = (known.to_ascii_lowercase(), action.to_ascii_lowercase());
    known.strip_suffix('*').map_or(known == action, |prefix| action.starts_with(prefix))
}

/// A value, or each item of a list.
fn each(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Null => Box::new(std::iter::empty()),
        other => Box::new(std::iter::once(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_forms() {
        let check = |policy: &str, principal: &str, action: &str, expected: bool| {
            assert_eq!(allows(policy, principal, action), expected, "{policy}");
        };
        let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        check(trust, "events.amazonaws.com", "sts:AssumeRole", true);
        check(trust, "lambda.amazonaws.com", "sts:AssumeRole", false);
        check(trust, "events.amazonaws.com", "sts:TagSession", false);
        let key = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:root"]},"Action":"kms:*"}}"#;
        check(key, "arn:aws:iam::1:root", "kms:GenerateDataKey", true);
        let deny = r#"{"Statement":[{"Effect":"Deny","Principal":"*","Action":"kms:*"}]}"#;
        check(deny, "arn:aws:iam::1:root", "kms:Decrypt", false);
        check("no JSON", "x", "kms:Decrypt", false);
        check(
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":["sqs:SendMessage"]}]}"#,
            "x",
            "SQS:SendMessage",
            true,
        );
    }
}
