//! An alert as JSON within a limit: whole where it fits, otherwise with shorter lists and texts, which it says.

use bedrock_watch_engine::alert::Alert;
use bedrock_watch_service::format::json;
use serde_json::{Map, Value, json};

/// The fact that says that something was left out.
pub(super) const SHORTENED: &str = "shortened";
/// How deep values go once they are shortened.
const DEPTH_MAX: usize = 6;

/// Fields of an object that are kept in any case: an actor has so many.
const FIELDS_MIN: usize = 7;

/// How much of a value is kept.
#[derive(Debug, Clone, Copy)]
struct Measure {
    /// Characters of a text.
    characters: usize,
    /// Elements of a list, and fields of an object in the facts.
    items: usize,
}

/// From much to little.
const MEASURES: [Measure; 3] = [
    Measure { characters: 4_000, items: 50 },
    Measure { characters: 1_000, items: 20 },
    Measure { characters: 300, items: 5 },
];

/// The alert as one line in the product's format, of at most `bytes_max` bytes if that is at least 32 KiB.
pub(super) fn line(alert: &Alert, incident: Option<&str>, bytes_max: usize) -> String {
    let whole = clean(&json::line_in(alert, incident));
    if whole.len() <= bytes_max {
        return whole;
    }
    let value = json::alert_in(alert, incident);
    let mut shorter = MEASURES.iter().map(|measure| clean(&shortened(&value, *measure, true).to_string()));
    if let Some(line) = shorter.find(|line| line.len() <= bytes_max) {
        return line;
    }
    let [.., least] = MEASURES;
    clean(&shortened(&value, Measure { characters: 100, ..least }, false).to_string())
}

fn shortened(alert: &Value, measure: Measure, with_facts: bool) -> Value {
    let Value::Object(fields) = alert else { return Value::Null };
    let field = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            "facts" if !with_facts => json!({}),
            // Half a command or query is worse than none.
            "remediation" | "queries" => whole_ones(value, measure),
            _ => cut(value, measure, DEPTH_MAX),
        };
        (name.clone(), value)
    };
    let mut fields: Map<String, Value> = fields.iter().map(field).collect();
    if let Some(Value::Object(facts)) = fields.get_mut("facts") {
        facts.insert(SHORTENED.to_owned(), Value::Bool(true));
    }
    Value::Object(fields)
}

/// Those of a list that are no longer than a text may be.
fn whole_ones(list: &Value, measure: Measure) -> Value {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let fits = |item: &&Value| item.to_string().len() <= measure.characters;
    Value::Array(items.iter().filter(fits).take(measure.items).cloned().collect())
}

fn cut(value: &Value, measure: Measure, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut_text(text, measure.characters)),
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::Null,
        Value::Array(items) => {
            let below = depth.saturating_sub(1);
            Value::Array(items.iter().take(measure.items).map(|item| cut(item, measure, below)).collect())
        }
        Value::Object(fields) => {
            let below = depth.saturating_sub(1);
            let field =
                |(name, value): (&String, &Value)| (cut_text(name, measure.characters), cut(value, measure, below));
            Value::Object(fields.iter().take(measure.items.max(FIELDS_MIN)).map(field).collect())
        }
        other => other.clone(),
    }
}

fn cut_text(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// JSON in which no character stands that queues refuse; it says the same.
fn clean(line: &str) -> String {
    let is_refused = |character: char| matches!(character, '\u{fffe}' | '\u{ffff}');
    if !line.contains(is_refused) {
        return line.to_owned();
    }
    line.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}
