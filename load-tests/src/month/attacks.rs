//! The attacks of the month, each by somebody who does nothing else, so that an alert tells by itself whom it is about.

use super::{
    DATA, DEV, PROD,
    record::{Call, Tokens, Who},
    services,
    stream::{Minute, Stream},
};

/// An attack.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// What every alert about it says somewhere, and no other alert.
    pub(super) mark: &'static str,
    day: u32,
    hour: u32,
    /// How long it lasts, in minutes.
    pub(super) minutes: u32,
    /// What is done in a minute of it.
    act: fn(u32, Minute, &mut Stream),
}

impl Attack {
    /// The minute in which it begins.
    pub(super) const fn starts(&self) -> Minute {
        Minute(self.day * 1_440 + self.hour * 60)
    }
}

/// All of them, by their beginning.
pub(super) const ATTACKS: [Attack; 10] = [
    attack("quiet theft: 13 calls over 9 models in 39 minutes", "user/mail-relay", 8, 4, 40, quiet_theft),
    attack("region probing: max_tokens -1 in five regions", "user/backup-agent", 10, 22, 10, region_probing),
    attack("model access enabled and used within 94 s", "user/old-jenkins", 12, 3, 2, enablement),
    attack("phantom API key: user, credential, 60 calls", "BedrockAPIKey-q7x1", 14, 1, 30, phantom_key),
    attack("long prompts: 40 calls an hour of 150,000 tokens", "user/report-mailer", 16, 20, 300, long_prompts),
    attack("logging off, then 12,000 calls", "user/ops-legacy", 18, 2, 60, blinded_burst),
    attack("batch cost bomb: 20 batch inference jobs", "user/etl-old", 20, 5, 20, batch_bomb),
    attack("group of a live customization job deleted", "user/net-admin-old", 21, 12, 61, lost_group),
    attack("burst: 75,000 calls in three hours", "user/svc-mail", 23, 0, 180, burst),
    attack("hidden in a busy service: its role from another network", "rag-api/i-0stolen", 27, 11, 60, stolen_session),
];

const fn attack(
    name: &'static str,
    mark: &'static str,
    day: u32,
    hour: u32,
    minutes: u32,
    act: fn(u32, Minute, &mut Stream),
) -> Attack {
    Attack { name, mark, day, hour, minutes, act }
}

/// Everything that attackers do in a minute.
pub(super) fn minute(minute: Minute, stream: &mut Stream) {
    for attack in &ATTACKS {
        if let Some(since) = minute.0.checked_sub(attack.starts().0).filter(|since| *since < attack.minutes) {
            (attack.act)(since, minute, stream);
        }
    }
}

const ABROAD: &str = "192.0.2.66";
const SMALL: Tokens = Tokens { read: 400, cached: 0, written: 500 };
const DEAR: [&str; 9] = [
    "anthropic.claude-3-opus-20240229-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-v2:1",
    "anthropic.claude-instant-v1",
    "ai21.jamba-1-5-large-v1:0",
    "cohere.command-r-plus-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "meta.llama3-1-405b-instruct-v1:0",
];

fn quiet_theft(since: u32, minute: Minute, stream: &mut Stream) {
    if since.is_multiple_of(3) && since < 39 {
        let model = DEAR.get(usize::try_from(since / 3).unwrap_or(0) % 9).copied().unwrap_or_default();
        let at = stream.within(minute);
        stream.invoke(at, &Who::user(PROD, "mail-relay", ABROAD), "us-east-1", model, SMALL);
    }
}

fn region_probing(since: u32, minute: Minute, stream: &mut Stream) {
    let regions = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2", "ap-northeast-1"];
    let Some(region) = regions.get(usize::try_from(since / 2).unwrap_or(0)).filter(|_| since.is_multiple_of(2)) else {
        return;
    };
    let who = Who::user(DEV, "backup-agent", ABROAD);
    let at = stream.within(minute);
    let message = "max_tokens_to_sample: range: 1..1,000,000";
    stream.fail(at, &who, region, "anthropic.claude-v2", ("ValidationException", message));
}

