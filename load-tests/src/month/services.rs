//! What programs do in the month: services with daily cycles, batch jobs, agents, knowledge bases, and mistakes.

use bedrock_watch_engine::Second;
use rand::Rng;

use super::{
    DATA, DEV, PROD,
    record::{Call, Tokens, Who, job_state},
    stream::{Minute, Stream},
};

const HAIKU: &str = "anthropic.claude-3-haiku-20240307-v1:0";
const SONNET: &str = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
const EMBED: &str = "amazon.titan-embed-text-v2:0";
/// The models of the weekly evaluation.
const EVALUATED: [&str; 6] = [
    HAIKU,
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "amazon.nova-pro-v1:0",
    "amazon.nova-lite-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "mistral.mistral-large-2407-v1:0",
];
const THROTTLED: (&str, &str) = ("ThrottlingException", "Too many requests, please wait before trying again.");
const TOO_MANY: (&str, &str) = (
    "ValidationException",
    "The maximum tokens you requested exceeds the model limit of 4096. Try again with a lower max_tokens.",
);

/// A service that scales with the day.
struct Service {
    account: &'static str,
    role: &'static str,
    model: &'static str,
    region: &'static str,
    /// Calls a minute at noon of a working day.
    peak: f64,
    /// Tokens of a usual call.
    tokens: Tokens,
}

const SERVICES: [Service; 5] = [
    service(PROD, "rag-api", HAIKU, "us-east-1", 70.0, [2_500, 0, 250]),
    service(PROD, "rag-embedder", EMBED, "us-east-1", 60.0, [600, 0, 0]),
    service(PROD, "summaries", SONNET, "us-east-1", 12.0, [9_000, 0, 700]),
    service(PROD, "chat-eu", "eu.amazon.nova-pro-v1:0", "eu-west-1", 25.0, [1_200, 30_000, 300]),
    service(DATA, "labeller", "amazon.nova-lite-v1:0", "us-west-2", 18.0, [3_000, 0, 40]),
];

const fn service(
    account: &'static str,
    role: &'static str,
    model: &'static str,
    region: &'static str,
    peak: f64,
    [read, cached, written]: [u64; 3],
) -> Service {
    Service { account, role, model, region, peak, tokens: Tokens { read, cached, written } }
}

/// Everything that programs do in a minute.
pub(super) fn minute(minute: Minute, stream: &mut Stream) {
    for (number, service) in SERVICES.iter().enumerate() {
        serve(service, number, minute, stream);
    }
    throttling_storm(minute, stream);
    nightly_batch(minute, stream);
    weekly_evaluation(minute, stream);
    knowledge_base(minute, stream);
    agent(minute, stream);
    legacy_cron(minute, stream);
    dspy(minute, stream);
    tuning(minute, stream);
}

/// How much of a noon's traffic there is: little at night, less at weekends.
fn share(minute: Minute) -> f64 {
    let hour = f64::from(minute.0 % 1_440) / 60.0;
    let by_day = ((hour - 5.0) / 16.0 * std::f64::consts::PI).sin().max(0.0);
    (0.12 + 0.88 * by_day) * if minute.is_weekend() { 0.45 } else { 1.0 }
}

/// Sessions come and go with the instances of the service.
fn instance(role: &str, account: &str, minute: Minute, stream: &mut Stream) -> Who {
    let number = stream.random.random_range(0..6);
    let mut who = Who::role(account, "/", role, &format!("i-0{:05x}{number:02x}", minute.0 / 240));
    who.address = format!("10.20.{}.{}", number, 10 + minute.0 / 240 % 200);
    who
}

fn serve(service: &Service, number: usize, minute: Minute, stream: &mut Stream) {
    let calls = stream.about(service.peak * share(minute));
    let Tokens { read, cached, written } = service.tokens;
    for _ in 0..calls {
        let who = instance(service.role, service.account, minute, stream);
        let at = stream.within(minute);
        if number == 0 && stream.random.random_ratio(1, 400) {
            stream.fail(at, &who, service.region, service.model, THROTTLED);
            continue;
        }
        let factor = stream.random.random_range(1..8);
        let tokens = Tokens { read: read * factor / 4, cached, written: written * factor / 4 };
        stream.invoke(at, &who, service.region, service.model, tokens);
    }
}

