//! `[rules]` and the section of each rule.

use std::path::PathBuf;

use bedrock_watch_engine::{
    Second,
    alert::Severity,
    rule::{Exclusion, Mode, RuleTuning, Tuning},
};

use super::{
    super::{
        Mention, RulesConfig,
        named::NamedTable,
        read::{Document, Table},
    },
    Findings,
};

/// Which rules are judged by, and what is changed about them.
pub(super) fn rules(document: &Document, found: &mut Findings) -> RulesConfig {
    let table = document.table("rules");
    let mut tuning = Tuning::new();
    for named in document.named("rules") {
        let place = document.problem(&named.table, "", String::new());
        found.mentions.push(Mention { rule: named.name.clone(), place });
        tuning.insert(named.name.clone(), one(document, named, found));
    }
    RulesConfig {
        dir: table.text("dir").map(PathBuf::from),
        builtin: table.flag("builtin"),
        disabled: table.texts("disabled"),
        placeholders: table.text_lists("placeholders"),
        reload_s: table.number("reload_s"),
        tuning,
    }
}

fn one(document: &Document, named: &NamedTable, found: &mut Findings) -> RuleTuning {
    let table = &named.table;
    let mut note = |table: &Table, key: &'static str, item: Option<usize>| {
        found.tuned.insert((named.name.clone(), key, item), document.problem(table, key, String::new()));
    };
    for key in ["", "thresholds"] {
        note(table, key, None);
    }
    for (item, exclusion) in named.list.iter().enumerate() {
        for key in ["", "principals", "accounts", "fields", "reason"] {
            note(exclusion, key, Some(item));
        }
    }
    let choice = |key: &str| table.text(key).unwrap_or_default();
    RuleTuning {
        mode: Mode::ALL.into_iter().find(|mode| mode.as_str() == choice("mode")).unwrap_or_default(),
        level: Severity::ALL.into_iter().find(|level| level.as_str() == choice("level")),
        thresholds: table.numbers("thresholds"),
        exclusions: named.list.iter().map(|exclusion| excluded(document, exclusion, found)).collect(),
    }
}

fn excluded(document: &Document, table: &Table, found: &mut Findings) -> Exclusion {
    let reason = table.text("reason").unwrap_or_default();
    if table.has("reason") && reason.trim().is_empty() {
        found.error(document, table, "reason", "say why, for those who wonder later");
    }
    let expires = table.text("expires");
    let parsed =
        expires.as_deref().and_then(|text| Second::parse(text).or_else(|| Second::parse(&format!("{text}T00:00:00Z"))));
    if let (Some(text), None) = (&expires, parsed) {
        let message =
            format!("`{text}` is no time; use one such as 2027-01-31T00:00:00Z, or a date such as 2027-01-31");
        found.error(document, table, "expires", message);
    }
    for key in ["principals", "accounts"] {
        if table.has(key) && table.texts(key).is_empty() {
            found.error(document, table, key, format!("`{key}` names nothing; name at least one, or leave it out"));
        }
    }
    Exclusion {
        principals: table.texts("principals"),
        accounts: table.texts("accounts"),
        fields: table.text_lists("fields").into_iter().collect(),
        reason,
        expires: parsed,
    }
}
