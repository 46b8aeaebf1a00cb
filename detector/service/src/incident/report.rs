//! The report the AWS playbook for Bedrock security events asks for in a support case.
//!
//! Pure: an incident, its alerts as they are stored, and what the configuration says. What nobody can know from alerts
//! is left for people to fill in, and says so.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_watch_engine::{
    Second,
    alert::{Alert, Severity, Status},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Contacts, Incident, resources::resources};
use crate::store::{Silence, StoredAlert};

/// Event ids that are listed.
const EVENT_IDS_MAX: usize = 200;
/// Queries that are listed, each with another title.
const QUERIES_MAX: usize = 12;

/// What a support case asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The incident's id.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// Its severity, score and stages, in one line.
    pub assessment: String,
    /// When its first alert was stored: when it was first recognised. The first event time where nothing was stored.
    pub first_recognized: String,
    /// When its first event happened.
    pub first_event: String,
    /// When its latest event happened.
    pub last_event: String,
    /// The account of its first alert: the one to log in to for the case.
    pub first_impacted_account: String,
    /// Every account.
    pub accounts: Vec<String>,
    /// Every region.
    pub regions: Vec<String>,
    /// What happened, in order.
    pub timeline: Vec<Step>,
    /// IAM users and roles that are suspected.
    pub principals: Vec<String>,
    /// Access keys that are suspected.
    pub access_keys: Vec<String>,
    /// Where they came from.
    pub addresses: Vec<String>,
    /// With which clients.
    pub clients: Vec<String>,
    /// What is affected.
    pub resources: Vec<String>,
    /// What it means for the business, and the numbers that are known.
    pub impact: Vec<String>,
    /// What to attach.
    pub artifacts: Artifacts,
    /// How the case is opened.
    pub case: Case,
    /// What was done so far.
    pub actions: Vec<String>,
    /// What is easily forgotten.
    pub reminders: Vec<String>,
}

/// A step of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it began.
    pub at: String,
    /// The stage of the attack.
    pub stage: String,
    /// How bad it is.
    pub severity: String,
    /// Where it stands.
    pub status: String,
    /// The account.
    pub account: String,
    /// Who, what and where.
    pub summary: String,
    /// The alert.
    pub alert: String,
    /// Its rule.
    pub rule: String,
    /// Its runbook.
    pub runbook: String,
}

/// What proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifacts {
    /// CloudTrail event ids, the earliest first.
    pub event_ids: Vec<String>,
    /// How many events the alerts rest on.
    pub event_count: u64,
    /// Queries that show the rest.
    pub queries: Vec<Query>,
    /// Files to make and attach.
    pub files: Vec<String>,
}

/// A query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// What it shows.
    pub title: String,
    /// Its language.
    pub language: String,
    /// The query.
    pub text: String,
}

/// How the case is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The type of issue.
    pub issue_type: String,
    /// The service.
    pub service: String,
    /// The category.
    pub category: String,
    /// The severity, by support plan.
    pub severity: String,
    /// The level of engagement in the organisation.
    pub engagement: String,
    /// Contacts for the case.
    pub contacts: Vec<String>,
}

/// The report of an incident.
#[must_use]
pub fn report(
    incident: &Incident,
    stored: &BTreeMap<String, StoredAlert>,
    silences: &[Silence],
    contacts: &Contacts,
) -> Report {
    let alerts: Vec<&Alert> = incident.alerts.iter().map(|(alert, _)| &**alert).collect();
    let named = |of: fn(&Alert) -> Option<&str>| -> Vec<String> {
        let all: BTreeSet<&str> = alerts.iter().filter_map(|alert| of(alert)).filter(|text| !text.is_empty()).collect();
        all.into_iter().map(str::to_owned).collect()
    };
    let recognized = stored.values().map(|stored| stored.created_at).min();
    let first = incident.first_event_time.to_rfc3339();
    let founder = super::first_alert(&incident.id).and_then(|id| alerts.iter().find(|alert| alert.id == id));
    Report {
        id: incident.id.clone(),
        title: incident.title.clone(),
        assessment: assessment(incident),
        first_recognized: recognized.map_or_else(|| first.clone(), whole_second),
        first_event: first,
        last_event: incident.last_event_time.to_rfc3339(),
        first_impacted_account: founder.map(|alert| alert.account.clone()).unwrap_or_default(),
        accounts: incident.accounts.iter().cloned().collect(),
        regions: incident.regions.iter().cloned().collect(),
        timeline: timeline(incident),
        principals: incident.principals.iter().cloned().collect(),
        access_keys: named(|alert| alert.actor.access_key_id.as_deref()),
        addresses: named(|alert| alert.actor.source_ip.as_deref()),
        clients: named(|alert| alert.actor.user_agent.as_deref()),
        resources: resources(&alerts),
        impact: impact(&alerts, contacts),
        artifacts: artifacts(incident, &alerts),
        case: case(incident, contacts),
        actions: actions(incident, stored, silences),
        reminders: reminders(incident, contacts),
    }
}

