//! A configuration with every key, its default and what it means, derived from the list of keys.

use super::keys::{Form, Key, Kind, SECTIONS, Section};

/// The example. Used as it is, it says what holds without a file; lines that begin with `#` are possibilities.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# bedrock-watch: every key of the configuration, with its default.\n\
         # Unknown keys are errors. ${NAME} in a value stands for an environment variable, $$ for a dollar sign.\n\
         # In a secret, ${secretsmanager:NAME} and ${secretsmanager:NAME#KEY} stand for one of AWS Secrets Manager.\n",
    );
    for section in SECTIONS {
        text.push_str(&format_section(section));
    }
    text
}

fn format_section(section: &Section) -> String {
    let heading = format!("[[{}]]", section.name);
    let body = match &section.form {
        Form::Table(keys) => table(&format!("[{}]", section.name), None, keys, ""),
        Form::Named(keys, of) => {
            let own = table(&format!("[{}]", section.name), None, keys, "");
            let below = format!("{}.{}", section.name, of.sample);
            let named = table(&format!("[{below}]"), None, of.keys, "# ");
            let (list, doc, list_keys) = of.list;
            let list = table(&format!("[[{below}.{list}]]"), None, list_keys, "# ");
            format!("{own}\n# {}\n{named}# {doc}\n{list}", of.doc)
        }
        Form::List(keys) => table(&heading, None, keys, "# "),
        Form::Kinds(variants) => {
            let parts = variants.iter().enumerate().map(|(position, variant)| {
                // The first kind is what holds without a file; the others are possibilities.
                let prefix = if position == 0 { "" } else { "# " };
                let keys = table(&heading, Some(variant.kind), variant.keys, prefix);
                format!("# {}: {}\n{keys}", variant.kind, variant.doc)
            });
            parts.collect()
        }
    };
    format!("\n# {}\n{body}", section.doc)
}

fn table(heading: &str, kind: Option<&str>, keys: &[Key], prefix: &str) -> String {
    let kind = kind.map_or_else(String::new, |kind| format!("{prefix}kind = \"{kind}\"\n"));
    let keys: String = keys.iter().map(|key| line(key, prefix)).collect();
    format!("{prefix}{heading}\n{kind}{keys}")
}

fn line(key: &Key, prefix: &str) -> String {
    let (value, is_default) = value(key);
    let prefix = if is_default { prefix } else { "# " };
    format!("{}{prefix}{} = {value}\n", explanation(key), key.name)
}

fn explanation(key: &Key) -> String {
    let choices = match &key.kind {
        Kind::Choice { choices, .. } => format!("One of {}. ", choices.join(", ")),
        _ => String::new(),
    };
    format!("# {}\n", format!("{choices}{}", key.doc).trim_end())
}

/// The value to show, and whether it is the default.
fn value(key: &Key) -> (String, bool) {
    match &key.kind {
        Kind::Number { default, .. } => (default.to_string(), true),
        Kind::Signed { default, .. } => (default.to_string(), true),
        Kind::Flag { default } => (default.to_string(), true),
        Kind::Text { default } | Kind::Choice { default, .. } => match default {
            Some(default) => (format!("\"{default}\""), true),
            None => (format!("\"{}\"", key.sample), false),
        },
        Kind::Texts { default: [], .. } if !key.sample.is_empty() => (key.sample.to_owned(), false),
        Kind::Texts { default, .. } => (format!("{default:?}"), true),
        Kind::Secret => (format!("\"{}\"", key.sample), false),
        Kind::Secrets | Kind::Numbers | Kind::TextLists => (key.sample.to_owned(), false),
    }
}
