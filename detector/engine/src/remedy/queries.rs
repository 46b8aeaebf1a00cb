//! Queries that dig further, each about this alert: its events, everything its principal did around them, its Bedrock
//! calls, and who touched the resource. CloudTrail is asked through Lake and through Athena, the invocation log
//! through Athena.
//!
//! `$EDS_ID` stands for the id of the event data store; `cloudtrail_logs` is the table CloudTrail's console makes, with
//! the columns of the CloudTrail user guide.

use crate::{
    alert::{Alert, Query, SubjectKind},
    time::{DAY_S, Second},
};

use super::{
    sql::{Trail, one_of, quote},
    text::last_segment,
    who::{Who, account_of_actor, sessions_of},
};

/// Days that are searched for changes of a resource before the alert.
const RESOURCE_DAYS: u32 = 14;
/// What an investigator reads of an event.
const COLUMNS: &str = "eventTime, eventName, eventSource, awsRegion, userIdentity.arn, userIdentity.accessKeyId, \
                       sourceIPAddress, userAgent, errorCode, eventID";
/// The table of the AWS playbook for security events of Amazon Bedrock.
const INVOCATION_LOG: &str = "bedrock_model_invocation_metadata_unfiltered";
/// The playbook's definition of it; `timestamp` is a reserved word there and wants its quotes.
const INVOCATION_LOG_DDL: &str = "\
CREATE EXTERNAL TABLE IF NOT EXISTS bedrock_model_invocation_metadata_unfiltered (
  schemaType string,
  schemaVersion string,
  `timestamp` string,
  accountId string,
  identity struct<arn: string>,
  region string,
  requestId string,
  operation string,
  modelId string,
  errorCode string,
  input struct<inputBodyJson: string,
               inputBodyS3Path: string,
               inputContentType: string,
               inputTokenCount: int>,
  output struct<outputBodyJson: string,
                outputBodyS3Path: string,
                outputContentType: string,
                outputTokenCount: int,
                outputImageBucketedStepSize: int,
                outputImageHeight: int,
                outputImageWidth: int>
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://<insert_S3_bucket>/<insert_prefix>/'";

/// The queries of an alert.
pub(super) fn of(alert: &Alert) -> Vec<Query> {
    let mut queries = Vec::new();
    for trail in Trail::ALL {
        let mut add = |title: &str, text: Option<String>| {
            queries.extend(text.map(|text| Query {
                title: title.to_owned(),
                language: trail.language().to_owned(),
                text,
            }));
        };
        add("The events of the alert", events(alert, trail));
        add("Everything the principal did, from a day before to a day after", principal(alert, trail));
        add("The principal's Bedrock calls by hour, model and region", bedrock_calls(alert, trail));
        match alert.subject_kind {
            SubjectKind::CustomizationJobDependency => {
                add("Who touched the resource", Some(resource(alert, &alert.subject_id, trail)));
            }
            SubjectKind::InvocationLogging => {
                add("Changes of invocation logging", Some(logging_changes(alert, trail)));
                add("Calls made while nothing may have been logged", Some(blind_calls(alert, trail)));
                if let Some(destination) = super::fact(alert, "destination") {
                    add("Who touched the destination", Some(resource(alert, destination, trail)));
                }
            }
            SubjectKind::Principal | SubjectKind::Event => {}
        }
    }
    queries.extend(invocation_log(alert));
    queries
}

/// `SELECT ... FROM ... WHERE ...`, one condition a line.
fn select(columns: &str, trail: Trail, conditions: &[String], rest: &str) -> String {
    format!("SELECT {columns}\nFROM {}\nWHERE {}\n{rest}", trail.table(), conditions.join("\n  AND "))
}

fn around(alert: &Alert, trail: Trail) -> String {
    trail.between(alert.first_event_time.minus(DAY_S), alert.last_event_time.plus(DAY_S))
}

