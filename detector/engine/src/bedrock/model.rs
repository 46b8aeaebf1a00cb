//! One name for one model, however a call wrote it.

use std::borrow::Cow;

/// The name under which every ARN counts that inventory has not resolved to a model.
const UNRESOLVED: &str = "unresolved";

/// Whether what stands before the first dot marks a cross-region inference profile; what follows is the model.
fn is_geography(prefix: &[u8]) -> bool {
    matches!(prefix, b"us" | b"eu" | b"apac" | b"global" | b"us-gov" | b"jp" | b"au" | b"ca" | b"sa" | b"me")
}

/// Resource types whose ARN does not say which model works behind it.
const OPAQUE_RESOURCES: [&str; 4] =
    ["application-inference-profile", "provisioned-model", "custom-model", "custom-model-deployment"];

/// The last segment of an ARN or id, without a cross-region prefix.
///
/// Application inference profiles, provisioned and custom models count together as `unresolved`, because their ARNs
/// name no model.
#[must_use]
pub fn normalise_model(model_id: &str) -> Cow<'_, str> {
    if is_opaque(model_id) {
        return Cow::Borrowed(UNRESOLVED);
    }
    let last = after_last_slash(model_id);
    let dot = last.bytes().position(|byte| byte == b'.').unwrap_or(last.len());
    match last.as_bytes().split_at_checked(dot) {
        Some((prefix, [b'.', ..])) if is_geography(prefix) => {
            Cow::Borrowed(last.get(dot.saturating_add(1)..).unwrap_or(last))
        }
        _ => Cow::Borrowed(last),
    }
}

fn is_opaque(model_id: &str) -> bool {
    // arn:partition:service:region:account:resource
    if !model_id.starts_with("arn:") {
        return false;
    }
    let Some(colon) = memchr::memchr_iter(b':', model_id.as_bytes()).nth(4) else { return false };
    let Some(resource) = model_id.get(colon.saturating_add(1)..) else { return false };
    let end = memchr::memchr2(b'/', b':', resource.as_bytes()).unwrap_or(resource.len());
    resource.get(..end).is_some_and(|kind| OPAQUE_RESOURCES.contains(&kind))
}

/// The last segment of an ARN or id.
pub(crate) fn after_last_slash(id: &str) -> &str {
    let start = memchr::memrchr(b'/', id.as_bytes()).map_or(0, |slash| slash.saturating_add(1));
    id.get(start..).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::normalise_model;

    #[test]
    fn one_name_for_one_model() {
        let check = |id: &str, expected: &str| assert_eq!(normalise_model(id), expected, "{id}");
        check("anthropic.claude-3-sonnet-20240229-v1:0", "anthropic.claude-3-sonnet-20240229-v1:0");
        check("us.anthropic.claude-3-sonnet-20240229-v1:0", "anthropic.claude-3-sonnet-20240229-v1:0");
        check(
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-sonnet-20240229-v1:0",
            "anthropic.claude-3-sonnet-20240229-v1:0",
        );
        check(
            "arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.amazon.nova-pro-v1:0",
            "amazon.nova-pro-v1:0",
        );
        check("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/a1b2c3", "unresolved");
        check("arn:aws:bedrock:us-east-1:111122223333:provisioned-model/x9", "unresolved");
        check("arn:aws:bedrock:us-east-1:111122223333:custom-model/amazon.titan/abc", "unresolved");
        check("usable.model", "usable.model");
    }
}
