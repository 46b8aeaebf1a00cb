//! The rule `import-job-dependency-lost`: the join of customization jobs again, for jobs whose end nothing reports.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    alert::{Expected, facts},
    dependencies::{Loss, Vpcs, losses},
    event::{DAY, Event, Time, time},
    jobs::Job,
    json::{text, texts},
};

/// Account, region and subject.
type Key = (String, String, String);

/// The alerts of the rule.
pub(super) fn alerts<'e>(events: &'e [Event], records: &[Value]) -> Vec<Expected<'e>> {
    let (jobs, vpcs) = (jobs(events), Vpcs::of(events));
    // The latest record says how late it is, whatever it is about; what the service notes itself says nothing.
    let of_aws = records.iter().filter(|record| text(record, "/source") != Some("bedrock-watch"));
    let times = of_aws.filter_map(|record| {
        let said = ["/eventTime", "/detail/eventTime", "/time"].iter().find_map(|path| text(record, path));
        said.and_then(time)
    });
    let present = times.max().unwrap_or_default();
    let mut struck: BTreeMap<Key, Vec<(usize, &Job)>> = BTreeMap::new();
    let losses = losses(events);
    for (number, loss) in losses.iter().enumerate() {
        for job in jobs.values().filter(|job| loss.affects(job)) {
            if let Some(subject) = loss.subject_for(job, &vpcs) {
                struck.entry((job.account(), job.region(), subject)).or_default().push((number, job));
            }
        }
    }
    struck.into_iter().map(|(key, struck)| alert(key, &struck, &losses, present)).collect()
}

/// "A job counts as live for a day": of whichever record says the earliest that it was begun.
fn jobs(events: &[Event]) -> BTreeMap<String, Job> {
    let mut jobs: BTreeMap<String, Job> = BTreeMap::new();
    for event in events {
        let Some(call) = event.success("bedrock.amazonaws.com") else { continue };
        let (true, Some(arn)) = (call.name == "CreateModelImportJob", text(&call.record, "/responseElements/jobArn"))
        else {
            continue;
        };
        let Some(request) = call.record.get("requestParameters") else { continue };
        let bucket = text(request, "/modelDataSource/s3DataSource/s3Uri")
            .and_then(|uri| uri.strip_prefix("s3://")?.split('/').next().map(str::to_owned));
        let job = Job {
            arn: arn.to_owned(),
            name: text(request, "/jobName").map(str::to_owned),
            status: Some("InProgress".to_owned()),
            start: event.time(),
            end: Some(event.time() + DAY),
            groups: texts(request, "/vpcConfig/securityGroupIds").into_iter().collect(),
            subnets: texts(request, "/vpcConfig/subnetIds").into_iter().collect(),
            roles: texts(request, "/roleArn").into_iter().collect(),
            keys: texts(request, "/importedModelKmsKeyId").into_iter().collect(),
            buckets: bucket.into_iter().collect(),
        };
        jobs.insert(arn.to_owned(), job);
    }
    jobs
}

fn alert<'e>(
    (account, region, subject_id): Key,
    struck: &[(usize, &Job)],
    losses: &[Loss<'e>],
    present: Time,
) -> Expected<'e> {
    let loss = |number: usize| losses.get(number);
    let mut numbers: Vec<usize> = struck.iter().map(|(number, _)| *number).collect();
    numbers.dedup();
    let first = numbers.first().copied().and_then(loss);
    let affected: BTreeMap<&str, &Job> = struck.iter().map(|(_, job)| (job.arn.as_str(), *job)).collect();
    let kind = "model_import_job";
    let to_json = |job: &Job| json!({"kind": kind, "arn": job.arn, "name": job.name, "status": job.status});
    let dependents: Vec<Value> = affected.into_values().map(to_json).collect();
    let holds = |(number, job): &(usize, &Job)| {
        loss(*number).is_some_and(|loss| loss.back.is_none()) && job.end.is_none_or(|end| end > present)
    };
    Expected {
        rule: "import-job-dependency-lost",
        account,
        region: Some(region),
        subject_kind: "dependency",
        subject_id,
        firing: struck.iter().any(holds),
        severity: "high",
        events: numbers.iter().filter_map(|number| Some(loss(*number)?.event)).collect(),
        principal: first.map(|loss| loss.call.principal.clone()),
        facts: facts(json!({
            "dependents": dependents,
            "change": first.map(|loss| loss.change),
            "dependency_kind": first.map(|loss| loss.kind),
            "deleted_by": first.map(|loss| &loss.call.principal),
        })),
    }
}
