//! `rules show`: a rule in plain words, its numbers, what the configuration changes, an alert of it, its file and its
//! runbook.

use std::{io::Write, sync::Arc};

use bedrock_watch_engine::{
    alert::{AlertChange, ChangeKind},
    rule::{About, CorrelationRule, Exclusion, Mode, Rule, RuleSet, Threshold},
};
use bedrock_watch_service::{
    cases::{self, RulePack},
    format::{Colour, Format},
};

use super::{Failure, Outcome};

/// Shows the rule `id`.
pub(super) fn show(out: &mut impl Write, pack: &RulePack, rules: &Arc<RuleSet>, id: &str) -> Result<Outcome, Failure> {
    let Some(file) = pack.rule_files().into_iter().find(|rule| rule.id == id) else {
        let known = pack.rule_ids().into_iter().collect::<Vec<_>>().join("\n  ");
        return Err(Failure::Arguments(format!("there is no rule `{id}`; there are\n  {known}")));
    };
    // A file may hold rules that only feed a correlation of the file's name.
    let is_of_file = |other: &str| other == id || other.strip_prefix(id).is_some_and(|rest| rest.starts_with('/'));
    for correlation in rules.correlations().iter().filter(|one| is_of_file(&one.about().id)) {
        heading(out, correlation.about())?;
        write!(out, "{}", correlation.explain(&correlation.input_ids(rules)))?;
        tuned(out, correlation.about(), &CorrelationRule::thresholds(correlation), &[])?;
    }
    let mut shown = false;
    for rule in rules.rules().iter().filter(|rule| is_of_file(rule.id())) {
        shown = true;
        heading(out, rule.about())?;
        write!(out, "{}", rule.explain())?;
        tuned(out, rule.about(), &Rule::thresholds(rule), &rule.exclusions().collect::<Vec<_>>())?;
    }
    if !shown {
        writeln!(out, "# {id}\n\nThe configuration switches this rule off.")?;
    }
    sample(out, pack, rules, id)?;
    writeln!(out, "\n# {}\n\n{}", file.path, file.text.trim_end())?;
    let runbook = format!("{id}/runbook.md");
    if let Some(text) = pack.file(&runbook) {
        writeln!(out, "\n# {}\n\n{}", pack.shown(&runbook), String::from_utf8_lossy(text).trim_end())?;
    }
    Ok(Outcome::Fine)
}

fn heading(out: &mut impl Write, about: &About) -> std::io::Result<()> {
    writeln!(out, "# {}: {}\n", about.id, about.title)?;
    if !about.description.is_empty() {
        writeln!(out, "{}\n", about.description)?;
    }
    Ok(())
}

/// The numbers that can be moved, and what the configuration says of the rule.
fn tuned(
    out: &mut impl Write,
    about: &About,
    thresholds: &[Threshold],
    exclusions: &[&Exclusion],
) -> std::io::Result<()> {
    writeln!(out)?;
    match about.mode {
        Mode::Shadow => writeln!(out, "Mode: shadow; what it would raise is counted and told to nobody.")?,
        mode => writeln!(out, "Mode: {}.", mode.as_str())?,
    }
    for threshold in thresholds {
        writeln!(out, "Threshold `{}`: {} ({}).", threshold.name, threshold.value, threshold.key)?;
    }
    for exclusion in exclusions {
        let fields = exclusion.fields.iter().map(|(name, values)| format!("{name} {}", values.join(" or ")));
        let named = [("principal", &exclusion.principals), ("account", &exclusion.accounts)].into_iter();
        let named = named.filter(|(_, values)| !values.is_empty());
        let parts = named.map(|(what, values)| format!("{what} {}", values.join(" or "))).chain(fields);
        let until = exclusion.expires.map_or_else(String::new, |at| format!(", until {}", at.to_rfc3339()));
        let parts = parts.collect::<Vec<_>>().join(" and ");
        writeln!(out, "Exception: {parts}{until}, because: {}.", exclusion.reason.trim_end_matches('.'))?;
    }
    writeln!(out)
}

/// An alert of the rule, made by one of its cases that fire.
fn sample(out: &mut impl Write, pack: &RulePack, rules: &Arc<RuleSet>, id: &str) -> std::io::Result<()> {
    let cases = cases::load(pack, id).unwrap_or_default();
    for case in cases.iter().filter(|case| !case.expect.is_empty()) {
        let Some(alert) = cases::alerts(case, rules).into_iter().next() else { continue };
        writeln!(out, "An alert of it, from the case `{}` ({})\n", case.name, case.title)?;
        let change = AlertChange { kind: ChangeKind::Fired, alert };
        write!(out, "{}", Format::Human.render(&change, Colour::Never))?;
        return Ok(());
    }
    Ok(())
}
