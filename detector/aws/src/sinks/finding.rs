//! An alert as a finding of Security Hub.

use std::collections::BTreeMap;

use bedrock_watch_engine::{
    Second,
    alert::{Alert, Status, SubjectKind},
};
use bedrock_watch_service::{
    format::{
        asff::{Advice, Finding, Resource, State, finding},
        visible,
    },
    sink::payload::text::plain,
};
use jiff::Timestamp;
use serde_json::Value;

/// Characters of any text that a record can choose.
const TEXT_CHARACTERS_MAX: usize = 1_000;
/// Affected jobs that are named.
const JOBS_MAX: usize = 20;

/// Where findings are imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hub {
    pub(super) partition: String,
    pub(super) account: String,
    pub(super) region: String,
}

/// The finding. Security Hub takes findings of an account only from that account, so it stands under the hub's own;
/// which account the alert is about is in its resources and fields.
pub(super) fn of(alert: &Alert, hub: &Hub, updated: Timestamp) -> Value {
    let title = text(&alert.title);
    let description = text(&alert.summary);
    let steps = alert.remediation();
    let advice = steps.first().map_or_else(|| "See the runbook.".to_owned(), |step| text(&step.title));
    finding(&Finding {
        id: &alert.id,
        partition: &hub.partition,
        product_account: &hub.account,
        product_region: &hub.region,
        generator_id: &alert.rule,
        account: &hub.account,
        types: vec![kind(alert).to_owned()],
        first_observed: moment(alert.first_event_time),
        last_observed: moment(alert.last_event_time),
        updated,
        severity: alert.severity,
        title: or_dash(&title),
        description: or_dash(&description),
        advice: Some(Advice { text: &advice, url: &alert.runbook }),
        resources: resources(alert),
        compliance: None,
        fields: fields(alert),
        state: match alert.status {
            Status::Firing => State::Active,
            Status::Resolved => State::Resolved,
            Status::Withdrawn => State::Withdrawn,
        },
    })
}

fn text(text: &str) -> String {
    plain(text, TEXT_CHARACTERS_MAX)
}

/// Security Hub refuses empty texts.
fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn moment(second: Second) -> Timestamp {
    Timestamp::from_second(i64::from(second.0)).unwrap_or_default()
}

const fn kind(alert: &Alert) -> &'static str {
    match alert.subject_kind {
        SubjectKind::CustomizationJobDependency | SubjectKind::Dependency => "TTPs/Impact",
        SubjectKind::InvocationLogging => "TTPs/Defense Evasion",
        SubjectKind::Principal => "Unusual Behaviors/User",
        SubjectKind::Event => "TTPs",
    }
}

/// The subject, then the jobs that depend on it.
fn resources(alert: &Alert) -> Vec<Resource> {
    let resource = |kind: &'static str, id: &str, details: BTreeMap<String, String>| Resource {
        kind,
        id: or_dash(&text(id)).to_owned(),
        region: alert.region.as_deref().map(text).filter(|region| !region.is_empty()),
        details,
    };
    let subject_kind = if alert.subject_id.starts_with("sg-") { "AwsEc2SecurityGroup" } else { "Other" };
    let details = [("account", alert.account.as_str()), ("kind", alert.subject_kind.as_str())];
    let details = details.map(|(name, value)| (name.to_owned(), text(value)));
    // Details of our own go with the kind `Other` alone.
    let details = if subject_kind == "Other" { BTreeMap::from(details) } else { BTreeMap::new() };
    let mut resources = vec![resource(subject_kind, &alert.subject_id, details)];
    let jobs = alert.facts.get("jobs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for job in jobs.iter().take(JOBS_MAX) {
        let field = |name: &str| job.get(name).and_then(Value::as_str);
        let Some(arn) = field("arn") else { continue };
        let details = ["name", "status"].into_iter().filter_map(|name| Some((name.to_owned(), text(field(name)?))));
        resources.push(resource("Other", arn, details.collect()));
    }
    resources
}

/// Who did it and what for, as names and values.
fn fields(alert: &Alert) -> BTreeMap<String, String> {
    let actor = &alert.actor;
    let named = [
        ("account", Some(alert.account.as_str())),
        ("region", alert.region.as_deref()),
        ("status", Some(alert.status.as_str())),
        ("subject", Some(alert.subject_id.as_str())),
        ("principal", alert.principal.as_deref()),
        ("actor/arn", actor.arn.as_deref()),
        ("actor/accessKeyId", actor.access_key_id.as_deref()),
        ("actor/sourceIp", actor.source_ip.as_deref()),
        ("actor/userAgent", actor.user_agent.as_deref()),
        ("runbook", Some(alert.runbook.as_str())),
    ];
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in named {
        if let Some(value) = value {
            fields.insert(format!("bedrock-watch/{name}"), text(value));
        }
    }
    fields.insert("bedrock-watch/eventCount".to_owned(), alert.event_count.to_string());
    fields.insert("bedrock-watch/attack".to_owned(), text(&alert.attack.join(" ")));
    for (name, value) in alert.facts.iter().filter(|(name, _)| name.as_str() != "jobs") {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fields.insert(format!("bedrock-watch/fact/{}", visible(name)), text(&value));
    }
    fields
}
