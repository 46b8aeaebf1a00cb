//! `rules check`: every mistake, and what is probably not meant or missing.

use std::io::Write;

use bedrock_watch_engine::rule::Placeholders;
use bedrock_watch_service::cases::{self, RulePack};

use super::{Failure, Outcome, counted, print_problems};

/// Checks a pack. Warnings count only if `strict`.
pub(super) fn check(
    out: &mut impl Write,
    pack: &RulePack,
    placeholders: &Placeholders,
    strict: bool,
) -> Result<Outcome, Failure> {
    let ids = pack.rule_ids();
    let compiled = pack.compile_with(&[], placeholders);
    let warnings = compiled.as_ref().map(|rules| cases::lint(pack, rules)).unwrap_or_default();
    let mut problems = compiled.err().unwrap_or_default();
    problems.extend(ids.iter().filter_map(|id| cases::load(pack, id).err()).flatten());
    print_problems(out, &problems)?;
    for warning in &warnings {
        let place = format!("{}:{}:{}", warning.file, warning.line, warning.column);
        writeln!(out, "{place}: warning: {}", warning.message)?;
    }
    if problems.is_empty() {
        let warned = match warnings.len() {
            0 => String::new(),
            count => format!(", {}", counted(count, "warning")),
        };
        writeln!(out, "{}, no problem{warned}", counted(ids.len(), "rule"))?;
    }
    let is_fine = problems.is_empty() && (warnings.is_empty() || !strict);
    Ok(if is_fine { Outcome::Fine } else { Outcome::FoundSomething })
}
