//! The documents hold: their links lead somewhere, their configurations are valid, and the rule they write works.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use support::{program, run, stderr, stdout};

/// Folders whose documents are read, from the repository's root.
const FOLDERS: [&str; 8] = ["", "docs", "detector", "detector/docs", "rules", "infra", "infra/iam", "load-tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn documents() -> Vec<(PathBuf, String)> {
    let files = FOLDERS.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    files.map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead = Vec::new();
    for (file, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") || target.contains(' ') {
                continue;
            }
            let to = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            let headings = || fs::read_to_string(&to).unwrap_or_default();
            let is_there =
                heading.is_empty() || headings().lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            if !to.exists() || !is_there {
                dead.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The folder that docs/writing-rules.md makes, with its rule and its cases.
fn write_the_rule(folder: &Path) {
    let text = fs::read_to_string(root().join("docs/writing-rules.md")).unwrap();
    let made = run(folder, &["rules", "new", "agent-changed-by-hand", "--dir", "my-rules"]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let untouched = run(folder, &["rules", "test", "my-rules"]);
    assert_eq!(untouched.status.code(), Some(3), "a new rule's case fails: {}", stdout(&untouched));
    let [rule, fires, quiet] = blocks(&text, "yaml")[..] else { panic!("the page has a rule and two cases") };
    let of_rule = folder.join("my-rules/agent-changed-by-hand");
    fs::write(of_rule.join("rule.yml"), rule).unwrap();
    for made in fs::read_dir(of_rule.join("cases")).unwrap() {
        fs::remove_file(made.unwrap().path()).unwrap();
    }
    fs::write(of_rule.join("cases/fires-person.yml"), fires).unwrap();
    fs::write(of_rule.join("cases/quiet-pipeline.yml"), quiet).unwrap();
}

#[test]
fn the_rule_of_the_tutorial_works() {
    let folder = tempfile::tempdir().unwrap();
    write_the_rule(folder.path());
    for command in ["check", "test"] {
        let output = run(folder.path(), &["rules", command, "my-rules"]);
        assert_eq!(output.status.code(), Some(0), "{command}: {}{}", stdout(&output), stderr(&output));
    }
}

#[test]
fn every_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    write_the_rule(folder.path());
    let mut checked = 0;
    let examples = [root().join("docs/examples/getting-started.toml")];
    let examples = examples.map(|file| (file.clone(), fs::read_to_string(file).unwrap()));
    let examples = examples.iter().map(|(file, text)| (file.clone(), text.as_str()));
    let documents = documents();
    let written = documents.iter().flat_map(|(file, text)| blocks(text, "toml").into_iter().map(|b| (file.clone(), b)));
    for (file, config) in written.chain(examples) {
        let names: BTreeSet<&str> = config.split("${").skip(1).filter_map(|rest| rest.split('}').next()).collect();
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut command = program(folder.path());
        command.args(["config", "check", "config.toml"]);
        command.envs(names.into_iter().map(|name| (name, "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0")));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}\n{config}\n{}", file.display(), stderr(&output));
        checked += 1;
    }
    assert!(checked >= 6, "only {checked} configurations were found");
}
