//! `incident` beside a running daemon, without one and over HTTP; and the incidents of recordings.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use support::{Daemon, create_job, delete_group, post, program, run, run_with_input, stderr, stdout};

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/afternoon.jsonl");
const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/events");
const CONTACTS: &str = "[contacts]\nsupport_plan = \"business\"\nalternate_security = \"soc@example.com\"\n\
                        business_impact = \"The shop's assistant is silent.\"\n";

/// The incidents of these records.
fn incidents(records: &str, arguments: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["replay", "--incidents", "--format", "json", "-"], arguments].concat();
    let output = run_with_input(folder.path(), &arguments, records.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_attack_of_the_demo_is_one_incident_in_any_order() {
    let recording = fs::read_to_string(RECORDING).unwrap();
    let found = incidents(&recording, &[]);
    let [scanner, incident] = &found[..] else { panic!("{found:#?}") };
    // Nothing is known yet of the account, so that a scanner that looks around is told as well; it stands by itself.
    assert_eq!(scanner["principals"], json!(["arn:aws:iam::111122223333:role/cspm-scanner"]));
    assert_eq!(scanner["stages"], json!(["reconnaissance"]));
    let expected: Vec<Value> = serde_json::from_str(include_str!("../demo/expected.json")).unwrap();
    let rules: Vec<&Value> = incident["timeline"].as_array().unwrap().iter().map(|step| &step["rule"]).collect();
    for alert in &expected {
        assert!(rules.contains(&&alert["rule"]), "{alert} is not in {rules:?}");
    }
    assert_eq!(incident["stages"], json!(["reconnaissance", "access", "blinding", "use", "impact"]));
    assert_eq!(incident["severity"], "critical");
    let parts = incident["score_parts"].as_object().unwrap();
    assert_eq!(parts.values().filter_map(Value::as_u64).sum::<u64>(), incident["score"].as_u64().unwrap());
    let backwards: Vec<&str> = recording.lines().rev().collect();
    assert_eq!(incidents(&backwards.join("\n"), &["--sort"]), found);
}

/// A sample record as somebody else's, `seconds` after ten o'clock.
fn by(sample: &str, (account, user): (&str, &str), seconds: u32) -> Value {
    let text = fs::read_to_string(format!("{EVENTS}/{sample}.json")).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let arn = format!("arn:aws:iam::{account}:user/{user}");
    record["userIdentity"] = json!({
        "type": "IAMUser", "arn": arn, "accountId": account, "userName": user,
        "accessKeyId": format!("AKIA{account}EXMP"),
    });
    record["recipientAccountId"] = account.into();
    record["sourceIPAddress"] = "203.0.113.77".into();
    record["eventTime"] = format!("2026-11-20T10:{:02}:{:02}Z", seconds / 60, seconds % 60).into();
    record["eventID"] = format!("{account}-{user}-{seconds}").into();
    record
}

#[test]
fn enabling_a_model_and_using_it_in_two_accounts_is_one_incident() {
    // The order and the pace of Stratus Red Team's recording of it.
    let chain = [
        ("bedrock/PutUseCaseForModelAccess", 0),
        ("bedrock/ListFoundationModelAgreementOffers", 4),
        ("bedrock/CreateFoundationModelAgreement", 6),
        ("bedrock/PutFoundationModelEntitlement", 8),
        ("bedrock/GetFoundationModelAvailability", 40),
        ("bedrock/InvokeModel", 94),
    ];
    let of = |who: (&'static str, &'static str), later: u32| {
        chain.iter().map(move |(sample, seconds)| by(sample, who, seconds + later).to_string())
    };
    let stolen = of(("111122223333", "ml-batch"), 0).chain(of(("444455556666", "reports"), 300));
    let found = incidents(&stolen.collect::<Vec<_>>().join("\n"), &[]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["accounts"], json!(["111122223333", "444455556666"]));
    assert!(found[0]["stages"].as_array().unwrap().contains(&json!("access")), "{found:#?}");
    let apart = of(("111122223333", "ml-batch"), 0).chain(of(("444455556666", "reports"), 300));
    let apart: Vec<String> = apart.map(|line| line.replace("203.0.113.77", "bedrock.amazonaws.com")).collect();
    assert_eq!(incidents(&apart.join("\n"), &[]).len(), 2, "only the address ties them together");
}

/// Every command, with these arguments that say where to look.
fn check(folder: &Path, place: &[&str], alert: &str) {
    let run = |arguments: &[&str]| {
        let output = program(folder).args([arguments, place].concat()).output().unwrap();
        (output.status.code(), stdout(&output), stderr(&output))
    };
    let id = format!("i-{alert}");
    let (code, listed, errors) = run(&["incident", "list"]);
    assert_eq!(code, Some(0), "{errors}");
    let incident: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((incident["id"].as_str(), incident["alerts"].as_u64()), (Some(id.as_str()), Some(1)), "{listed}");
    for (filter, count) in [(&["--status", "firing", "--severity", "critical"][..], 1), (&["--status", "resolved"], 0)]
    {
        assert_eq!(run(&[&["incident", "list"], filter].concat()).1.lines().count(), count, "{filter:?}");
    }
    let (_, table, _) = run(&["incident", "list", "--format", "human"]);
    assert!(table.starts_with("SCORE") && table.contains(&id), "{table}");
    for asked in [id.as_str(), alert] {
        let (code, shown, errors) = run(&["incident", "show", asked]);
        assert_eq!(code, Some(0), "{errors}");
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["incident"]["id"], &shown["merged_into"]), (&json!(id), &Value::Null));
        assert_eq!(shown["report"]["case"]["category"], "Security");
    }
    let (_, human, _) = run(&["incident", "show", &id, "--format", "human"]);
    assert!(human.contains("What happened") && human.contains("Urgent Business Risk Question"), "{human}");
    let (_, markdown, _) = run(&["incident", "show", &id, "--format", "markdown"]);
    for part in [
        "# Incident `i-",
        "First recognised: 20",
        "## Timeline",
        "First impacted account: `111122223333`",
        "The shop's assistant is silent.",
        "Urgent Business Risk Question (support plan: business)",
        "soc@example.com",
        "arn:aws:bedrock:",
        "CloudTrail event ids: `00000000-0000-4000-8000-000000000002`",
        "nothing yet",
    ] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
    let (code, _, errors) = run(&["incident", "show", "i-nothing"]);
    assert!(code == Some(1) && errors.contains("there is no incident"), "{errors}");
    let (_, alerts, _) = run(&["alerts", "list"]);
    let alerts: Value = serde_json::from_str(&alerts).unwrap();
    assert_eq!(alerts["incident"], json!(id));
}

#[test]
fn incidents_are_shown_beside_a_daemon_over_http_and_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::configured(folder.path(), CONTACTS);
    let address = daemon.address();
    assert_eq!(post(address, &format!("{}\n{}\n", create_job(), delete_group())).0, 202);
    let told = daemon.alert();
    let id = told["id"].as_str().unwrap().to_owned();
    assert_eq!(told["incident"], json!(format!("i-{id}")), "standard output names the incident");
    check(folder.path(), &["--config", "config.toml"], &id);
    check(folder.path(), &["--url", &format!("http://{address}")], &id);
    daemon.end();
    check(folder.path(), &["--config", "config.toml"], &id);
    let by = ["alerts", "resolve", &id, "--reason", "rotated *the* key", "--author", "ada", "--config", "config.toml"];
    assert_eq!(run(folder.path(), &by).status.code(), Some(0));
    let shown = run(folder.path(), &["incident", "show", &id, "--format", "markdown", "--config", "config.toml"]);
    let shown = stdout(&shown);
    assert!(shown.contains("ada resolved") && shown.contains("rotated \\*the\\* key"), "{shown}");
}
