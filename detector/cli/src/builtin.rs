//! The rules that are part of the program, and those a user adds.

use std::{path::Path, sync::Arc};

use bedrock_watch_engine::rule::{Mode, Placeholders, RuleSet};
use bedrock_watch_service::{cases::RulePack, config::Config};
use include_dir::{Dir, include_dir};

use crate::commands::Failure;

static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../rules");

/// The built-in rules, with their runbooks, cases and sample events.
pub(crate) fn pack() -> RulePack {
    let mut files = Vec::new();
    let mut folders = vec![&RULES];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        let texts = folder.files().map(|file| (file.path().to_string_lossy().into_owned(), file.contents().to_vec()));
        files.extend(texts);
    }
    RulePack::from_files("rules", files)
}

/// The built-in rules, with those of a folder added; a rule of the same id is replaced.
pub(crate) fn pack_with(folder: Option<&Path>) -> Result<RulePack, Failure> {
    match folder {
        Some(folder) => Ok(pack().overlaid(read(folder)?)),
        None => Ok(pack()),
    }
}

/// The rules of a folder alone.
pub(crate) fn read(folder: &Path) -> Result<RulePack, Failure> {
    RulePack::read(folder).map_err(|error| Failure::Configuration(vec![error.to_string()]))
}

/// Compiles a pack's rules, except those whose id is in `disabled`.
fn compile(pack: &RulePack, disabled: &[String], placeholders: &Placeholders) -> Result<Arc<RuleSet>, Failure> {
    let ids = pack.rule_ids();
    let unknown = disabled.iter().filter(|id| !ids.contains(*id));
    let unknown: Vec<String> = unknown.map(|id| format!("[rules] disabled: there is no rule `{id}`")).collect();
    if !unknown.is_empty() {
        return Err(Failure::Configuration(unknown));
    }
    let problems = |problems: Vec<bedrock_watch_engine::rule::Problem>| {
        Failure::Configuration(problems.iter().map(ToString::to_string).collect())
    };
    pack.compile_with(disabled, placeholders).map(Arc::new).map_err(problems)
}

/// Compiles a pack's rules as a configuration wants them: without those that are off, and tuned.
pub(crate) fn compile_tuned(pack: &RulePack, config: &Config) -> Result<Arc<RuleSet>, Failure> {
    let mut disabled = config.rules.disabled.clone();
    let off = config.rules.tuning.iter().filter(|(_, tuning)| tuning.mode == Mode::Off);
    disabled.extend(off.map(|(id, _)| id.clone()));
    let rules = compile(pack, &disabled, &config.rules.placeholders)?;
    let tuned = RuleSet::clone(&rules).tuned(&config.rules.tuning);
    let problems = |problems: Vec<bedrock_watch_engine::rule::TuningProblem>| {
        Failure::Configuration(problems.iter().map(|problem| config.tuning_problem(problem).to_string()).collect())
    };
    tuned.map(Arc::new).map_err(problems)
}
