//! Writes alerts: from what a rule found to what people read.
//!
//! Everything here is a function of what is known, so the same knowledge gives the same alert.

use serde_json::{Map, Value as Json, json};

use super::{Actor, Alert, Severity, Status, SubjectKind, book::Finding, identity::alert_id};
use crate::{
    activity::ApiCall,
    decode::CallFields,
    order::Evidence,
    principals::EVENT_IDS_MAX,
    remedy,
    rule::{About, CorrelationHit, Placeholder, Rule},
    time::{Second, day_to_string},
    world::{Repair, StateEvent, World},
};

/// Facts whose lists are joined when an alert rests on several state events.
const JOINED_FACTS: [&str; 5] = ["jobs", "error_codes", "no_longer_delivered", "dependents", "changes"];

/// The findings of rules about state events, one for each alert they belong to.
pub(crate) fn state_findings(matched: Vec<(&Rule, Severity, StateEvent)>, world: &World) -> Vec<Finding> {
    let mut groups: std::collections::BTreeMap<String, Group<'_>> = std::collections::BTreeMap::new();
    for (rule, severity, event) in matched {
        let kind = rule.subject();
        let id = alert_id(&[rule.id(), &event.account, &event.region, kind.as_str(), &event.subject]);
        match groups.get_mut(&id) {
            Some(group) => group.join(severity, event),
            None => {
                groups.insert(id, Group { rule, severity, event });
            }
        }
    }
    groups.into_iter().map(|(id, group)| group.finding(id, world)).collect()
}

/// State events that belong to one alert.
struct Group<'a> {
    rule: &'a Rule,
    severity: Severity,
    event: StateEvent,
}

impl Group<'_> {
    fn join(&mut self, severity: Severity, other: StateEvent) {
        self.severity = self.severity.max(severity);
        self.event.evidence.extend(other.evidence);
        self.event.further = self.event.further.saturating_add(other.further);
        self.event.over &= other.over;
        if let (Repair::Dependency { users, .. }, Repair::Dependency { users: others, .. }) =
            (&mut self.event.repair, other.repair)
        {
            users.extend(others);
        }
        for name in JOINED_FACTS {
            let (Some(Json::Array(own)), Some(Json::Array(others))) =
                (self.event.facts.get_mut(name), other.facts.get(name))
            else {
                continue;
            };
            own.extend(others.iter().filter(|item| !own.contains(item)).cloned().collect::<Vec<_>>());
            own.sort_by_key(ToString::to_string);
        }
    }

    fn finding(mut self, id: String, world: &World) -> Finding {
        self.event.evidence.sort_by(|left, right| left.moment.cmp(&right.moment));
        self.event.evidence.dedup_by(|left, right| left.moment == right.moment);
        let evidence = &self.event.evidence;
        let (first, last) = (evidence.first(), evidence.last());
        let event_count = u64::try_from(evidence.len()).unwrap_or(u64::MAX).saturating_add(self.event.further);
        let mut facts = self.event.facts;
        if self.event.event == "JobDependencyDeleteRefused" {
            facts.insert("attempts".to_owned(), json!(event_count));
        }
        let time = |one: Option<&Evidence>| one.map_or(Second::MIN, |one| one.moment.at);
        let mut alert = Alert {
            id,
            severity: self.severity,
            account: self.event.account.to_string(),
            region: Some(self.event.region.to_string()),
            subject_kind: self.rule.subject(),
            subject_id: self.event.subject,
            principal: first.map(|one| one.principal.to_string()).filter(|name| !name.is_empty()),
            actor: first.map(|one| one.actor.clone()).unwrap_or_default(),
            first_event_time: time(first),
            last_event_time: time(last),
            event_ids: evidence.iter().take(EVENT_IDS_MAX).map(|one| one.moment.id.to_string()).collect(),
            event_count,
            facts,
            ..blank(self.rule.about())
        };
        let name = first.map(|one| one.name.to_string()).unwrap_or_default();
        finish(&mut alert, self.rule.about(), &name);
        alert.repair = remedy::of_state(&alert, &self.event.repair, world);
        Finding { alert, over: self.event.over }
    }
}

