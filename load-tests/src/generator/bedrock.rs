//! Invocations, and the events that rules and the world look at.

use rand::Rng;

use super::{
    Event,
    population::Caller,
    words::{MODELS, hex, pick, uuid},
};

const BEDROCK: &str = "bedrock.amazonaws.com";
const NULL: &str = "null";

/// A call of a model; six in a hundred are denied.
pub(super) fn invocation(random: &mut impl Rng, region: &str, caller: &Caller) -> Event {
    let name = match random.random_range(0..10) {
        0..5 => "InvokeModel",
        5..7 => "InvokeModelWithResponseStream",
        7..9 => "Converse",
        _ => "ConverseStream",
    };
    let model = pick(random, &MODELS);
    let account = &caller.account;
    let model_id = if random.random_bool(0.7) {
        model.to_owned()
    } else {
        format!("arn:aws:bedrock:{region}:{account}:inference-profile/us.{model}")
    };
    let error = if random.random_bool(0.06) {
        let arn = &caller.arn;
        format!(
            r#""errorCode":"AccessDenied","errorMessage":"User: {arn} is not authorized to perform: bedrock:{name} on resource: arn:aws:bedrock:{region}::foundation-model/{model} because no identity-based policy allows the bedrock:{name} action","#
        )
    } else {
        String::new()
    };
    let inference_region = pick(random, &["us-east-1", "us-east-2", "us-west-2"]);
    let length = random.random_range(200..90_000);
    Event {
        error,
        additional: format!(
            r#""additionalEventData":{{"inferenceRegion":"{inference_region}","requestContentLength":{length}}},"#
        ),
        ..Event::new(BEDROCK, name, format!(r#"{{"modelId":"{model_id}"}}"#), NULL.to_owned(), true)
    }
}

/// Jobs, security group rules, guardrails, logging and model access.
pub(super) fn interesting(random: &mut impl Rng, region: &str, account: &str) -> Event {
    let null = || NULL.to_owned();
    match random.random_range(0..8) {
        0 => {
            let (request, response) = job(random, region, account);
            Event::new(BEDROCK, "CreateModelCustomizationJob", request, response, false)
        }
        1 | 2 => group_rule(random, account),
        3 => {
            let request = format!(r#"{{"guardrailIdentifier":"{}"}}"#, hex(random, 12));
            Event::new(BEDROCK, "DeleteGuardrail", request, null(), false)
        }
        4 => Event::new(BEDROCK, "DeleteModelInvocationLoggingConfiguration", null(), null(), false),
        5 => Event::new(BEDROCK, "ListFoundationModels", null(), null(), true),
        6 => {
            let request = r#"{"formData":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#.to_owned();
            Event::new(BEDROCK, "PutUseCaseForModelAccess", request, null(), false)
        }
        _ => {
            let request =
                r#"{"roleName":"BedrockFT","policyArn":"arn:aws:iam::aws:policy/AmazonBedrockFullAccess"}"#.to_owned();
            Event::new("iam.amazonaws.com", "AttachRolePolicy", request, null(), false)
        }
    }
}

fn job(random: &mut impl Rng, region: &str, account: &str) -> (String, String) {
    let request = format!(
        r#"{{"jobName":"ft-{}","customModelName":"custom-{}","roleArn":"arn:aws:iam::{account}:role/BedrockFT","baseModelIdentifier":"amazon.nova-lite-v1:0:300k","trainingDataConfig":{{"s3Uri":"s3://{}/train/{}.jsonl"}},"outputDataConfig":{{"s3Uri":"s3://corp-ml/out/"}},"hyperParameters":{{"epochCount":"2","batchSize":"1","learningRate":"0.00001"}},"vpcConfig":{{"subnetIds":["subnet-0{}"],"securityGroupIds":["sg-0{}"]}},"clientRequestToken":"{}","customizationType":"FINE_TUNING"}}"#,
        hex(random, 8),
        hex(random, 6),
        pick(random, &["corp-ml", "ext-bkt-9931"]),
        hex(random, 10),
        hex(random, 16),
        hex(random, 16),
        uuid(random),
    );
    let id = hex(random, 12);
    let response = format!(
        r#"{{"jobArn":"arn:aws:bedrock:{region}:{account}:model-customization-job/amazon.nova-lite-v1:0:300k/{id}"}}"#
    );
    (request, response)
}

/// A rule added to a security group.
pub(super) fn group_rule(random: &mut impl Rng, account: &str) -> Event {
    let cidr = pick(random, &["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32"]);
    let group = hex(random, 16);
    let request = format!(
        r#"{{"groupId":"sg-0{group}","ipPermissions":{{"items":[{{"ipProtocol":"tcp","fromPort":443,"toPort":443,"groups":{{}},"ipRanges":{{"items":[{{"cidrIp":"{cidr}","description":"temp"}}]}},"ipv6Ranges":{{}},"prefixListIds":{{}}}}]}}}}"#
    );
    let response = format!(
        r#"{{"requestId":"{}","_return":true,"securityGroupRuleSet":{{"items":[{{"groupOwnerId":"{account}","groupId":"sg-0{group}","securityGroupRuleId":"sgr-0{}","isEgress":false,"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"{cidr}"}}]}}}}"#,
        uuid(random),
        hex(random, 16),
    );
    Event::new("ec2.amazonaws.com", "AuthorizeSecurityGroupIngress", request, response, false)
}
