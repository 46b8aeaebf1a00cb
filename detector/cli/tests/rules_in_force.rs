//! Rules as the configuration wants them: modes, tuning, and other rules while the daemon runs.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Daemon, post, program, request, run, stderr, stdout};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A rule about records of this name.
fn rule(name: &str, level: &str) -> String {
    format!(
        "title: {name} called\ndescription: Detects it.\nlevel: {level}\nlogsource: {{product: aws, service: \
         cloudtrail}}\ndetection:\n  selection:\n    eventName: {name}\n    requestParameters.size|gte: 10\n  condition: \
         selection\n"
    )
}

/// A call of Bedrock by a user, of that size, a minute ago or so.
fn call(name: &str, number: u32, size: u32) -> String {
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:00Z");
    format!(
        "{{\"eventVersion\":\"1.11\",\"eventID\":\"00000000-0000-4000-8000-{number:012}\",\"eventTime\":\"{time}\",\
         \"eventSource\":\"bedrock.amazonaws.com\",\"eventName\":\"{name}\",\"awsRegion\":\"us-east-1\",\
         \"recipientAccountId\":\"111122223333\",\"requestParameters\":{{\"size\":{size}}},\"userIdentity\":{{\"type\":\
         \"IAMUser\",\"arn\":\"arn:aws:iam::111122223333:user/dev\"}}}}"
    )
}

fn write_rule(folder: &Path, id: &str, text: &str) {
    let folder = folder.join("rules").join(id);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("rule.yml"), text).unwrap();
}

fn state(address: SocketAddr) -> Value {
    let (_, answer) = request(address, "GET", "/v1/state", "", b"");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let state: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    state["rules"].clone()
}

/// Asks until the state of the rules is as wanted.
fn eventually(address: SocketAddr, what: &str, holds: impl Fn(&Value) -> bool) {
    let began = Instant::now();
    loop {
        let state = state(address);
        if holds(&state) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: {state}");
        std::thread::yield_now();
    }
}

fn hang_up(daemon: &Daemon) {
    let kill = format!("kill -HUP {}", daemon.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
fn other_rules_come_into_force_and_broken_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let mut daemon = Daemon::configured(folder.path(), "[rules]\ndir = \"rules\"\nreload_s = 1\n");
    let address = daemon.address();
    assert_eq!(post(address, &call("PutMine", 1, 10)).0, 202);
    assert_eq!(daemon.alert()["rule"], "mine");

    // The folder is looked at.
    write_rule(folder.path(), "other", &rule("PutOther", "medium"));
    eventually(address, "the other rule is in force", |rules| rules["reloads"] == 1);
    assert_eq!(post(address, &call("PutOther", 2, 10)).0, 202);
    assert_eq!(daemon.alert()["rule"], "other");

    // What cannot be used changes nothing, and says so.
    write_rule(folder.path(), "other", "title: broken\n");
    eventually(address, "the failure is known", |rules| rules["failed_reloads"] == 1);
    let problems = state(address)["problems"].clone();
    assert!(problems[0].as_str().unwrap().contains("other/rule.yml:1:1: "), "{problems}");
    assert_eq!(request(address, "GET", "/readyz", "", b"").0, 200);
    let (_, metrics) = request(address, "GET", "/metrics", "", b"");
    assert!(metrics.contains("bedrock_watch_rules_outdated 1"), "{metrics}");
    assert_eq!(post(address, &call("PutOther", 3, 10)).0, 202);
    assert_eq!(daemon.alert()["rule"], "other");

    // Alerts of rules that are gone stay.
    fs::remove_dir_all(folder.path().join("rules/other")).unwrap();
    eventually(address, "the rule is gone", |rules| rules["problems"] == serde_json::json!([]));
    let (_, alerts) = request(address, "GET", "/v1/alerts?rule=other&status=firing", "", b"");
    assert_eq!(alerts.matches("\"rule\":\"other\"").count(), 2, "{alerts}");
    daemon.end();
}

#[test]
fn a_hangup_reads_rules_and_tuning_again() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let head = "[rules]\ndir = \"rules\"\nreload_s = 0\n";
    let mut daemon = Daemon::configured(folder.path(), &format!("{head}[rules.mine]\nmode = \"shadow\"\n"));
    let address = daemon.address();
    assert_eq!(post(address, &call("PutMine", 1, 10)).0, 202);
    eventually(address, "it would have been raised", |rules| rules["shadow"]["mine"] == 1);
    daemon.wait_for("would have been an alert");
    let (_, alerts) = request(address, "GET", "/v1/alerts", "", b"");
    assert!(alerts.contains("\"alerts\":[]"), "{alerts}");

    let config = folder.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let tuned = "[rules.mine]\nlevel = \"low\"\nthresholds = { size = 100 }\n";
    fs::write(&config, text.replace("[rules.mine]\nmode = \"shadow\"\n", tuned)).unwrap();
    hang_up(&daemon);
    eventually(address, "the tuning is in force", |rules| rules["reloads"] == 1);
    assert_eq!(post(address, &format!("{}\n{}\n", call("PutMine", 2, 99), call("PutMine", 3, 100))).0, 202);
    let alert = daemon.alert();
    assert_eq!(
        (alert["severity"].as_str(), alert["event_ids"][0].as_str().unwrap().ends_with('3')),
        (Some("low"), true)
    );
    daemon.end();
}