/// The alert of a rule that matched one CloudTrail record.
pub(crate) fn event_alert(rule: &Rule, severity: Severity, evidence: &Evidence, call: &ApiCall<'_>) -> Alert {
    let (account, region) = (&*call.account, &*call.region);
    let fields = CallFields::new(call, None);
    let mut facts: Map<String, Json> = rule.facts(&fields).map(|(name, fact)| (name.to_owned(), fact)).collect();
    facts.insert("event_name".to_owned(), json!(evidence.name));
    let mut alert = Alert {
        id: alert_id(&[rule.id(), account, SubjectKind::Event.as_str(), &evidence.moment.id]),
        severity,
        account: account.to_owned(),
        region: Some(region.to_owned()),
        subject_kind: SubjectKind::Event,
        subject_id: evidence.moment.id.to_string(),
        principal: Some(evidence.principal.to_string()),
        actor: evidence.actor.clone(),
        first_event_time: evidence.moment.at,
        last_event_time: evidence.moment.at,
        event_ids: vec![evidence.moment.id.to_string()],
        event_count: 1,
        facts,
        ..blank(rule.about())
    };
    finish(&mut alert, rule.about(), &evidence.name);
    alert
}

/// The alert of a correlation. `first` is its earliest event, if it is known.
pub(crate) fn correlation_alert(
    about: &About,
    names: &[&str],
    hit: &CorrelationHit,
    account: &str,
    first: Option<&Evidence>,
) -> Alert {
    let group: Map<String, Json> =
        names.iter().zip(&hit.group).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let subject = hit.group.join(" ");
    let day = day_to_string(hit.day);
    let mut facts = Map::new();
    facts.insert("group".to_owned(), Json::Object(group));
    facts.insert("day".to_owned(), json!(day));
    let mut alert = Alert {
        id: alert_id(&[&about.id, account, &subject, &day]),
        account: account.to_owned(),
        subject_kind: SubjectKind::Event,
        subject_id: subject,
        principal: first.map(|one| one.principal.to_string()),
        actor: first.map(|one| one.actor.clone()).unwrap_or_default(),
        first_event_time: hit.first,
        last_event_time: hit.last,
        event_ids: hit.event_ids.clone(),
        event_count: hit.event_count,
        facts,
        ..blank(about)
    };
    let name = first.map(|one| one.name.to_string()).unwrap_or_default();
    finish(&mut alert, about, &name);
    alert
}

/// An alert of which only the rule is known.
pub(crate) fn blank(about: &About) -> Alert {
    Alert {
        id: String::new(),
        rule: about.id.clone(),
        title: about.title.clone(),
        summary: String::new(),
        severity: about.severity,
        status: Status::Firing,
        account: String::new(),
        region: None,
        subject_kind: SubjectKind::Event,
        subject_id: String::new(),
        principal: None,
        actor: Actor::default(),
        first_event_time: Second::MIN,
        last_event_time: Second::MIN,
        event_ids: Vec::new(),
        event_count: 0,
        facts: Map::new(),
        attack: about.attack.clone(),
        runbook: about.runbook.clone(),
        repair: Vec::new(),
    }
}

/// Writes what follows from the rest of the alert: the summary, and the fact that names the person behind the actor.
pub(crate) fn finish(alert: &mut Alert, about: &About, event_name: &str) {
    if let Some(person) = &alert.actor.source_identity {
        alert.facts.insert("source_identity".to_owned(), json!(person));
    }
    alert.summary = match &about.summary {
        Some(template) => template.render(|hole| fill(hole, alert, event_name)),
        None => default_summary(alert, event_name),
    };
}

fn fill(hole: &Placeholder, alert: &Alert, event_name: &str) -> Option<String> {
    match hole {
        Placeholder::Principal => alert.principal.clone(),
        Placeholder::Actor => alert.actor.arn.clone().or_else(|| alert.principal.clone()),
        Placeholder::Account => Some(alert.account.clone()),
        Placeholder::Region => Some(alert.region.clone().unwrap_or_else(|| "several regions".to_owned())),
        Placeholder::Subject => Some(alert.subject_id.clone()),
        Placeholder::Event => Some(event_name.to_owned()),
        Placeholder::Count => Some(alert.event_count.to_string()),
        Placeholder::Day => Some(day_to_string(alert.first_event_time.day())),
        Placeholder::Fact(name) => Some(alert.facts.get(name).map_or_else(|| "unknown".to_owned(), readable)),
    }
}

/// A fact as words.
fn readable(fact: &Json) -> String {
    match fact {
        Json::Null => "unknown".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.is_empty() => "none".to_owned(),
        Json::Array(items) => items.iter().map(readable).collect::<Vec<_>>().join(", "),
        Json::Object(fields) => match (fields.get("name"), fields.get("arn")) {
            (Some(Json::String(name)), _) => name.clone(),
            (_, Some(Json::String(arn))) => arn.clone(),
            _ => fact.to_string(),
        },
        other => other.to_string(),
    }
}

fn default_summary(alert: &Alert, event_name: &str) -> String {
    let who = alert.actor.arn.as_deref().or(alert.principal.as_deref()).unwrap_or("somebody");
    let region = alert.region.as_deref().unwrap_or("several regions");
    format!("{who}: {event_name} in account {}, {region}", alert.account)
}
