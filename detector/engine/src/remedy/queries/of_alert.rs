//! The searches that only one alert gives reason for: its events, who touched the resource, what nobody logged.

use crate::{
    alert::{Alert, SubjectKind},
    remedy::text::last_segment,
    time::{DAY_S, Second},
};

use super::search::{Column, Condition, Log, Measure, Search, Show, columns_and};

/// Days that are searched for changes of a resource before the alert.
const RESOURCE_DAYS: u32 = 14;

/// The events that it rests on.
pub(super) fn events(alert: &Alert) -> Option<Search> {
    (!alert.event_ids.is_empty()).then(|| Search {
        title: "The events of the alert",
        log: Log::Trail,
        from: alert.first_event_time,
        to: alert.last_event_time,
        only: vec![Condition::one_of(Column::EventId, alert.event_ids.iter().map(String::as_str))],
        show: columns_and(&[Column::Request, Column::Response]),
    })
}

/// What the kind of subject gives reason for.
pub(super) fn about_subject(alert: &Alert) -> Vec<Search> {
    match alert.subject_kind {
        SubjectKind::CustomizationJobDependency | SubjectKind::Dependency => {
            vec![resource(alert, "Who touched the resource", &alert.subject_id)]
        }
        SubjectKind::InvocationLogging => {
            let destination = super::super::fact(alert, "destination");
            let destination = destination.map(|name| resource(alert, "Who touched the destination", name));
            [logging_changes(alert), blind_calls(alert)].into_iter().chain(destination).collect()
        }
        SubjectKind::Principal | SubjectKind::Event => Vec::new(),
    }
}

/// What the records call a resource: of an ARN its last part, because requests name roles and keys without the rest.
fn needle(subject: &str) -> &str {
    match subject.strip_prefix("arn:") {
        Some(_) => last_segment(subject),
        None => subject,
    }
}

/// When the beginnings of an alert are looked for.
fn before(alert: &Alert) -> Second {
    alert.first_event_time.minus(RESOURCE_DAYS.saturating_mul(DAY_S))
}

fn resource(alert: &Alert, title: &'static str, subject: &str) -> Search {
    let mut accounts = vec![alert.account.as_str()];
    accounts.extend(super::super::fact(alert, "dependency_account").filter(|account| *account != alert.account));
    Search {
        title,
        log: Log::Trail,
        from: before(alert),
        to: alert.last_event_time.plus(DAY_S),
        only: vec![Condition::one_of(Column::Account, accounts), Condition::Mentions(needle(subject).to_owned())],
        show: columns_and(&[Column::Request]),
    }
}

fn in_place(alert: &Alert) -> Vec<Condition> {
    let region = alert.region.as_deref().map(|region| Condition::is(Column::Region, region));
    std::iter::once(Condition::is(Column::Account, &alert.account)).chain(region).collect()
}

fn logging_changes(alert: &Alert) -> Search {
    const NAMES: [&str; 3] = [
        "PutModelInvocationLoggingConfiguration",
        "DeleteModelInvocationLoggingConfiguration",
        "GetModelInvocationLoggingConfiguration",
    ];
    let mut only = in_place(alert);
    only.push(Condition::one_of(Column::Name, NAMES));
    Search {
        title: "Changes of invocation logging",
        log: Log::Trail,
        from: before(alert),
        to: alert.last_event_time.plus(DAY_S),
        only,
        show: columns_and(&[Column::Request]),
    }
}

fn blind_calls(alert: &Alert) -> Search {
    let seconds = alert.facts.get("blind_seconds").and_then(serde_json::Value::as_u64);
    // While nothing was restored, the end is open; a day is what Lake can be asked for without surprises.
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(DAY_S);
    let mut only = in_place(alert);
    only.push(Condition::bedrock());
    let by = vec![Column::Caller, Column::Name, Column::Model, Column::Error];
    Search {
        title: "Calls made while nothing may have been logged",
        log: Log::Trail,
        from: alert.first_event_time,
        to: alert.first_event_time.plus(seconds),
        only,
        show: Show::Counted { by, and: vec![Measure::First, Measure::Last] },
    }
}
