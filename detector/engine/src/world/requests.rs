//! Reads what calls carry into what the world keeps: a customization job's request, an endpoint's nested shapes, tags.
//!
//! No public CloudTrail sample of CreateModelCustomizationJob exists; the names are those of the service model, and
//! every one of them may be missing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    dependent::Dependent,
    group_rules::{items, text},
    json::At,
};

/// Strings of a list in any of CloudTrail's shapes.
pub(crate) fn texts(list: &Value) -> impl Iterator<Item = Box<str>> + '_ {
    items(list).filter_map(text).map(String::into_boxed_str)
}

/// Takes what a creation request says into a job.
pub(crate) fn read_job_request(job: &mut Dependent, request: &Value) {
    let vpc = request.at("vpcConfig");
    job.security_groups.extend(texts(vpc.at("securityGroupIds")));
    job.subnets.extend(texts(vpc.at("subnetIds")));
    set_key(&mut job.kms_key, request.at("customModelKmsKeyId"));
    set(&mut job.output_model, request.at("customModelName"));
    set(&mut job.base_model, request.at("baseModelIdentifier"));
    set(&mut job.customization_type, request.at("customizationType"));
    read_common(job, request);
    job.job_tags.extend(tags(request.at("jobTags")));
    job.model_tags.extend(tags(request.at("customModelTags")));
}

/// Takes what a native event's detail says into a job; it never names the VPC configuration.
pub(crate) fn read_job_detail(job: &mut Dependent, detail: &Value) {
    set(&mut job.output_model, detail.at("outputModelName"));
    set(&mut job.output_model_arn, detail.at("outputModelArn"));
    set(&mut job.base_model, detail.at("baseModelArn"));
    read_common(job, detail);
}

fn read_common(job: &mut Dependent, source: &Value) {
    set(&mut job.role_arn, source.at("roleArn"));
    set(&mut job.training_uri, source.at("trainingDataConfig").at("s3Uri"));
    set(&mut job.output_uri, source.at("outputDataConfig").at("s3Uri"));
    let validators =
        items(source.at("validationDataConfig").at("validators")).chain(items(source.at("validationDataConfig")));
    job.validation_uris
        .extend(validators.filter_map(|validator| text(validator.at("s3Uri"))).map(String::into_boxed_str));
    if let Some(parameters) = source.at("hyperParameters").as_object() {
        let known = parameters.iter().filter_map(|(name, value)| Some((name.as_str().into(), text(value)?.into())));
        job.hyper_parameters.extend(known);
    }
}

/// Sets a field that several sources may name: the least text wins, so that the order of arrival does not.
pub(crate) fn set(field: &mut Option<Box<str>>, value: &Value) {
    if let Some(value) = text(value) {
        set_text(field, &value);
    }
}

/// [`set`], for a text.
pub(crate) fn set_text(field: &mut Option<Box<str>>, value: &str) {
    if !value.is_empty() && field.as_deref().is_none_or(|known| value < known) {
        *field = Some(value.into());
    }
}

/// [`set`], for a key, which a call to disable or delete it names by its ARN or id: an alias, which says less, never takes
/// the place of either.
pub(crate) fn set_key(field: &mut Option<Box<str>>, value: &Value) {
    if let Some(value) = text(value) {
        set_key_text(field, &value);
    }
}

/// [`set_key`], for a text.
pub(crate) fn set_key_text(field: &mut Option<Box<str>>, value: &str) {
    let rank = |key: &str| match (key.contains("alias/"), key.starts_with("arn:")) {
        (false, true) => 0,
        (false, false) => 1,
        (true, _) => 2,
    };
    let is_better = |known: &str| (rank(value), value) < (rank(known), known);
    if !value.is_empty() && field.as_deref().is_none_or(is_better) {
        *field = Some(value.into());
    }
}

/// Tags, as lists of `{key, value}` in either case.
pub(crate) fn tags(list: &Value) -> BTreeMap<Box<str>, Box<str>> {
    let pair = |item: &Value| {
        let key = text(item.at("key")).or_else(|| text(item.at("Key")))?;
        let value = text(item.at("value")).or_else(|| text(item.at("Value"))).unwrap_or_default();
        Some((key.into(), value.into()))
    };
    items(list).filter_map(pair).collect()
}