/// Ten minutes of throttling in which every client tries again five times.
fn throttling_storm(minute: Minute, stream: &mut Stream) {
    let is_storm =
        matches!(minute.day(), 3 | 11 | 19 | 26) && minute.hour() == 14 && (20..30).contains(&minute.of_hour());
    if !is_storm {
        return;
    }
    for _ in 0..350 {
        let who = instance("rag-api", PROD, minute, stream);
        let at = stream.within(minute);
        stream.fail(at, &who, "us-east-1", HAIKU, THROTTLED);
    }
}

/// Labels are made from two to three every night, 140 calls a minute.
fn nightly_batch(minute: Minute, stream: &mut Stream) {
    if minute.hour() != 2 {
        return;
    }
    let who = Who::role(DATA, "/batch/", "nightly-labels", &format!("AWSBatch-{}", minute.day()));
    for _ in 0..stream.about(140.0) {
        let at = stream.within(minute);
        stream.invoke(at, &who, "us-west-2", HAIKU, Tokens { read: 1_500, cached: 0, written: 60 });
    }
}

/// Six models are compared every Saturday morning, over long documents.
fn weekly_evaluation(minute: Minute, stream: &mut Stream) {
    if minute.day() % 7 != 6 || minute.hour() != 9 {
        return;
    }
    let who = Who::role(DATA, "/", "model-eval", &format!("eval-{}", minute.day()));
    for _ in 0..stream.about(30.0) {
        let at = stream.within(minute);
        let model = stream.pick(&EVALUATED);
        stream.invoke(at, &who, "us-west-2", model, Tokens { read: 24_000, cached: 0, written: 900 });
    }
}

/// The knowledge base takes in new documents every night: a burst of embeddings under its service role.
fn knowledge_base(minute: Minute, stream: &mut Stream) {
    let role = "AmazonBedrockExecutionRoleForKnowledgeBase_k7x2p";
    if minute.hour() == 3 && minute.of_hour() == 0 {
        let who = Who::role(PROD, "/", "kb-refresh", "scheduler");
        let request = r#"{"knowledgeBaseId":"KB12345678","dataSourceId":"DS12345678"}"#;
        let at = stream.within(minute);
        let answer = r#"{"ingestionJob":{"ingestionJobId":"IJ12345678","status":"STARTING","knowledgeBaseId":"KB12345678","dataSourceId":"DS12345678"}}"#;
        stream.call(at, &who, &Call::new("bedrock", "StartIngestionJob", "us-east-1", request).answered(answer));
    }
    if minute.hour() == 3 && (1..11).contains(&minute.of_hour()) {
        let who = Who::role(PROD, "/service-role/", role, "IngestionJob").by_bedrock();
        for _ in 0..stream.about(200.0) {
            let at = stream.within(minute);
            stream.invoke(at, &who, "us-east-1", EMBED, Tokens { read: 400, cached: 0, written: 0 });
        }
    }
    let who = Who::role(PROD, "/service-role/", role, "RetrieveAndGenerate").by_bedrock();
    for _ in 0..stream.about(4.0 * share(minute)) {
        let at = stream.within(minute);
        stream.invoke(at, &who, "us-east-1", EMBED, Tokens { read: 40, cached: 0, written: 0 });
    }
}

/// An agent answers customers: calls of it, and the calls of models that it makes.
fn agent(minute: Minute, stream: &mut Stream) {
    let role = "AmazonBedrockExecutionRoleForAgents_9QZ4T";
    let request = r#"{"agentId":"AG12345678","agentAliasId":"TSTALIASID","sessionId":"s"}"#;
    for _ in 0..stream.about(6.0 * share(minute)) {
        let at = stream.within(minute);
        let caller = instance("support-portal", PROD, minute, stream);
        stream.call(at, &caller, &Call::new("bedrock", "InvokeAgent", "us-east-1", request));
        let who = Who::role(PROD, "/service-role/", role, "BedrockAgents").by_bedrock();
        stream.invoke(at.plus(1), &who, "us-east-1", HAIKU, Tokens { read: 3_000, cached: 0, written: 300 });
    }
}

