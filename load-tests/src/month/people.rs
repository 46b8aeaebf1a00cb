//! What people and their tools do in the month: developers in office hours, newcomers, travellers, CI, scanners and
//! deployments; and the rest of the account, which has nothing to do with Bedrock.

use rand::Rng;

use super::{
    DATA, DEV, PROD,
    record::{CONSOLE, Call, TERRAFORM, Tokens, Who},
    stream::{Minute, Stream},
};

/// What developers try out.
const MODELS: [&str; 5] = [
    "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.titan-embed-text-v2:0",
    "meta.llama3-3-70b-instruct-v1:0",
];
/// Developers from the first day on.
const DEVELOPERS: u32 = 24;
/// The days on which another one joins.
const JOINING: [u32; 4] = [9, 15, 22, 25];
/// Developer 5 is abroad on these days.
const ABROAD: std::ops::Range<u32> = 16..20;
const REGIONS: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "sa-east-1",
];
/// What a posture scanner asks of Bedrock in each region.
const SCANNED: [&str; 10] = [
    "ListFoundationModels",
    "ListCustomModels",
    "ListModelCustomizationJobs",
    "ListProvisionedModelThroughputs",
    "GetModelInvocationLoggingConfiguration",
    "ListGuardrails",
    "ListAgents",
    "ListKnowledgeBases",
    "ListModelInvocationJobs",
    "ListInferenceProfiles",
];

/// Everything that people and their tools do in a minute; `background` calls of other services are made besides.
pub(super) fn minute(minute: Minute, stream: &mut Stream, background: f64) {
    developers(minute, stream);
    newcomer_enables(minute, stream);
    ci(minute, stream);
    scanner(minute, stream);
    terraform(minute, stream);
    others(minute, stream, background);
}

fn developer(number: u32, minute: Minute) -> Who {
    let abroad = number == 5 && ABROAD.contains(&minute.day());
    let address = if abroad { "198.51.100.77".to_owned() } else { format!("203.0.113.{}", 10 + number % 8) };
    let who = Who::person(DEV, &format!("dev{number:02}@example.com"), &address);
    if number.is_multiple_of(3) { who.with_agent(CONSOLE) } else { who }
}

fn developers(minute: Minute, stream: &mut Stream) {
    if !minute.is_office() {
        return;
    }
    let joined = JOINING.iter().filter(|day| **day <= minute.day()).count();
    let count = DEVELOPERS.saturating_add(u32::try_from(joined).unwrap_or(0));
    for number in 0..count {
        // Some minutes of work in an hour, each with a few calls.
        if !stream.random.random_bool(0.08) {
            continue;
        }
        let who = developer(number, minute);
        let model = MODELS.get(usize::try_from(number).unwrap_or(0) % 3).copied().unwrap_or_default();
        let model = if stream.random.random_bool(0.15) { stream.pick(&MODELS) } else { model };
        if stream.random.random_bool(0.05) {
            let at = stream.within(minute);
            stream.call(at, &who, &Call::reading("bedrock", "ListFoundationModels", "us-east-1"));
        }
        for _ in 0..stream.random.random_range(1..5) {
            let at = stream.within(minute);
            let tokens = Tokens { read: 3_000, cached: 8_000, written: 600 };
            if stream.random.random_ratio(1, 150) {
                let message = "The provided model identifier is invalid.";
                stream.fail(at, &who, "us-east-1", model, ("ValidationException", message));
            } else {
                stream.invoke(at, &who, "us-east-1", model, tokens);
            }
        }
    }
}

