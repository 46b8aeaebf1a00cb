//! The files of a rule pack by their path inside it, `<rule>/rule.yml`, `<rule>/cases/*.yml`, `events/**.json`.
//!
//! Nothing is parsed here, so a pack with broken files can still be held, listed and complained about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use bedrock_watch_engine::{
    Prices,
    rule::{Placeholders, Problem, RuleFile, RuleSet},
};

use super::prices;

/// The folder inside a pack that holds the sample records.
const EVENTS: &str = "events";

/// The file inside a pack that says what tokens cost.
const PRICES: &str = "prices.toml";

/// How deep a rules folder is walked; a link that points upwards must not make it endless.
const DEPTH_MAX: usize = 6;

/// A rules folder that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}", path = path.display())]
pub struct PackError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// The files of a rule pack.
#[derive(Debug, Clone, Default)]
pub struct RulePack {
    files: BTreeMap<String, PackFile>,
}

/// A file of a pack, and the name under which people know it.
#[derive(Debug, Clone)]
struct PackFile {
    shown: String,
    bytes: Vec<u8>,
}

impl RulePack {
    /// A pack of files that are already in memory, each with its path inside the pack; `root` is how messages name
    /// the pack.
    #[must_use]
    pub fn from_files(root: &str, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = files
            .into_iter()
            .map(|(path, bytes)| {
                let path = path.replace('\\', "/");
                let shown = format!("{root}/{path}");
                (path, PackFile { shown, bytes })
            })
            .collect();
        Self { files }
    }

    /// Reads a folder. A folder that is itself one rule (it holds `rule.yml`) is a pack of that rule.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read.
    pub fn read(folder: &Path) -> Result<Self, PackError> {
        let mut pack = Self::default();
        let prefix = if folder.join("rule.yml").is_file() { folder_name(folder)? } else { String::new() };
        pack.walk(folder, &prefix, DEPTH_MAX)?;
        Ok(pack)
    }

    fn walk(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), PackError> {
        let error = |path: &Path, source| PackError { path: path.to_owned(), source };
        for entry in fs::read_dir(folder).map_err(|source| error(folder, source))? {
            let path = entry.map_err(|source| error(folder, source))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let inside = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if path.is_dir() {
                if let Some(depth) = depth.checked_sub(1) {
                    self.walk(&path, &inside, depth)?;
                }
            } else {
                let bytes = fs::read(&path).map_err(|source| error(&path, source))?;
                self.files.insert(inside, PackFile { shown: path.display().to_string(), bytes });
            }
        }
        Ok(())
    }

    /// This pack with the rules of `other` added; a rule of the same id is replaced as a whole, cases and all.
    #[must_use]
    pub fn overlaid(mut self, other: Self) -> Self {
        let replaced = other.rule_ids();
        self.files.retain(|path, _| !rule_of(path).is_some_and(|id| replaced.contains(id)));
        self.files.extend(other.files);
        self
    }

    /// This pack, with the sample records of `other` that it does not have itself.
    #[must_use]
    pub fn with_events_of(mut self, other: &Self) -> Self {
        for (path, file) in &other.files {
            if path.split('/').next() == Some(EVENTS) && !self.files.contains_key(path) {
                self.files.insert(path.clone(), file.clone());
            }
        }
        self
    }

    /// The ids of the rules, sorted: each folder with a `rule.yml`, and each rule file that lies alone.
    #[must_use]
    pub fn rule_ids(&self) -> BTreeSet<String> {
        self.files.keys().filter_map(|path| rule_of_file(path)).map(str::to_owned).collect()
    }

    /// The rule files, for [`bedrock_watch_engine::rule::RuleSet::compile`].
    #[must_use]
    pub fn rule_files(&self) -> Vec<RuleFile> {
        let rule_file = |(path, file): (&String, &PackFile)| {
            let id = rule_of_file(path)?.to_owned();
            Some(RuleFile { path: file.shown.clone(), id, text: String::from_utf8_lossy(&file.bytes).into_owned() })
        };
        self.files.iter().filter_map(rule_file).collect()
    }

    /// The compiled rules, except those whose id is in `disabled`, with what tokens cost.
    ///
    /// # Errors
    /// When rules or the price table have problems: all of them at once.
    pub fn compile(&self, disabled: &[String]) -> Result<RuleSet, Vec<Problem>> {
        self.compile_with(disabled, &Placeholders::new())
    }

