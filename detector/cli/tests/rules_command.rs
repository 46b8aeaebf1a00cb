//! `rules list|show|check|test|new` through the binary.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs `bedrock-watch rules` and returns the exit code, standard output and standard error.
fn rules(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bedrock-watch")).arg("rules").args(arguments).output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output {
        Ok(Output { status, stdout, stderr }) => (status.code(), text(&stdout), text(&stderr)),
        Err(error) => (None, String::new(), error.to_string()),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn lists_the_built_in_rules() {
    let (code, table, _) = rules(&["list"]);
    assert_eq!(code, Some(0));
    assert!(table.starts_with("ID "), "{table}");
    let (code, json, _) = rules(&["list", "--format", "json"]);
    assert_eq!(code, Some(0));
    let listed: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ids = listed.as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect::<Vec<_>>();
    assert!(ids.contains(&"invocation-burst"), "{ids:?}");
    assert_eq!(table.lines().count(), ids.len() + 1);
}

#[test]
fn shows_a_rule_with_its_runbook() {
    let (code, text, _) = rules(&["show", "invocation-burst"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("\nname: invocation-burst\n") && text.contains("\n## What happened\n"), "{text}");
    let (code, stdout, stderr) = rules(&["show", "invocation-brust"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("there is no rule `invocation-brust`; there are"), "{stderr}");
}

/// What `rules show` says between the rule in plain words and its file, which is the alert of one of its cases.
fn sample_of(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once("\nAn alert of it, from the case `")?;
    behind.split_once("\n# rules/").map(|(sample, _)| sample)
}

#[test]
fn shows_an_alert_of_the_rule_from_a_case_that_fires() {
    let check = |rule: &str, expected: &[&str]| {
        let (code, text, _) = rules(&["show", rule]);
        assert_eq!(code, Some(0), "{rule}");
        let sample = sample_of(&text).unwrap_or_else(|| panic!("no alert of {rule} in\n{text}"));
        for part in expected {
            assert!(sample.contains(part), "{part} is not in the alert of {rule}:\n{sample}");
        }
    };
    // One of each kind: about an event, a principal's day, a principal's calls, what is known, and a count of others.
    let user = "the user ml-batch of 111122223333 because its access key was found in public";
    check("quarantine-policy-attached", &["\nHIGH firing  ", user, "user ml-batch"]);
    check(
        "phantom-user-pivot",
        &[
            "\nHIGH firing  ",
            "UpdateLoginProfile for BedrockAPIKey-x9k2",
            "credential_made_for_user BedrockAPIKey-x9k2",
        ],
    );
    check("invocation-burst", &["\nHIGH firing  ", "made 100 Bedrock calls within 60 seconds", "peak_60s 100"]);
    check("training-data-exposed", &["exposed bucket acme-handbook", "about    dependency acme-handbook"]);
    check(
        "knowledge-base-mass-deletion",
        &["\nHIGH firing  ", "deleted 3 knowledge bases in 111122223333", "3 events"],
    );

    // No case of a rule that is yet to be written fires, so there is nothing to show, and nothing made up.
    let folder = tempfile::tempdir().unwrap();
    let place = shown(folder.path());
    assert_eq!(rules(&["new", "model-called", "--dir", &place]).0, Some(0));
    let (code, text, _) = rules(&["show", "model-called", "--rules", &place]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("\nname: model-called\n") && !text.contains("An alert of it"), "{text}");
}

#[test]
fn checks_the_built_in_rules_and_names_every_problem_of_others() {
    let (code, text, _) = rules(&["check"]);
    assert_eq!(code, Some(0), "{text}");
    let folder = tempfile::tempdir().unwrap();
    for name in ["one.yml", "two.yml"] {
        let rule = "title: x\nlogsource: {product: aws, service: cloudtrail}\nlevel: hgih\ndetection:\n  a: {eventName|x: b}\n  condition: a\n";
        fs::write(folder.path().join(name), rule).unwrap();
    }
    let (code, text, _) = rules(&["check", &shown(folder.path())]);
    assert_eq!(code, Some(3));
    for place in ["one.yml:3:", "one.yml:5:", "two.yml:3:", "two.yml:5:"] {
        assert!(text.contains(place), "nothing at {place} in\n{text}");
    }
    let (code, _, stderr) = rules(&["check", &shown(&folder.path().join("absent"))]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("cannot read"), "{stderr}");
}

#[test]
fn a_new_rule_fails_its_case_until_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let place = shown(folder.path());
    let (code, files, _) = rules(&["new", "model-called", "--dir", &place]);
    assert_eq!((code, files.lines().count()), (Some(0), 4), "{files}");
    let (code, _, stderr) = rules(&["new", "model-called", "--dir", &place]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("exists already"), "{stderr}");

    assert_eq!(rules(&["check", &place]).0, Some(0));
    let (code, text, _) = rules(&["test", &place]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("expected 1 alert, got no alert") && text.contains("1 of 2 cases failed"), "{text}");

    let rule = folder.path().join("model-called/rule.yml");
    let text = fs::read_to_string(&rule).unwrap();
    fs::write(&rule, text.replace("ReplaceThisName", "InvokeModel")).unwrap();
    let (code, text, _) = rules(&["test", &place]);
    assert_eq!((code, text.as_str()), (Some(0), "2 cases of 1 rule passed\n"));
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "title: x\nlogsource: {product: aws, service: cloudtrail}\nlevel: high\ndetection:\n  a: {eventName: \
                InvokeModel, requestParameters.modelid: m}\n  b: {errorCode: X}\n  condition: a\n";
    fs::write(folder.path().join("one.yml"), rule).unwrap();
    let (code, text, _) = rules(&["check", &shown(folder.path())]);
    assert_eq!(code, Some(0), "{text}");
    for expected in [
        "one.yml:6:3: warning: the search `b` is never used",
        "the nearest that one has is `requestParameters.modelId`",
        "warning: `falsepositives` is missing",
        "1 rule, no problem, 6 warnings",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!(rules(&["check", &shown(folder.path()), "--strict"]).0, Some(3));
}

#[test]
fn results_of_cases_are_written_for_continuous_integration() {
    let folder = tempfile::tempdir().unwrap();
    let place = shown(folder.path());
    assert_eq!(rules(&["new", "model-called", "--dir", &place]).0, Some(0));
    let report = folder.path().join("results.xml");
    assert_eq!(rules(&["test", &place, "--junit", &shown(&report)]).0, Some(3));
    let text = fs::read_to_string(&report).unwrap();
    let head = "<testsuites name=\"bedrock-watch rules\" tests=\"2\" failures=\"1\" errors=\"0\">";
    assert!(text.contains(head) && text.contains("<failure message=") && text.ends_with("</testsuites>\n"), "{text}");
    fs::write(folder.path().join("model-called/rule.yml"), "title: x\n").unwrap();
    assert_eq!(rules(&["test", &place, "--junit", &shown(&report)]).0, Some(3));
    let text = fs::read_to_string(&report).unwrap();
    assert!(text.contains("failures=\"0\"") && text.contains("<error message="), "{text}");
}

#[test]
fn refuses_an_id_that_is_no_name_of_a_rule() {
    let (code, _, stderr) = rules(&["new", "../x"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("lower-case letters, digits and hyphens"), "{stderr}");
}