fn enablement(since: u32, minute: Minute, stream: &mut Stream) {
    let who = Who::user(DEV, "old-jenkins", ABROAD);
    let request = r#"{"modelId":"anthropic.claude-3-opus-20240229-v1:0"}"#;
    let start = minute.start();
    if since == 0 {
        let steps = [
            (0, "PutUseCaseForModelAccess", "null", false),
            (4, "ListFoundationModelAgreementOffers", request, true),
            (9, "CreateFoundationModelAgreement", request, false),
            (15, "PutFoundationModelEntitlement", request, false),
            (20, "GetFoundationModelAvailability", request, true),
            (50, "GetFoundationModelAvailability", request, true),
        ];
        for (offset, name, request, read_only) in steps {
            let call = Call { read_only, ..Call::new("bedrock", name, "us-east-1", request) };
            stream.call(start.plus(offset), &who, &call.answered(r#"{"status":"SUCCESS"}"#));
        }
    } else {
        stream.invoke(start.plus(34), &who, "us-east-1", "anthropic.claude-3-opus-20240229-v1:0", SMALL);
    }
}

fn phantom_key(since: u32, minute: Minute, stream: &mut Stream) {
    let start = minute.start();
    if since == 0 {
        let who = Who::role(PROD, "/", "helpdesk", "BedrockAPIKey-q7x1-maker");
        let user = r#"{"userName":"BedrockAPIKey-q7x1"}"#;
        let policy =
            r#"{"userName":"BedrockAPIKey-q7x1","policyArn":"arn:aws:iam::aws:policy/AmazonBedrockLimitedAccess"}"#;
        let credential =
            r#"{"userName":"BedrockAPIKey-q7x1","serviceName":"bedrock.amazonaws.com","credentialAgeDays":3650}"#;
        let answer = r#"{"serviceSpecificCredential":{"userName":"BedrockAPIKey-q7x1","serviceName":"bedrock.amazonaws.com","serviceSpecificCredentialId":"ACCAEXAMPLE123EXAMPLE","status":"Active"}}"#;
        stream.call(start, &who, &Call::new("iam", "CreateUser", "us-east-1", user));
        stream.call(start.plus(3), &who, &Call::new("iam", "AttachUserPolicy", "us-east-1", policy));
        let call = Call::new("iam", "CreateServiceSpecificCredential", "us-east-1", credential).answered(answer);
        stream.call(start.plus(6), &who, &call);
    } else {
        let who = Who::user(PROD, "BedrockAPIKey-q7x1", ABROAD).with_bearer();
        for call in 0..2 {
            stream.invoke(start.plus(call * 20), &who, "us-east-1", "anthropic.claude-3-haiku-20240307-v1:0", SMALL);
        }
    }
}

fn long_prompts(since: u32, minute: Minute, stream: &mut Stream) {
    if since % 3 != 2 {
        let at = stream.within(minute);
        let tokens = Tokens { read: 150_000, cached: 0, written: 8_000 };
        let who = Who::user(PROD, "report-mailer", ABROAD);
        stream.invoke(at, &who, "us-east-1", "anthropic.claude-3-opus-20240229-v1:0", tokens);
    }
}

fn blinded_burst(since: u32, minute: Minute, stream: &mut Stream) {
    let who = Who::user(PROD, "ops-legacy", ABROAD);
    let region = "us-west-2";
    if since == 0 {
        let at = minute.start();
        stream.call(at, &who, &Call::reading("bedrock", "GetModelInvocationLoggingConfiguration", region));
        stream.call(
            at.plus(5),
            &who,
            &Call::new("bedrock", "DeleteModelInvocationLoggingConfiguration", region, "null"),
        );
        return;
    }
    for _ in 0..200 {
        let at = stream.within(minute);
        let request = r#"{"modelId":"anthropic.claude-3-opus-20240229-v1:0"}"#;
        let call = Call { read_only: true, ..Call::new("bedrock", "InvokeModelWithResponseStream", region, request) };
        // Nothing is logged any more.
        stream.call(at, &who, &call);
    }
}

fn batch_bomb(since: u32, minute: Minute, stream: &mut Stream) {
    let who = Who::user(DATA, "etl-old", ABROAD);
    let request = format!(
        r#"{{"jobName":"b-{since}","roleArn":"arn:aws:iam::{DATA}:role/batch","modelId":"anthropic.claude-3-opus-20240229-v1:0","inputDataConfig":{{"s3InputDataConfig":{{"s3Uri":"s3://x/in/"}}}},"outputDataConfig":{{"s3OutputDataConfig":{{"s3Uri":"s3://x/out/"}}}}}}"#
    );
    let answer = format!(r#"{{"jobArn":"arn:aws:bedrock:us-west-2:{DATA}:model-invocation-job/b{since:08}"}}"#);
    let at = stream.within(minute);
    stream.call(at, &who, &Call::new("bedrock", "CreateModelInvocationJob", "us-west-2", &request).answered(&answer));
}

fn lost_group(since: u32, minute: Minute, stream: &mut Stream) {
    const GROUP: &str = "sg-0feedfacefeedface";
    if since == 0 {
        services::start_tuning(minute, stream, "critical", GROUP);
    }
    if since == 60 {
        let who = Who::user(DATA, "net-admin-old", ABROAD);
        let request = format!(r#"{{"groupId":"{GROUP}"}}"#);
        let call = Call::new("ec2", "DeleteSecurityGroup", "us-west-2", &request);
        stream.call(minute.start(), &who, &call.answered(r#"{"_return":true}"#));
    }
}

fn burst(_: u32, minute: Minute, stream: &mut Stream) {
    let who = Who::user(PROD, "svc-mail", ABROAD);
    for call in 0..417 {
        let at = stream.within(minute);
        let model = DEAR.get(call % 3).copied().unwrap_or_default();
        stream.invoke(at, &who, "us-east-1", model, SMALL);
    }
}

fn stolen_session(_: u32, minute: Minute, stream: &mut Stream) {
    let mut who = Who::role(PROD, "/", "rag-api", "i-0stolen").with_agent("python-requests/2.32.3");
    ABROAD.clone_into(&mut who.address);
    let at = stream.within(minute);
    stream.invoke(at, &who, "us-east-1", "anthropic.claude-3-haiku-20240307-v1:0", SMALL);
}
