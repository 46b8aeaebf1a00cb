//! The reference of the configuration as Markdown, derived from the list of keys; `docs/configuration.md` is this text.

use super::keys::{Form, Key, Kind, SECTIONS, Section, U32_MAX};

const HEAD: &str = "\
# Configuration

<!-- Written by `bedrock-watch config reference`; a test compares. Change the list of keys instead. -->

One TOML file says everything: `bedrock-watch run --config FILE`. Without one the service listens on 127.0.0.1:8787, \
keeps its memory in `./bedrock-watch.db` and writes alerts to standard output.

- `bedrock-watch config check FILE` reports every problem at once, with line and what would be valid. Unknown keys are \
problems.
- `bedrock-watch config example` prints a file with every key; `bedrock-watch config schema` its JSON Schema, for editors.
- `${NAME}` in a value stands for an environment variable, `$$` for a dollar sign.
- Secrets are never shown. Besides `${NAME}`, a secret can come from a file (`..._file`) or from AWS Secrets Manager: \
`${secretsmanager:NAME}`, or `${secretsmanager:NAME#KEY}` for one text of a JSON object. They are read at the start.
- Times without another unit are what the name ends with: `_s` seconds, `_ms` milliseconds, `_days` days.
- `[rules]` and what is below it is read again while the service runs ([rules in force](../detector/docs/tuning.md)); \
everything else after a restart.
";

/// The reference.
#[must_use]
pub fn reference() -> String {
    let sections: String = SECTIONS.iter().map(section).collect();
    let names = SECTIONS.iter().map(|section| format!("[`{0}`](#{0})", section.name));
    format!("{HEAD}\nSections: {}.\n{sections}", names.collect::<Vec<_>>().join(", "))
}

fn section(section: &Section) -> String {
    let (name, doc) = (section.name, section.doc);
    let once = format!("\n## {name}\n\n`[{name}]`, once. {doc}\n\n");
    let many = format!("\n## {name}\n\n`[[{name}]]`, any number of times. {doc}\n");
    match &section.form {
        Form::Table(keys) => once + &table(keys),
        Form::Named(keys, of) => {
            let (list, list_doc, list_keys) = of.list;
            let below = format!("{name}.{}", of.what.to_uppercase());
            format!(
                "{once}{}\n`[{below}]`: {}\n\n{}\n`[[{below}.{list}]]`: {list_doc}\n\n{}",
                table(keys),
                of.doc,
                table(of.keys),
                table(list_keys),
            )
        }
        Form::List(keys) => format!("{many}\n{}", table(keys)),
        Form::Kinds(variants) => {
            let variants = variants.iter().map(|variant| {
                let keys = if variant.keys.is_empty() { "No further keys.\n".to_owned() } else { table(variant.keys) };
                format!("\n### {name}: {kind}\n\n`kind = \"{kind}\"`. {}\n\n{keys}", variant.doc, kind = variant.kind)
            });
            many + &variants.collect::<String>()
        }
    }
}

fn table(keys: &[Key]) -> String {
    let rows = keys.iter().map(|key| {
        let (value, default) = (cell(&value(&key.kind)), cell(&default(key)));
        format!("| `{}` | {value} | {default} | {} |\n", key.name, cell(key.doc))
    });
    format!("| key | value | default | meaning |\n|---|---|---|---|\n{}", rows.collect::<String>())
}

/// What may stand there.
fn value(kind: &Kind) -> String {
    let names = |choices: &[&str]| choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::Number { min, max: U32_MAX, .. } => format!("{min} or more"),
        Kind::Number { min, max, .. } => format!("{min} to {max}"),
        Kind::Signed { min, max, .. } => format!("{min} to {max}"),
        Kind::Flag { .. } => "true or false".to_owned(),
        Kind::Text { .. } => "text".to_owned(),
        Kind::Choice { choices, .. } => names(choices),
        Kind::Texts { choices: [], .. } => "list of texts".to_owned(),
        Kind::Texts { choices, .. } => format!("list of {}", names(choices)),
        Kind::Secret => "secret".to_owned(),
        Kind::Secrets => "table of secrets".to_owned(),
        Kind::Numbers => "table of numbers".to_owned(),
        Kind::TextLists => "table of texts, or of lists of them".to_owned(),
    }
}

/// What holds where it is left out; an example where nothing does.
fn default(key: &Key) -> String {
    let shown = match &key.kind {
        Kind::Number { default, .. } => Some(default.to_string()),
        Kind::Signed { default, .. } => Some(default.to_string()),
        Kind::Flag { default } => Some(default.to_string()),
        Kind::Text { default } | Kind::Choice { default, .. } => default.map(|default| format!("\"{default}\"")),
        Kind::Texts { default: [], .. } => None,
        Kind::Texts { default, .. } => Some(format!("{default:?}")),
        Kind::Secret | Kind::Secrets | Kind::Numbers | Kind::TextLists => None,
    };
    let quoted = matches!(&key.kind, Kind::Text { .. } | Kind::Choice { .. } | Kind::Secret) && !key.sample.is_empty();
    let sample = if quoted { format!("\"{}\"", key.sample) } else { key.sample.to_owned() };
    match shown {
        Some(default) => format!("`{default}`"),
        None if key.required => format!("**required**, such as `{sample}`"),
        None if sample.is_empty() => String::new(),
        None => format!("none; such as `{sample}`"),
    }
}

/// Text that stays within its cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
