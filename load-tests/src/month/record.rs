//! Writes records as AWS does: CloudTrail's in an EventBridge envelope, and model invocation logs.

use std::fmt::Write as _;

use bedrock_watch_engine::Second;
use rand::{Rng, rngs::StdRng};

/// Somebody with a credential.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) account: String,
    /// `userIdentity`, as JSON.
    identity: String,
    /// `userIdentity.arn`, which an invocation log names too.
    pub(crate) arn: String,
    pub(crate) address: String,
    pub(crate) agent: &'static str,
    /// Whether calls carry a Bedrock API key.
    bearer: bool,
}

impl Who {
    /// A session of a role; `path` begins and ends with a slash.
    pub(crate) fn role(account: &str, path: &str, role: &str, session: &str) -> Self {
        let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
        let id = format!("AROA{:0>17}", role.len());
        let identity = format!(
            r#"{{"type":"AssumedRole","principalId":"{id}:{session}","arn":"{arn}","accountId":"{account}","accessKeyId":"ASIAEXAMPLE{:0>9}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{account}:role{path}{role}","accountId":"{account}","userName":"{role}"}},"attributes":{{"creationDate":"2026-11-01T00:00:00Z","mfaAuthenticated":"false"}}}}}}"#,
            role.len(),
        );
        Self::new(account, identity, arn, "10.20.30.40", BOTO)
    }

    /// A person in Identity Center.
    pub(crate) fn person(account: &str, name: &str, address: &str) -> Self {
        let path = "/aws-reserved/sso.amazonaws.com/eu-west-1/";
        let mut who = Self::role(account, path, "AWSReservedSSO_Developer_0a1b2c3d4e5f6071", name);
        address.clone_into(&mut who.address);
        who.agent = CLI;
        who
    }

    /// An IAM user with a long-term key.
    pub(crate) fn user(account: &str, name: &str, address: &str) -> Self {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        let identity = format!(
            r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"{arn}","accountId":"{account}","accessKeyId":"AKIAEXAMPLE{:0>9}","userName":"{name}"}}"#,
            name.len(),
        );
        Self::new(account, identity, arn, address, BOTO)
    }

    fn new(account: &str, identity: String, arn: String, address: &str, agent: &'static str) -> Self {
        Self { account: account.to_owned(), identity, arn, address: address.to_owned(), agent, bearer: false }
    }

    /// The same with another user agent.
    pub(crate) fn with_agent(self, agent: &'static str) -> Self {
        Self { agent, ..self }
    }

    /// The same, calling with a Bedrock API key.
    pub(crate) fn with_bearer(self) -> Self {
        Self { bearer: true, ..self }
    }

    /// Bedrock acting for this role.
    pub(crate) fn by_bedrock(mut self) -> Self {
        self.identity.truncate(self.identity.len().saturating_sub(1));
        self.identity.push_str(r#","invokedBy":"bedrock.amazonaws.com"}"#);
        "bedrock.amazonaws.com".clone_into(&mut self.address);
        self.agent = "bedrock.amazonaws.com";
        self
    }
}

pub(crate) const BOTO: &str =
    "Boto3/1.40.55 md/Botocore#1.40.55 ua/2.1 os/linux#6.1.0 lang/python#3.12.11 Botocore/1.40.55";
pub(crate) const CLI: &str = "aws-cli/2.31.11 md/awscrt#0.27.6 ua/2.1 os/macos#25.0.0 lang/python#3.13.7";
pub(crate) const CONSOLE: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/141.0.0.0";
pub(crate) const TERRAFORM: &str =
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 terraform-provider-aws/6.17.0 aws-sdk-go-v2/1.39.2";

/// A call of an API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Without `.amazonaws.com`.
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) region: &'a str,
    /// JSON.
    pub(crate) request: &'a str,
    /// JSON.
    pub(crate) response: &'a str,
    /// Code and message.
    pub(crate) error: Option<(&'a str, &'a str)>,
    pub(crate) read_only: bool,
}

