//! Slack messages: one that shows an alert as it stands, one that lists several, and notes for its thread.

use bedrock_watch_engine::alert::{Alert, ChangeKind, Status, SubjectKind};
use serde_json::{Value, json};

use super::{
    Context, links, meaning,
    slack_blocks::{Blocks, FIELD_MAX},
    text::{code, command, plain, words},
};
use crate::{
    sink::Heard,
    store::{Claim, Revision},
};

pub use super::slack_incident::{incident, merged};

/// Jobs that are named.
const JOBS_SHOWN_MAX: usize = 5;
/// First steps that are shown.
const STEPS_SHOWN_MAX: usize = 4;
/// Alerts that a list names.
const LISTED_MAX: usize = 15;
/// The longest command that is shown; longer ones are in `alerts show`.
const COMMAND_MAX: usize = 2_400;
/// The longest name shown in a code span.
const NAME_MAX: usize = 300;
/// Room that first steps leave for what follows them.
const STEPS_RESERVE: usize = 3_200;
/// The longest notification text.
const NOTIFICATION_MAX: usize = 300;

/// A message: its blocks, and the text that notifications show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Notification text; nothing in it is formatted.
    pub text: String,
    /// The blocks.
    pub blocks: Value,
}

impl Message {
    /// The message as a request's fields; the caller adds where it goes.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({
            "text": self.text,
            "blocks": self.blocks,
            "mrkdwn": false,
            "parse": "none",
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }
}

/// The alert as it stands. `repeat` says that this may be its second message.
#[must_use]
pub fn alert(claim: &Claim, context: &Context, repeat: bool) -> Message {
    let alert = claim.alert.alert.as_ref();
    let over = alert.status != Status::Firing;
    let mut blocks = Blocks::default();
    blocks.header(&heading(alert));
    blocks.paragraph(&alert.summary);
    if let Some(over) = over.then(|| ending(claim)) {
        blocks.markup(&over, 0);
    }
    blocks.fields(&fields(alert, context));
    blocks.markup(&format!("*What it means*\n{}", words(&meaning::consequence(alert), 600)), 0);
    blocks.markup(&jobs(alert), STEPS_RESERVE);
    // Above the commands, because Slack folds long messages.
    blocks.buttons(&buttons(alert, context));
    if wants_steps(claim) {
        first_steps(&mut blocks, alert);
    }
    blocks.context(&small_print(alert, repeat));
    Message { text: notification(alert), blocks: blocks.into_value() }
}

/// Several new alerts that belong together.
#[must_use]
pub fn digest(claims: &[Claim], context: &Context, repeat: bool) -> Message {
    let worst = claims.iter().map(|claim| claim.alert.alert.severity).max();
    let sign = worst.map_or("", |worst| meaning::sign(worst, false));
    let text = format!("{sign} {} alerts that belong together", claims.len());
    let mut blocks = Blocks::default();
    blocks.header(&text);
    for claim in claims.iter().take(LISTED_MAX) {
        let alert = claim.alert.alert.as_ref();
        let line = format!(
            "{} *{}*  {}\n{}\n{}",
            meaning::sign(alert.severity, false),
            words(&alert.title, 150),
            code(&context.account_label(alert), 120),
            words(&alert.summary, 280),
            code(&alert.id, NAME_MAX),
        );
        if !blocks.markup(&line, 1_000) {
            break;
        }
    }
    let mut small =
        vec!["Each in full: `bedrock-watch alerts show ID`. What becomes of them follows in the thread.".to_owned()];
    if claims.len() > LISTED_MAX {
        small.push(format!("{} more: `bedrock-watch alerts list`", claims.len().saturating_sub(LISTED_MAX)));
    }
    if repeat {
        small.push(REPEAT.to_owned());
    }
    let home = context.console_home().map(|url| ("console", "Console", url));
    blocks.buttons(&home.into_iter().collect::<Vec<_>>());
    blocks.context(&small);
    Message { text, blocks: blocks.into_value() }
}

