//! Customization jobs: everything about one is decided when it starts, and told by whichever sources saw it.

use serde_json::{Value, json};

use super::{
    groups::Group,
    people::{Kind, Person},
    story::{Deed, Story, put, rfc3339},
};

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub arn: String,
    pub name: String,
    pub account: String,
    pub region: &'static str,
    pub start: i64,
    /// When somebody asked it to stop.
    pub stop: Option<i64>,
    pub end: Option<i64>,
    pub last_status: &'static str,
    pub groups: Vec<String>,
    pub subnets: Vec<String>,
    pub role: String,
    pub key: Option<String>,
    pub buckets: Vec<String>,
}

impl Job {
    pub(super) fn status(&self, at: i64) -> &'static str {
        if self.end.is_some_and(|end| end <= at) {
            self.last_status
        } else if self.stop.is_some_and(|stop| stop <= at) {
            "Stopping"
        } else {
            "InProgress"
        }
    }

    pub(super) fn uri(&self, index: usize) -> Option<String> {
        self.buckets.get(index).map(|bucket| format!("s3://{bucket}/data/train.jsonl"))
    }
}

pub(super) fn something(story: &mut Story) {
    if story.jobs.len() >= 8 {
        return;
    }
    let job = decide(story);
    if story.dice.chance(10) {
        return create(story, &job, Some(("ValidationException", "no")));
    }
    let seen_made = story.dice.chance(75);
    if seen_made {
        create(story, &job, None);
    }
    if story.dice.chance(30) && job.end.is_none_or(|end| end > job.start + 40) {
        interface(story, &job);
    }
    if story.dice.chance(50) || !seen_made {
        let at = job.start + story.dice.between(0, 30);
        change(story, &job, at, "InProgress");
    }
    if let Some(stop) = job.stop {
        stopping(story, &job, stop);
    }
    if let Some(end) = job.end.filter(|_| story.dice.chance(85)) {
        ended(story, &job, end);
    }
    story.jobs.push(job);
}

fn decide(story: &mut Story) -> Job {
    let account = story.account();
    let region = story.region();
    let start = story.now;
    let end = story.dice.chance(60).then(|| start + 31 + story.dice.between(0, 4_000));
    let stopped = end.is_some() && story.dice.chance(30);
    let groups: Vec<Group> = story.groups.iter().filter(|group| !group.deleted).cloned().collect();
    let count = story.dice.index(3);
    let chosen = story.dice.some_of(&groups, count);
    let mut ids = |kind: &str, count: usize| -> Vec<String> {
        let standing = story.dependencies.standing(kind);
        story.dice.some_of(&standing, count).into_iter().map(|thing| thing.id).collect()
    };
    let (subnets, roles, keys) = (ids("subnet", 1), ids("role", 1), ids("kms_key", 1));
    let buckets = ids("bucket", 2);
    let number = story.dice.id("");
    Job {
        arn: format!(
            "arn:aws:bedrock:{region}:{account}:model-customization-job/amazon.titan-text-lite-v1:0:4k/{number}"
        ),
        name: format!("job-{number}"),
        stop: end.filter(|_| stopped).map(|end| end - story.dice.between(0, 30)),
        account,
        region,
        start,
        end,
        last_status: if stopped { "Stopped" } else { story.dice.one_of(["Completed", "Failed"]) },
        groups: chosen.into_iter().map(|group| group.id).collect(),
        subnets,
        role: roles.into_iter().next().unwrap_or_else(|| "arn:aws:iam::999999999999:role/Elsewhere".to_owned()),
        key: keys.into_iter().next().filter(|_| story.dice.chance(60)),
        buckets,
    }
}

