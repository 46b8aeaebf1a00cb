//! A record in its envelope, in the order of fields that AWS writes.

use bedrock_watch_engine::Second;
use rand::Rng;

use super::{
    Event,
    population::Caller,
    words::{USER_AGENTS, hex, pick, push, uuid},
};

/// What a record is made of.
pub(super) struct Parts<'a> {
    pub(super) at: Second,
    pub(super) caller: &'a Caller,
    pub(super) region: &'a str,
    pub(super) event: &'a Event,
}

/// Appends the record.
pub(super) fn write(random: &mut impl Rng, out: &mut Vec<u8>, parts: &Parts<'_>) {
    let Parts { at, caller, region, event } = parts;
    let Event { service, name, error, request, response, additional, resources, read_only } = event;
    let time = at.to_rfc3339();
    let account = &caller.account;
    let short = service.split('.').next().unwrap_or_default();
    let agent = pick(random, &USER_AGENTS).replace("{}", name);
    let address = format!(
        "{}.{}.{}.{}",
        pick(random, &["3", "18", "34", "52", "54", "10", "203"]),
        random.random_range(0..256),
        random.random_range(0..256),
        random.random_range(1..255)
    );
    let data_event = name.ends_with("Object") || *name == "Invoke";
    let category = if data_event { "Data" } else { "Management" };
    let mut text = String::with_capacity(2_600);
    push(
        &mut text,
        format_args!(
            r#"{{"version":"0","id":"{}","detail-type":"AWS API Call via CloudTrail","source":"aws.{short}","account":"{account}","time":"{time}","region":"{region}","resources":[],"detail":{{"eventVersion":"1.11","userIdentity":{},"eventTime":"{time}","eventSource":"{service}","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{agent}",{error}"requestParameters":{request},"responseElements":{response},{additional}"requestID":"{}","eventID":"{}","readOnly":{read_only},{resources}"eventType":"AwsApiCall","managementEvent":{},"recipientAccountId":"{account}","eventCategory":"{category}","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{short}.{region}.amazonaws.com"}}"#,
            uuid(random),
            caller.identity,
            uuid(random),
            uuid(random),
            !data_event,
        ),
    );
    if random.random_bool(0.35) {
        let endpoint = hex(random, 16);
        push(&mut text, format_args!(r#","vpcEndpointId":"vpce-0{endpoint}","vpcEndpointAccountId":"{account}""#));
    }
    text.push_str("}}");
    out.extend_from_slice(text.as_bytes());
}
