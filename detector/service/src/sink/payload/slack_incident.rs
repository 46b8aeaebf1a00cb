//! The message of an incident, whose thread has its alerts.

use bedrock_watch_engine::{
    alert::{Alert, Status},
    rule::Stage,
};

use super::{
    Context, meaning,
    slack::{Message, REPEAT},
    slack_blocks::Blocks,
    text::{code, words},
};
use crate::incident::Incident;

/// Alerts that are named.
const LISTED_MAX: usize = 12;
/// Names in a list.
const NAMES_MAX: usize = 5;
/// The longest name shown in a code span.
const NAME_MAX: usize = 200;
/// The longest notification text.
const NOTIFICATION_MAX: usize = 300;
/// Room that the list of alerts leaves for what follows it.
const LIST_RESERVE: usize = 1_500;

/// The incident as it stands. `repeat` says that this may be its second message.
#[must_use]
pub fn incident(incident: &Incident, context: &Context, repeat: bool) -> Message {
    let heading = heading(incident);
    let mut blocks = Blocks::default();
    blocks.header(&heading);
    let stages = incident.stages.iter().map(|stage| words(stage.as_str(), 40)).collect::<Vec<_>>().join(" → ");
    let until = incident.last_event_time.to_rfc3339();
    blocks.fields(&[
        format!("*Stages*\n{stages}"),
        format!("*Score*\n{} of 100", incident.score.total()),
        format!("*Alerts*\n{}, {} firing", incident.alerts.len(), incident.firing()),
        format!("*When*\n{}\nlast seen {until}", incident.first_event_time.to_rfc3339()),
        format!("*Who*\n{}", names(incident.principals.iter().map(String::as_str))),
        format!("*Where*\n{}\n{}", accounts(incident, context), names(incident.regions.iter().map(String::as_str))),
    ]);
    for (alert, stage) in incident.alerts.iter().take(LISTED_MAX) {
        if !blocks.markup(&line(alert, *stage), LIST_RESERVE) {
            break;
        }
    }
    let home = context.console_home().map(|url| ("console", "Open in console", url));
    blocks.buttons(&home.into_iter().collect::<Vec<_>>());
    let mut small = vec![
        format!("incident {}", code(&incident.id, NAME_MAX)),
        format!(
            "each alert is in the thread; report: {}",
            code(&format!("bedrock-watch incident show {}", incident.id), NAME_MAX)
        ),
    ];
    if incident.alerts.len() > LISTED_MAX {
        small.push(format!("{} more alerts", incident.alerts.len().saturating_sub(LISTED_MAX)));
    }
    if repeat {
        small.push(REPEAT.to_owned());
    }
    blocks.context(&small);
    Message { text: words(&heading, NOTIFICATION_MAX), blocks: blocks.into_value() }
}

/// What stays of the message of an incident that turned out to be part of this one.
#[must_use]
pub fn merged(incident: &Incident) -> Message {
    let text = "Part of another incident";
    let mut blocks = Blocks::default();
    blocks.markup(
        &format!("*{text}*: it goes on as {} in {}.", words(&incident.title, 300), code(&incident.id, NAME_MAX)),
        0,
    );
    Message { text: text.to_owned(), blocks: blocks.into_value() }
}

fn heading(incident: &Incident) -> String {
    let over = incident.status != Status::Firing;
    let sign = meaning::sign(incident.severity, over);
    let severity = incident.severity.as_str();
    if over {
        format!("{sign} resolved ({severity}): {}", incident.title)
    } else {
        format!("{sign} {}: {}", severity.to_uppercase(), incident.title)
    }
}

fn line(alert: &Alert, stage: Stage) -> String {
    let sign = meaning::sign(alert.severity, alert.status != Status::Firing);
    let at = alert.first_event_time.to_rfc3339();
    format!("{sign} {at} {}: {}", words(stage.as_str(), 40), words(&alert.summary, 200))
}

fn accounts(incident: &Incident, context: &Context) -> String {
    let label = |account: &String| {
        let member = incident.alerts.iter().map(|(alert, _)| alert).find(|alert| alert.account == *account);
        member.map_or_else(|| account.clone(), |alert| context.account_label(alert))
    };
    let labels: Vec<String> = incident.accounts.iter().take(NAMES_MAX.saturating_add(1)).map(label).collect();
    names(labels.iter().map(String::as_str))
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = all.collect();
    let mut shown: Vec<String> = all.iter().take(NAMES_MAX).map(|name| code(name, NAME_MAX)).collect();
    if all.is_empty() {
        return "not known".to_owned();
    }
    if all.len() > NAMES_MAX {
        shown.push("and more".to_owned());
    }
    shown.join("\n")
}
