//! A configuration with every key, its default and what it means, derived from the list of keys.

use super::keys::{Form, Key, Kind, SECTIONS, Section};

/// The example. Used as it is, it says what holds without a file; lines that begin with `#` are possibilities.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# bedrock-watch: every key of the configuration, with its default.\n\
         # Unknown keys are errors. ${NAME} in a value stands for an environment variable, $$ for a dollar sign.\n",
    );
    for section in SECTIONS {
        text.push_str(&format_section(section));
    }
    text
}

fn format_section(section: &Section) -> String {
    let mut text = format!("\n# {}\n", section.doc);
    match &section.form {
        Form::Table(keys) => text.push_str(&format_table(&format!("[{}]", section.name), None, keys, "")),
        Form::List(keys) => text.push_str(&format_table(&format!("[[{}]]", section.name), None, keys, "# ")),
        Form::Kinds(variants) => {
            for (position, variant) in variants.iter().enumerate() {
                // The first kind is what holds without a file; the others are possibilities.
                let prefix = if position == 0 { "" } else { "# " };
                let heading = format!("[[{}]]", section.name);
                text.push_str(&format!("# {}: {}\n", variant.kind, variant.doc));
                text.push_str(&format_table(&heading, Some(variant.kind), variant.keys, prefix));
            }
        }
    }
    text
}

fn format_table(heading: &str, kind: Option<&str>, keys: &[Key], prefix: &str) -> String {
    let mut text = format!("{prefix}{heading}\n");
    if let Some(kind) = kind {
        text.push_str(&format!("{prefix}kind = \"{kind}\"\n"));
    }
    for key in keys {
        if !key.doc.is_empty() || matches!(key.kind, Kind::Choice { .. }) {
            text.push_str(&format!("# {}\n", explanation(key)));
        }
        let (value, is_default) = value(key);
        let prefix = if is_default { prefix } else { "# " };
        text.push_str(&format!("{prefix}{} = {value}\n", key.name));
    }
    text
}

fn explanation(key: &Key) -> String {
    match &key.kind {
        Kind::Choice { choices, .. } => format!("One of {}. {}", choices.join(", "), key.doc).trim_end().to_owned(),
        _ => key.doc.to_owned(),
    }
}

/// The value to show, and whether it is the default.
fn value(key: &Key) -> (String, bool) {
    match &key.kind {
        Kind::Number { default, .. } => (default.to_string(), true),
        Kind::Flag { default } => (default.to_string(), true),
        Kind::Text { default } | Kind::Choice { default, .. } => match default {
            Some(default) => (format!("\"{default}\""), true),
            None => (format!("\"{}\"", key.sample), false),
        },
        Kind::Texts { default, .. } => (format!("{default:?}"), true),
        Kind::Secret => (format!("\"{}\"", key.sample), false),
    }
}