/// A note for the thread: what became of the alert since it was `heard` of. `named` says which alert, where the thread is about
/// several.
#[must_use]
pub fn note(claim: &Claim, heard: Option<Heard>, named: bool) -> Message {
    let alert = claim.alert.alert.as_ref();
    let mut markup = match claim.transition(heard) {
        _ if claim.is_over() => ending(claim),
        Some(Revision { kind: ChangeKind::Fired, .. }) => "*Firing again.*".to_owned(),
        Some(_) => format!("*Now {}.*", alert.severity.as_str()),
        None => format!("*Still firing*: {} by {}.", events(alert.event_count), alert.last_event_time.to_rfc3339()),
    };
    if named {
        markup = format!("{}\n{markup}", words(&heading(alert), 200));
    }
    let mut blocks = Blocks::default();
    blocks.markup(&markup, 0);
    if !claim.is_over() {
        blocks.paragraph(&alert.summary);
    }
    let mut small = vec![format!("alert {}", code(&alert.id, NAME_MAX))];
    if claim.unsettled {
        small.push(REPEAT.to_owned());
    }
    blocks.context(&small);
    Message { text: notification(alert), blocks: blocks.into_value() }
}

pub(super) const REPEAT: &str = ":repeat: *Possible repeat*: telling was interrupted, so this may be here twice.";

fn heading(alert: &Alert) -> String {
    let over = alert.status != Status::Firing;
    let sign = meaning::sign(alert.severity, over);
    let severity = alert.severity.as_str().to_uppercase();
    match alert.status {
        Status::Firing => format!("{sign} {severity}: {}", alert.title),
        Status::Resolved | Status::Withdrawn => {
            format!("{sign} {} ({}): {}", alert.status.as_str(), alert.severity.as_str(), alert.title)
        }
    }
}

fn notification(alert: &Alert) -> String {
    words(&format!("{}. {}", heading(alert), alert.summary), NOTIFICATION_MAX)
}

/// How it ended, and through whom.
fn ending(claim: &Claim) -> String {
    let alert = claim.alert.alert.as_ref();
    let what = match alert.status {
        Status::Withdrawn => "*Withdrawn*: records that arrived later show that it should not have fired.".to_owned(),
        _ => match &claim.alert.resolution {
            Some(by) => format!("*Resolved* by {}: {}", code(&by.author, NAME_MAX), code(&by.reason, 600)),
            None => "*Resolved.*".to_owned(),
        },
    };
    let reason = meaning::reason(alert).filter(|_| alert.status == Status::Resolved);
    match reason {
        Some(reason) => format!("{what} {}", words(reason, 600)),
        None => what,
    }
}

fn fields(alert: &Alert, context: &Context) -> Vec<String> {
    let actor = &alert.actor;
    let mut fields = vec![who(alert), place(alert, context), since(alert), source(alert)];
    let client = actor.user_agent.as_deref().filter(|agent| !agent.is_empty());
    if let Some(agent) = client {
        fields.push(format!("*Client*\n{}", code(agent, 120)));
    }
    let novelty = meaning::novelty(alert).unwrap_or_else(|| "not judged by this rule".to_owned());
    fields.push(format!("*New for the principal?*\n{}", words(&novelty, 500)));
    fields.push(format!(
        "*About*\n{} {}",
        words(&alert.subject_kind.as_str().replace('_', " "), 60),
        code(&alert.subject_id, NAME_MAX)
    ));
    fields.into_iter().filter(|field| super::text::units(field) <= FIELD_MAX).collect()
}

fn who(alert: &Alert) -> String {
    let actor = &alert.actor;
    let name = alert.principal.as_deref().or(actor.arn.as_deref()).unwrap_or("not known");
    let mut lines = vec![format!("*Who*\n{}", code(name, NAME_MAX))];
    if let Some(session) = &actor.session_name {
        lines.push(format!("session {}", code(session, 100)));
    }
    if let Some(key) = &actor.access_key_id {
        lines.push(format!("key {}", code(key, 60)));
    }
    lines.join("\n")
}

fn place(alert: &Alert, context: &Context) -> String {
    let region = alert.region.as_deref().unwrap_or("several regions");
    let mut lines = vec![format!("*Where*\n{}", code(&context.account_label(alert), NAME_MAX)), words(region, 60)];
    if let Some(account) = context.account(alert) {
        lines.extend(account.owner.as_deref().map(|owner| format!("owner {}", code(owner, 150))));
        lines.extend(account.group.as_deref().map(|group| format!("group {}", words(group, 60))));
    }
    lines.join("\n")
}

fn since(alert: &Alert) -> String {
    let (first, last) = (alert.first_event_time, alert.last_event_time);
    let until = if first == last { String::new() } else { format!("\nlast seen {}", last.to_rfc3339()) };
    format!("*Since*\n{}{until}\n{}", first.to_rfc3339(), events(alert.event_count))
}

