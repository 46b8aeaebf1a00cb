//! The customization jobs, joined from everything that ever told of them.
//!
//! A job stands on what any source names: the creating call, its tagged network interfaces, Bedrock's own events and
//! the inventory.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    event::{Call, Event, Time, What, time},
    json::{list, text, texts},
};

#[derive(Debug, Clone, Default)]
pub(super) struct Job {
    pub arn: String,
    pub name: Option<String>,
    pub status: Option<String>,
    /// The earliest moment at which it is known to have existed.
    pub start: Time,
    pub end: Option<Time>,
    pub groups: BTreeSet<String>,
    pub subnets: BTreeSet<String>,
    pub roles: BTreeSet<String>,
    pub keys: BTreeSet<String>,
    pub buckets: BTreeSet<String>,
}

impl Job {
    fn arn_part(&self, index: usize) -> String {
        self.arn.split(':').nth(index).unwrap_or_default().to_owned()
    }

    pub(super) fn region(&self) -> String {
        self.arn_part(3)
    }

    pub(super) fn account(&self) -> String {
        self.arn_part(4)
    }

    /// "not known to have ended before t; a job that ended exactly at t was live at t".
    pub(super) fn not_ended_before(&self, t: Time) -> bool {
        self.end.is_none_or(|end| end >= t)
    }

    /// Started, and not ended.
    pub(super) fn live_at(&self, t: Time) -> bool {
        self.start <= t && self.not_ended_before(t)
    }

    /// How `facts.jobs` lists it.
    pub(super) fn to_json(&self) -> Value {
        json!({"arn": self.arn, "name": self.name, "status": self.status})
    }

    fn seen(&mut self, at: Time) {
        self.start = self.start.min(at);
    }

    fn use_key(&mut self, key: &str) {
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else {
            format!("arn:aws:kms:{}:{}:key/{key}", self.region(), self.account())
        };
        self.keys.insert(arn);
    }

    fn use_bucket(&mut self, s3_uri: &str) {
        if let Some(bucket) = s3_uri.strip_prefix("s3://").and_then(|rest| rest.split('/').next()) {
            self.buckets.insert(bucket.to_owned());
        }
    }

    /// A status once final stays: a job that ended does not run again.
    fn becomes(&mut self, status: &str) {
        if !self.status.as_deref().is_some_and(is_final) {
            self.status = Some(status.to_owned());
        }
    }

    fn ends(&mut self, at: Time) {
        self.end = Some(self.end.map_or(at, |known| known.min(at)));
    }
}

fn is_final(status: &str) -> bool {
    matches!(status, "Completed" | "Failed" | "Stopped")
}

/// Every job of the history, by ARN.
pub(super) fn jobs(events: &[Event]) -> BTreeMap<String, Job> {
    let mut jobs = BTreeMap::new();
    for event in events {
        match &event.what {
            What::Call(call) if call.error.is_none() => created(&mut jobs, event, call),
            What::Call(_) => {}
            What::JobState(detail) => changed(&mut jobs, event, detail),
            What::Inventory(detail) => {
                list(detail, "/jobs").into_iter().for_each(|job| observed(&mut jobs, event, job));
            }
        }
    }
    for event in events {
        stopping(&mut jobs, event);
    }
    jobs
}

fn job<'a>(jobs: &'a mut BTreeMap<String, Job>, arn: &str, at: Time) -> &'a mut Job {
    let job = jobs.entry(arn.to_owned()).or_insert_with(|| Job { arn: arn.to_owned(), start: at, ..Job::default() });
    job.seen(at);
    job
}

