//! `rules list|show|check|test|new`: for the people who read, write and tune rules.
//!
//! Deliberately no knowledge of how a rule matches: the engine compiles and the service runs the cases.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use bedrock_watch_engine::{
    Second,
    rule::{Problem, Rule, RuleSet},
};
use bedrock_watch_service::cases::{self, Case, RulePack};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Outcome};
use crate::{
    args::{ListFormat, RulesCommand},
    builtin, terminal,
};

/// Runs the command.
pub(super) fn run(command: RulesCommand) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    let outcome = match command {
        RulesCommand::List { rules, format } => list(&mut out, &builtin::pack_with(rules.as_deref())?, format)?,
        RulesCommand::Show { id, rules } => show(&mut out, &builtin::pack_with(rules.as_deref())?, &id)?,
        RulesCommand::Check { dir } => check(&mut out, &pack_of(dir.as_deref())?)?,
        RulesCommand::Test { dir } => test(&mut out, &pack_of(dir.as_deref())?)?,
        RulesCommand::New { id, dir } => new(&mut out, &id, &dir)?,
    };
    out.flush()?;
    Ok(outcome)
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

fn list(out: &mut impl Write, pack: &RulePack, format: ListFormat) -> Result<Outcome, Failure> {
    let rules = builtin::compile(pack, &[])?;
    match format {
        ListFormat::Json => {
            let rules = rules.rules().iter().map(describe).collect::<Vec<_>>();
            writeln!(out, "{}", serde_json::Value::from(rules))?;
        }
        ListFormat::Human => table(out, rules.rules())?,
    }
    Ok(Outcome::Fine)
}

fn describe(rule: &Rule) -> serde_json::Value {
    let about = rule.about();
    serde_json::json!({
        "id": about.id,
        "level": about.severity.as_str(),
        "status": about.status.as_str(),
        "title": about.title,
        "description": about.description,
        "attack": about.attack,
        "file": about.file,
        "runbook": about.runbook,
    })
}

fn table(out: &mut impl Write, rules: &[Rule]) -> io::Result<()> {
    let cells = |rule: &Rule| {
        let about = rule.about();
        [about.id.clone(), about.severity.as_str().to_owned(), about.status.as_str().to_owned(), about.title.clone()]
    };
    let head = ["ID", "LEVEL", "STATUS", "TITLE"].map(str::to_owned);
    let rows = [head].into_iter().chain(rules.iter().map(cells)).collect::<Vec<_>>();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let (ids, levels, statuses) = (width(0), width(1), width(2));
    for [id, level, status, title] in &rows {
        writeln!(out, "{id:<ids$}  {level:<levels$}  {status:<statuses$}  {title}")?;
    }
    Ok(())
}

fn show(out: &mut impl Write, pack: &RulePack, id: &str) -> Result<Outcome, Failure> {
    let Some(rule) = pack.rule_files().into_iter().find(|rule| rule.id == id) else {
        let known = pack.rule_ids().into_iter().collect::<Vec<_>>().join("\n  ");
        return Err(Failure::Arguments(format!("there is no rule `{id}`; there are\n  {known}")));
    };
    writeln!(out, "# {}\n\n{}", rule.path, rule.text.trim_end())?;
    let runbook = format!("{id}/runbook.md");
    if let Some(text) = pack.file(&runbook) {
        writeln!(out, "\n# {}\n\n{}", pack.shown(&runbook), String::from_utf8_lossy(text).trim_end())?;
    }
    Ok(Outcome::Fine)
}

fn check(out: &mut impl Write, pack: &RulePack) -> Result<Outcome, Failure> {
    let ids = pack.rule_ids();
    let mut problems = RuleSet::compile(&pack.rule_files()).err().unwrap_or_default();
    problems.extend(ids.iter().filter_map(|id| cases::load(pack, id).err()).flatten());
    if problems.is_empty() {
        writeln!(out, "{}, no problem", counted(ids.len(), "rule"))?;
        return Ok(Outcome::Fine);
    }
    print_problems(out, &problems)?;
    Ok(Outcome::FoundSomething)
}

fn test(out: &mut impl Write, pack: &RulePack) -> Result<Outcome, Failure> {
    let ids = pack.rule_ids();
    let rules = match RuleSet::compile(&pack.rule_files()) {
        Ok(rules) => Arc::new(rules),
        Err(problems) => {
            print_problems(out, &problems)?;
            return Ok(Outcome::FoundSomething);
        }
    };
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for id in &ids {
        match cases::load(pack, id) {
            Ok(cases) => all.extend(cases),
            Err(found) => problems.extend(found),
        }
    }
    print_problems(out, &problems)?;
    let failed = run_cases(out, &all, &rules)?;
    if failed == 0 && problems.is_empty() {
        writeln!(out, "{} of {} passed", counted(all.len(), "case"), counted(ids.len(), "rule"))?;
        return Ok(Outcome::Fine);
    }
    if failed > 0 {
        writeln!(out, "{failed} of {} failed", counted(all.len(), "case"))?;
    }
    Ok(Outcome::FoundSomething)
}

/// Runs the cases, says how the failing ones differ, and returns how many failed.
fn run_cases(out: &mut impl Write, all: &[Case], rules: &Arc<RuleSet>) -> Result<usize, Failure> {
    // Drawn on a terminal only.
    let progress = ProgressBar::new(u64::try_from(all.len()).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{pos}/{len} {wide_msg}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut failed = 0_usize;
    for case in all {
        progress.set_message(format!("{}: {}", case.rule, case.name));
        let lines = cases::run(case, rules);
        progress.inc(1);
        if !lines.is_empty() {
            failed = failed.saturating_add(1);
            let text = format!("{}: {}\n  {}\n", case.file, case.title, lines.join("\n  "));
            progress.suspend(|| writeln!(out, "{text}"))?;
        }
    }
    progress.finish_and_clear();
    Ok(failed)
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
