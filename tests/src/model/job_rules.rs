//! The five `customization-job-...` rules.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    alert::{Expected, facts},
    dependencies::{Loss, Vpcs, deleted_group, losses},
    event::{Call, Event, Time, What},
    groups::{EMPTIED_GRACE, emptied},
    jobs::{Job, jobs},
    json::texts,
};

/// A refused deletion is an attempt when it was refused for one of these, each with or without `Client.`.
const REFUSALS: [&str; 4] = ["DependencyViolation", "AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];

/// "One alert per (job's account, job's region, dependency)".
type Key = (&'static str, String, String, String);

/// One event of an alert about a dependency, with the jobs it struck.
#[derive(Debug)]
struct Episode<'e, 'j> {
    event: &'e Event,
    principal: Option<String>,
    jobs: Vec<&'j Job>,
    back: Option<Time>,
    /// Facts about the event; those of the earliest one stand in the alert.
    facts: Map<String, Value>,
    severity: &'static str,
}

type Episodes<'e, 'j> = BTreeMap<Key, Vec<Episode<'e, 'j>>>;

/// The alerts of the five rules.
pub(super) fn alerts(events: &[Event]) -> Vec<Expected<'_>> {
    let jobs: Vec<Job> = jobs(events).into_values().collect();
    let mut episodes = Episodes::new();
    dependency_losses(events, &jobs, &mut episodes);
    emptied_groups(events, &jobs, &mut episodes);
    refused_deletions(events, &jobs, &mut episodes);
    missing_groups(events, &jobs, &mut episodes);
    episodes.into_iter().map(|(key, episodes)| alert(key, &episodes)).collect()
}

fn add<'e, 'j>(
    episodes: &mut Episodes<'e, 'j>,
    rule: &'static str,
    struck: Vec<(String, &'j Job)>,
    episode: &Episode<'e, 'j>,
) {
    let mut by_subject: BTreeMap<Key, Vec<&'j Job>> = BTreeMap::new();
    for (subject, job) in struck {
        by_subject.entry((rule, job.account(), job.region(), subject)).or_default().push(job);
    }
    for (key, jobs) in by_subject {
        episodes.entry(key).or_default().push(Episode {
            jobs,
            principal: episode.principal.clone(),
            facts: episode.facts.clone(),
            ..*episode
        });
    }
}

/// `...-deleted` and `...-dependency-lost`: the same join for groups and for everything else.
fn dependency_losses<'e, 'j>(events: &'e [Event], jobs: &'j [Job], episodes: &mut Episodes<'e, 'j>) {
    let vpcs = Vpcs::of(events);
    for loss in losses(events) {
        let is_group = loss.kind == "security_group";
        let struck = jobs
            .iter()
            .filter(|job| loss.affects(job))
            .filter_map(|job| loss.subject_for(job, &vpcs).map(|subject| (subject, job)))
            .collect();
        let (rule, severity) = if is_group {
            ("customization-job-security-group-deleted", "critical")
        } else {
            ("customization-job-dependency-lost", "high")
        };
        let episode = Episode { back: loss.back, severity, ..episode(loss.event, loss.call, loss_facts(&loss)) };
        add(episodes, rule, struck, &episode);
    }
}

fn loss_facts(loss: &Loss<'_>) -> Value {
    json!({
        "deleted_by": loss.call.principal,
        "dependency_account": loss.event.account,
        "dependency_kind": loss.kind,
        "change": loss.change,
    })
}

fn episode<'e>(event: &'e Event, call: &Call, event_facts: Value) -> Episode<'e, 'static> {
    let principal = Some(call.principal.clone());
    Episode { event, principal, jobs: Vec::new(), back: None, facts: facts(event_facts), severity: "high" }
}

fn emptied_groups<'e, 'j>(events: &'e [Event], jobs: &'j [Job], episodes: &mut Episodes<'e, 'j>) {
    for emptied in emptied(events) {
        let struck = jobs
            .iter()
            .filter(|job| job.groups.contains(&emptied.group))
            .filter(|job| job.not_ended_before(emptied.event.time() + EMPTIED_GRACE))
            .filter(|job| emptied.back.is_none_or(|back| job.start < back))
            .map(|job| (emptied.group.clone(), job))
            .collect();
        let episode = Episode { back: emptied.back, ..episode(emptied.event, emptied.call, json!({})) };
        add(episodes, "customization-job-security-group-emptied", struck, &episode);
    }
}

fn refused_deletions<'e, 'j>(events: &'e [Event], jobs: &'j [Job], episodes: &mut Episodes<'e, 'j>) {
    for event in events {
        let Some(call) = event.call().filter(|call| call.name == "DeleteSecurityGroup") else { continue };
        let Some(error) = &call.error else { continue };
        let code = error.strip_prefix("Client.").unwrap_or(error);
        let (true, Some(group)) = (REFUSALS.contains(&code), deleted_group(call)) else { continue };
        let struck = jobs
            .iter()
            .filter(|job| job.groups.contains(&group) && job.live_at(event.time()))
            .map(|job| (group.clone(), job))
            .collect();
        let episode = Episode { severity: "medium", ..episode(event, call, json!({})) };
        add(episodes, "customization-job-security-group-delete-refused", struck, &episode);
    }
}

/// "Reconciliation or `audit` finds a job that names a group AWS says does not exist"; where the deletion itself is
/// known, the alert about the deletion says more.
fn missing_groups<'e, 'j>(events: &'e [Event], jobs: &'j [Job], episodes: &mut Episodes<'e, 'j>) {
    let deleted: BTreeSet<String> =
        losses(events).into_iter().filter(|loss| loss.kind == "security_group").map(|loss| loss.key).collect();
    for event in events {
        let What::Inventory(detail) = &event.what else { continue };
        for group in texts(detail, "/missingSecurityGroups") {
            let struck = jobs
                .iter()
                .filter(|_| !deleted.contains(&group))
                .filter(|job| job.groups.contains(&group) && job.live_at(event.time()))
                .map(|job| (group.clone(), job))
                .collect();
            let episode =
                Episode { event, principal: None, jobs: Vec::new(), back: None, facts: Map::new(), severity: "high" };
            add(episodes, "customization-job-security-group-missing", struck, &episode);
        }
    }
}

/// "...when every affected job has ended or the dependency is back ... `...-delete-refused` ... never".
fn alert<'e>((rule, account, region, subject_id): Key, episodes: &[Episode<'e, '_>]) -> Expected<'e> {
    let refused = rule == "customization-job-security-group-delete-refused";
    let first = episodes.first();
    let affected: BTreeMap<&str, &Job> =
        episodes.iter().flat_map(|episode| &episode.jobs).map(|job| (job.arn.as_str(), *job)).collect();
    let jobs: Vec<Value> = affected.into_values().map(Job::to_json).collect();
    let mut facts = first.map(|episode| episode.facts.clone()).unwrap_or_default();
    facts.insert("jobs".to_owned(), Value::Array(jobs));
    if refused {
        facts.insert("attempts".to_owned(), json!(episodes.len()));
    }
    // Sweeps find the same group missing again and again; the first finding is what the alert rests on.
    let events_max = if rule == "customization-job-security-group-missing" { 1 } else { usize::MAX };
    let holds = |episode: &Episode<'_, '_>| episode.back.is_none() && episode.jobs.iter().any(|job| job.end.is_none());
    Expected {
        rule,
        account,
        region: Some(region),
        subject_kind: "customization_job_dependency",
        subject_id,
        firing: refused || episodes.iter().any(holds),
        severity: first.map_or("", |episode| episode.severity),
        events: episodes.iter().map(|episode| episode.event).take(events_max).collect(),
        principal: first.and_then(|episode| episode.principal.clone()),
        facts,
    }
}
