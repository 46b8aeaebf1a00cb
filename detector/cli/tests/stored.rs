//! `alerts` and `silences`: beside a running daemon, without one, and over HTTP.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

use std::{fs, path::Path};

use serde_json::Value;
use support::{Daemon, RULE, create_job, delete_group, post, program, stderr, stdout};

const KEY: &str = "ana-key-0123456789";

/// Runs the program in `folder` and returns exit code, standard output and standard error.
fn run_with(folder: &Path, key: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = program(folder).args(arguments).env("USER", "ana").env("BEDROCK_WATCH_API_KEY", key).output().unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

/// A daemon that has one alert, and its id.
fn with_alert(folder: &Path, more: &str) -> (Daemon, String) {
    let daemon = Daemon::configured(folder, more);
    let address = daemon.address();
    assert_eq!(post(address, &format!("{}\n{}\n", create_job(), delete_group())).0, 202);
    let id = daemon.alert()["id"].as_str().unwrap().to_owned();
    (daemon, id)
}

/// Every command, with these arguments that say where to look.
fn check_alerts(folder: &Path, place: &[&str], id: &str) {
    let run = |arguments: &[&str]| run_with(folder, KEY, &[arguments, place].concat());
    let (code, listed, errors) = run(&["alerts", "list"]);
    assert_eq!(code, Some(0), "{errors}");
    let alert: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((alert["id"].as_str(), alert["status"].as_str()), (Some(id), Some("firing")), "{listed}");
    assert!(
        listed.starts_with(&format!("{{\"id\":\"{id}\",\"rule\":\"{RULE}\",")),
        "fields keep their order: {listed}"
    );
    for (filter, count) in [
        (&["--status", "firing", "--severity", "critical", "--rule", RULE][..], 1),
        (&["--status", "resolved"], 0),
        (&["--account", "999999999999"], 0),
        (&["--principal", "nobody"], 0),
    ] {
        assert_eq!(run(&[&["alerts", "list"], filter].concat()).1.lines().count(), count, "{filter:?}");
    }
    let (_, table, _) = run(&["alerts", "list", "--format", "human"]);
    assert!(table.starts_with("SEVERITY") && table.lines().count() == 2 && table.contains(id), "{table}");
    let (_, shown, _) = run(&["alerts", "show", id, "--format", "human"]);
    for part in ["CRITICAL firing", RULE, "create-security-group", "STORED"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, _, errors) = run(&["alerts", "show", "nothing"]);
    assert!(code == Some(1) && errors.contains("there is no alert"), "{errors}");
    let (code, _, errors) = run(&["alerts", "resolve", id, "--reason", "it was me"]);
    assert_eq!(code, Some(0), "{errors}");
    let (_, shown, _) = run(&["alerts", "show", id]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["alert"]["status"], "resolved");
    assert_eq!((&shown["resolution"]["author"], &shown["resolution"]["reason"]), (&"ana".into(), &"it was me".into()));
}

fn check_silences(folder: &Path, place: &[&str]) {
    let run = |arguments: &[&str]| run_with(folder, KEY, &[arguments, place].concat());
    let add = ["silences", "add", "--reason", "change 42", "--for", "2h"];
    let (code, id, errors) = run(&[&add[..], &["--rule", "invocation-*", "--format", "human"]].concat());
    assert_eq!(code, Some(0), "{errors}");
    let id = id.trim();
    let (_, listed, _) = run(&["silences", "list"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed["silences"][0]["id"], &listed["silences"][0]["rule"]), (&id.into(), &"invocation-*".into()));
    let (_, table, _) = run(&["silences", "list", "--format", "human"]);
    assert!(table.contains("rule=invocation-*") && table.contains("change 42"), "{table}");
    let (code, _, errors) = run(&add);
    assert!(code == Some(2) && errors.contains("every alert"), "{errors}");
    let (code, _, errors) = run(&["silences", "add", "--reason", "x", "--rule", "a", "--for", "91d"]);
    assert!(code == Some(2) && errors.contains("90 days"), "{errors}");
    assert_eq!(run(&["silences", "end", id]).0, Some(0));
    let (code, _, errors) = run(&["silences", "end", id]);
    assert!(code == Some(1) && errors.contains("no silence"), "{errors}");
    assert_eq!(run(&["silences", "list", "--format", "human"]).1.lines().count(), 1);
    assert_eq!(run(&["silences", "list", "--ended", "--format", "human"]).1.lines().count(), 2);
}

#[test]
fn beside_the_daemon_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, id) = with_alert(folder.path(), "");
    check_alerts(folder.path(), &["--config", "config.toml"], &id);
    check_silences(folder.path(), &["--config", "config.toml"]);
    // What is resolved beside the daemon is told by the daemon.
    let told = daemon.alert();
    assert_eq!((told["id"].as_str(), told["status"].as_str()), (Some(id.as_str()), Some("resolved")));
    daemon.end();
    let (_, listed, _) = run_with(folder.path(), KEY, &["alerts", "list", "--status", "resolved"]);
    assert_eq!(listed.lines().count(), 1, "without a daemon, and where the store lies by default");
    let (code, letters, _) = run_with(folder.path(), KEY, &["alerts", "redrive", "--list"]);
    assert_eq!((code, letters.trim()), (Some(0), "[]"));
    let (code, _, errors) = run_with(folder.path(), KEY, &["alerts", "redrive"]);
    assert!(code == Some(0) && errors.contains("0 deliveries"), "{errors}");
}

#[test]
fn over_http() {
    let folder = tempfile::tempdir().unwrap();
    let key = "[[api_key]]\nname = \"ana\"\nkey = \"ana-key-0123456789\"\nrights = [\"read\", \"write\", \"events\"]\n";
    let (mut daemon, id) = with_alert(folder.path(), "");
    daemon.end();
    // The same store, now beyond loopback.
    fs::write(folder.path().join("keys.toml"), format!("[http]\nlisten = \"0.0.0.0:0\"\n{key}")).unwrap();
    let mut daemon = Daemon::start(program(folder.path()).args(["run", "--config", "keys.toml"]));
    let url = format!("http://127.0.0.1:{}", daemon.address().port());
    let (code, _, errors) = run_with(folder.path(), "", &["alerts", "list", "--url", &url]);
    assert!(code == Some(1) && errors.contains("401") && errors.contains("BEDROCK_WATCH_API_KEY"), "{errors}");
    assert!(!errors.contains(KEY));
    check_alerts(folder.path(), &["--url", &url], &id);
    assert_eq!(daemon.alert()["status"], "resolved");
    check_silences(folder.path(), &["--url", &url]);
    let (code, _, errors) = run_with(folder.path(), KEY, &["alerts", "redrive", "--url", &url]);
    assert!(code == Some(2) && errors.contains("beside the daemon"), "{errors}");
    let (code, _, errors) = run_with(folder.path(), KEY, &["alerts", "list", "--url", "ftp://x"]);
    assert!(code == Some(2) && errors.contains("--url is an address"), "{errors}");
    daemon.end();
}

#[test]
fn where_no_daemon_ever_ran_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, errors) = run_with(folder.path(), KEY, &["alerts", "list"]);
    assert!(code == Some(1) && errors.contains("--config") && errors.contains("bedrock-watch.db"), "{errors}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it makes nothing");
}
