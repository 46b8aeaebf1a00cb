//! Events for PagerDuty's Events API v2.
//!
//! The summary is the incident's name and never changes, so that an update does not look like a new problem; what
//! grows is in the details.

use bedrock_watch_engine::alert::{Alert, Severity};
use serde_json::{Map, Value, json};

use super::{
    Context, links, meaning,
    text::{plain, units},
};
use crate::incident::{Incident, json::brief};

/// Characters of a summary.
const SUMMARY_MAX: usize = 1_024;
/// Characters of a deduplication key.
const DEDUP_KEY_MAX: usize = 255;
/// Characters of any other short field.
const FIELD_MAX: usize = 255;
/// Characters of a text in the details.
const DETAIL_MAX: usize = 1_000;
/// Elements of a list in the details.
const ITEMS_MAX: usize = 20;
/// How deep details go.
const DEPTH_MAX: usize = 6;
/// Characters of a command; a longer one is left out, because half a command is worse than none.
const COMMAND_MAX: usize = 4_000;
/// Commands.
const COMMANDS_MAX: usize = 5;
/// Bytes of an event. PagerDuty takes 512 KB; less is left of that than it seems if it counts otherwise.
const EVENT_BYTES_MAX: usize = 256 * 1_024;

/// The severity in PagerDuty's words.
#[must_use]
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    }
}

/// What identifies the incident.
#[must_use]
pub fn dedup_key(alert: &Alert) -> String {
    plain(&alert.id, DEDUP_KEY_MAX)
}

/// The page that an alert is part of, where an incident is one page.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// The deduplication key.
    pub key: &'a str,
    /// The severity of the page.
    pub severity: Severity,
    /// The incident, if the alert is in one by now.
    pub incident: Option<&'a Incident>,
}

/// The event that opens or updates an incident.
#[must_use]
pub fn trigger(routing_key: &str, alert: &Alert, context: &Context) -> Value {
    let own = dedup_key(alert);
    trigger_in(routing_key, alert, context, Shared { key: &own, severity: alert.severity, incident: None })
}

/// The same for a page that several alerts share.
#[must_use]
pub fn trigger_in(routing_key: &str, alert: &Alert, context: &Context, page: Shared<'_>) -> Value {
    let details = |with_facts: bool| {
        let mut details = details(alert, context, with_facts);
        if let (Some(fields), Some(incident)) = (details.as_object_mut(), page.incident) {
            fields.insert("incident".to_owned(), bounded(&brief(incident), DEPTH_MAX));
        }
        details
    };
    let event = |details: Value| {
        let region = alert.region.as_deref().unwrap_or("several regions");
        let mut event = json!({
            "routing_key": routing_key,
            "event_action": "trigger",
            "dedup_key": page.key,
            "payload": {
                "summary": summary(alert, context),
                "source": plain(&format!("{} {region}", context.account_label(alert)), FIELD_MAX),
                "severity": severity(page.severity),
                "timestamp": alert.first_event_time.to_rfc3339(),
                "component": plain(&alert.subject_id, FIELD_MAX),
                "group": plain(context.account(alert).and_then(|a| a.group.as_deref()).unwrap_or(&alert.account), FIELD_MAX),
                "class": plain(&alert.rule, FIELD_MAX),
                "custom_details": details,
            },
            "links": link_list(alert, context),
            "client": "bedrock-watch",
        });
        if let (Some(fields), Some(url)) = (event.as_object_mut(), context.console_home()) {
            fields.insert("client_url".to_owned(), Value::String(url));
        }
        event
    };
    let whole = event(details(true));
    if whole.to_string().len() <= EVENT_BYTES_MAX {
        return whole;
    }
    event(details(false))
}

/// The event that closes an incident.
#[must_use]
pub fn resolve(routing_key: &str, key: &str) -> Value {
    json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": key })
}

fn summary(alert: &Alert, context: &Context) -> String {
    let region = alert.region.as_deref().unwrap_or("several regions");
    let who = alert.principal.as_deref().or(alert.actor.arn.as_deref()).unwrap_or("somebody");
    let what = if alert.subject_id == who { "" } else { alert.subject_id.as_str() };
    let parts = [
        plain(&alert.title, 300),
        plain(what, 200),
        format!("by {}", plain(who, 200)),
        format!("in {}, {}", plain(&context.account_label(alert), 200), plain(region, 60)),
    ];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    plain(&parts.join(" "), SUMMARY_MAX)
}

