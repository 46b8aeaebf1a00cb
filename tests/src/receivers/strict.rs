//! What Slack and PagerDuty document of their limits, enforced: each function lists what is wrong with a payload.
//!
//! Written from the documentation and not from the code under test.

use serde_json::Value;

/// Lists what Slack would not take, or what would be more than text, in a message.
#[must_use]
pub fn slack(message: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.chars().count() > 4_000 {
        wrong.push(format!("a text of {} characters", text.chars().count()));
    }
    let blocks = message.get("blocks").and_then(Value::as_array).cloned().unwrap_or_default();
    if blocks.is_empty() || blocks.len() > 50 {
        wrong.push(format!("{} blocks", blocks.len()));
    }
    let total = Value::Array(blocks.clone()).to_string().chars().count();
    if total > 13_000 {
        wrong.push(format!("msg_blocks_too_long: {total}"));
    }
    for block in &blocks {
        slack_block(block, &mut wrong);
    }
    strings(message, &mut |text| slack_text(text, &mut wrong));
    slack_markup(message, &mut wrong);
    wrong
}

fn slack_block(block: &Value, wrong: &mut Vec<String>) {
    let length =
        |pointer: &str| block.pointer(pointer).and_then(Value::as_str).map_or(0, |text| text.encode_utf16().count());
    let mut within = |what: &str, found: usize, least: usize, most: usize| {
        if found < least || found > most {
            wrong.push(format!("{what}: {found} is not within {least} and {most}"));
        }
    };
    let list = |name: &str| block.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    match block.get("type").and_then(Value::as_str) {
        Some("header") => within("header", length("/text/text"), 1, 150),
        Some("section") if block.get("text").is_some() => within("section", length("/text/text"), 1, 3_000),
        Some("section") => {
            within("fields", list("fields").len(), 1, 10);
            for (number, _) in list("fields").iter().enumerate() {
                within("field", length(&format!("/fields/{number}/text")), 1, 2_000);
            }
        }
        Some("context") => {
            within("context", list("elements").len(), 1, 10);
            for (number, _) in list("elements").iter().enumerate() {
                within("element", length(&format!("/elements/{number}/text")), 1, 3_000);
            }
        }
        Some("actions") => {
            within("actions", list("elements").len(), 1, 25);
            for (number, _) in list("elements").iter().enumerate() {
                within("button", length(&format!("/elements/{number}/text/text")), 1, 75);
                within("address", length(&format!("/elements/{number}/url")), 1, 3_000);
            }
        }
        other => wrong.push(format!("block of type {other:?}")),
    }
}

/// No string may call, link or hide anything: the three characters that begin markup are escaped, always.
fn slack_text(text: &str, wrong: &mut Vec<String>) {
    let shown: String = text.chars().take(200).collect();
    if text.contains(['<', '>']) {
        wrong.push(format!("markup in {shown:?}"));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('&') {
        // An ampersand of an address is no markup.
        let address = text.starts_with("https://") || text.starts_with("http://");
        if !address && !["amp;", "lt;", "gt;"].iter().any(|entity| after.starts_with(entity)) {
            wrong.push(format!("a cut escape in {shown:?}"));
            break;
        }
        rest = after;
    }
    if text.chars().any(|character| hides(character) && character != '\n' && character != '\t') {
        wrong.push(format!("something hidden in {shown:?}"));
    }
}

/// In formatted text, code spans and blocks must end, or what follows becomes code and what was code becomes markup.
fn slack_markup(value: &Value, wrong: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| slack_markup(item, wrong)),
        Value::Object(fields) => fields.values().for_each(|field| slack_markup(field, wrong)),
        _ => {}
    }
    if value.get("type").and_then(Value::as_str) != Some("mrkdwn") {
        return;
    }
    let text = value.get("text").and_then(Value::as_str).unwrap_or_default();
    let parts: Vec<&str> = text.split("```").collect();
    let open = parts.iter().step_by(2).any(|outside| outside.matches('`').count() % 2 != 0);
    if open || parts.len().is_multiple_of(2) {
        wrong.push(format!("an open code span in {:?}", text.chars().take(200).collect::<String>()));
    }
}

/// Lists what PagerDuty would refuse of an event.
#[must_use]
pub fn pagerduty(event: &Value, bytes: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    if bytes > 512 * 1_024 {
        wrong.push(format!("{bytes} bytes"));
    }
    let known =
        ["routing_key", "event_action", "dedup_key", "payload", "links", "images", "client", "client_url"].as_slice();
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    for name in event.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&name.as_str()) {
            wrong.push(format!("unknown field {name}"));
        }
    }
    if text("/routing_key").is_none_or(|key| key.len() != 32) {
        wrong.push("routing_key must have 32 characters".to_owned());
    }
    let dedup_key = text("/dedup_key").map_or(0, |key| key.chars().count());
    let action = text("/event_action");
    match action {
        Some("trigger") => pagerduty_payload(event, &mut wrong),
        Some("resolve" | "acknowledge") if event.get("payload").is_none() => {}
        _ => wrong.push(format!("event_action {action:?}, or a payload where there should be none")),
    }
    if dedup_key > 255 || dedup_key == 0 {
        wrong.push(format!("a dedup_key of {dedup_key} characters"));
    }
    for link in event.get("links").and_then(Value::as_array).into_iter().flatten() {
        let href = link.get("href").and_then(Value::as_str).unwrap_or_default();
        if !href.starts_with("https://") && !href.starts_with("http://") || link.get("text").is_none() {
            wrong.push(format!("link {link}"));
        }
    }
    wrong
}

fn pagerduty_payload(event: &Value, wrong: &mut Vec<String>) {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let known = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    for name in event.get("payload").and_then(Value::as_object).into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&name.as_str()) {
            wrong.push(format!("unknown field payload.{name}"));
        }
    }
    let summary = text("/payload/summary").map_or(0, |summary| summary.chars().count());
    if summary == 0 || summary > 1_024 {
        wrong.push(format!("a summary of {summary} characters"));
    }
    if text("/payload/source").is_none_or(str::is_empty) {
        wrong.push("no source".to_owned());
    }
    let severity = text("/payload/severity");
    if !matches!(severity, Some("critical" | "error" | "warning" | "info")) {
        wrong.push(format!("severity {severity:?}"));
    }
    if text("/payload/timestamp").is_none_or(|time| time.parse::<jiff::Timestamp>().is_err()) {
        wrong.push("timestamp is no ISO 8601 time".to_owned());
    }
    if !event.pointer("/payload/custom_details").is_some_and(Value::is_object) {
        wrong.push("custom_details is no object".to_owned());
    }
}

fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn strings(value: &Value, look: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, look)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, look)),
        _ => {}
    }
}
