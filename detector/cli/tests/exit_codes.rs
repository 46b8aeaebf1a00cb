//! Every exit code, and what goes to which stream.

mod support;

use std::fs;

use support::{create_job, delete_group, noise, run, run_with_input, stderr, stdout};

#[expect(clippy::expect_used, reason = "a check that cannot begin fails its test")]
fn check(arguments: &[&str], input: &str, code: i32, on_stderr: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = run_with_input(folder.path(), arguments, input.as_bytes());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(on_stderr), "{arguments:?}: {}", stderr(&output));
    if code != 0 && code != 3 {
        assert_eq!(stdout(&output), "", "{arguments:?}: standard output carries only data");
    }
}

#[test]
fn fine_is_0() {
    let attack = format!("{}\n{}\n", create_job(), delete_group());
    check(&["version"], "", 0, "");
    check(&["replay", "-"], &attack, 0, "2 records, 2 judged");
    check(&["replay", "--fail-on", "high", "-"], &noise(1), 0, "0 alerts");
    check(&["config", "schema"], "", 0, "");
    check(&["config", "example"], "", 0, "");
}

#[test]
fn failing_while_running_is_1() {
    check(&["replay", "/nonexistent"], "", 1, "/nonexistent");
    check(&["replay", "--state", "nowhere", "-"], "", 1, "make it with --teach");
    check(&["health", "--address", "127.0.0.1:1"], "", 1, "is `bedrock-watch run` running?");
}

#[test]
fn wrong_arguments_are_2() {
    check(&["--bogus"], "", 2, "--bogus");
    check(&["replay"], "", 2, "PATH");
    check(&["replay", "--fail-on", "huge", "-"], "", 2, "informational, low, medium, high or critical");
    check(&["replay", "--since", "yesterday", "-"], "", 2, "2026-11-18T14:00:00Z");
    check(&["replay", "--teach", "-"], "", 2, "--state");
    check(&["replay", "--teach", "--final", "--state", "x", "-"], "", 2, "make no sense");
    check(&["incident"], "", 2, "incident");
}

#[test]
fn finding_something_is_3() {
    let attack = format!("{}\n{}\n", create_job(), delete_group());
    check(&["replay", "--fail-on", "high", "-"], &attack, 3, "1 critical");
    check(&["replay", "--fail-on", "critical", "--final", "-"], &attack, 3, "1 critical");
}

#[test]
fn bad_configuration_is_64_with_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bad.toml"), "[engine]\nlateness = 1\n\n[log]\nlevel = \"loud\"\n").unwrap();
    for command in [&["config", "check", "bad.toml"][..], &["run", "--config", "bad.toml"]] {
        let output = run(folder.path(), command);
        assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
        for part in
            ["bad.toml:2:1: unknown key `lateness`", "did you mean `lateness_s`", "bad.toml:5:9: ", "2 problems"]
        {
            assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
        }
    }
    let route = "[[route]]\nsinks = [\"stdout\"]\nrules = [\"invocation-brust\"]\n";
    fs::write(folder.path().join("route.toml"), route).unwrap();
    let output = run(folder.path(), &["config", "check", "route.toml"]);
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
    let expected = "route.toml:3:9: there is no rule `invocation-brust`; did you mean `invocation-burst`?";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    check(&["run", "--config", "missing.toml"], "", 64, "missing.toml: cannot read it");
    check(&["replay", "--rules", "missing", "-"], "", 64, "missing");
    fs::create_dir(folder.path().join("rules")).unwrap();
    fs::write(folder.path().join("rules/mine.yml"), "title: [\n").unwrap();
    let output = run(folder.path(), &["replay", "--rules", "rules", "-"]);
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
    assert!(stderr(&output).contains("mine.yml:"), "{}", stderr(&output));
}

#[test]
fn a_good_configuration_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let example = run(folder.path(), &["config", "example"]);
    fs::write(folder.path().join("good.toml"), &example.stdout).unwrap();
    let output = run(folder.path(), &["config", "check", "good.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let schema = run(folder.path(), &["config", "schema"]);
    serde_json::from_str::<serde_json::Value>(&stdout(&schema)).unwrap();
}
