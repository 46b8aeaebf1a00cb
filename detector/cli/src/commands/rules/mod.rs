//! `rules list|show|check|test|new`: what rules there are, whether they are right, and where to begin a new one.
//!
//! Deliberately no knowledge of how a rule matches: the engine compiles and the service runs the cases.

mod check;
mod show;
mod test;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use bedrock_watch_engine::{
    Second,
    rule::{About, Placeholders, Problem, RuleSet},
};
use bedrock_watch_service::cases::{self, RulePack};

use super::{Failure, Outcome, config, table::table};
use crate::{
    args::{ListFormat, RulesCommand},
    builtin, terminal,
};

/// Runs the command.
pub(super) fn run(command: RulesCommand) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    let outcome = match command {
        RulesCommand::List { rules, config, format } => {
            let (_, rules) = configured(rules.as_deref(), config.as_deref())?;
            list(&mut out, &rules, format)?
        }
        RulesCommand::Show { id, rules, config } => {
            let (pack, rules) = configured(rules.as_deref(), config.as_deref())?;
            show::show(&mut out, &pack, &rules, &id)?
        }
        RulesCommand::Check { dir, strict, config } => {
            let placeholders = placeholders(config.as_deref())?;
            check::check(&mut out, &pack_of(dir.as_deref())?, &placeholders, strict)?
        }
        RulesCommand::Test { dir, junit, config } => {
            let placeholders = placeholders(config.as_deref())?;
            test::test(&mut out, &pack_of(dir.as_deref())?, &placeholders, junit.as_deref())?
        }
        RulesCommand::New { id, dir } => new(&mut out, &id, &dir)?,
    };
    out.flush()?;
    Ok(outcome)
}

/// The rules that a configuration asks for, as it tunes them; `folder` stands in for its own.
fn configured(folder: Option<&Path>, file: Option<&Path>) -> Result<(RulePack, Arc<RuleSet>), Failure> {
    let config = config::load_without_secrets(file)?;
    Ok((config::pack(&config, folder)?, config::rules(&config, folder)?))
}

/// The values of placeholders that a configuration gives.
fn placeholders(file: Option<&Path>) -> Result<Placeholders, Failure> {
    Ok(config::load_without_secrets(file)?.rules.placeholders)
}

/// The rules of a folder alone, which may use the built-in sample records; without a folder the built-in rules.
fn pack_of(folder: Option<&Path>) -> Result<RulePack, Failure> {
    let Some(folder) = folder else { return Ok(builtin::pack()) };
    let pack = RulePack::read(folder).map_err(anyhow::Error::from)?.with_events_of(&builtin::pack());
    if pack.rule_ids().is_empty() {
        let shown = folder.display();
        let message = format!("{shown} holds no rules; a rule is a folder with a rule.yml, or a .yml file by itself");
        return Err(Failure::Arguments(message));
    }
    Ok(pack)
}

fn list(out: &mut impl Write, rules: &RuleSet, format: ListFormat) -> Result<Outcome, Failure> {
    let of_rules = rules.rules().iter().map(|rule| (rule.about(), rule.exclusions().count()));
    let all: Vec<(&About, usize)> =
        of_rules.chain(rules.correlations().iter().map(|correlation| (correlation.about(), 0))).collect();
    match format {
        ListFormat::Json => {
            let rules = all.iter().map(|(about, exceptions)| describe(about, *exceptions)).collect::<Vec<_>>();
            writeln!(out, "{}", serde_json::Value::from(rules))?;
        }
        ListFormat::Human => {
            let row = |(about, exceptions): &(&About, usize)| {
                let exceptions = if *exceptions == 0 { "-".to_owned() } else { exceptions.to_string() };
                let cells = [about.id.as_str(), about.severity.as_str(), about.mode.as_str(), about.status.as_str()];
                let cells = cells.map(str::to_owned).into_iter();
                cells.chain([exceptions, about.title.clone()]).collect()
            };
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            write!(out, "{}", table(&["ID", "LEVEL", "MODE", "STATUS", "EXCEPTIONS", "TITLE"], &rows))?;
        }
    }
    Ok(Outcome::Fine)
}

fn describe(about: &About, exceptions: usize) -> serde_json::Value {
    serde_json::json!({
        "id": about.id,
        "level": about.severity.as_str(),
        "mode": about.mode.as_str(),
        "status": about.status.as_str(),
        "exceptions": exceptions,
        "title": about.title,
        "description": about.description,
        "attack": about.attack,
        "file": about.file,
        "runbook": about.runbook,
    })
}

fn new(out: &mut impl Write, id: &str, folder: &Path) -> Result<Outcome, Failure> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
    let today = i64::try_from(now).ok().and_then(Second::from_unix).unwrap_or(Second::MAX);
    let files = cases::new_rule(id, today).map_err(Failure::Arguments)?;
    let rule = folder.join(id);
    if rule.exists() {
        let shown = rule.display();
        return Err(Failure::Arguments(format!("{shown} exists already; choose another id, or remove it first")));
    }
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "{}", path.display())?;
    }
    let shown = rule.display();
    terminal::say(&format!("one case fails until the rule is written: bedrock-watch rules test {shown}"));
    Ok(Outcome::Fine)
}

fn print_problems(out: &mut impl Write, problems: &[Problem]) -> io::Result<()> {
    problems.iter().try_for_each(|problem| writeln!(out, "{problem}"))
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
