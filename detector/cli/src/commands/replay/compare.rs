//! `replay --compare`: what other rules would have changed.

use std::sync::Arc;

use anyhow::Context;
use bedrock_watch_engine::{
    Engine, Settings,
    rule::{Mode, RuleSet},
};
use bedrock_watch_service::{
    format::{Format, json},
    replay::{
        compare::{Change, Difference, Pair},
        replay,
    },
};
use serde_json::{json, value::RawValue};

use super::{super::table::table, Failure, Outcome, Printer, Reading, restore, summarise};
use crate::{args::ReplayArguments, terminal};

/// Judges by `rules` and by `changed`, and prints the differences.
pub(super) fn run(arguments: &ReplayArguments, rules: Arc<RuleSet>, changed: Arc<RuleSet>) -> Result<Outcome, Failure> {
    let (before, memory) = restore(arguments, &rules)?;
    let after = match &memory {
        Some((_, known)) => Engine::restore(Arc::clone(&changed), Settings::standard(), &known.bytes)
            .context("the memory cannot be used with the changed rules")?,
        None => Engine::new(Arc::clone(&changed), Settings::standard()),
    };
    let mut pair = Pair { before, after };
    let mut reading = Reading::start(arguments)?;
    let mut printer = Printer::new(arguments, &mut reading, Arc::clone(&changed));
    let summary = replay(&mut pair, reading.records.as_mut(), reading.span, &mut printer)?;
    printer.progress.end();
    let (mut differences, alike) = pair.differences();
    // What nobody would have been told of is no difference.
    differences.retain(|one| {
        let of = if one.change == Change::Removed { &rules } else { &changed };
        of.mode(&one.alert.rule) != Mode::Shadow
    });
    printer.write(&render(&differences, printer.format))?;
    summarise(&pair.after, &summary, reading.began, arguments);
    let count = |wanted: fn(&Change) -> bool| differences.iter().filter(|one| wanted(&one.change)).count();
    terminal::say(&format!(
        "{} added, {} removed, {} of another severity, {alike} alike",
        count(|change| *change == Change::Added),
        count(|change| *change == Change::Removed),
        count(|change| matches!(change, Change::Severity(_)))
    ));
    reading.was_there_anything()?;
    let is_found = arguments.fail_on.is_some_and(|level| differences.iter().any(|one| one.severity() >= level));
    Ok(if is_found { Outcome::FoundSomething } else { Outcome::Fine })
}

fn render(differences: &[Difference], format: Format) -> String {
    if format == Format::Human {
        let row = |one: &Difference| {
            let severity = match one.change {
                Change::Severity(before) => format!("{} -> {}", before.as_str(), one.alert.severity.as_str()),
                Change::Added | Change::Removed => one.alert.severity.as_str().to_owned(),
            };
            let alert = &one.alert;
            let time = alert.first_event_time.to_rfc3339();
            let change = one.change.as_str().to_owned();
            vec![change, severity, time, alert.rule.clone(), alert.account.clone(), alert.summary.clone()]
        };
        let rows: Vec<Vec<String>> = differences.iter().map(row).collect();
        return table(&["CHANGE", "SEVERITY", "FIRST EVENT", "RULE", "ACCOUNT", "SUMMARY"], &rows);
    }
    let line = |one: &Difference| {
        let before = match one.change {
            Change::Severity(before) => Some(before.as_str()),
            Change::Added | Change::Removed => None,
        };
        // The alert's own text, so that its fields keep their order.
        let alert = RawValue::from_string(json::line(&one.alert)).ok();
        let head = json!({ "change": one.change.as_str(), "severity_before": before }).to_string();
        let head = head.strip_suffix('}').unwrap_or_default().to_owned();
        format!("{head},\"alert\":{}}}\n", alert.as_deref().map_or("null", RawValue::get))
    };
    differences.iter().map(line).collect()
}