/// On the days on which somebody joins, that person asks for access to a model in the console, and uses it.
fn newcomer_enables(minute: Minute, stream: &mut Stream) {
    let Some(place) = JOINING.iter().position(|day| minute.is(*day, 9, 30)) else { return };
    let number = DEVELOPERS.saturating_add(u32::try_from(place).unwrap_or(0));
    let who = developer(number, minute).with_agent(CONSOLE);
    let at = minute.start();
    stream.call(at, &who, &Call::reading("bedrock", "ListFoundationModels", "us-east-1"));
    stream.call(at.plus(5), &who, &Call::reading("bedrock", "GetUseCaseForModelAccess", "us-east-1"));
    let request = r#"{"modelId":"amazon.nova-pro-v1:0"}"#;
    if place.is_multiple_of(2) {
        let call = Call::new("bedrock", "PutFoundationModelEntitlement", "us-east-1", request);
        stream.call(at.plus(40), &who, &call.answered(r#"{"status":"SUCCESS"}"#));
    }
    stream.invoke(
        at.plus(300),
        &who,
        "us-east-1",
        "amazon.nova-pro-v1:0",
        Tokens { read: 50, cached: 0, written: 200 },
    );
}

/// Tests of the application run thirty times a working day, each under a session of its own; one of them expects to be
/// refused.
fn ci(minute: Minute, stream: &mut Stream) {
    if !minute.is_office() || minute.of_hour() % 20 != 7 {
        return;
    }
    let who = Who::role(DEV, "/ci/", "github-actions", &format!("GitHubActions-{}", minute.0));
    let at = minute.start();
    stream.call(at, &who, &Call::reading("bedrock", "GetFoundationModel", "us-east-1"));
    for call in 0..8 {
        let tokens = Tokens { read: 200, cached: 0, written: 20 };
        stream.invoke(at.plus(call * 3), &who, "us-east-1", "anthropic.claude-3-haiku-20240307-v1:0", tokens);
    }
    let message = "max_tokens: must be greater than or equal to 1";
    stream.fail(
        at.plus(40),
        &who,
        "us-east-1",
        "anthropic.claude-3-haiku-20240307-v1:0",
        ("ValidationException", message),
    );
}

/// A posture scanner sweeps every region of every account four times a day.
fn scanner(minute: Minute, stream: &mut Stream) {
    if minute.hour() % 6 != 1 || minute.of_hour() >= 17 {
        return;
    }
    let region = REGIONS.get(usize::try_from(minute.of_hour()).unwrap_or(0)).copied().unwrap_or_default();
    for account in [PROD, DEV, DATA] {
        let session = format!("cnapp-scan-{}-{}", minute.day(), minute.hour());
        let who = Who::role(account, "/security/", "cnapp-reader", &session);
        for name in SCANNED {
            let at = stream.within(minute);
            let call = Call::reading("bedrock", name, region);
            if name == "ListAgents" {
                let message = "User is not authorized to perform: bedrock:ListAgents";
                stream.call(at, &who, &call.refused("AccessDenied", message));
            } else {
                stream.call(at, &who, &call);
            }
        }
        for name in ["ListUsers", "ListRoles", "ListAccessKeys"] {
            let at = stream.within(minute);
            stream.call(at, &who, &Call::reading("iam", name, "us-east-1"));
        }
    }
}

/// Three deployments a working day.
fn terraform(minute: Minute, stream: &mut Stream) {
    if !minute.is_office() || !matches!(minute.hour(), 9 | 13 | 16) || minute.of_hour() != 10 {
        return;
    }
    let who = Who::role(PROD, "/deploy/", "terraform", &format!("run-{}", minute.0)).with_agent(TERRAFORM);
    let at = minute.start();
    let logging = r#"{"loggingConfig":{"cloudWatchConfig":{"logGroupName":"/bedrock/invocations","roleArn":"arn:aws:iam::111122223333:role/BedrockLogging"},"s3Config":{"bucketName":"acme-bedrock-logs","keyPrefix":"logs"},"textDataDeliveryEnabled":true,"imageDataDeliveryEnabled":true,"embeddingDataDeliveryEnabled":true}}"#;
    let group = format!("sg-1{:016x}", minute.0);
    let of_group = format!(r#"{{"groupId":"{group}"}}"#);
    let guardrail = r#"{"guardrailIdentifier":"gr1234567890","name":"support"}"#;
    let steps = [
        ("bedrock", "GetModelInvocationLoggingConfiguration", "null"),
        ("bedrock", "PutModelInvocationLoggingConfiguration", logging),
        ("bedrock", "UpdateGuardrail", guardrail),
        (
            "bedrock",
            "UpdateAgent",
            r#"{"agentId":"AG12345678","agentName":"support","foundationModel":"anthropic.claude-3-haiku-20240307-v1:0"}"#,
        ),
        ("bedrock", "PrepareAgent", r#"{"agentId":"AG12345678"}"#),
        ("iam", "PutRolePolicy", r#"{"roleName":"rag-api","policyName":"app"}"#),
        ("ec2", "AuthorizeSecurityGroupEgress", &of_group),
        ("ec2", "DeleteSecurityGroup", &of_group),
    ];
    for (offset, (service, name, request)) in (0_u32..).zip(steps) {
        let call = Call::new(service, name, "us-east-1", request);
        let call = Call { read_only: name.starts_with("Get"), ..call };
        stream.call(at.plus(offset * 4), &who, &call);
    }
}

/// Calls of services that have nothing to do with Bedrock.
fn others(minute: Minute, stream: &mut Stream, mean: f64) {
    const CALLS: [(&str, &str); 8] = [
        ("s3", "GetBucketAcl"),
        ("ec2", "DescribeInstances"),
        ("sts", "AssumeRole"),
        ("kms", "Decrypt"),
        ("logs", "DescribeLogGroups"),
        ("lambda", "ListFunctions20150331"),
        ("ec2", "DescribeSecurityGroups"),
        ("iam", "GetRole"),
    ];
    for _ in 0..stream.about(mean) {
        let at = stream.within(minute);
        let number = stream.random.random_range(0..400);
        let account = stream.pick(&[PROD, DEV, DATA]);
        let who = Who::role(account, "/", &format!("workload-{number}"), "session");
        let place = stream.random.random_range(0..CALLS.len());
        let (service, name) = CALLS.get(place).copied().unwrap_or_default();
        stream.call(at, &who, &Call::reading(service, name, "us-east-1"));
    }
}
