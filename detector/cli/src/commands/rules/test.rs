//! `rules test`: runs every case, and says how the failing ones differ.

use std::{fs, io::Write, path::Path, sync::Arc};

use anyhow::Context as _;
use bedrock_watch_engine::rule::{Placeholders, RuleSet};
use bedrock_watch_service::cases::{self, Case, RulePack};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Outcome, counted, print_problems};

/// Runs the cases of a pack; `junit` is a file for the results.
pub(super) fn test(
    out: &mut impl Write,
    pack: &RulePack,
    placeholders: &Placeholders,
    junit: Option<&Path>,
) -> Result<Outcome, Failure> {
    let ids = pack.rule_ids();
    let (rules, mut problems) = match pack.compile_with(&[], placeholders) {
        Ok(rules) => (Some(Arc::new(rules)), Vec::new()),
        Err(problems) => (None, problems),
    };
    let mut all = Vec::new();
    for id in ids.iter().filter(|_| rules.is_some()) {
        match cases::load(pack, id) {
            Ok(cases) => all.extend(cases),
            Err(found) => problems.extend(found),
        }
    }
    print_problems(out, &problems)?;
    let results = match &rules {
        Some(rules) => run_cases(out, &all, rules)?,
        None => Vec::new(),
    };
    if let Some(file) = junit {
        let broken: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let report = cases::junit(&results, &broken);
        fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let failed = results.iter().filter(|(_, lines)| !lines.is_empty()).count();
    if failed == 0 && problems.is_empty() {
        writeln!(out, "{} of {} passed", counted(all.len(), "case"), counted(ids.len(), "rule"))?;
        return Ok(Outcome::Fine);
    }
    if failed > 0 {
        writeln!(out, "{failed} of {} failed", counted(all.len(), "case"))?;
    }
    Ok(Outcome::FoundSomething)
}

/// A case, and how what came differs from what it expects.
type Tested<'a> = (&'a Case, Vec<String>);

/// Runs the cases and says how the failing ones differ.
fn run_cases<'a>(out: &mut impl Write, all: &'a [Case], rules: &Arc<RuleSet>) -> Result<Vec<Tested<'a>>, Failure> {
    // Drawn on a terminal only.
    let progress = ProgressBar::new(u64::try_from(all.len()).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{pos}/{len} {wide_msg}");
    progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut results = Vec::with_capacity(all.len());
    for case in all {
        progress.set_message(format!("{}: {}", case.rule, case.name));
        let lines = cases::run(case, rules);
        progress.inc(1);
        if !lines.is_empty() {
            let text = format!("{}: {}\n  {}\n", case.file, case.title, lines.join("\n  "));
            progress.suspend(|| writeln!(out, "{text}"))?;
        }
        results.push((case, lines));
    }
    progress.finish_and_clear();
    Ok(results)
}