impl<'a> Call<'a> {
    /// A call that succeeds and changes something.
    pub(crate) const fn new(service: &'a str, name: &'a str, region: &'a str, request: &'a str) -> Self {
        Self { service, name, region, request, response: "null", error: None, read_only: false }
    }

    /// A call that reads.
    pub(crate) const fn reading(service: &'a str, name: &'a str, region: &'a str) -> Self {
        Self { service, name, region, request: "null", response: "null", error: None, read_only: true }
    }

    /// The same, answered with this.
    pub(crate) const fn answered(self, response: &'a str) -> Self {
        Self { response, ..self }
    }

    /// The same, refused.
    pub(crate) const fn refused(self, code: &'a str, message: &'a str) -> Self {
        Self { error: Some((code, message)), ..self }
    }
}

/// A CloudTrail record in its envelope.
pub(crate) fn cloudtrail(random: &mut StdRng, at: Second, who: &Who, call: &Call<'_>, request_id: &str) -> Vec<u8> {
    let Call { service, name, region, request, response, error, read_only } = call;
    let Who { account, identity, address, agent, bearer, .. } = who;
    let (time, envelope_id, event_id) = (at.to_rfc3339(), uuid(random), uuid(random));
    let mut text = format!(
        r#"{{"version":"0","id":"{envelope_id}","detail-type":"AWS API Call via CloudTrail","source":"aws.{service}","account":"{account}","time":"{time}","region":"{region}","resources":[],"detail":{{"eventVersion":"1.11","userIdentity":{identity},"eventTime":"{time}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{agent}","#
    );
    if let Some((code, message)) = error {
        append(&mut text, format_args!(r#""errorCode":"{code}","errorMessage":"{message}","#));
    }
    append(&mut text, format_args!(r#""requestParameters":{request},"responseElements":{response},"#));
    if *bearer {
        text.push_str(r#""additionalEventData":{"callWithBearerToken":true},"#);
    }
    append(
        &mut text,
        format_args!(
            r#""requestID":"{request_id}","eventID":"{event_id}","readOnly":{read_only},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management"}}}}"#
        ),
    );
    text.into_bytes()
}

/// What a call of a model used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    pub(crate) read: u64,
    pub(crate) cached: u64,
    pub(crate) written: u64,
}

/// A record of the invocation log.
pub(crate) fn log(at: Second, who: &Who, call: &Call<'_>, model: &str, tokens: Tokens, request_id: &str) -> Vec<u8> {
    let Tokens { read, cached, written } = tokens;
    let (time, Who { account, arn, .. }, Call { name, region, .. }) = (at.to_rfc3339(), who, call);
    let error = call.error.map(|(code, _)| format!(r#""errorCode":"{code}","#)).unwrap_or_default();
    format!(
        r#"{{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"{time}","accountId":"{account}","identity":{{"arn":"{arn}"}},"region":"{region}","requestId":"{request_id}","operation":"{name}","modelId":"{model}",{error}"input":{{"inputContentType":"application/json","inputBodyJson":{{"messages":[{{"role":"user","content":"How long is a month?"}}]}},"inputTokenCount":{read},"cacheReadInputTokenCount":{cached}}},"output":{{"outputContentType":"application/json","outputTokenCount":{written}}}}}"#
    )
    .into_bytes()
}

/// A native event about a customization job.
pub(crate) fn job_state(
    random: &mut StdRng,
    at: Second,
    account: &str,
    region: &str,
    job: &str,
    state: &str,
) -> Vec<u8> {
    let (time, id) = (at.to_rfc3339(), uuid(random));
    format!(
        r#"{{"version":"0","id":"{id}","detail-type":"Model Customization Job State Change","source":"aws.bedrock","account":"{account}","time":"{time}","region":"{region}","resources":["{job}"],"detail":{{"version":"0.0","jobName":"tuning","jobArn":"{job}","jobStatus":"{state}","lastModifiedTime":"{time}"}}}}"#
    )
    .into_bytes()
}

/// A random UUID.
pub(crate) fn uuid(random: &mut StdRng) -> String {
    let (high, low) = (random.random::<u64>(), random.random::<u64>());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _always_fine = text.write_fmt(what);
}
