//! What SNS is given: a subject, a text for each way of delivery, and attributes that subscriptions can filter by.

use bedrock_watch_engine::alert::AlertChange;
use bedrock_watch_service::{
    format::{Colour, Format},
    sink::payload::text::plain,
};
use serde_json::json;

use super::{Said, detail};

/// Characters of a subject (SNS API reference).
const SUBJECT_CHARACTERS_MAX: usize = 100;
/// Characters of the text for people.
const TEXT_CHARACTERS_MAX: usize = 8_000;
/// Characters of a text message, so that it is one.
const SMS_CHARACTERS_MAX: usize = 140;
/// Bytes of a message, attributes included (SNS quotas: 256 KB), less a margin for those.
const MESSAGE_BYTES_MAX: usize = 250_000;
/// Bytes of the alert as JSON, of which the message holds one for each way of delivery to a program; from much to little.
const DETAIL_BYTES: [usize; 2] = [40_000, 0];
/// Ways of delivery to a program.
const PROGRAMS: [&str; 5] = ["sqs", "lambda", "http", "https", "firehose"];

/// The subject: letters, digits and marks of ASCII, in one line.
pub(super) fn subject(said: &Said<'_>) -> String {
    let alert = said.alert;
    let text = format!("{} {}: {}", alert.severity.as_str().to_uppercase(), alert.status.as_str(), alert.title);
    let ascii = |character: char| if character == ' ' || character.is_ascii_graphic() { character } else { '?' };
    text.chars().map(ascii).take(SUBJECT_CHARACTERS_MAX).collect::<String>().trim_end().to_owned()
}

/// The message, in SNS's `json` structure.
pub(super) fn message(said: &Said<'_>) -> String {
    let change = AlertChange { kind: said.kind, alert: said.alert.clone() };
    let human = Format::Human.render(&change, Colour::Never);
    let human = shortened(human.trim_end());
    let sms = plain(&format!("{} {}", said.alert.severity.as_str(), said.alert.summary), SMS_CHARACTERS_MAX);
    for bytes in DETAIL_BYTES {
        let detail = detail::line(said.alert, said.incident, bytes);
        let mut message = json!({ "default": human, "sms": sms });
        if let Some(ways) = message.as_object_mut() {
            ways.extend(PROGRAMS.map(|way| (way.to_owned(), json!(detail))));
        }
        let message = message.to_string();
        if message.len() <= MESSAGE_BYTES_MAX {
            return message;
        }
    }
    json!({ "default": human, "sms": sms }).to_string()
}

fn shortened(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(TEXT_CHARACTERS_MAX) else { return text.replace(is_refused, "?") };
    format!("{}…\n(shortened)", text.get(..end).unwrap_or_default().replace(is_refused, "?"))
}

/// What a queue would refuse to take from SNS.
const fn is_refused(character: char) -> bool {
    matches!(character, '\u{fffe}' | '\u{ffff}')
}

/// Names and values that subscriptions can filter by; none is empty.
pub(super) fn attributes(said: &Said<'_>) -> Vec<(&'static str, String)> {
    let alert = said.alert;
    let attributes = [
        ("severity", alert.severity.as_str()),
        ("status", alert.status.as_str()),
        ("rule", alert.rule.as_str()),
        ("account", alert.account.as_str()),
        ("region", alert.region.as_deref().unwrap_or_default()),
    ];
    let attributes = attributes.into_iter().map(|(name, value)| (name, plain(value, 200).replace(is_refused, "?")));
    attributes.filter(|(_, value)| !value.is_empty()).collect()
}
