//! What people are told to run is what the AWS CLI takes: commands of runbooks, and those that alerts carry.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use bedrock_watch_service::cases::alerts;
use bedrock_watch_tests::{
    peers,
    repository::{cases_of, compiled, rule_pack},
};
use serde_json::json;

/// A script, and where it stands.
fn script(place: &str, text: &str) -> String {
    format!("{}\n", json!({ "where": place, "text": text }))
}

/// The shell blocks of every runbook.
fn of_runbooks() -> Vec<String> {
    let pack = rule_pack().unwrap();
    let mut scripts = Vec::new();
    for path in pack.paths().filter(|path| path.ends_with("/runbook.md")) {
        let text = String::from_utf8_lossy(pack.file(path).unwrap()).into_owned();
        let mut line = 1;
        for (number, part) in text.split("```").enumerate() {
            if number % 2 == 1 && (part.starts_with("sh\n") || part.starts_with("bash\n")) {
                let block = part.split_once('\n').unwrap().1;
                scripts.push(script(&format!("rules/{path}:{line}"), block));
            }
            line += part.matches('\n').count();
        }
    }
    scripts
}

/// The commands that the alerts of all cases carry; the same command is checked once.
fn of_alerts() -> Vec<String> {
    let pack = rule_pack().unwrap();
    let rules = compiled(&pack).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut scripts = Vec::new();
    for rule in pack.rule_ids() {
        for case in cases_of(&pack, &rule).unwrap().iter().filter(|case| !case.expect.is_empty()) {
            for step in alerts(case, &rules).iter().flat_map(bedrock_watch_engine::alert::Alert::remediation) {
                // Only what is run, not what is suggested behind a comment.
                if seen.insert(step.command.clone()) {
                    scripts.push(script(&format!("{}, {}: {}", rule, case.name, step.title), &step.command));
                }
            }
        }
    }
    scripts
}

async fn faults(scripts: &[String]) -> String {
    let python = peers::aws_python(env!("CARGO_TARGET_TMPDIR")).unwrap();
    peers::script(&python, "check_commands.py", &[], &scripts.concat()).await.unwrap()
}

#[tokio::test]
async fn every_command_of_a_runbook_is_one_the_aws_cli_takes() {
    let scripts = of_runbooks();
    assert!(scripts.len() > 50, "only {} blocks", scripts.len());
    assert_eq!(faults(&scripts).await, "");
}

#[tokio::test]
async fn every_command_of_an_alert_is_one_the_aws_cli_takes() {
    let scripts = of_alerts();
    assert!(scripts.len() > 20, "only {} commands", scripts.len());
    assert_eq!(faults(&scripts).await, "");
}

#[tokio::test]
async fn the_check_refuses_what_is_wrong() {
    for wrong in [
        "aws ec2 delete-security-group --grp x",
        "aws iam create-usr",
        "aws ec2 describe-vpcs --query '['",
        "aws bedrock put-model-invocation-logging-configuration --logging-config '{\"s3Conf\": {}}'",
        "aws s3 sync . s3://b --nope",
        "aws ec2 create-subnet \"",
    ] {
        let found = faults(&[script("here", wrong)]).await;
        assert!(found.starts_with("here: "), "{wrong}: {found}");
    }
}

#[test]
fn runbooks_give_the_console_way_beside_the_commands() {
    let pack = rule_pack().unwrap();
    let mut missing = Vec::new();
    for path in pack.paths().filter(|path| path.ends_with("/runbook.md")) {
        let text = String::from_utf8_lossy(pack.file(path).unwrap()).into_owned();
        let sections = text.split("\n## ").skip(1);
        for section in sections.filter(|section| section.contains("\naws ")) {
            let heading = section.lines().next().unwrap_or_default();
            let is_way = |line: &str| line.starts_with("Console: ") || line.starts_with("In the console: ");
            if !section.lines().any(is_way) {
                missing.push(format!("rules/{path}: `{heading}` has commands, and no way through the console"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