#[test]
fn every_problem_of_a_tuning_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let check = |text: &str, expected: &[&str]| {
        fs::write(folder.path().join("c.toml"), format!("[rules]\ndir = \"rules\"\n{text}")).unwrap();
        let output = run(folder.path(), &["config", "check", "c.toml"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(64), "{said}");
        expected.iter().for_each(|expected| assert!(said.contains(expected), "{said}\nshould say {expected}"));
    };
    check("[rules.mien]\nlevel = \"low\"", &["c.toml:3:8: there is no rule `mien`; did you mean `mine`?"]);
    check("[rules.'m*']\nlevel = \"low\"", &["c.toml:3:8: name one rule"]);
    check("[rules.mine]\nmode = \"quiet\"", &["c.toml:4:8: unknown value of `mode`", "valid: off, shadow, on"]);
    check(
        "[rules.mine]\nthresholds = { sise = 1 }",
        &["c.toml:4:14: there is no threshold `sise`; did you mean `size`?"],
    );
    check("[rules.mine]\nthresholds = { size = \"1\" }", &["c.toml:4:23: a value in `thresholds` is a number"]);
    check("[[rules.mine.exclude]]\naccounts = [\"1\"]", &["c.toml:3:1: `reason` is missing"]);
    check("[[rules.mine.exclude]]\nreason = \"x\"", &["an exception names principals, accounts or fields"]);
    check(
        "[[rules.mine.exclude]]\nreason = \"x\"\nexpires = \"soon\"\nfields = { \"eventName|nope\" = \"x\" }",
        &["c.toml:5:11: `soon` is no time"],
    );
    check("[rules.mine]\nexclude = 1", &["may occur several times"]);
}