fn link_list(alert: &Alert, context: &Context) -> Vec<Value> {
    let links = [
        ("Runbook", context.runbook(alert)),
        ("CloudTrail event", links::cloudtrail(alert)),
        ("bedrock-watch console", context.console(alert)),
    ];
    links.into_iter().filter_map(|(text, href)| href.map(|href| json!({ "href": href, "text": text }))).collect()
}

fn details(alert: &Alert, context: &Context, with_facts: bool) -> Value {
    let actor = &alert.actor;
    let account = context.account(alert);
    let short = |text: Option<&str>| text.map(|text| plain(text, DETAIL_MAX));
    let mut details = json!({
        "status": alert.status.as_str(),
        "summary": plain(&alert.summary, DETAIL_MAX),
        "meaning": meaning::consequence(alert),
        "severity": alert.severity.as_str(),
        "account": alert.account,
        "account_name": short(account.and_then(|account| account.name.as_deref())),
        "account_owner": short(account.and_then(|account| account.owner.as_deref())),
        "region": short(alert.region.as_deref()),
        "subject": { "kind": alert.subject_kind.as_str(), "id": plain(&alert.subject_id, DETAIL_MAX) },
        "principal": short(alert.principal.as_deref()),
        "actor_arn": short(actor.arn.as_deref()),
        "access_key_id": short(actor.access_key_id.as_deref()),
        "session_name": short(actor.session_name.as_deref()),
        "source_ip": short(actor.source_ip.as_deref()),
        "source_network": actor.source_ip.as_deref().map(meaning::network),
        "user_agent": short(actor.user_agent.as_deref()),
        "via": short(actor.via.as_deref()),
        "workload": short(actor.workload.as_deref()),
        "first_event_time": alert.first_event_time.to_rfc3339(),
        "last_event_time": alert.last_event_time.to_rfc3339(),
        "event_count": alert.event_count,
        "first_event_id": short(alert.event_ids.first().map(String::as_str)),
        "new_for_the_principal": meaning::novelty(alert).map(|text| plain(&text, DETAIL_MAX)),
        "attack": alert.attack.iter().take(ITEMS_MAX).map(|id| plain(id, 40)).collect::<Vec<_>>(),
        "rule": plain(&alert.rule, DETAIL_MAX),
        "first_steps": first_steps(alert),
        "more": plain(&format!("bedrock-watch alerts show {}", alert.id), DETAIL_MAX),
    });
    if let Some(fields) = details.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        if with_facts {
            fields.insert("facts".to_owned(), bounded_map(&alert.facts, DEPTH_MAX));
        }
    }
    details
}

fn first_steps(alert: &Alert) -> Vec<Value> {
    let steps = alert.remediation();
    let shown = steps.iter().take(COMMANDS_MAX).map(|step| {
        let whole = units(&step.command) <= COMMAND_MAX;
        let command = if whole { step.command.clone() } else { "see `more`: it is too long for here".to_owned() };
        json!({ "title": plain(&step.title, DETAIL_MAX), "command": command })
    });
    shown.collect()
}

fn bounded_map(map: &Map<String, Value>, depth: usize) -> Value {
    let fields = map.iter().take(ITEMS_MAX.saturating_mul(2));
    Value::Object(fields.map(|(name, value)| (plain(name, 100), bounded(value, depth))).collect())
}

fn bounded(value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) if depth == 0 => Value::String("…".to_owned()),
        Value::String(text) => Value::String(plain(text, DETAIL_MAX)),
        Value::Array(items) => {
            let mut kept: Vec<Value> =
                items.iter().take(ITEMS_MAX).map(|item| bounded(item, depth.saturating_sub(1))).collect();
            let more = items.len().saturating_sub(ITEMS_MAX);
            if more > 0 {
                kept.push(Value::String(format!("and {more} more")));
            }
            Value::Array(kept)
        }
        Value::Object(map) => bounded_map(map, depth.saturating_sub(1)),
        other => other.clone(),
    }
}