/// The ids of `DeleteVpcEndpoints`, which CloudTrail nests as `{"tag": 1, "content": "vpce-..."}` or a list of such.
pub(crate) fn deleted_endpoints(request: &Value, response: &Value) -> Vec<Box<str>> {
    let nested = request.at("DeleteVpcEndpointsRequest").at("VpcEndpointId");
    let flat = request.at("vpcEndpointIds");
    let unsuccessful = response.to_string();
    let mut ids: Vec<Box<str>> = Vec::new();
    for list in [nested, flat] {
        match list {
            Value::Array(_) => ids.extend(items(list).filter_map(endpoint_id)),
            Value::Object(fields) if fields.contains_key("items") => ids.extend(items(list).filter_map(endpoint_id)),
            other => ids.extend(endpoint_id(other)),
        }
    }
    // A bulk call succeeds as a whole even when it deleted nothing: what its answer names was not deleted.
    ids.into_iter().filter(|id| !unsuccessful.contains(&**id)).collect()
}

fn endpoint_id(value: &Value) -> Option<Box<str>> {
    text(value).or_else(|| text(value.at("content"))).or_else(|| text(value.at("vpcEndpointId"))).map(Into::into)
}

/// The id and VPC of a created endpoint.
pub(crate) fn created_endpoint(request: &Value, response: &Value) -> Option<(String, String)> {
    let nested_request = request.at("CreateVpcEndpointRequest");
    let nested_response = response.at("CreateVpcEndpointResponse").at("vpcEndpoint");
    let id =
        text(nested_response.at("vpcEndpointId")).or_else(|| text(response.at("vpcEndpoint").at("vpcEndpointId")))?;
    let vpc = [
        nested_request.at("VpcId"),
        request.at("vpcId"),
        nested_response.at("vpcId"),
        response.at("vpcEndpoint").at("vpcId"),
    ]
    .into_iter()
    .find_map(text)?;
    Some((id, vpc))
}

/// Whether a trust policy lets Bedrock assume the role; policies arrive as JSON text, sometimes URL-encoded.
pub(crate) fn trusts_bedrock(policy: &Value) -> bool {
    policy.as_str().map_or_else(|| policy.to_string(), str::to_owned).contains("bedrock.amazonaws.com")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_best_name_of_a_key_wins_in_any_order() {
        let arn = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
        let (id, alias) = ("1234abcd", "arn:aws:kms:us-east-1:111122223333:alias/tuning");
        let check = |names: &[&str], expected: &str| {
            for from in 0..names.len() {
                let mut known = None;
                names.iter().cycle().skip(from).take(names.len()).for_each(|name| set_key_text(&mut known, name));
                assert_eq!(known.as_deref(), Some(expected), "{names:?} from {from}");
            }
        };
        check(&[alias, arn], arn);
        check(&[alias, id], id);
        check(&["alias/tuning", id, arn], arn);
        check(&["alias/b", "", "alias/a"], "alias/a");
    }

    #[test]
    fn reads_deleted_endpoints() {
        let check = |request: Value, response: Value, expected: &[&str]| {
            let ids: Vec<String> = deleted_endpoints(&request, &response).iter().map(ToString::to_string).collect();
            assert_eq!(ids, expected);
        };
        let one = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": {"tag": 1, "content": "vpce-1"}}});
        let two = json!({"DeleteVpcEndpointsRequest": {"VpcEndpointId": [{"tag": 1, "content": "vpce-1"},
            {"tag": 2, "content": "vpce-2"}]}});
        check(one, Value::Null, &["vpce-1"]);
        check(two.clone(), Value::Null, &["vpce-1", "vpce-2"]);
        let refused = json!({"DeleteVpcEndpointsResponse": {"unsuccessful": {"item": {"resourceId": "vpce-2"}}}});
        check(two, refused, &["vpce-1"]);
        check(json!({}), Value::Null, &[]);
    }
}