fn events(count: u64) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

fn source(alert: &Alert) -> String {
    let actor = &alert.actor;
    let mut lines = vec![match actor.source_ip.as_deref() {
        Some(address) => format!("*From*\n{} {}", code(address, 100), meaning::network(address)),
        None => "*From*\nnot known".to_owned(),
    }];
    if let Some(via) = &actor.via {
        lines.push(format!("through {}", code(via, 100)));
    }
    if let Some(workload) = &actor.workload {
        lines.push(format!("running as {}", code(workload, 100)));
    }
    lines.join("\n")
}

fn jobs(alert: &Alert) -> String {
    let listed = |fact: &str| alert.facts.get(fact).and_then(Value::as_array).filter(|jobs| !jobs.is_empty());
    let found = listed("jobs").map(|jobs| (jobs, "*Affected jobs*"));
    let Some((jobs, heading)) = found.or_else(|| listed("dependents").map(|others| (others, "*Affected*"))) else {
        return String::new();
    };
    let mut lines = vec![heading.to_owned()];
    for job in jobs.iter().take(JOBS_SHOWN_MAX) {
        let field = |name: &str| job.get(name).and_then(Value::as_str).unwrap_or("?");
        let (name, status) = (code(field("name"), 100), words(field("status"), 40));
        lines.push(format!("• {name} {status}\n{}", code(field("arn"), 260)));
    }
    if jobs.len() > JOBS_SHOWN_MAX {
        lines.push(format!("and {} more", jobs.len().saturating_sub(JOBS_SHOWN_MAX)));
    }
    lines.join("\n")
}

/// Whether there is something to do: what was lost is back when it is resolved, but a stolen key that is quiet is
/// still a stolen key, unless somebody said that it is dealt with.
fn wants_steps(claim: &Claim) -> bool {
    let alert = claim.alert.alert.as_ref();
    let of_credentials = matches!(alert.subject_kind, SubjectKind::Principal | SubjectKind::Event);
    match alert.status {
        Status::Firing => true,
        Status::Resolved => of_credentials && claim.alert.resolution.is_none(),
        Status::Withdrawn => false,
    }
}

fn first_steps(blocks: &mut Blocks, alert: &Alert) {
    let steps = alert.remediation();
    let mut left_out = steps.len().saturating_sub(STEPS_SHOWN_MAX);
    for (position, step) in steps.iter().take(STEPS_SHOWN_MAX).enumerate() {
        let heading = if position == 0 { "*First steps*\n" } else { "" };
        let title = format!("{heading}{}. {}", position.saturating_add(1), words(&step.title, 200));
        let whole = command(&step.command, COMMAND_MAX).map(|command| format!("{title}\n{command}"));
        if !whole.is_some_and(|whole| blocks.markup(&whole, STEPS_RESERVE)) {
            left_out = left_out.saturating_add(1);
            blocks.markup(&format!("{title}\n(too long to show here)"), STEPS_RESERVE.saturating_sub(400));
        }
    }
    if left_out > 0 {
        let id = code(&format!("bedrock-watch alerts show {}", plain(&alert.id, 200)), NAME_MAX);
        blocks.markup(&format!("All commands in full: {id}"), STEPS_RESERVE.saturating_sub(800));
    }
}

fn buttons(alert: &Alert, context: &Context) -> Vec<(&'static str, &'static str, String)> {
    let links = [
        ("runbook", "Runbook", context.runbook(alert)),
        ("cloudtrail", "CloudTrail event", links::cloudtrail(alert)),
        ("console", "Open in console", context.console(alert)),
    ];
    links.into_iter().filter_map(|(id, label, url)| url.map(|url| (id, label, url))).collect()
}

fn small_print(alert: &Alert, repeat: bool) -> Vec<String> {
    let mut elements = vec![format!("alert {}", code(&alert.id, NAME_MAX)), format!("rule {}", code(&alert.rule, 200))];
    if !alert.attack.is_empty() {
        elements.push(format!("ATT&amp;CK {}", words(&alert.attack.join(", "), 200)));
    }
    if let Some(event) = alert.event_ids.first() {
        elements.push(format!("event {}", code(event, 100)));
    }
    if !alert.runbook.is_empty() {
        elements.push(format!("runbook {}", code(&alert.runbook, 200)));
    }
    if repeat {
        elements.push(REPEAT.to_owned());
    }
    elements
}
