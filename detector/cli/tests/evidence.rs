//! `evidence`: what a daemon and the commands beside it leave, verified and reported.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use support::{Daemon, RULE, create_job, delete_group, post, program, run, stderr, stdout};

const CONFIG: &str = "[evidence]\npath = \"evidence\"\narchive_interval_s = 1\n";

/// Runs `evidence` and returns exit code, standard output and standard error.
fn evidence(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(folder, &[&["evidence"], arguments].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

/// A daemon that finds something, is answered, silenced and ended.
fn story(folder: &Path) {
    let mut daemon = Daemon::configured(folder, CONFIG);
    assert_eq!(post(daemon.address(), &format!("{}\n{}\n", create_job(), delete_group())).0, 202);
    let id = daemon.alert()["id"].as_str().unwrap().to_owned();
    let command = |arguments: &[&str]| {
        let output = program(folder).args(arguments).args(["--config", "config.toml"]).env("USER", "ada").output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    command(&["alerts", "resolve", &id, "--reason", "a rehearsal"]);
    let silence =
        command(&["silences", "add", "--reason", "maintenance", "--for", "1h", "--rule", RULE, "--format", "human"]);
    command(&["silences", "end", silence.trim()]);
    assert_eq!(daemon.alert()["status"], "resolved");
    daemon.end();
}

/// A daemon that starts and ends.
fn idle(folder: &Path, more: &str) {
    let mut daemon = Daemon::configured(folder, more);
    daemon.address();
    daemon.end();
}

/// The files of the archive.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.join("evidence")];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => open.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => found.push(path),
        }
    }
    found.sort();
    found
}

#[test]
fn says_what_happened_and_who_said_what() {
    let folder = tempfile::tempdir().unwrap();
    story(folder.path());
    for place in [&["--config", "config.toml"][..], &["--path", "evidence"]] {
        let (code, text, errors) = evidence(folder.path(), place);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{text}");
        let expected =
            ["**The evidence is whole.**", "## CC6.1", "## CC7.2", "## CC7.3", "## CC7.4", RULE, "a rehearsal"];
        for part in expected {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let (_, json, _) = evidence(folder.path(), &[place, &["--format", "json"]].concat());
        let report: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(report["runs"][0]["ended"], "in order");
        assert_eq!(report["runs"][0]["version"], env!("CARGO_PKG_VERSION"));
        let alert = &report["alerts"][0];
        assert_eq!((&alert["rule"], &alert["ended"][1]), (&RULE.into(), &"answered".into()), "{alert}");
        assert!(alert["told_after_ms"].as_i64().is_some_and(|after| after < 60_000), "{alert}");
        assert_eq!(
            (&report["answers"][0]["author"], &report["answers"][0]["reason"]),
            (&"ada".into(), &"a rehearsal".into())
        );
        let silence = &report["silences"][0];
        assert_eq!((&silence["author"], silence["ended_at"].is_string()), (&"ada".into(), true), "{silence}");
        let rule = report["rules_at_end"].as_array().unwrap().iter().find(|rule| rule["id"] == RULE).unwrap();
        assert_eq!(rule["digest"].as_str().map(str::len), Some(64));
    }
    // The next run goes on with the same chain.
    idle(folder.path(), CONFIG);
    let (code, json, errors) = evidence(folder.path(), &["--path", "evidence", "--format", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((report["runs"].as_array().unwrap().len(), report["not_running"].as_array().unwrap().len()), (2, 1));
    assert_eq!(report["runs"][0]["worker"], report["runs"][1]["worker"]);
    let (code, json, _) = evidence(folder.path(), &["--path", "evidence", "--to", "2020-01-01", "--format", "json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &report["runs"], &report["entries"]), (Some(0), &Value::Array(Vec::new()), &0.into()));
}

#[test]
fn names_what_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    story(folder.path());
    let place = ["--config", "config.toml"];
    let file = files(folder.path()).into_iter().find(|file| fs::read_to_string(file).unwrap().contains("a rehearsal"));
    let file = file.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().position(|line| line.contains("a rehearsal")).unwrap() + 1;
    // As root it can be written though it is read-only, so it is put in its place.
    let put = |text: &str| {
        fs::remove_file(&file).unwrap();
        fs::write(&file, text).unwrap();
    };
    put(&text.replace("a rehearsal", "a Rehearsal"));
    let (code, report, errors) = evidence(folder.path(), &place);
    assert_eq!(code, Some(3), "{errors}");
    let name = file.strip_prefix(folder.path().join("evidence")).unwrap().to_str().unwrap();
    assert!(errors.contains(&format!("{name}:{line}: sqlite-")) && errors.contains("it was changed"), "{errors}");
    assert!(report.contains("**The evidence is NOT whole.** 1 findings"), "{report}");
    put(&text);
    assert_eq!(evidence(folder.path(), &place).0, Some(0));
    fs::remove_file(&file).unwrap();
    let (code, _, errors) = evidence(folder.path(), &place);
    assert!(code == Some(3) && (errors.contains("missing") || errors.contains("ends with entry")), "{errors}");
}

#[test]
fn what_is_not_archived_is_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    idle(folder.path(), "");
    let (code, text, errors) = evidence(folder.path(), &[]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.contains("in force at the start"), "{text}");
}

#[test]
fn wrong_arguments_say_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], expected: i32, part: &str| {
        let (code, _, errors) = evidence(folder.path(), arguments);
        assert!(code == Some(expected) && errors.contains(part), "{arguments:?}: {errors}");
    };
    check(&["--path", "nowhere"], 1, "there is no folder nowhere");
    check(&["--from", "yesterday"], 2, "a day such as 2026-11-22");
    check(&["--from", "2026-11-22", "--to", "2026-11-22"], 2, "--from is before --to");
    check(&["http://bucket"], 2, "s3://BUCKET/PREFIX");
    check(&["s3://bucket", "--path", "."], 2, "cannot be used with");
    check(&[], 1, "bedrock-watch.db");
}