fn assessment(incident: &Incident) -> String {
    let stages: Vec<&str> = incident.stages.iter().map(|stage| stage.as_str()).collect();
    let score = incident.score;
    format!(
        "{}, {}; score {} of 100 ({} for severity, {} for {} stage(s), {} for breadth); stages: {}",
        incident.severity.as_str(),
        incident.status.as_str(),
        score.total(),
        score.severity,
        score.stages,
        stages.len(),
        score.breadth,
        stages.join(", ")
    )
}

fn timeline(incident: &Incident) -> Vec<Step> {
    let step = |(alert, stage): &(std::sync::Arc<Alert>, bedrock_watch_engine::rule::Stage)| Step {
        at: alert.first_event_time.to_rfc3339(),
        stage: stage.as_str().to_owned(),
        severity: alert.severity.as_str().to_owned(),
        status: alert.status.as_str().to_owned(),
        account: alert.account.clone(),
        summary: alert.summary.clone(),
        alert: alert.id.clone(),
        rule: alert.rule.clone(),
        runbook: alert.runbook.clone(),
    };
    incident.alerts.iter().map(step).collect()
}

/// A number that alerts may know, and how it is read from one.
type Known = (&'static str, fn(&Alert) -> f64);

const KNOWN_NUMBERS: [Known; 3] = [
    ("inference calls that alerts rest on, at least", |alert| {
        ["total", "blind_invocations", "logged_calls"].iter().map(|name| number(alert, name)).fold(0.0, f64::max)
    }),
    ("tokens, as invocation logs say", |alert| number(alert, "input_tokens") + number(alert, "output_tokens")),
    ("US dollars, estimated from list prices", |alert| number(alert, "estimated_usd")),
];

fn number(alert: &Alert, fact: &str) -> f64 {
    alert.facts.get(fact).and_then(Value::as_f64).unwrap_or(0.0)
}

/// What the configuration says, and what the alerts know of calls, tokens and money. Facts of several alerts may be
/// about the same calls, so of each principal only the greatest counts.
fn impact(alerts: &[&Alert], contacts: &Contacts) -> Vec<String> {
    let text = contacts.business_impact.clone();
    let mut lines = vec![text.unwrap_or_else(|| "to be filled in: what this means for the business".to_owned())];
    for (what, of) in KNOWN_NUMBERS {
        let mut by_principal: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for alert in alerts {
            let whose = (alert.account.as_str(), alert.principal.as_deref().unwrap_or_default());
            let known = by_principal.entry(whose).or_default();
            *known = known.max(of(alert));
        }
        let sum: f64 = by_principal.values().sum();
        if sum > 0.0 {
            lines.push(format!("{} {what}", rounded(sum)));
        }
    }
    lines
}

fn rounded(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

fn artifacts(incident: &Incident, alerts: &[&Alert]) -> Artifacts {
    let mut event_ids: Vec<String> = Vec::new();
    for id in alerts.iter().flat_map(|alert| &alert.event_ids) {
        if event_ids.len() < EVENT_IDS_MAX && !event_ids.contains(id) {
            event_ids.push(id.clone());
        }
    }
    let mut queries: Vec<Query> = Vec::new();
    // Of the worst alerts first.
    let mut worst: Vec<&&Alert> = alerts.iter().collect();
    worst.sort_by_key(|alert| std::cmp::Reverse(alert.severity));
    for query in worst.into_iter().flat_map(|alert| alert.queries()) {
        let is_known = queries.iter().any(|known| known.title == query.title && known.language == query.language);
        if !is_known && queries.len() < QUERIES_MAX {
            queries.push(Query { title: query.title, language: query.language, text: query.text });
        }
    }
    let show = |format: &str| format!("bedrock-watch incident show {} --format {format}", incident.id);
    Artifacts {
        event_ids,
        event_count: alerts.iter().map(|alert| alert.event_count).fold(0, u64::saturating_add),
        queries,
        files: vec![
            show("markdown"),
            show("json"),
            "the CloudTrail files of the time above, as they lie in S3".to_owned(),
        ],
    }
}

fn case(incident: &Incident, contacts: &Contacts) -> Case {
    let severity = match contacts.support_plan {
        Some(plan) => format!("{} (support plan: {})", plan.case_severity(), plan.as_str()),
        None => {
            "Critical Business Risk Question with Enterprise Support or On-Ramp, Urgent Business Risk Question with \
                 Business Support; set support_plan under [contacts]"
                .to_owned()
        }
    };
    let suggestion = if incident.severity >= Severity::High { "" } else { "; at this severity a case may wait" };
    Case {
        issue_type: "Account and Billing".to_owned(),
        service: "Account".to_owned(),
        category: "Security".to_owned(),
        severity: format!("{severity}{suggestion}"),
        engagement: contacts
            .engagement
            .clone()
            .unwrap_or_else(|| "to be filled in: who in the organisation is engaged".to_owned()),
        contacts: contacts.security.iter().chain(&contacts.case).cloned().collect(),
    }
}

/// What people did: what was resolved by hand, and what is silenced.
fn actions(incident: &Incident, stored: &BTreeMap<String, StoredAlert>, silences: &[Silence]) -> Vec<String> {
    let mut lines = Vec::new();
    for stored in incident.alerts.iter().filter_map(|(alert, _)| stored.get(&alert.id)) {
        let (alert, at) = (&stored.alert, whole_second(stored.changed_at));
        match (&stored.resolution, alert.status) {
            (Some(by), _) => {
                lines.push(format!("{at}: {} resolved {} ({}): {}", by.author, alert.id, alert.title, by.reason))
            }
            (None, Status::Resolved) => lines.push(format!("{at}: {} ({}) is over", alert.id, alert.title)),
            _ => {}
        }
        if let Some(silence) = stored.silence.as_ref().and_then(|id| silences.iter().find(|silence| silence.id == *id))
        {
            let until = whole_second(silence.ends_at);
            lines.push(format!("{} silenced {} until {until}: {}", silence.author, alert.id, silence.reason));
        }
    }
    if lines.is_empty() {
        lines.push("nothing yet: no alert was resolved or silenced".to_owned());
    }
    lines
}

fn reminders(incident: &Incident, contacts: &Contacts) -> Vec<String> {
    let who = |contact: &Option<String>, otherwise: &str| contact.clone().unwrap_or_else(|| otherwise.to_owned());
    let accounts: Vec<&str> = incident.accounts.iter().map(String::as_str).collect();
    vec![
        "Open the case from the first impacted account, so that AWS can validate its ownership; without access to it, \
         use the form for people who cannot sign in."
            .to_owned(),
        format!(
            "Notify the AWS account team, who can escalate: {}.",
            who(&contacts.account_team, "set account_team under [contacts]")
        ),
        format!(
            "Check that the alternate security contact of {} is set: {}.",
            accounts.join(", "),
            who(&contacts.alternate_security, "set alternate_security under [contacts]")
        ),
        "Keep the logs: raise the retention of the log groups and buckets named in the queries before it runs out."
            .to_owned(),
    ]
}

fn whole_second(time: Timestamp) -> String {
    u32::try_from(time.as_second()).map(|second| Second(second).to_rfc3339()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::{
        format::sample,
        incident::{Joining, Stages, SupportPlan, human, join, markdown},
        store::Resolution,
    };

    fn reported(alerts: Vec<Alert>, contacts: &Contacts) -> Report {
        let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
        let incidents = join(&alerts, &Joining::default(), &Stages::default());
        let stored = |alert: &Arc<Alert>| StoredAlert {
            alert: Arc::clone(alert),
            revision: 1,
            created_at: Timestamp::from_second(1_763_470_900).unwrap(),
            changed_at: Timestamp::from_second(1_763_471_000).unwrap(),
            trace_id: None,
            silence: None,
            resolution: Some(Resolution { author: "ada".to_owned(), reason: "a drill".to_owned() }),
        };
        let stored = alerts.iter().map(|alert| (alert.id.clone(), stored(alert))).collect();
        report(&incidents[0], &stored, &[], contacts)
    }

    #[test]
    fn answers_what_a_support_case_asks() {
        let facts = |facts: Value| facts.as_object().cloned().unwrap();
        let known = json!({ "total": 130, "input_tokens": 900, "output_tokens": 100, "estimated_usd": 1.5 });
        let alerts = vec![
            sample::alert(),
            Alert { id: "b".to_owned(), facts: facts(known), ..sample::alert() },
            Alert { id: "c".to_owned(), facts: facts(json!({ "total": 99 })), ..sample::alert() },
        ];
        let contacts = Contacts { business_impact: Some("none".to_owned()), ..Contacts::default() };
        let report = reported(alerts, &contacts);
        assert_eq!(report.first_recognized, "2025-11-18T13:01:40Z");
        assert_eq!(report.first_impacted_account, "111122223333");
        assert_eq!(report.principals, ["arn:aws:iam::111122223333:user/mallory"]);
        assert_eq!(report.access_keys, ["AKIAIOSFODNN7EXAMPLE"]);
        let impact = [
            "none",
            "130 inference calls that alerts rest on, at least",
            "1000 tokens, as invocation logs say",
            "1.50 US dollars, estimated from list prices",
        ];
        assert_eq!(report.impact, impact);
        assert!(report.resources.iter().any(|resource| resource.ends_with("sg-0aaa")), "{:?}", report.resources);
        assert!(report.actions[0].contains("ada resolved 7d1c"), "{:?}", report.actions);
        assert_eq!((report.timeline.len(), report.artifacts.event_ids.len()), (3, 1));
        assert!(!report.artifacts.queries.is_empty());
    }

    #[test]
    fn the_case_follows_from_the_plan() {
        for (plan, expected) in [
            (Some(SupportPlan::Enterprise), "Critical Business Risk Question (support plan: enterprise)"),
            (Some(SupportPlan::Business), "Urgent Business Risk Question (support plan: business)"),
            (None, "set support_plan under [contacts]"),
        ] {
            let report = reported(vec![sample::alert()], &Contacts { support_plan: plan, ..Contacts::default() });
            assert!(report.case.severity.contains(expected), "{}", report.case.severity);
        }
    }

    #[test]
    fn what_attackers_choose_is_only_text() {
        let hostile = "`|*x*|` <script> [a](http://b)\u{1b}[2J\n# heading";
        let actor =
            bedrock_watch_engine::alert::Actor { user_agent: Some(hostile.to_owned()), ..sample::alert().actor };
        let alert = Alert { summary: hostile.to_owned(), title: hostile.to_owned(), actor, ..sample::alert() };
        let report = reported(vec![alert], &Contacts::default());
        let text = markdown(&report);
        assert!(!text.contains('\u{1b}') && !text.contains("\n# heading"), "{text}");
        let plain = "\\`\\|\\*x\\*\\|\\` \\<script\\> \\[a\\](http://b)";
        // In the heading, in the timeline and in what was done about it.
        assert_eq!(text.matches(plain).count(), 3, "{text}");
        assert!(text.contains("`'|*x*|' <script> [a](http://b)\\u{1b}[2J\\u{a}# heading`"), "{text}");
        assert!(!human(&report).contains('\u{1b}'));
    }
}