fn created(jobs: &mut BTreeMap<String, Job>, event: &Event, call: &Call) {
    match (call.source.as_str(), call.name.as_str()) {
        ("bedrock.amazonaws.com", "CreateModelCustomizationJob") => {
            let Some(arn) = text(&call.record, "/responseElements/jobArn") else { return };
            let job = job(jobs, arn, event.time());
            let Some(request) = call.record.get("requestParameters") else { return };
            job.becomes("InProgress");
            job.name = job.name.take().or_else(|| text(request, "/jobName").map(str::to_owned));
            job.groups.extend(texts(request, "/vpcConfig/securityGroupIds"));
            job.subnets.extend(texts(request, "/vpcConfig/subnetIds"));
            job.roles.extend(texts(request, "/roleArn"));
            texts(request, "/customModelKmsKeyId").iter().for_each(|key| job.use_key(key));
            buckets_of(job, request);
        }
        ("ec2.amazonaws.com", "CreateNetworkInterface") => {
            let tags = list(&call.record, "/requestParameters/tagSpecificationSet")
                .into_iter()
                .flat_map(|specification| list(specification, "/tags"));
            let arn = tags
                .filter(|tag| text(tag, "/key") == Some("BedrockModelCustomizationJobArn"))
                .find_map(|tag| text(tag, "/value"));
            let Some(arn) = arn else { return };
            let job = job(jobs, arn, event.time());
            job.becomes("InProgress");
            job.subnets.extend(texts(&call.record, "/requestParameters/subnetId"));
            let groups = list(&call.record, "/responseElements/networkInterface/groupSet");
            job.groups.extend(groups.into_iter().filter_map(|group| text(group, "/groupId")).map(str::to_owned));
        }
        _ => {}
    }
}

fn buckets_of(job: &mut Job, request: &Value) {
    texts(request, "/trainingDataConfig/s3Uri").iter().for_each(|uri| job.use_bucket(uri));
    texts(request, "/outputDataConfig/s3Uri").iter().for_each(|uri| job.use_bucket(uri));
    for validator in list(request, "/validationDataConfig/validators") {
        texts(validator, "/s3Uri").iter().for_each(|uri| job.use_bucket(uri));
    }
}

/// "A job's end is `detail.endTime`, else `lastModifiedTime`, else the envelope's time".
fn changed(jobs: &mut BTreeMap<String, Job>, event: &Event, detail: &Value) {
    let Some(arn) = text(detail, "/jobArn") else { return };
    let moment = |field: &str| text(detail, field).and_then(time);
    let job = job(jobs, arn, moment("/creationTime").unwrap_or_else(|| event.time()).min(event.time()));
    job.name = job.name.take().or_else(|| text(detail, "/jobName").map(str::to_owned));
    job.roles.extend(texts(detail, "/roleArn"));
    buckets_of(job, detail);
    let status = text(detail, "/jobStatus").unwrap_or_default();
    job.becomes(status);
    if is_final(status) {
        job.ends(moment("/endTime").or_else(|| moment("/lastModifiedTime")).unwrap_or_else(|| event.time()));
    }
}

fn observed(jobs: &mut BTreeMap<String, Job>, event: &Event, observed: &Value) {
    let Some(arn) = text(observed, "/jobArn") else { return };
    let moment = |field: &str| text(observed, field).and_then(time);
    let job = job(jobs, arn, moment("/creationTime").unwrap_or_else(|| event.time()).min(event.time()));
    job.name = job.name.take().or_else(|| text(observed, "/jobName").map(str::to_owned));
    job.roles.extend(texts(observed, "/roleArn"));
    job.groups.extend(texts(observed, "/securityGroupIds"));
    job.subnets.extend(texts(observed, "/subnetIds"));
    texts(observed, "/kmsKey").iter().for_each(|key| job.use_key(key));
    let uris = ["/trainingS3Uri", "/validationS3Uris", "/outputS3Uri"];
    uris.iter().flat_map(|field| texts(observed, field)).for_each(|uri| job.use_bucket(&uri));
    let status = text(observed, "/status").unwrap_or_default();
    job.becomes(status);
    if is_final(status) {
        job.ends(moment("/endTime").unwrap_or_else(|| event.time()));
    }
}

/// "StopModelCustomizationJob alone does not end it": it is stopping until Bedrock says that it stopped.
fn stopping(jobs: &mut BTreeMap<String, Job>, event: &Event) {
    let Some(call) = event.success("bedrock.amazonaws.com") else { return };
    if call.name != "StopModelCustomizationJob" {
        return;
    }
    let Some(identifier) = call.request("/jobIdentifier") else { return };
    for job in jobs.values_mut() {
        let named = job.name.as_deref() == Some(identifier) && job.account() == event.account;
        if job.arn == identifier || (named && job.region() == event.region) {
            job.becomes("Stopping");
        }
    }
}
