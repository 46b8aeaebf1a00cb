//! Customization jobs as Bedrock describes them.

use aws_sdk_bedrock::{
    operation::get_model_customization_job::GetModelCustomizationJobOutput,
    types::{ModelCustomizationJobSummary, TrainingDataConfig},
};
use aws_smithy_types::{DateTime, date_time::Format};
use bedrock_watch_engine::ObservedJob;

use super::{
    ask::{Asker, PAGES_MAX},
    failure::{Cause, Failure},
    places::Target,
};

/// Jobs asked for in one page.
const PAGE: i32 = 100;
const LIST: &str = "bedrock:ListModelCustomizationJobs";
const GET: &str = "bedrock:GetModelCustomizationJob";

/// Whether a job with this status still needs what it stands on.
pub(crate) fn is_live(status: &str) -> bool {
    matches!(status, "InProgress" | "Stopping")
}

/// Every job there, of every status, with what a list tells of it.
pub(super) async fn list(asker: &Asker, target: &Target) -> Result<Vec<ObservedJob>, Failure> {
    let client = asker.bedrock(target).await;
    let mut jobs = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let request = client.list_model_customization_jobs().max_results(PAGE).set_next_token(next.clone());
        let page = asker.ask(target, LIST, request.send()).await?;
        jobs.extend(page.model_customization_job_summaries.unwrap_or_default().iter().map(listed));
        match page.next_token {
            Some(token) if next.as_ref() != Some(&token) => next = Some(token),
            _ => return Ok(jobs),
        }
    }
    Err(Failure::new(target, LIST, Cause::Other, "the list has no end"))
}

/// One job in full, by ARN or name.
pub(crate) async fn describe(asker: &Asker, target: &Target, job: &str) -> Result<ObservedJob, Failure> {
    let client = asker.bedrock(target).await;
    let request = client.get_model_customization_job().job_identifier(job);
    Ok(described(asker.ask(target, GET, request.send()).await?))
}

fn listed(job: &ModelCustomizationJobSummary) -> ObservedJob {
    let status = job.status.as_str();
    ObservedJob {
        job_arn: job.job_arn.clone(),
        job_name: Some(job.job_name.clone()),
        status: status.to_owned(),
        creation_time: time(&job.creation_time),
        end_time: end(status, job.end_time.as_ref(), job.last_modified_time.as_ref()),
        output_model_name: job.custom_model_name.clone(),
        base_model: Some(job.base_model_arn.clone()),
        customization_type: job.customization_type.as_ref().map(|kind| kind.as_str().to_owned()),
        ..ObservedJob::default()
    }
}

fn described(job: GetModelCustomizationJobOutput) -> ObservedJob {
    // A job without a status is none that has ended.
    let status = job.status.as_ref().map_or("InProgress", |status| status.as_str()).to_owned();
    let validators = job.validation_data_config.map(|config| config.validators).unwrap_or_default();
    let vpc = job.vpc_config;
    ObservedJob {
        job_arn: job.job_arn,
        job_name: Some(job.job_name),
        creation_time: time(&job.creation_time),
        end_time: end(&status, job.end_time.as_ref(), job.last_modified_time.as_ref()),
        status,
        output_model_name: Some(job.output_model_name),
        output_model_arn: job.output_model_arn,
        role_arn: Some(job.role_arn),
        base_model: Some(job.base_model_arn),
        customization_type: job.customization_type.map(|kind| kind.as_str().to_owned()),
        kms_key: job.output_model_kms_key_arn,
        training_s3_uri: job.training_data_config.and_then(|config: TrainingDataConfig| config.s3_uri),
        validation_s3_uris: validators.into_iter().map(|one| one.s3_uri).collect(),
        output_s3_uri: job.output_data_config.map(|config| config.s3_uri),
        hyper_parameters: job.hyper_parameters.unwrap_or_default().into_iter().collect(),
        subnet_ids: vpc.as_ref().map(|vpc| vpc.subnet_ids.clone()).unwrap_or_default(),
        security_group_ids: vpc.map(|vpc| vpc.security_group_ids).unwrap_or_default(),
    }
}

/// A job's end, else when it was last changed; only of a job that has ended.
fn end(status: &str, ended: Option<&DateTime>, modified: Option<&DateTime>) -> Option<String> {
    if is_live(status) {
        return None;
    }
    ended.or(modified).and_then(time)
}

fn time(time: &DateTime) -> Option<String> {
    time.fmt(Format::DateTime).ok()
}