fn events(alert: &Alert, trail: Trail) -> Option<String> {
    if alert.event_ids.is_empty() {
        return None;
    }
    let conditions = [
        trail.between(alert.first_event_time, alert.last_event_time),
        one_of("eventID", alert.event_ids.iter().map(String::as_str)),
    ];
    let columns = format!("{COLUMNS}, requestParameters, responseElements");
    Some(select(&columns, trail, &conditions, "ORDER BY eventTime, eventID"))
}

/// The records of the alert's principal, whatever credentials it used.
fn by_principal(alert: &Alert) -> Option<String> {
    let principal = alert.principal.as_deref()?;
    let session_arn = alert.actor.arn.as_deref();
    let equals = |column: &str, value: &str| format!("{column} = {}", quote(value));
    const ISSUER: &str = "userIdentity.sessionContext.sessionIssuer.arn";
    let condition = match Who::of(principal) {
        Who::Role { arn, .. } => equals(ISSUER, arn),
        Who::SharedRole { role_arn, session } => match session_arn.filter(|arn| last_segment(arn) == session) {
            Some(arn) => equals("userIdentity.arn", arn),
            None => equals(ISSUER, role_arn),
        },
        Who::ServiceLinkedRole => equals(ISSUER, principal),
        Who::User { .. } | Who::Root | Who::Federated => equals("userIdentity.arn", principal),
        Who::IdentityCenter { user_id } => equals("userIdentity.onBehalfOf.userId", user_id),
        Who::Service { name } => equals("userIdentity.invokedBy", name),
        Who::Other => match principal.strip_prefix("unknown@") {
            Some(account) => equals("userIdentity.accountId", account),
            None => equals("userIdentity.arn", principal),
        },
    };
    let of_key = match (Who::of(principal), alert.actor.access_key_id.as_deref()) {
        (_, Some(key)) => Some(equals("userIdentity.accessKeyId", key)),
        (Who::Other, None) => Some(equals("userIdentity.principalId", principal)),
        _ => None,
    };
    Some(match of_key {
        Some(of_key) => format!("({condition} OR {of_key})"),
        None => condition,
    })
}

fn principal(alert: &Alert, trail: Trail) -> Option<String> {
    let conditions = [around(alert, trail), by_principal(alert)?];
    Some(select(COLUMNS, trail, &conditions, "ORDER BY eventTime"))
}

fn bedrock_calls(alert: &Alert, trail: Trail) -> Option<String> {
    let conditions = [around(alert, trail), by_principal(alert)?, "strpos(eventSource, 'bedrock') = 1".to_owned()];
    let columns = format!(
        "{} AS hour, eventName, {} AS model, awsRegion, errorCode, count(*) AS calls, \
         count(DISTINCT sourceIPAddress) AS source_ips",
        trail.hour(),
        trail.model()
    );
    Some(select(&columns, trail, &conditions, "GROUP BY 1, 2, 3, 4, 5\nORDER BY 1, calls DESC"))
}

/// What the records call a resource: of an ARN its last part, because requests name roles and keys without the rest.
fn needle(subject: &str) -> &str {
    match subject.strip_prefix("arn:") {
        Some(_) => last_segment(subject),
        None => subject,
    }
}

fn resource(alert: &Alert, subject: &str, trail: Trail) -> String {
    let from = alert.first_event_time.minus(RESOURCE_DAYS.saturating_mul(DAY_S));
    let mut accounts = vec![alert.account.as_str()];
    accounts.extend(super::fact(alert, "dependency_account").filter(|account| *account != alert.account));
    let conditions = [
        trail.between(from, alert.last_event_time.plus(DAY_S)),
        one_of("recipientAccountId", accounts.into_iter()),
        format!("({})", trail.mentions(needle(subject))),
    ];
    select(&format!("{COLUMNS}, requestParameters"), trail, &conditions, "ORDER BY eventTime")
}

fn in_place(alert: &Alert) -> String {
    let account = format!("recipientAccountId = {}", quote(&alert.account));
    match &alert.region {
        Some(region) => format!("{account} AND awsRegion = {}", quote(region)),
        None => account,
    }
}

