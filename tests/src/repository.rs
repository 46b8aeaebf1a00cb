//! The repository under test: where it lies, its rules and their cases.
//!
//! Everything that can fail says so in words, because a test that cannot read its input must not look like one that
//! found a fault.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bedrock_watch_engine::rule::{Problem, RuleSet};
use bedrock_watch_service::cases::{self, Case, RulePack};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The rules folder as it lies on the disk.
///
/// # Errors
/// When it cannot be read.
pub fn rule_pack() -> Result<RulePack, String> {
    RulePack::read(&root().join("rules")).map_err(|error| error.to_string())
}

/// The compiled rules of a pack.
///
/// # Errors
/// When they have problems: all of them, one a line.
pub fn compiled(pack: &RulePack) -> Result<Arc<RuleSet>, String> {
    pack.compile(&[]).map(Arc::new).map_err(|problems| lines(&problems))
}

/// The cases of a rule.
///
/// # Errors
/// When they have problems: all of them, one a line.
pub fn cases_of(pack: &RulePack, rule: &str) -> Result<Vec<Case>, String> {
    cases::load(pack, rule).map_err(|problems| lines(&problems))
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Every file below `folder` with that extension, sorted; build output and hidden folders are left out.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, extension)?);
            }
        } else if path.extension().is_some_and(|given| given == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