/// A forgotten job asks for a model that has reached its end of life, once an hour.
fn legacy_cron(minute: Minute, stream: &mut Stream) {
    if minute.of_hour() == 5 {
        let who = Who::role(DEV, "/", "legacy-report", "cron");
        let at = stream.within(minute);
        let gone = ("ResourceNotFoundException", "This model version has reached the end of its life.");
        stream.fail(at, &who, "us-east-1", "anthropic.claude-v2", gone);
    }
}

/// A notebook asks for more tokens than the model gives, and its library tries again.
fn dspy(minute: Minute, stream: &mut Stream) {
    if matches!(minute.day(), 10 | 18) && minute.hour() == 15 && (0..8).contains(&minute.of_hour()) {
        let who = Who::role(DATA, "/", "sagemaker-notebooks", "SageMaker");
        for _ in 0..8 {
            let at = stream.within(minute);
            stream.fail(at, &who, "us-west-2", HAIKU, TOO_MANY);
        }
    }
}

/// A model is tuned every Wednesday; its group is deleted the day after, when the job has long ended.
fn tuning(minute: Minute, stream: &mut Stream) {
    if minute.day() % 7 == 3 && minute.hour() == 10 && minute.of_hour() == 0 {
        start_tuning(minute, stream, "weekly", &format!("sg-0{:016x}", minute.day()));
    }
    if minute.day() % 7 == 3 && minute.hour() == 17 && minute.of_hour() == 0 {
        let state =
            job_state(&mut stream.random, minute.start(), DATA, "us-west-2", &job(minute, "weekly"), "Completed");
        stream.send(minute.start(), state);
    }
    if minute.day() % 7 == 4 && minute.hour() == 11 && minute.of_hour() == 0 {
        let who = Who::role(DATA, "/", "terraform", "deploy").with_agent(super::record::TERRAFORM);
        let request = format!(r#"{{"groupId":"sg-0{:016x}"}}"#, minute.day().saturating_sub(1));
        let at = stream.within(minute);
        let call = Call::new("ec2", "DeleteSecurityGroup", "us-west-2", &request);
        stream.call(at, &who, &call.answered(r#"{"_return":true}"#));
    }
}

/// The ARN of a day's job.
pub(super) fn job(minute: Minute, name: &str) -> String {
    let day = minute.day();
    format!("arn:aws:bedrock:us-west-2:{DATA}:model-customization-job/amazon.titan-text-lite-v1:0:4k/{name}{day:08}")
}

/// Starts a customization job that needs a group.
pub(super) fn start_tuning(minute: Minute, stream: &mut Stream, name: &str, group: &str) -> Second {
    let who = Who::role(DATA, "/", "ml-engineer", "a.rivera").with_agent(super::record::CLI);
    let day = minute.day();
    let request = format!(
        r#"{{"jobName":"{name}-{day}","customModelName":"m-{day}","roleArn":"arn:aws:iam::{DATA}:role/BedrockCustomizationRole","baseModelIdentifier":"amazon.titan-text-lite-v1:0:4k","trainingDataConfig":{{"s3Uri":"s3://acme-training/t.jsonl"}},"outputDataConfig":{{"s3Uri":"s3://acme-output/"}},"hyperParameters":{{"epochCount":"2"}},"vpcConfig":{{"subnetIds":["subnet-0a1b2c3d4e5f60718"],"securityGroupIds":["{group}"]}}}}"#
    );
    let answer = format!(r#"{{"jobArn":"{}"}}"#, job(minute, name));
    let at = minute.start();
    stream.call(
        at,
        &who,
        &Call::new("bedrock", "CreateModelCustomizationJob", "us-west-2", &request).answered(&answer),
    );
    let state = job_state(&mut stream.random, at.plus(30), DATA, "us-west-2", &job(minute, name), "InProgress");
    stream.send(at.plus(30), state);
    at
}