    /// The same, with values for the placeholders of `|expand`.
    ///
    /// # Errors
    /// When rules or the price table have problems: all of them at once.
    pub fn compile_with(&self, disabled: &[String], placeholders: &Placeholders) -> Result<RuleSet, Vec<Problem>> {
        let mut files = self.rule_files();
        files.retain(|file| !disabled.contains(&file.id));
        let compiled = RuleSet::compile_with(&files, placeholders);
        let prices = match self.file(PRICES) {
            Some(text) => prices::read(self.shown(PRICES), &String::from_utf8_lossy(text)),
            None => Ok(Prices::default()),
        };
        match (compiled, prices) {
            (Ok(rules), Ok(prices)) => Ok(rules.with_prices(prices)),
            (Ok(_), Err(problem)) => Err(vec![problem]),
            (Err(problems), prices) => Err(problems.into_iter().chain(prices.err()).collect()),
        }
    }

    /// The paths, inside the pack, of a rule's cases.
    #[must_use]
    pub fn case_paths(&self, rule: &str) -> Vec<&str> {
        let folder = format!("{rule}/cases/");
        let is_case = |path: &&str| path.starts_with(&folder) && is_yaml(path);
        self.files.keys().map(String::as_str).filter(is_case).collect()
    }

    /// The bytes of a file, by its path inside the pack.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(|file| file.bytes.as_slice())
    }

    /// Every path inside the pack, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// How messages name the file at `path`.
    #[must_use]
    pub fn shown<'a>(&'a self, path: &'a str) -> &'a str {
        self.files.get(path).map_or(path, |file| &file.shown)
    }

    /// The sample record `name`, such as `ec2/DeleteSecurityGroup`.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&[u8]> {
        self.file(&format!("{EVENTS}/{name}.json"))
    }

    /// The names of the sample records.
    pub fn event_names(&self) -> impl Iterator<Item = &str> {
        self.paths().filter_map(|path| path.strip_prefix(EVENTS)?.strip_prefix('/')?.strip_suffix(".json"))
    }
}

/// The name of a folder, also of `.`.
fn folder_name(folder: &Path) -> Result<String, PackError> {
    let full = fs::canonicalize(folder).map_err(|source| PackError { path: folder.to_owned(), source })?;
    Ok(full.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

fn is_yaml(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

/// The rule that a file of the pack belongs to.
fn rule_of(path: &str) -> Option<&str> {
    match path.split_once('/') {
        Some((EVENTS, _)) => None,
        Some((folder, _)) => Some(folder),
        None => rule_of_file(path),
    }
}

/// The rule that a file of the pack defines.
fn rule_of_file(path: &str) -> Option<&str> {
    if !is_yaml(path) {
        return None;
    }
    match path.split_once('/') {
        Some((folder, "rule.yml")) => Some(folder),
        Some(_) => None,
        None => path.rsplit_once('.').map(|(stem, _)| stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(paths: &[&str]) -> RulePack {
        RulePack::from_files("rules", paths.iter().map(|path| ((*path).to_owned(), path.as_bytes().to_vec())))
    }

    #[test]
    fn knows_what_each_file_is() {
        let pack = pack(&["a/rule.yml", "a/cases/one.yml", "a/runbook.md", "b.yml", "events/ec2/X.json", "README.md"]);
        assert_eq!(pack.rule_ids().into_iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(pack.case_paths("a"), ["a/cases/one.yml"]);
        assert_eq!(pack.event_names().collect::<Vec<_>>(), ["ec2/X"]);
        assert_eq!(pack.event("ec2/X"), Some(&b"events/ec2/X.json"[..]));
        assert_eq!(pack.rule_files()[0].path, "rules/a/rule.yml");
    }

    #[test]
    fn a_rule_of_the_same_id_is_replaced_as_a_whole() {
        let base = pack(&["a/rule.yml", "a/cases/old.yml", "b.yml", "events/ec2/X.json"]);
        let both = base.overlaid(pack(&["a/rule.yml", "c/rule.yml"]));
        assert_eq!(both.paths().collect::<Vec<_>>(), ["a/rule.yml", "b.yml", "c/rule.yml", "events/ec2/X.json"]);
    }

    #[test]
    fn reads_a_folder_and_a_single_rule() {
        let folder = tempfile::tempdir().unwrap();
        let rule = folder.path().join("my-rule");
        fs::create_dir_all(rule.join("cases")).unwrap();
        fs::write(rule.join("rule.yml"), "title: x").unwrap();
        fs::write(rule.join("cases/one.yml"), "title: x").unwrap();
        for read in [folder.path(), &rule] {
            let pack = RulePack::read(read).unwrap();
            assert_eq!(pack.paths().collect::<Vec<_>>(), ["my-rule/cases/one.yml", "my-rule/rule.yml"]);
        }
        assert!(RulePack::read(&folder.path().join("absent")).unwrap_err().to_string().starts_with("cannot read "));
    }
}