fn create(story: &mut Story, job: &Job, error: Option<(&str, &str)>) {
    let by = story.somebody_of(&job.account);
    let mut request = json!({
        "jobName": job.name,
        "customModelName": "tuned",
        "roleArn": job.role,
        "baseModelIdentifier": "amazon.titan-text-lite-v1:0:4k",
        "trainingDataConfig": {"s3Uri": job.uri(0)},
        "outputDataConfig": {"s3Uri": "s3://never-deleted/out/"},
        "hyperParameters": {"epochCount": "2"},
    });
    if let Some(uri) = job.uri(1) {
        put(&mut request, "validationDataConfig", json!({"validators": [{"s3Uri": uri}]}));
    }
    if let Some(key) = &job.key {
        put(&mut request, "customModelKmsKeyId", json!(key));
    }
    if !job.groups.is_empty() {
        let vpc = json!({"securityGroupIds": job.groups, "subnetIds": job.subnets});
        put(&mut request, "vpcConfig", vpc);
    }
    let (at, account, region) = (job.start, job.account.as_str(), job.region);
    let (name, response) = ("CreateModelCustomizationJob", json!({"jobArn": job.arn}));
    story.record(Deed { at, account, region, by: &by, service: "bedrock", name, request, response, error });
}

/// The network interface that the service role makes, tagged with the job it is for.
fn interface(story: &mut Story, job: &Job) {
    let by = Person { kind: Kind::Role, account: job.account.clone(), name: "Customization" };
    let tags = json!([
        {"key": "BedrockManaged", "value": "true"},
        {"key": "BedrockModelCustomizationJobArn", "value": job.arn},
    ]);
    let groups: Vec<Value> = job.groups.iter().map(|id| json!({"groupId": id})).collect();
    let request = json!({
        "subnetId": job.subnets.first(),
        "groupSet": {"items": groups},
        "tagSpecificationSet": {"items": [{"resourceType": "network-interface", "tags": tags}]},
    });
    let response = json!({"networkInterface": {"networkInterfaceId": "eni-0a", "groupSet": {"items": groups}}});
    let at = job.start + story.dice.between(0, 40);
    let (account, region, name) = (job.account.as_str(), job.region, "CreateNetworkInterface");
    story.record(Deed { at, account, region, by: &by, service: "ec2", name, request, response, error: None });
}

/// Bedrock's own event. It has no `vpcConfig`.
fn change(story: &mut Story, job: &Job, at: i64, status: &str) {
    let detail = detail(job, status);
    native(story, job, at, detail);
}

fn detail(job: &Job, status: &str) -> Value {
    json!({
        "version": "0.0",
        "jobName": job.name,
        "jobArn": job.arn,
        "roleArn": job.role,
        "jobStatus": status,
        "creationTime": rfc3339(job.start),
        "trainingDataConfig": {"s3Uri": job.uri(0)},
        "outputDataConfig": {"s3Uri": "s3://never-deleted/out/"},
    })
}

fn native(story: &mut Story, job: &Job, at: i64, detail: Value) {
    let place = (job.account.as_str(), job.region);
    story.native(at, place, ("aws.bedrock", "Model Customization Job State Change"), detail);
}

fn stopping(story: &mut Story, job: &Job, at: i64) {
    if story.dice.chance(70) {
        let by = story.somebody_of(&job.account);
        let identifier = if story.dice.chance(50) { &job.arn } else { &job.name };
        let (account, region, name) = (job.account.as_str(), job.region, "StopModelCustomizationJob");
        let (request, response) = (json!({"jobIdentifier": identifier}), Value::Null);
        story.record(Deed { at, account, region, by: &by, service: "bedrock", name, request, response, error: None });
    }
    if story.dice.chance(50) {
        change(story, job, at, "Stopping");
    }
}

/// The end, with the time in one of the three places that can hold it.
fn ended(story: &mut Story, job: &Job, end: i64) {
    let mut detail = detail(job, job.last_status);
    let delay = story.dice.between(0, 60);
    match story.dice.index(3) {
        0 => {
            put(&mut detail, "endTime", json!(rfc3339(end)));
            put(&mut detail, "lastModifiedTime", json!(rfc3339(end + delay)));
            native(story, job, end + delay, detail);
        }
        1 => {
            put(&mut detail, "lastModifiedTime", json!(rfc3339(end)));
            native(story, job, end + delay, detail);
        }
        _ => native(story, job, end, detail),
    }
}