fn logging_changes(alert: &Alert, trail: Trail) -> String {
    const NAMES: [&str; 3] = [
        "PutModelInvocationLoggingConfiguration",
        "DeleteModelInvocationLoggingConfiguration",
        "GetModelInvocationLoggingConfiguration",
    ];
    let from = alert.first_event_time.minus(RESOURCE_DAYS.saturating_mul(DAY_S));
    let conditions = [
        trail.between(from, alert.last_event_time.plus(DAY_S)),
        in_place(alert),
        one_of("eventName", NAMES.into_iter()),
    ];
    select(&format!("{COLUMNS}, requestParameters"), trail, &conditions, "ORDER BY eventTime")
}

fn blind_calls(alert: &Alert, trail: Trail) -> String {
    let seconds = alert.facts.get("blind_seconds").and_then(serde_json::Value::as_u64);
    // While nothing was restored, the end is open; a day is what Lake can be asked for without surprises.
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(DAY_S);
    let conditions = [
        trail.between(alert.first_event_time, alert.first_event_time.plus(seconds)),
        in_place(alert),
        "strpos(eventSource, 'bedrock') = 1".to_owned(),
    ];
    let columns = format!(
        "userIdentity.arn AS caller, eventName, {} AS model, errorCode, count(*) AS calls, min(eventTime) AS first, \
         max(eventTime) AS last",
        trail.model()
    );
    select(&columns, trail, &conditions, "GROUP BY 1, 2, 3, 4\nORDER BY calls DESC")
}

/// What the invocation log has about the principal, and how to make its table.
fn invocation_log(alert: &Alert) -> Vec<Query> {
    if alert.subject_kind == SubjectKind::CustomizationJobDependency {
        return Vec::new();
    }
    let time = |at: Second| quote(&at.to_rfc3339());
    let (from, to) = (alert.first_event_time.minus(DAY_S), alert.last_event_time.plus(DAY_S));
    let mut conditions = vec![
        format!("\"timestamp\" BETWEEN {} AND {}", time(from), time(to)),
        format!("accountId = {}", quote(&alert.account)),
    ];
    conditions.extend(logged_identity(alert));
    let text = format!(
        "SELECT substr(\"timestamp\", 1, 13) AS hour, identity.arn AS caller, operation, modelId, region, errorCode,\n  \
         count(*) AS calls, sum(input.inputTokenCount) AS input_tokens, sum(output.outputTokenCount) AS output_tokens\n\
         FROM {INVOCATION_LOG}\nWHERE {}\nGROUP BY 1, 2, 3, 4, 5, 6\nORDER BY 1, calls DESC",
        conditions.join("\n  AND ")
    );
    let athena = |title: &str, text: String| Query {
        title: title.to_owned(),
        language: Trail::Athena.language().to_owned(),
        text,
    };
    vec![
        athena("Logged invocations and tokens by hour, model and region", text),
        athena("The table over the invocation log, to be made once", INVOCATION_LOG_DDL.to_owned()),
    ]
}

/// The log names callers by session ARN.
fn logged_identity(alert: &Alert) -> Option<String> {
    let principal = alert.principal.as_deref()?;
    let begins = |start: &str| format!("strpos(identity.arn, {}) = 1", quote(start));
    match Who::of(principal) {
        Who::Role { arn, .. } => sessions_of(arn).map(|start| begins(&start)),
        Who::SharedRole { role_arn, session } => {
            sessions_of(role_arn).map(|start| format!("identity.arn = {}", quote(&format!("{start}{session}"))))
        }
        Who::User { .. } | Who::Root | Who::Federated => Some(format!("identity.arn = {}", quote(principal))),
        _ => match alert.actor.arn.as_deref() {
            Some(arn) => Some(format!("identity.arn = {}", quote(arn))),
            None => Some(begins(&format!("arn:aws:iam::{}:", account_of_actor(alert)))),
        },
    }
}
