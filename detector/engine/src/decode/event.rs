//! EventBridge envelopes around something else than a CloudTrail record: Bedrock's own events, inventory, and the rest.

use std::borrow::Cow;

use super::{
    DecodeError,
    error::shorten,
    json::Json,
    wire::{Envelope, JobDetail, Raw, text},
};
use crate::{
    activity::{Activity, JobStateChange, OtherEvent},
    detector_observation::DetectorObservation,
    observation::Observation,
    time::Second,
};

/// `detail-type` of Bedrock's event about a customization job.
const JOB_STATE_CHANGE: &str = "Model Customization Job State Change";
/// `detail-type` of Bedrock's event about a batch inference job.
const BATCH_STATE_CHANGE: &str = "Batch Inference Job State Change";
/// `source` of this product's own events.
const OWN_SOURCE: &str = "bedrock-watch";
/// `detail-type` of an inventory observation.
const OBSERVATION: &str = "Inventory Observation";
/// `detail-type` of what the daemon noticed about its own protection.
const DETECTOR: &str = "Detector Observation";

/// Decodes an envelope whose `detail` is no CloudTrail record.
pub(super) fn event<'a, P: Json>(
    envelope: Envelope<'a, P::Raw<'a>>,
    detail: &'a str,
) -> Result<Activity<'a>, DecodeError> {
    let (Some(source), Some(detail_type)) = (text(envelope.source), text(envelope.detail_type)) else {
        return Err(DecodeError::NotAnEvent { missing: vec!["source", "detail-type"] });
    };
    let Some(time_text) = text(envelope.time) else {
        return Err(DecodeError::NotAnEvent { missing: vec!["time"] });
    };
    let time = parse_time(&time_text).ok_or_else(|| DecodeError::Time { field: "time", value: shorten(&time_text) })?;
    let head = Head {
        id: text(envelope.id).unwrap_or_default(),
        time,
        account: text(envelope.account).unwrap_or_default(),
        region: text(envelope.region).unwrap_or_default(),
    };
    match (source.as_ref(), detail_type.as_ref()) {
        ("aws.bedrock", JOB_STATE_CHANGE) => {
            job_state::<P>(head, false, envelope.resources.map(Raw::into_text), detail)
        }
        ("aws.bedrock", BATCH_STATE_CHANGE) => {
            job_state::<P>(head, true, envelope.resources.map(Raw::into_text), detail)
        }
        (OWN_SOURCE, OBSERVATION) => observation(&head, detail),
        (OWN_SOURCE, DETECTOR) => detector(&head, detail),
        _ => Ok(Activity::Other(OtherEvent { time, account: head.account, detail_type })),
    }
}

struct Head<'a> {
    id: Cow<'a, str>,
    time: Second,
    account: Cow<'a, str>,
    region: Cow<'a, str>,
}

fn job_state<'a, P: Json>(
    head: Head<'a>,
    batch: bool,
    resources: Option<Cow<'a, str>>,
    detail: &'a str,
) -> Result<Activity<'a>, DecodeError> {
    let job: JobDetail<'a, P::Raw<'a>> = P::parse(detail)?;
    let first_resource = || {
        let resources: Vec<String> = serde_json::from_str(resources.as_deref()?).ok()?;
        resources.into_iter().next().map(Cow::Owned)
    };
    let (arn, name, status, missing) = if batch {
        (job.batch_job_arn, job.batch_job_name, job.status, vec!["detail.batchJobArn", "detail.status"])
    } else {
        (job.job_arn, job.job_name, job.job_status, vec!["detail.jobArn", "detail.jobStatus"])
    };
    let (Some(job_arn), Some(status)) = (text(arn).or_else(first_resource), text(status)) else {
        return Err(DecodeError::NotAnEvent { missing });
    };
    Ok(Activity::JobState(Box::new(JobStateChange {
        batch,
        envelope_id: head.id,
        time: head.time,
        account: head.account,
        region: head.region,
        job_arn,
        job_name: text(name),
        status,
        created_at: job.creation_time.and_then(moment),
        modified_at: job.last_modified_time.and_then(moment),
        ended_at: job.end_time.and_then(moment),
        detail: Cow::Borrowed(detail),
    })))
}

fn observation(head: &Head<'_>, detail: &str) -> Result<Activity<'static>, DecodeError> {
    let mut observation: Observation =
        serde_json::from_str(detail).map_err(|error| DecodeError::Observation { what: error.to_string() })?;
    let absent = |field: &String| field.is_empty();
    if absent(&observation.id) {
        observation.id = head.id.to_string();
    }
    if observation.at == Second::default() {
        observation.at = head.time;
    }
    if absent(&observation.account) {
        observation.account = head.account.to_string();
    }
    if absent(&observation.region) {
        observation.region = head.region.to_string();
    }
    Ok(Activity::Inventory(Box::new(observation)))
}

fn detector(head: &Head<'_>, detail: &str) -> Result<Activity<'static>, DecodeError> {
    let mut seen: DetectorObservation =
        serde_json::from_str(detail).map_err(|error| DecodeError::Observation { what: error.to_string() })?;
    let default = |field: &mut String, value: &str| {
        if field.is_empty() {
            value.clone_into(field);
        }
    };
    default(&mut seen.id, &head.id);
    default(&mut seen.account, &head.account);
    default(&mut seen.region, &head.region);
    if seen.at == Second::default() {
        seen.at = head.time;
    }
    Ok(Activity::Detector(Box::new(seen)))
}

/// A moment in a job's life: a time in any form, or seconds since 1970. What cannot be read is unknown, because the
/// event's own time and status still count.
fn moment<'a>(raw: impl Raw<'a>) -> Option<Second> {
    match serde_json::from_str(&raw.into_text()).ok()? {
        serde_json::Value::String(time) => parse_time(&time),
        serde_json::Value::Number(seconds) => seconds.as_i64().and_then(Second::from_unix),
        _ => None,
    }
}

/// Reads a time as CloudTrail writes it, or as some of Bedrock's own events do: `Wed Aug 28 22:58:30 UTC 2024`.
pub(super) fn parse_time(text: &str) -> Option<Second> {
    Second::parse(text).or_else(|| {
        let time = jiff::civil::DateTime::strptime("%a %b %d %H:%M:%S UTC %Y", text).ok()?;
        Second::from_unix(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_time() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(parse_time(text).map(Second::to_rfc3339).as_deref(), expected, "{text}");
        };
        check("Wed Aug 28 22:58:30 UTC 2024", Some("2024-08-28T22:58:30Z"));
        check("2024-08-28T22:58:30Z", Some("2024-08-28T22:58:30Z"));
        check("2024-08-28T22:58:30.123Z", Some("2024-08-28T22:58:30Z"));
        check("Wed Aug 28 22:58:30 CET 2024", None);
        check("soon", None);
    }
}