#[test]
fn placeholders_are_filled_by_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let text = rule("PutMine", "high").replace("requestParameters.size|gte: 10", "userAgent|expand: '%tools%'");
    write_rule(folder.path(), "mine", &text);
    let output = run(folder.path(), &["rules", "check", "rules"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("the placeholder %tools% has no values"), "{}", stdout(&output));
    fs::write(folder.path().join("c.toml"), "[rules]\nplaceholders = { tools = [\"curl/*\"] }\n").unwrap();
    let output = run(folder.path(), &["rules", "check", "rules", "--config", "c.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn the_configuration_shows_in_lists_and_in_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let text = "[rules]\ndir = \"rules\"\n[rules.mine]\nmode = \"shadow\"\nlevel = \"medium\"\n[[rules.mine.exclude]]\n\
                principals = [\"*:user/ci\"]\nreason = \"nightly\"\nexpires = \"2027-01-31\"\n[rules.invocation-burst]\n\
                mode = \"off\"\n";
    fs::write(folder.path().join("c.toml"), text).unwrap();
    let listed = stdout(&run(folder.path(), &["rules", "list", "--config", "c.toml", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let mine = listed.as_array().unwrap().iter().find(|rule| rule["id"] == "mine").unwrap();
    assert_eq!(
        (mine["mode"].as_str(), mine["level"].as_str(), mine["exceptions"].as_u64()),
        (Some("shadow"), Some("medium"), Some(1))
    );
    assert!(!listed.as_array().unwrap().iter().any(|rule| rule["id"] == "invocation-burst"));
    let shown = stdout(&run(folder.path(), &["rules", "show", "mine", "--config", "c.toml"]));
    for expected in [
        "eventName is `PutMine`",
        "Mode: shadow",
        "Threshold `size`: 10",
        "Exception: principal *:user/ci, until 2027-01-31T00:00:00Z, because: nightly.",
    ] {
        assert!(shown.contains(expected), "{expected} is not in\n{shown}");
    }
}

/// Files of recorded calls.
fn recording(folder: &Path) {
    let calls: Vec<String> = (0..5).map(|number| call("PutMine", number, 10 + number)).collect();
    fs::write(folder.join("calls.jsonl"), calls.join("\n")).unwrap();
}

#[test]
fn a_replay_says_what_other_rules_would_change() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let changed = folder.path().join("changed/mine");
    fs::create_dir_all(&changed).unwrap();
    fs::write(changed.join("rule.yml"), rule("PutMine", "medium").replace("gte: 10", "gte: 13")).unwrap();
    let arguments = ["replay", "calls.jsonl", "--rules", "rules", "--compare", "changed", "--format", "json"];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let changes: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| changes.iter().filter(|change| change["change"] == kind).count();
    assert_eq!((of("removed"), of("severity"), of("added")), (3, 2, 0), "{text}");
    assert!(
        changes.iter().any(|change| change["severity_before"] == "high" && change["alert"]["severity"] == "medium")
    );
    assert!(stderr(&output).contains("0 added, 3 removed, 2 of another severity, 0 alike"), "{}", stderr(&output));
    let failing = run(folder.path(), &[&arguments[..], &["--fail-on", "high"]].concat());
    assert_eq!(failing.status.code(), Some(3));
    let fine = run(folder.path(), &[&arguments[..], &["--fail-on", "critical"]].concat());
    assert_eq!(fine.status.code(), Some(0));
}

#[test]
fn a_replay_reports_what_months_would_have_meant() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let arguments = ["replay", "calls.jsonl", "--rules", "rules", "--report", "--format"];
    let text = stdout(&run(folder.path(), &[&arguments[..], &["human"]].concat()));
    for expected in [
        "5 alerts in 1.0 days, 5 of them high or critical: 35.0 pages a week",
        "# [[rules.mine.exclude]]\n# principals = [\"arn:aws:iam::111122223333:user/dev\"]",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let text = stdout(&run(folder.path(), &[&arguments[..], &["json"]].concat()));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((report["pages_a_week"].as_f64(), report["rules"][0]["fired"]["high"].as_u64()), (Some(35.0), Some(5)));
}

#[test]
fn queries_are_printed_for_an_alert_and_for_a_principal() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path());
    write_rule(folder.path(), "mine", &rule("PutMine", "high"));
    let alerts =
        stdout(&run(folder.path(), &["replay", "calls.jsonl", "--rules", "rules", "--final", "--format", "json"]));
    fs::write(folder.path().join("alerts.jsonl"), &alerts).unwrap();
    let alert: Value = serde_json::from_str(alerts.lines().next().unwrap()).unwrap();
    let id = alert["id"].as_str().unwrap().get(..8).unwrap();
    let text = stdout(&run(folder.path(), &["queries", id, "--alerts", "alerts.jsonl", "--format", "text"]));
    let event = alert["event_ids"][0].as_str().unwrap();
    for expected in [
        "CREATE EXTERNAL TABLE IF NOT EXISTS bedrock_watch_cloudtrail",
        "FROM $EDS_ID",
        "| stats count(*) as calls",
        &format!("eventID IN ('{event}')"),
        "userIdentity.arn = 'arn:aws:iam::111122223333:user/dev'",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let principal = ["queries", "--principal", "arn:aws:iam::111122223333:role/app", "--since", "2026-11-18"];
    let more = ["--until", "2026-11-19", "--region", "eu-west-1", "--language", "lake", "--format", "json"];
    let text = stdout(&run(folder.path(), &[&principal[..], &more].concat()));
    let queries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(queries.len() > 5 && queries.iter().all(|query| query["language"] == "cloudtrail-lake"), "{text}");
    assert!(queries[0]["text"].as_str().unwrap().contains("awsRegion = 'eu-west-1'"), "{text}");

    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = program(folder.path()).arg("queries").args(arguments).output().unwrap();
        assert_eq!(
            (output.status.code(), stderr(&output).contains(expected)),
            (Some(code), true),
            "{}",
            stderr(&output)
        );
    };
    check(&[], 2, "required arguments");
    check(&["x", "--principal", "y"], 2, "cannot be used with");
    check(&["zzz", "--alerts", "alerts.jsonl"], 1, "there is no alert `zzz`");
    check(&["--principal", "x", "--since", "2026-11-19", "--until", "2026-11-18"], 2, "--since is later than --until");
}
